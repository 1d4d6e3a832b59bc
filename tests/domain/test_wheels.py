from __future__ import annotations

import pytest

from tidegate.domain.errors import BuildFailed
from tidegate.domain.wheels import find_clash, find_distribution, place_file


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("a/b.py", "a/b.py"),
        ("x-1.data/purelib/a/b.py", "a/b.py"),
        ("x-1.data/platlib/a.so", "a.so"),
        ("x-1.data/data/share/man.1", "share/man.1"),
        ("x-1.data/scripts/run", None),
        ("x-1.data/headers/x.h", None),
        ("x-1.dist-info/METADATA", "x-1.dist-info/METADATA"),
        ("x-1.dist-info/licenses/LICENSE", "x-1.dist-info/licenses/LICENSE"),
        ("x-1.dist-info/RECORD", None),
        ("x-1.dist-info/RECORD.jws", None),
        ("x-1.dist-info/INSTALLER", None),
        ("a/x-1.dist-info/RECORD", "a/x-1.dist-info/RECORD"),
        ("a/__pycache__/b.pyc", None),
        ("x-1.data/purelib/a/__pycache__/b.pyc", None),
        ("notes.data", "notes.data"),
    ],
)
def test_a_file_goes_where_an_installation_into_a_folder_puts_it(path: str, place: str | None) -> None:
    assert place_file(path, "x.whl") == place


@pytest.mark.parametrize(
    "path",
    ["../a", "/a", "a/../../b", "a//b", "./a", "a\\b", "a\x00.txt", "C:\\a", "x-1.data/purelib/../../a"],
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(BuildFailed, match=r"^x\.whl: the path .* is not safe to unpack"):
        place_file(path, "x.whl")


def test_what_no_wheel_may_hold_is_refused() -> None:
    with pytest.raises(BuildFailed, match="of no kind that a wheel may hold"):
        place_file("x-1.data/stdlib/os.py", "x.whl")


def test_name_and_version_are_those_of_the_one_folder_of_metadata() -> None:
    assert find_distribution(["a.py", "Zope.Event-1.0.dist-info/WHEEL"], "x.whl") == ("Zope.Event", "1.0")
    with pytest.raises(BuildFailed, match="holds 0"):
        find_distribution(["a.py"], "x.whl")
    with pytest.raises(BuildFailed, match="holds 2"):
        find_distribution(["a-1.dist-info/WHEEL", "b-1.dist-info/WHEEL"], "x.whl")


def test_a_file_that_is_also_a_folder_is_found() -> None:
    assert find_clash({"a/b/c", "a/d"}) is None
    assert find_clash({"a/b/c", "a", "d"}) == "a"
    assert find_clash({"a/b/c", "a/b"}) == "a/b"
