"""The one asset of code, with byte code beside the modules.

Lambda's folder of code is read-only: without byte code each cold start compiles what it imports. It is good
for the minor version of Python alone that made it. Where no such interpreter is here, there is none.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aws_cdk import Annotations, AssetHashType
from aws_cdk import aws_lambda as lambda_

from infra import layers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from constructs import Construct

    from tidegate.domain.pipeline import Pipeline

FOLDERS: Final = ("functions", "tidegate")
# What no function runs.
LEFT_OUT: Final = (Path("tidegate/cli"), Path("tidegate/local"))
PLACE: Final = "/var/task"


def asset(scope: Construct, root: Path, pipeline: Pipeline) -> lambda_.Code:
    """The code of all functions; a new version of them only where the sources, or the runtime, are others."""
    wanted = pipeline.runtime.removeprefix("python")
    if layers.find_python(wanted) is None:
        Annotations.of(scope).add_info(
            f"cold starts compile the code: no Python {wanted} is here to do it before; "
            f"`uv python install {wanted}` brings one"
        )
    folder, found = _prepare(root, wanted)
    return lambda_.Code.from_asset(str(folder), asset_hash=found, asset_hash_type=AssetHashType.CUSTOM)


@cache
def _prepare(root: Path, version: str) -> tuple[Path, str]:
    """The folder of the asset and its digest; several stacks have the same."""
    python = layers.find_python(version)
    found = digest(root, version if python else "")
    folder = root / "build" / "code" / found[:16]
    if not folder.exists():
        stage(root, folder, python)
    return folder, found


def _files(root: Path) -> Iterator[Path]:
    """The files of the code, relative to the root and sorted."""
    found = (
        path.relative_to(root) for name in FOLDERS for path in (root / name).rglob("*") if path.is_file()
    )
    for path in sorted(found):
        if "__pycache__" not in path.parts and not any(path.is_relative_to(one) for one in LEFT_OUT):
            yield path


def digest(root: Path, version: str) -> str:
    """The SHA-256 (hex) of the sources, and of which Python the byte code is for: its bytes may differ."""
    found = hashlib.sha256(f"{layers.FORM} {version}".encode())
    for path in _files(root):
        body = (root / path).read_bytes()
        found.update(f"\0{path.as_posix()}\0{len(body)}\0".encode())
        found.update(body)
    return found.hexdigest()


def stage(root: Path, folder: Path, python: str | None) -> None:
    """Copy the code and compile it; the folder appears whole, and of two at once the first one stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".code-", dir=folder.parent) as scratch:
        made = Path(scratch) / "code"
        for path in _files(root):
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, made / path)
        if python:
            layers.compile_modules(python, made, PLACE)
        if not folder.exists():
            made.rename(folder)
