"""Reads samconfig.toml or samconfig.yaml."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from tidegate.adapters.configuration import MAX_TEXT, read_yaml
from tidegate.domain.deployments import read_deployments
from tidegate.domain.errors import InvalidConfiguration

if TYPE_CHECKING:
    from tidegate.domain.snapshots import Deployment


def read_samconfig(text: str, file: str) -> dict[str, Deployment]:
    """A deployment per environment; InvalidConfiguration with file and line where it cannot be read."""
    if not file.endswith(".toml"):
        data, _ = read_yaml(text, file)
        if not isinstance(data, dict):
            raise InvalidConfiguration("the file holds no environments", file=file, line=1)
        return read_deployments(data, file)
    if len(text) > MAX_TEXT:
        raise InvalidConfiguration(f"the file is larger than {MAX_TEXT:,} characters", file=file)
    try:
        return read_deployments(tomllib.loads(text), file)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        raise InvalidConfiguration(
            f"not valid TOML: {error}", file=file, line=int(line[1]) if line else 1
        ) from None
