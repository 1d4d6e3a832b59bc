"""Zips put together of fragments: read back by others, the same wherever they are made, and no clash unnamed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.test_fragments import FILES
from tests.zips import code_part, wheel_part
from tidegate.adapters import assembly, entries
from tidegate.adapters.assembly import assemble, move
from tidegate.adapters.programs import find_uv, inherited
from tidegate.domain.errors import BuildFailed

ROOT = Path(__file__).resolve().parents[2]


def plain(**files: bytes) -> dict[str, tuple[bytes, bool, bool]]:
    return {name.replace("__", "."): (body, False, False) for name, body in files.items()}


def contents(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@given(
    FILES,
    st.dictionaries(st.sampled_from(["own.py", "a.py", "b.py", "ab.py"]), st.binary(max_size=99)),
    st.booleans(),
)
def test_a_zip_holds_its_parts_and_the_code_wins(tmp_path_factory, files, code, moved) -> None:
    folder = tmp_path_factory.mktemp("zip")
    parts = [wheel_part(folder, "one", files), wheel_part(folder, "two", {"two/x.py": (b"2", False, False)})]
    if moved:
        parts = [move(part, lambda path: f"python/{path}") for part in parts]
        code = {f"python/{path}": body for path, body in code.items()}
    done = assemble(folder / "out.zip", parts, code_part(folder, code), "it")
    found = contents(folder / "out.zip")
    base = "python/" if moved else ""
    expected = (
        {f"{base}{path}": body for path, (body, _, _) in files.items()} | {f"{base}two/x.py": b"2"} | code
    )
    assert {path: body for path, body in found.items() if ".dist-info/" not in path} == expected
    assert list(found) == sorted(found)
    body = (folder / "out.zip").read_bytes()
    assert (done.size, done.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert done.unzipped == sum(len(one) for one in found.values())


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_another_program_finds_no_fault(tmp_path: Path) -> None:
    part = wheel_part(tmp_path, "one", {"é/a.py": (b"a" * 5000, True, False), "b.py": (b"", False, True)})
    assemble(tmp_path / "out.zip", [part], code_part(tmp_path, {"app.py": b"x" * 100}), "it")
    done = subprocess.run(["unzip", "-t", tmp_path / "out.zip"], check=True, capture_output=True, text=True)
    assert "No errors detected" in done.stdout


def test_no_part_at_all_is_an_empty_zip(tmp_path: Path) -> None:
    assemble(tmp_path / "out.zip", [], None, "it")
    assert contents(tmp_path / "out.zip") == {}


def test_the_same_file_of_two_wheels_is_kept_once(tmp_path: Path) -> None:
    stored = wheel_part(tmp_path, "one", {"google/__init__.py": (b"same" * 9, False, True)})
    packed = wheel_part(tmp_path, "two", {"google/__init__.py": (b"same" * 9, False, False)})
    assemble(tmp_path / "out.zip", [stored, packed], None, "it")
    assert contents(tmp_path / "out.zip")["google/__init__.py"] == b"same" * 9


@pytest.mark.parametrize("other", [b"other", b"longer than it"])
def test_two_wheels_with_one_path_are_both_named(other: bytes, tmp_path: Path) -> None:
    one, two = (
        wheel_part(tmp_path, "one", plain(tests__py=b"first")),
        wheel_part(tmp_path, "two", plain(tests__py=other)),
    )
    with pytest.raises(BuildFailed, match=r"^one\.whl and two\.whl hold different files at tests\.py"):
        assemble(tmp_path / "out.zip", [one, two], None, "it")
    assemble(tmp_path / "out.zip", [one, two], code_part(tmp_path, {"tests.py": b"own"}), "it")
    assert contents(tmp_path / "out.zip")["tests.py"] == b"own"


def test_a_file_where_another_part_has_a_folder_is_refused(tmp_path: Path) -> None:
    part = wheel_part(tmp_path, "one", {"lib/x.py": (b"", False, False)})
    with pytest.raises(BuildFailed, match=r"^it: lib is a file in the code and a folder elsewhere"):
        assemble(tmp_path / "out.zip", [part], code_part(tmp_path, {"lib": b""}), "it")


def test_more_than_lambda_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = wheel_part(tmp_path, "one", plain(a__py=b"x" * 1000))
    monkeypatch.setattr(assembly, "MAX_UNZIPPED", 900)
    with pytest.raises(BuildFailed, match=r"^it unpacks to 1,\d\d\d bytes; Lambda allows 900"):
        assemble(tmp_path / "out.zip", [part], None, "it")


def test_what_only_zip64_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = wheel_part(tmp_path, "one", plain(a__py=b""))
    monkeypatch.setattr(entries, "MOST_ENTRIES", 2)
    with pytest.raises(OverflowError, match="3 files"):
        assemble(tmp_path / "out.zip", [part], None, "it")


def make_elsewhere(python: list[str], folder: Path, **environment: str) -> str:
    folder.mkdir(parents=True)
    command = [*python, "-m", "tests.zips", str(folder)]
    umask = int(environment.pop("UMASK", "022"), 8)
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        command, env=surroundings, check=True, capture_output=True, text=True, umask=umask, cwd=ROOT
    )
    return done.stdout


def test_the_bytes_are_the_same_in_any_surroundings(tmp_path: Path) -> None:
    """Folder, umask, time zone and hash seed differ; wheels and code are made anew, at another time."""
    first = make_elsewhere([sys.executable], tmp_path / "a", TZ="UTC", PYTHONHASHSEED="0")
    changed = {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "1", "UMASK": "077"}
    second = make_elsewhere([sys.executable], tmp_path / "deeper" / "b", **changed)
    assert first == second


@pytest.mark.registry
@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_the_bytes_are_the_same_of_other_interpreters(version: str, tmp_path: Path) -> None:
    environment = inherited()
    found = subprocess.run(
        [find_uv(), "python", "find", version], env=environment, check=False, capture_output=True
    )
    if found.returncode:
        pytest.skip(f"there is no Python {version} here")
    subprocess.run(
        [find_uv(), "venv", "-q", "--python", version, tmp_path / "venv"], env=environment, check=True
    )
    python = str(tmp_path / "venv" / "bin" / "python")
    command = [find_uv(), "pip", "install", "-q", "--python", python, "pydantic"]
    subprocess.run(command, env=environment, check=True)
    here = make_elsewhere([sys.executable], tmp_path / "here")
    assert make_elsewhere([python], tmp_path / "there") == here
