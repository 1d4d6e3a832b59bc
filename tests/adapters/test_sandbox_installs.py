"""What tests need is installed from what a service has: requirement texts, projects, locks."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.functions.test_given_locks import PROJECT, poetry_lock, uv_lock
from tidegate.adapters.installs import make_environment
from tidegate.adapters.sandbox_installs import HERE, install
from tidegate.domain.errors import BuildFailed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.package_index import PackageIndex

PYLOCK = """lock-version = "1.0"
created-by = "me"
[[packages]]
name = "one"
version = "1.0"
wheels = [{{ url = "{url}", hashes = {{ sha256 = "{digest}" }} }}]
"""


@pytest.fixture
def hashes(index: PackageIndex) -> dict[str, str]:
    """Packages of which newer versions exist than those that the locks name."""
    for name in ("one", "two", "three"):
        index.add(name, {f"{name}.py": "version = 'new'"}, "2.0")
    return {name: index.add(name, {f"{name}.py": "version = 'old'"}, "1.0") for name in ("one", "two")}


def run(tmp_path: Path, files: dict[str, str], *paths: str, extra: tuple[str, ...] = ()) -> dict[str, str]:
    """What is installed after an installation from some of the files: versions by name."""
    source, environment = tmp_path / "source", tmp_path / "environment"
    for path, text in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text.replace("3.11", HERE))
    make_environment(environment)
    install(environment, source, paths, extra, seconds=60)
    found = {}
    for name in ("one", "two", "three"):
        command = [environment / "bin" / "python", "-c", f"import {name}; print({name}.version)"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found[name] = done.stdout.strip()
    return {name: version for name, version in found.items() if version}


def test_a_lock_of_uv_brings_what_developers_have(
    tmp_path: Path, index: PackageIndex, hashes: dict[str, str]
) -> None:
    files = {"api/uv.lock": uv_lock(index, hashes), "api/pyproject.toml": PROJECT}
    assert run(tmp_path, files, "api/uv.lock") == {"one": "old", "two": "old"}


def test_a_lock_of_poetry_brings_every_group(tmp_path: Path, hashes: dict[str, str]) -> None:
    lock = poetry_lock(hashes, {}).replace('groups = ["main"]', 'groups = ["dev"]')
    files = {"poetry.lock": lock, "pyproject.toml": "[project]\nname = 'svc'\n"}
    assert run(tmp_path, files, "poetry.lock") == {"one": "old", "two": "old"}


def test_a_lock_as_it_is_and_what_is_asked_for_beside_it(
    tmp_path: Path, index: PackageIndex, hashes: dict[str, str]
) -> None:
    url = index.file_url("one-1.0-py3-none-any.whl")
    lock = PYLOCK.format(url=url, digest=hashes["one"])
    found = run(tmp_path, {"pylock.toml": lock, "t.txt": "two<2"}, "pylock.toml", "t.txt", extra=("three",))
    assert found == {"one": "old", "two": "old", "three": "new"}


def test_a_project_without_a_lock_brings_its_group_for_development(
    tmp_path: Path, hashes: dict[str, str]
) -> None:
    assert hashes
    files = {"pyproject.toml": PROJECT.replace('dependencies = ["one<2"]', 'dependencies = ["one"]')}
    assert run(tmp_path, files, "pyproject.toml") == {"one": "new", "two": "new"}


def test_a_list_that_disagrees_with_a_lock_of_somebody_else_stays(
    tmp_path: Path, index: PackageIndex, hashes: dict[str, str]
) -> None:
    files = {"uv.lock": uv_lock(index, hashes), "pyproject.toml": PROJECT, "f/requirements.txt": "one==2.0"}
    found = run(tmp_path, files, "uv.lock", "f/requirements.txt")
    assert found == {"one": "new", "two": "old"}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"poetry.lock": ""}, "poetry.lock: there is no pyproject.toml beside it"),
        ({"a/uv.lock": "", "a/pyproject.toml": "[project]\nname = 'a'\n"}, "^a/uv.lock: "),
        ({"r.txt": "nobody-has-this"}, "^r.txt: .*nobody-has-this"),
    ],
)
def test_what_cannot_be_installed_names_its_file(
    tmp_path: Path, index: PackageIndex, files: dict[str, str], message: str
) -> None:
    assert index.url
    with pytest.raises(BuildFailed, match=message):
        run(tmp_path, files, next(iter(files)))
