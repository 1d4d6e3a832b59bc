from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tidegate.adapters.requirements import Requirements, tell_choice
from tidegate.cli.working_trees import WorkingTree
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Kind, LockRequest, Target

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target("3.13", "x86_64-manylinux_2_34")
PROJECT = '[project]\nname = "svc"\nversion = "0"\ndependencies = ["idna"]\n'
UV_LOCK = """[[package]]
name = "svc"
source = { virtual = "." }
[package.metadata]
requires-dist = [{ name = "idna" }]
"""
# Of Poetry's hash of PROJECT.
POETRY_LOCK = '[metadata]\ncontent-hash = "HASH"\n'
ALL = {
    "pylock.toml": 'lock-version = "1.0"\n',
    "uv.lock": UV_LOCK,
    "requirements.txt": "idna\n",
    "pyproject.toml": PROJECT,
}


def read(folder: Path, files: dict[str, str]) -> Requirements:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Requirements(WorkingTree(folder))


def test_a_lock_comes_before_a_list_and_a_list_before_a_project(tmp_path: Path) -> None:
    left = dict(ALL)
    for name in ("pylock.toml", "uv.lock", "requirements.txt", "pyproject.toml"):
        folder = tmp_path / name
        folder.mkdir()
        found = read(folder, left).find(["."], TARGET)
        assert found is not None
        assert found.main == name
        assert found.kind == Kind(name)
        del left[name]


def test_what_lies_beside_the_code_comes_before_the_root(tmp_path: Path) -> None:
    found = read(tmp_path, {**ALL, "a/requirements.txt": "", "b/app.py": ""})
    beside, root = found.find(["a", "."], TARGET), found.find(["b", "."], TARGET)
    assert beside is not None
    assert root is not None
    assert (beside.main, root.main) == ("a/requirements.txt", "pylock.toml")
    assert found.find(["b"], TARGET) is None
    assert found.find(["b", "."], TARGET) is root, "one request for all that share it"


def test_a_project_of_a_workspace_has_the_workspace_s_lock(tmp_path: Path) -> None:
    lock = UV_LOCK.replace('"."', '"services/a"')
    root = '[tool.uv.workspace]\nmembers = ["services/*"]\n'
    files = {
        "uv.lock": lock,
        "pyproject.toml": root,
        "services/a/pyproject.toml": PROJECT,
        "x/pyproject.toml": PROJECT,
    }
    found = read(tmp_path, files)
    request = found.find(["services/a", "."], TARGET)
    assert request is not None
    assert (request.main, request.member) == ("uv.lock", "services/a")
    assert request.project == "services/a/pyproject.toml"
    assert set(request.texts) == {"uv.lock", "pyproject.toml", "services/a/pyproject.toml"}
    assert tell_choice("services/a", request, ()) == ""
    other = found.find(["x", "."], TARGET)
    assert other is not None
    assert other.main == "x/pyproject.toml"
    assert LockRequest(request.texts, *TARGET, "services/b").key != request.key


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": "[tool.ruff]\n"},
        {"pyproject.toml": '[project]\nname = "a"\nversion = "0"\n'},
        {"pyproject.toml": "[tool.uv.workspace]\nmembers = []\n", "uv.lock": ""},
        {"uv.lock": ""},
        {"poetry.lock": "", "pylock.dev.toml": "", "Pipfile.lock": "{}"},
    ],
)
def test_what_says_nothing_is_told_and_not_taken(tmp_path: Path, files: dict[str, str]) -> None:
    found = read(tmp_path, files)
    assert found.find(["."], TARGET) is None
    unread = found.unread(["."])
    assert unread == tuple(sorted(set(files) - {"pyproject.toml"}))
    assert bool(unread) == (
        "says nothing to Tidegate; it reads pylock.toml" in tell_choice(".", None, unread)
    )


def test_a_project_beside_requirement_texts_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, {name: ALL[name] for name in ("requirements.txt", "pyproject.toml")})
    request = found.find(["."], TARGET)
    text = tell_choice(".", request, found.unread(["."]))
    assert text == "requirements.txt beside the code says what it requires; pyproject.toml there is not read"
    assert tell_choice("src", request, ()).startswith("requirements.txt says what is required, since nothing")


def test_a_lock_that_disagrees_is_refused_before_anything_is_resolved(tmp_path: Path) -> None:
    found = read(tmp_path, {**ALL, "pylock.toml": "", "uv.lock": UV_LOCK.replace("idna", "six")})
    assert found.find(["."], TARGET) is not None
    (tmp_path / "pylock.toml").unlink()
    with pytest.raises(BuildFailed, match=r"^uv\.lock: idna is in pyproject\.toml"):
        read(tmp_path, {}).find(["."], TARGET)
    with pytest.raises(BuildFailed, match=r"^uv\.lock: an entry has an unknown shape"):
        read(tmp_path, {"uv.lock": UV_LOCK.replace('name = "idna"', "")}).find(["."], TARGET)
    (tmp_path / "uv.lock").unlink()
    with pytest.raises(BuildFailed, match=r"^poetry\.lock: pyproject\.toml has changed"):
        read(tmp_path, {"poetry.lock": POETRY_LOCK}).find(["."], TARGET)
