from __future__ import annotations

import pytest

from tidegate.adapters.poetry_locks import read_poetry_lock
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import LockRequest

HASH = "sha256:" + "1" * 64
FILES = f'files = [{{ file = "x.whl", hash = "{HASH}" }}]'
PROJECT = """[tool.poetry.dependencies]
python = "^3.10"
one = "^1"
win = { version = "*", platform = "win32" }
old = { version = "*", python = "<3.11" }
extra = { version = "*", optional = true }
marked = [{ version = "<2", markers = "python_version < '3.12'" }, { version = ">=2", markers = "python_version >= '3.12'" }]
"""


def package(name: str, version: str = "1.0", more: str = "", tables: str = "") -> str:
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\n{more or FILES}\n{tables}\n'
    )


def read(
    packages: str, version: str = "2.1", python: str = "3.13", project: str = PROJECT
) -> list[tuple[str, str]]:
    lock = f'{packages}\n[metadata]\nlock-version = "{version}"\npython-versions = "^3.10"\n'
    texts = {"poetry.lock": lock, "pyproject.toml": project}
    pins = read_poetry_lock(LockRequest(texts, python, "x86_64-manylinux_2_34"))
    assert all(pin.hashes == (HASH,) for pin in pins)
    return [(pin.name, pin.version) for pin in pins]


def test_a_package_says_by_which_groups_and_markers_it_is_wanted() -> None:
    found = read(
        package("Zope.Event", more=f'groups = ["main", "dev"]\n{FILES}')
        + package("dev", more=f'groups = ["dev"]\n{FILES}')
        + package("win", more=f'groups = ["main"]\nmarkers = "sys_platform == \\"win32\\""\n{FILES}')
        + package("more", more=f'groups = ["main"]\nmarkers = "extra == \\"more\\""\n{FILES}')
        + package(
            "two",
            more=f'groups = ["main", "dev"]\nmarkers = {{main = "python_version < \\"3.9\\""}}\n{FILES}',
        )
        + package("linux", more=f'groups = ["main"]\nmarkers = "sys_platform == \\"linux\\""\n{FILES}')
    )
    assert found == [("linux", "1.0"), ("zope-event", "1.0")]


WALKED = (
    package(
        "one",
        tables='[package.dependencies]\nTwo = {version = ">=1", extras = ["Fast"]}\nnever = {version = "*", markers = "os_name == \\"nt\\""}',
    )
    + package(
        "two",
        tables='[package.dependencies]\nspeed = {version = "*", optional = true, markers = "extra == \\"fast\\""}\n'
        'slow = {version = "*", optional = true}\n[package.extras]\nfast = ["speed (>=1)"]\nslow = ["slow"]',
    )
    + package("speed", tables='[package.dependencies]\none = "*"')
    + "".join(package(name) for name in ("slow", "never", "win", "old", "extra", "dev"))
    + package("marked", "1.5")
    + package("marked", "2.5")
)


@pytest.mark.parametrize(("version", "python", "marked"), [("1.1", "3.13", "2.5"), ("2.0", "3.11", "1.5")])
def test_before_poetry_2_dependencies_are_followed(version: str, python: str, marked: str) -> None:
    found = read(WALKED, version, python)
    assert found == [("marked", marked), ("one", "1.0"), ("speed", "1.0"), ("two", "1.0")]


def test_files_stood_apart_once() -> None:
    files = f'[metadata.files]\nOne = [{{ file = "one.whl", hash = "{HASH}" }}]\n'
    project = '[tool.poetry.dependencies]\none = "*"\n'
    lock = package("One", more="# none") + '[metadata]\nlock-version = "1.1"\n' + files
    request = LockRequest({"poetry.lock": lock, "pyproject.toml": project}, "3.13", None)
    assert read_poetry_lock(request)[0].hashes == (HASH,)


def test_an_index_that_the_lock_names_is_kept() -> None:
    lock = package("one", tables='[package.source]\ntype = "legacy"\nurl = "https://mine/simple"')
    texts = {"poetry.lock": f'{lock}\n[metadata]\nlock-version = "2.1"\n', "pyproject.toml": ""}
    assert read_poetry_lock(LockRequest(texts, "3.13", None))[0].origin == "https://mine/simple"


@pytest.mark.parametrize(
    ("packages", "version", "message"),
    [
        (package("x", more='files = ["x"]'), "2.1", r"^poetry\.lock: an entry has an unknown shape"),
        ("", "3.0", r"lock-version is 3\.0; those read are"),
        (package("x", more="files = []"), "2.1", r"x==1\.0 has no hashes; run `poetry lock`"),
        ("", "2.0", "is depended on and not in the lock; run `poetry lock`"),
        (package("x") + package("x", "2.0"), "2.1", r"x is wanted twice, as 1\.0 and 2\.0; .*Poetry 2"),
        (package("x", more=f'markers = "nonsense"\n{FILES}'), "2.1", "is no environment marker"),
        *(
            (
                package("x", tables=f'[package.source]\ntype = "{kind}"\nurl = "https://me:secret@h/x"'),
                "2.1",
                rf"x==1\.0 is a {kind} \(https://\*\*\*@h/x\); name a released version",
            )
            for kind in ("git", "url", "file", "directory")
        ),
    ],
)
def test_what_no_build_takes_is_named(packages: str, version: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        read(packages, version)
    assert "secret" not in str(caught.value)


def test_a_lock_for_another_python_is_refused() -> None:
    with pytest.raises(BuildFailed, match=r"^poetry\.lock: it requires Python \^3\.10, .* runs on 3\.9"):
        read("", python="3.9")


def read_all(packages: str, version: str, project: str) -> list[str]:
    lock = f'{packages}\n[metadata]\nlock-version = "{version}"\npython-versions = "^3.10"\n'
    texts = {"poetry.lock": lock, "pyproject.toml": project}
    request = LockRequest(texts, "3.13", "x86_64-manylinux_2_34")
    return [pin.name for pin in read_poetry_lock(request, every_group=True)]


def test_every_group_is_what_developers_have() -> None:
    packages = (
        package("one", more=f'groups = ["main"]\n{FILES}')
        + package("check", more=f'groups = ["dev"]\n{FILES}')
        + package(
            "old", more=f'groups = ["main", "dev"]\nmarkers = {{dev = "python_version < \\"3.9\\""}}\n{FILES}'
        )
        + package("win", more=f'groups = ["dev"]\nmarkers = "sys_platform == \\"win32\\""\n{FILES}')
    )
    assert read_all(packages, "2.1", "") == ["check", "old", "one"]


def test_every_group_of_a_project_before_poetry_2() -> None:
    project = """[tool.poetry.dependencies]
one = "*"
[tool.poetry.dev-dependencies]
dev = "*"
[tool.poetry.group.checks.dependencies]
check = "*"
[tool.poetry.group.docs]
optional = true
[tool.poetry.group.docs.dependencies]
docs = "*"
"""
    packages = "".join(package(name) for name in ("one", "dev", "check", "docs"))
    assert read_all(packages, "2.0", project) == ["check", "dev", "one"]
