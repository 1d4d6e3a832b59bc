"""Which files of the context are copied, to where, and which are left out of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.errors import UnsupportedTemplate
from tidegate.domain.images.contexts import Copy, place_copies
from tidegate.domain.images.ignores import is_ignored, read_patterns

PATHS = ("app.py", "lib/a.py", "lib/deep/b.py", "requirements.txt", "tests/test_a.py")


def place(*sources: str, destination: str = "var/task", is_folder: bool = True) -> dict[str, str]:
    copy = Copy(sources=sources, destination=destination, is_folder=is_folder, line=7)
    return place_copies([copy], PATHS, "Dockerfile")


def test_a_file_goes_into_a_folder_or_gets_a_name() -> None:
    assert place("app.py") == {"var/task/app.py": "app.py"}
    assert place("./app.py", destination="opt/main.py", is_folder=False) == {"opt/main.py": "app.py"}


def test_what_is_in_a_folder_is_copied_and_not_the_folder() -> None:
    expected = {"var/task/a.py": "lib/a.py", "var/task/deep/b.py": "lib/deep/b.py"}
    assert place("lib") == place("/lib/") == place("lib", is_folder=False) == expected


def test_all_of_the_context() -> None:
    assert place(".") == {f"var/task/{path}": path for path in PATHS}


def test_patterns_name_files_and_folders_at_their_depth() -> None:
    assert place("*.py") == {"var/task/app.py": "app.py"}
    assert place("lib/*") == {"var/task/a.py": "lib/a.py", "var/task/b.py": "lib/deep/b.py"}
    assert place("l[a-k]b") == place("lib")


def test_a_later_copy_wins_and_finds_the_folders_of_earlier_ones() -> None:
    copies = [
        Copy(sources=("lib",), destination="var/task/lib", is_folder=False),
        Copy(sources=("app.py",), destination="var/task/lib", is_folder=False),
        Copy(sources=("requirements.txt",), destination="var/task/lib/a.py", is_folder=False),
    ]
    placed = place_copies(copies, PATHS, "Dockerfile")
    assert placed["var/task/lib/app.py"] == "app.py"
    assert placed["var/task/lib/a.py"] == "requirements.txt"


@pytest.mark.parametrize("path", ["etc", "etc/ssl/certs", "var/runtime", "usr/share/conf.d"])
def test_a_file_does_not_take_the_place_of_a_folder_of_the_base(path: str) -> None:
    with pytest.raises(
        UnsupportedTemplate, match=rf"^Dockerfile:7: COPY app.py: whether /{path} is a folder"
    ):
        place("app.py", destination=path, is_folder=False)
    assert place("app.py", destination=path) == {f"{path}/app.py": "app.py"}
    assert place("lib", destination=path, is_folder=False)


@pytest.mark.parametrize("path", ["etc/app.py", "usr/local/lib/main.py", "var/task/run", "opt/run", "run.sh"])
def test_a_file_gets_another_name_where_no_folder_can_be_meant(path: str) -> None:
    assert place("app.py", destination=path, is_folder=False) == {path: "app.py"}


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        (("nothing.py",), "nothing of that name is in the context"),
        (("../app.py",), "leaves the context"),
        (("*.c",), "nothing of that name"),
        (("[",), "the pattern"),
    ],
)
def test_what_cannot_be_copied_is_named_by_its_line(sources: tuple[str, ...], said: str) -> None:
    with pytest.raises(UnsupportedTemplate, match=said) as raised:
        place(*sources)
    assert str(raised.value).startswith("Dockerfile:7: COPY ") or "pattern" in said


def test_several_files_need_a_folder() -> None:
    with pytest.raises(UnsupportedTemplate, match="needs a folder"):
        place("app.py", "requirements.txt", destination="opt/new", is_folder=False)


def test_a_file_where_another_needs_a_folder_is_refused() -> None:
    copies = [
        Copy(sources=("lib/a.py",), destination="opt/x/y", is_folder=False),
        Copy(sources=("app.py",), destination="opt/x", is_folder=False),
        Copy(sources=("app.py",), destination="opt/x/y/z", is_folder=False),
    ]
    with pytest.raises(UnsupportedTemplate, match="/opt/x/y would be a file and a folder"):
        place_copies(copies, PATHS, "Dockerfile")


# As the patterns of https://docs.docker.com/build/concepts/context/#dockerignore-files are described.
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", PATHS),
        ("# all\n*\n!app.py\n", ("app.py",)),
        ("lib\n", ("app.py", "requirements.txt", "tests/test_a.py")),
        ("/lib/\n", ("app.py", "requirements.txt", "tests/test_a.py")),
        ("*/*.py", ("app.py", "lib/deep/b.py", "requirements.txt")),
        ("**/*.py", ("requirements.txt",)),
        ("lib/**\n!lib/deep/b.py\n", ("app.py", "lib/deep/b.py", "requirements.txt", "tests/test_a.py")),
        ("lib\n!lib/a.py\n", ("app.py", "lib/a.py", "requirements.txt", "tests/test_a.py")),
        ("**/deep", ("app.py", "lib/a.py", "requirements.txt", "tests/test_a.py")),
        ("!lib/a.py\nlib", ("app.py", "requirements.txt", "tests/test_a.py")),
        ("requirements.tx?\n", ("app.py", "lib/a.py", "lib/deep/b.py", "tests/test_a.py")),
        (".\n", PATHS),
    ],
)
def test_what_a_dockerignore_leaves(text: str, left: tuple[str, ...]) -> None:
    patterns = read_patterns(text, ".dockerignore")
    assert tuple(path for path in PATHS if not is_ignored(path, patterns)) == left


NAMES = st.text("ab.", min_size=1, max_size=3).filter(lambda one: one.strip("."))
TREES = st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=8, unique=True)


@given(TREES)
def test_a_copy_of_everything_takes_each_file_once(paths: list[str]) -> None:
    files = [one for one in paths if not any(other.startswith(f"{one}/") for other in paths)]
    if not files:
        return
    copy = Copy(sources=(".",), destination="", is_folder=True)
    assert place_copies([copy], files, "Dockerfile") == {one: one for one in files}
