"""The benchmark of cold starts: what it starts, and out of which folders."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from benchmarks.cold_starts import find_code, start, strip

if TYPE_CHECKING:
    from pathlib import Path


def test_a_start_imports_the_module_out_of_the_folders_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import two\n")
    (tmp_path / "two.py").write_text("")
    began = start("one", (tmp_path,))
    assert began.wall > began.cpu / 4 > 0
    assert start("two", (tmp_path,)).modules == began.modules - 1
    assert {path.name for path in tmp_path.iterdir()} == {"one.py", "two.py"}
    with pytest.raises(subprocess.CalledProcessError):
        start("three", (tmp_path,))


def test_without_byte_code_is_a_copy(tmp_path: Path) -> None:
    (tmp_path / "code" / "__pycache__").mkdir(parents=True)
    (tmp_path / "code" / "__pycache__" / "a.pyc").write_text("")
    (tmp_path / "code" / "a.py").write_text("")
    copy = strip(tmp_path / "code", tmp_path / "copy")
    assert [path.name for path in copy.rglob("*")] == ["a.py"]


def test_the_code_is_found_in_an_assembly(tmp_path: Path) -> None:
    for name in ("layer", "code/functions"):
        (tmp_path / name).mkdir(parents=True)
    files = {name: {"source": {"path": name}} for name in ("layer", "code")}
    (tmp_path / "Pipeline.assets.json").write_text(json.dumps({"files": files}))
    assert find_code(tmp_path) == tmp_path / "code"
