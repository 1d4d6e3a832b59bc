"""Layers are made from the locks: whole, the same each time, and left alone where they are up to date."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from infra import layers
from tests.infra.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_lock_of_the_toolchain_is_that_of_everything() -> None:
    everything = (ROOT / "requirements" / "all.txt").read_text()
    assert (ROOT / "requirements" / "toolchain.txt").read_text() in everything


def test_every_requirement_has_a_hash() -> None:
    for lock in layers.LOCKS.values():
        assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\S)", lock.read_text().strip()))


@pytest.mark.registry
@pytest.mark.slow
@pytest.mark.parametrize("name", ["dependencies", "toolchain"])
def test_a_layer_is_the_same_each_time(name: str, tmp_path: Path) -> None:
    for out in ("one", "two"):
        assert layers.make(name, tmp_path / out, "3.13", "arm64")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert not list(tmp_path.rglob("__pycache__"))
    assert not layers.make(name, tmp_path / "one", "3.13", "arm64")
    assert layers.require(tmp_path / "one" / name, name, "3.13", "arm64")
    assert {path.name for path in (tmp_path / "one").iterdir()} == {name}


@pytest.mark.registry
@pytest.mark.slow
def test_a_layer_for_this_interpreter_brings_its_byte_code(tmp_path: Path) -> None:
    architecture = layers.machine()
    assert layers.make("dependencies", tmp_path, layers.HERE, architecture)
    assert list((tmp_path / "dependencies" / "python" / "boto3").glob("__pycache__/*.pyc"))
    assert layers.make("dependencies", tmp_path, "3.13" if layers.HERE != "3.13" else "3.12", "arm64")
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_layer_without_byte_code_is_up_to_date_only_while_there_is_no_interpreter(tmp_path: Path) -> None:
    """Whoever installs one later gets another layer; which of the two is deployed, its digest tells."""
    wanted = layers.describe("dependencies", layers.HERE, "arm64")
    digests = []
    for byte_code in ("", layers.HERE):
        folder = tmp_path / (byte_code or "none") / "dependencies"
        folder.mkdir(parents=True)
        (folder / layers.RECORD).write_text(json.dumps({**wanted, "byte_code": byte_code}))
        digests.append(layers.require(folder, "dependencies", layers.HERE, "arm64"))
    assert digests[0] != digests[1]
    assert not layers.make("dependencies", tmp_path / layers.HERE, layers.HERE, "arm64")
    with pytest.raises(layers.LayerMismatch, match="was made for"):
        layers.require(folder, "dependencies", "3.99", "arm64")
