from __future__ import annotations

import pytest

from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import LockRequest
from tidegate.domain.projects import (
    check_poetry_lock,
    check_python,
    check_uv_lock,
    is_member,
    list_requirements,
    read_toml,
)

PROJECT = """[project]
name = "svc"
version = "0"
dependencies = ["Idna >=3, <4", "six[a,B]==1.17.0; python_version<'3.12'", "near", "far @ https://x/far-1-py3-none-any.whl"]
[project.optional-dependencies]
more = ["colorama"]
[tool.uv.sources]
near = {workspace = true}
"""
UV_LOCK = """version = 1
[[package]]
name = "idna"
version = "3.10"
source = { registry = "https://pypi.org/simple" }
[[package]]
name = "svc"
version = "0"
source = { virtual = "." }
[package.metadata]
requires-dist = [
    { name = "colorama", marker = "extra == 'more'" },
    { name = "far", url = "https://x/far-1-py3-none-any.whl" },
    { name = "idna", specifier = ">=3,<4" },
    { name = "near", editable = "../near" },
    { name = "six", extras = ["a", "b"], marker = "python_full_version < '3.12'", specifier = "==1.17" },
]
"""


def uv(project: str = PROJECT, lock: str = UV_LOCK, member: str = ".") -> LockRequest:
    texts = {"a/uv.lock": lock, "a/pyproject.toml": project}
    return LockRequest(texts, "3.13", None, member)


def test_a_lock_of_uv_agrees_with_its_project() -> None:
    check_uv_lock(uv())
    empty = "[project]\nname = 'svc'\nversion = '0'\n"
    check_uv_lock(uv(empty, '[[package]]\nname = "svc"\nsource = { editable = "." }\n'))
    check_uv_lock(uv(PROJECT.replace('"near"', '"near>=2"')))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"near", ',
            '"near", "new>1", ',
            "new>1 is in a/pyproject.toml and not so in a/uv.lock; run `uv lock`",
        ),
        ("<4", "<5", "idna<5,>=3 is in a/pyproject.toml"),
        ("six[a,B]", "six[a]", "six==1.17.0 is in a/pyproject.toml"),
        ('"Idna >=3, <4", ', "", "idna<4,>=3 is in a/uv.lock and not so in a/pyproject.toml"),
        ("dependencies = [", 'dynamic = ["dependencies"]\nothers = [', "are dynamic"),
        ("dependencies = [", 'dependencies = ["=!", ', "'=!' is no requirement"),
        ("[tool.uv.sources]", '[tool.uv]\nconstraint-dependencies = ["x<2"]\n[tool.uv.sources]', "x<2 is in"),
        ("[tool.uv.sources]", '[tool.uv]\noverride-dependencies = ["x<2"]\n[tool.uv.sources]', "x<2 is in"),
        ("[project]", "[project", "pyproject.toml: not valid TOML"),
    ],
)
def test_a_lock_that_disagrees_is_refused_with_the_remedy(old: str, new: str, message: str) -> None:
    with pytest.raises(BuildFailed) as caught:
        check_uv_lock(uv(PROJECT.replace(old, new, 1)))
    assert message in str(caught.value)


def test_constraints_and_overrides_that_are_locked_agree() -> None:
    settings = '[tool.uv]\nconstraint-dependencies = ["x<2"]\noverride-dependencies = ["Y==1"]\n'
    held = '[manifest]\nconstraints = [{ name = "x", specifier = "<2" }]\noverrides = [{ name = "y", specifier = "==1" }]\n'
    check_uv_lock(uv(PROJECT + settings, held + UV_LOCK.removeprefix("version = 1\n")))


def test_a_lock_without_the_project_is_not_its_lock() -> None:
    with pytest.raises(BuildFailed, match=r"^a/uv\.lock: it holds no project at a/b/pyproject\.toml"):
        check_uv_lock(uv(member="b"))


def test_a_dependency_on_itself_brings_its_extras() -> None:
    lock = UV_LOCK.replace("requires-dist = [", 'requires-dist = [{ name = "colorama" },')
    with pytest.raises(BuildFailed, match="colorama is in"):
        check_uv_lock(uv(lock=lock))
    check_uv_lock(uv(PROJECT.replace('"near"', '"near", "svc[more]"'), lock))


# The hashes that Poetry 1.8.5 and 2.5.1 (the same), and 2.5.1 for [project] and its groups, write.
SOURCE = """[[tool.poetry.source]]
name = "here"
url = "http://127.0.0.1:43847/simple"
priority = "primary"
"""
CLASSIC = f"""[tool.poetry]
name = "svc"
version = "0.1.0"
package-mode = false
[tool.poetry.dependencies]
python = "^3.10"
idna = "~3.10"
markupsafe = "*"
six = {{version = "^1.16", optional = true}}
[tool.poetry.extras]
more = ["six"]
[tool.poetry.group.dev.dependencies]
iniconfig = "*"
{SOURCE}"""
STANDARD = f"""[project]
name = "svc"
version = "0.1.0"
requires-python = ">=3.10"
dependencies = ["idna (>=3,<4)"]
[tool.poetry]
package-mode = false
{SOURCE}"""
GROUPED = f'{STANDARD}[dependency-groups]\ndev = ["iniconfig"]\n'


@pytest.mark.parametrize(
    ("project", "digest"),
    [
        (CLASSIC, "2c545e329483be60f27380110ed8236c26d7476c0e9c2a4e24011fa0e99ac045"),
        (STANDARD, "d05934cffda406c4dbba25c43ce85a0c3b432455da5ddc0ddf5659bf99b6a89f"),
        (GROUPED, "8de6e8c994038b1685f4223f587473dd26f3e3e4d6ca6b50d83dfc12cc7f324c"),
        (GROUPED, "d05934cffda406c4dbba25c43ce85a0c3b432455da5ddc0ddf5659bf99b6a89f"),
    ],
)
def test_a_lock_of_poetry_agrees_by_the_hash_that_poetry_keeps(project: str, digest: str) -> None:
    lock = f'[metadata]\ncontent-hash = "{digest}"\n'

    def request(text: str) -> LockRequest:
        return LockRequest({"poetry.lock": lock, "pyproject.toml": text}, "3.13", None)

    check_poetry_lock(request(project))
    check_poetry_lock(request(project.replace("0.1.0", "0.2.0")))
    with pytest.raises(BuildFailed, match=r"^poetry\.lock: pyproject\.toml has changed .*run `poetry lock`"):
        check_poetry_lock(request(project.replace("idna", "idna2")))


def test_a_project_without_a_lock_lists_what_it_requires() -> None:
    text = '[project]\nname = "a"\ndependencies = ["Idna>=3; python_version > \'3\'", "x[y]"]\n'
    assert list_requirements(read_toml(text, "p"), "p") == ['Idna>=3; python_version > "3"', "x[y]"]
    assert not list_requirements({}, "p")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('dynamic = ["dependencies"]', r"^p: its dependencies are dynamic, .*requirements\.txt"),
        (
            'dependencies = ["x @ git+https://me:secret@h/x"]',
            r"^p: 'x @ git\+https://\*\*\*@h/x' is not taken",
        ),
        ('dependencies = ["x @ file:///x"]', "is not taken"),
        ('dependencies = ["X"]\n[tool.uv.sources]\nx = {path = "x"}', r"sources\.x counts .* run `uv lock`"),
        ('[tool.uv]\noverride-dependencies = ["x"]', r"override-dependencies counts .* run `uv lock`"),
    ],
)
def test_what_a_project_alone_cannot_say_is_refused(text: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        list_requirements(read_toml(f"[project]\n{text}\n", "p"), "p")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("requires", "python", "fits"),
    [
        (None, "3.13", True),
        (">=3.13.2", "3.13", True),
        ("==3.12.*", "3.13", False),
        (">=3.12,<3.13", "3.12", True),
        (">=3.14", "3.13", False),
    ],
)
def test_a_project_is_for_some_python(requires: str | None, python: str, fits: bool) -> None:
    if fits:
        check_python(requires, python, "p")
        return
    with pytest.raises(BuildFailed, match=r"^p: it requires Python .* the function runs on 3\.13"):
        check_python(requires, python, "p")
    with pytest.raises(BuildFailed, match="says no version"):
        check_python("three", python, "p")


@pytest.mark.parametrize(
    ("member", "belongs"),
    [
        ("services/a", True),
        ("services/a/b", False),
        ("libs/x/y", True),
        ("other", False),
        ("services/old", False),
    ],
)
def test_members_of_a_workspace_are_meant_by_its_globs(member: str, belongs: bool) -> None:
    root = read_toml(
        '[tool.uv.workspace]\nmembers = ["./services/*", "libs/**"]\nexclude = ["services/old"]\n', "p"
    )
    assert is_member(root, member) is belongs
    assert not is_member({}, member)
