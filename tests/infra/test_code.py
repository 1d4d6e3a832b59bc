"""The asset of code brings byte code that is used as it is, and names modules as they lie on Lambda."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from infra import code, layers
from tests.infra.conftest import ROOT

BY_HASH_UNCHECKED = 1  # PEP 552


def test_every_module_has_byte_code_that_nothing_checks(tmp_path: Path) -> None:
    code.stage(ROOT, tmp_path / "code", sys.executable)
    modules = sorted((tmp_path / "code").rglob("*.py"))
    assert len(modules) > 300
    for module in modules:
        compiled = Path(importlib.util.cache_from_source(str(module))).read_bytes()
        assert int.from_bytes(compiled[4:8], "little") == BY_HASH_UNCHECKED
        assert f"/var/task/{module.relative_to(tmp_path / 'code').as_posix()}".encode() in compiled
    modules[-1].write_text("raise AssertionError('compiled anew')")
    name = ".".join(modules[-1].relative_to(tmp_path / "code").with_suffix("").parts)
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = ['.']; import {name}"]
    subprocess.run(command, cwd=tmp_path / "code", check=True)


def test_without_an_interpreter_of_the_runtime_there_are_sources_alone(tmp_path: Path) -> None:
    code.stage(ROOT, tmp_path / "code", None)
    assert {path.suffix for path in (tmp_path / "code").rglob("*") if path.is_file()} <= {".py", ".json"}


def test_the_digest_is_that_of_sources_and_runtime(tmp_path: Path) -> None:
    for folder in code.FOLDERS:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.py").write_text("1")
    first = code.digest(tmp_path, "python3.13")
    (tmp_path / "tidegate" / "cli").mkdir()
    (tmp_path / "tidegate" / "cli" / "b.py").write_text("2")
    (tmp_path / "tidegate" / "__pycache__").mkdir()
    (tmp_path / "tidegate" / "__pycache__" / "a.pyc").write_text("3")
    assert code.digest(tmp_path, "python3.13") == first
    assert code.digest(tmp_path, "") != first
    (tmp_path / "functions" / "a.py").write_text("2")
    assert code.digest(tmp_path, "python3.13") != first


def test_an_interpreter_is_found_by_its_version() -> None:
    assert layers.find_python(layers.HERE) == sys.executable
    assert layers.find_python("3.99") is None
