"""Locks made of what a service gives, at an index of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tidegate.adapters.lock_files import parse_lock
from tidegate.adapters.locks import list_given, make_lock
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import LockRequest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.package_index import PackageIndex

POETRY = '[[package]]\nname = "one"\nversion = "1.0"\ngroups = ["main"]\nfiles = [{{ file = "one.whl", hash = "sha256:{}" }}]\n'
END = '[metadata]\nlock-version = "2.1"\n'


def make(texts: dict[str, str], folder: Path, member: str = ".") -> list[tuple[str, str]]:
    request = LockRequest(texts, "3.13", "x86_64-manylinux_2_34", member)
    lock = parse_lock(make_lock(request, folder).read_text(), request.main, request.target)
    return [(one.name, one.version) for one in lock.wheels]


def test_a_lock_of_poetry_gets_its_addresses_from_the_index(index: PackageIndex, tmp_path: Path) -> None:
    digest = index.add("one", {"one.py": ""}, requires=("two",))
    index.add("one", {"one.py": ""}, "2.0")
    texts = {"a/poetry.lock": POETRY.format(digest) + END, "a/pyproject.toml": ""}
    assert make(texts, tmp_path) == [("one", "1.0")]
    other = {**texts, "a/poetry.lock": POETRY.format("1" * 64) + END}
    with pytest.raises(BuildFailed, match=r"one-1\.0.* is none of those pinned"):
        make(other, tmp_path)
    assert not make({"poetry.lock": END, "pyproject.toml": ""}, tmp_path)


def test_what_the_index_lacks_is_told_by_the_lock_s_name(index: PackageIndex, tmp_path: Path) -> None:
    index.add("two", {"two.py": ""})
    with pytest.raises(BuildFailed, match=r"^a/poetry\.lock: .*one"):
        make({"a/poetry.lock": POETRY.format("1" * 64) + END, "a/pyproject.toml": ""}, tmp_path)


def test_a_project_alone_is_resolved(index: PackageIndex, tmp_path: Path) -> None:
    index.add("one", {"one.py": ""}, requires=("two",))
    index.add("two", {"two.py": ""})
    text = '[project]\nname = "svc"\nversion = "0"\nrequires-python = ">=3.12"\ndependencies = ["one"]\n'
    text += '[project.optional-dependencies]\nmore = ["three"]\n[build-system]\nrequires = ["nothing"]\n'
    assert make({"a/pyproject.toml": text}, tmp_path) == [("one", "1.0"), ("two", "1.0")]
    with pytest.raises(BuildFailed, match=r"^a/pyproject\.toml: it requires Python >=3\.14"):
        make({"a/pyproject.toml": text.replace(">=3.12", ">=3.14")}, tmp_path)


def test_a_given_lock_is_taken_as_it_is(tmp_path: Path) -> None:
    wheel = f'{{ url = "https://a/x-1-py3-none-any.whl", hashes = {{ sha256 = "{"1" * 64}" }} }}'
    text = f'lock-version = "1.0"\n[[packages]]\nname = "x"\nversion = "1"\nwheels = [{wheel}]\n'
    assert make({"pylock.toml": text}, tmp_path) == [("x", "1")]
    assert (tmp_path / "pylock.toml").read_text() == text


WORKSPACE = {
    "uv.lock": """version = 1
revision = 3
requires-python = ">=3.11"
[manifest]
members = ["common", "root", "svc"]
[[package]]
name = "common"
version = "0"
source = { editable = "libs/common" }
[[package]]
name = "root"
version = "0"
source = { editable = "." }
[[package]]
name = "source"
version = "3"
source = { git = "https://example.com/source?rev=1#1111111111111111111111111111111111111111" }
[[package]]
name = "svc"
version = "0"
source = { virtual = "services/a" }
dependencies = [{ name = "NEEDED" }]
""",
    "pyproject.toml": '[project]\nname = "root"\nversion = "0"\n[tool.uv.workspace]\nmembers = ["services/*"]\n',
    "services/a/pyproject.toml": '[project]\nname = "svc"\nversion = "0"\nrequires-python = ">=3.11"\n',
}


@pytest.mark.parametrize(
    ("needed", "message"),
    [
        ("common", r"^uv\.lock: common.* is a directory \(libs/common\)"),
        ("source", r"^uv\.lock: source.* is a vcs"),
        ("root", r"^uv\.lock: root, the workspace's root, is depended on"),
    ],
)
def test_members_and_repositories_that_carry_code_are_refused_by_name(
    tmp_path: Path, needed: str, message: str
) -> None:
    texts = {**WORKSPACE, "uv.lock": WORKSPACE["uv.lock"].replace("NEEDED", needed)}
    with pytest.raises(BuildFailed, match=message):
        make(texts, tmp_path, "services/a")
    request = LockRequest(texts, "3.13", None, "services/a")
    if needed == "root":
        return
    assert [one.name for one in list_given(request)] == [needed]
