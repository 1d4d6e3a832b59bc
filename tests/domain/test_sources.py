from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.errors import InvalidSource
from tidegate.domain.sources import (
    SourceFile,
    check_link,
    check_name,
    find_templates,
    find_test_command,
    find_test_folder,
    find_test_requirements,
    is_left_out,
    resolve,
    tree_hash,
)


@pytest.mark.parametrize(
    "name", [b"", b".", b"..", b".git", b".GIT", b"a/b", b"a\\b", b"a\0b", b"a\nb", b"\xff", b"x" * 1100]
)
def test_unsafe_names_are_refused(name: bytes) -> None:
    with pytest.raises(InvalidSource):
        check_name(name, "folder")


@given(st.binary(max_size=40), st.sampled_from(["", "a", "a/b"]))
def test_a_name_that_is_let_through_stays_in_its_folder(name: bytes, folder: str) -> None:
    try:
        path = check_name(name, folder)
    except InvalidSource:
        return
    assert posixpath.dirname(posixpath.normpath(path)) == folder


@given(st.text(alphabet="./ab", max_size=20))
def test_a_resolved_path_stays_in_the_source(path: str) -> None:
    found = resolve("a/b", path)
    assert found is None or not (found == ".." or found.startswith(("../", "/")))


def test_links_may_not_leave_the_source() -> None:
    check_link("a/b/link", "../../README.md")
    for target in ("../../../x", "/etc/passwd"):
        with pytest.raises(InvalidSource, match="leaves the source"):
            check_link("a/b/link", target)


def test_the_tree_hash_tells_path_mode_and_bytes_apart_and_nothing_else() -> None:
    def one(path: str = "f/a.py", *, executable: bool = False, sha256: str = "0") -> str:
        file = SourceFile(path=path, executable=executable, size=1, sha256=sha256)
        return tree_hash([file], posixpath.dirname(path))

    assert one() == one("g/a.py")
    assert len({one(), one("f/b.py"), one(executable=True), one(sha256="1")}) == 4


def test_what_tools_leave_behind_is_no_content() -> None:
    assert is_left_out("pkg/__pycache__/a.pyc")
    assert is_left_out(".aws-sam/build.toml")
    assert not is_left_out("pkg/a.py")


def test_the_likeliest_template_comes_first() -> None:
    paths = ["cdk.out/b.template.json", "sam.yaml", "cdk.out/a.template.json", "template.yml"]
    assert find_templates(paths) == (
        "template.yml",
        "sam.yaml",
        "cdk.out/a.template.json",
        "cdk.out/b.template.json",
    )


@pytest.mark.parametrize(
    ("paths", "folder"),
    [
        (["tests/unit/test_a.py", "tests/integration/test_b.py"], "tests/unit"),
        (["tests/test_a.py"], "tests"),
        (["tests/integration/a_test.py"], None),
        (["tests/events/a.json", "src/test_a.py"], None),
    ],
)
def test_unit_tests_are_found(paths: list[str], folder: str | None) -> None:
    assert find_test_folder(paths) == folder


@pytest.mark.parametrize(
    ("paths", "command"),
    [
        (["tests/unit/test_a.py", "tests/integration/test_b.py"], "pytest -q tests/unit"),
        (["tests/test_a.py", "tests/e2e/test_b.py"], "pytest -q tests --ignore=tests/e2e"),
        (["tests/integration/test_b.py"], None),
        (["tests/integration_of_parts/test_b.py"], "pytest -q tests"),
    ],
)
def test_tests_that_need_a_deployed_service_are_left_out(paths: list[str], command: str | None) -> None:
    assert find_test_command(paths) == command


def test_tests_get_the_functions_requirements_too() -> None:
    paths = dict.fromkeys(["tests/requirements.txt", "requirements.txt", "a/requirements.txt", "b/uv.lock"])
    found = find_test_requirements(paths, ["b/uv.lock", "a/requirements.txt", "requirements.txt"])
    assert found == ("tests/requirements.txt", "requirements.txt", "a/requirements.txt", "b/uv.lock")


def test_a_lock_at_the_root_comes_before_a_list() -> None:
    paths = dict.fromkeys(["requirements.txt", "uv.lock", "poetry.lock"])
    assert find_test_requirements(paths, []) == ("uv.lock",)
    del paths["uv.lock"]
    assert find_test_requirements(paths, ["requirements.txt"]) == ("poetry.lock", "requirements.txt")


def test_requirements_for_development_are_known_by_their_usual_names() -> None:
    names = ["requirements_dev.txt", "requirements-test.txt", "requirements/dev.txt", "requirements/prod.txt"]
    assert find_test_requirements(dict.fromkeys(names), []) == (names[0], names[2], names[1])
