"""Reads the pipeline's configuration: `tidegate` in the app's context, and a file of changes over it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from tidegate.domain.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY: Final = "tidegate"
OVERRIDES: Final = "TIDEGATE_CONFIG"
OUTDIR: Final = "CDK_OUTDIR"


class InvalidPipeline(Exception):
    """The configuration is wrong; the message has a line for each mistake, with the key that it is at."""


def read(context: object, environment: Mapping[str, str]) -> Pipeline:
    """The configuration in `context`; the keys of the file that TIDEGATE_CONFIG names replace its keys."""
    if not isinstance(context, dict):
        raise InvalidPipeline(f"cdk.json: context.{KEY} must be an object")
    merged = {**context, **_overrides(environment.get(OVERRIDES))}
    try:
        return Pipeline.model_validate(merged)
    except ValidationError as error:
        lines = [f"{_place(item['loc'])}: {item['msg']}" for item in error.errors()]
        raise InvalidPipeline("\n".join(lines)) from None


def _overrides(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        found: object = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise InvalidPipeline(f"{OVERRIDES}: {path}: {error}") from None
    if not isinstance(found, dict):
        raise InvalidPipeline(f"{OVERRIDES}: {path}: must hold an object, with the keys of context.{KEY}")
    return found


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join([f"context.{KEY}", *map(str, location)])
