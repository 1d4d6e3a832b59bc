from __future__ import annotations

import itertools

import pytest

from tidegate.domain.artifacts import (
    Method,
    collect_requirements,
    content_key,
    names_commit,
    platform,
    python_version,
)
from tidegate.domain.errors import BuildFailed, UnsupportedTemplate

INPUTS = (Method.PYTHON, "python3.13", "arm64", ["ab", "cd"], "tree")


def test_each_input_changes_the_key() -> None:
    others = (Method.PLAIN, "python3.12", "x86_64", ["ab"], "other")
    changed = [(*INPUTS[:i], others[i], *INPUTS[i + 1 :]) for i in range(len(INPUTS))]
    keys = [content_key(*inputs) for inputs in [INPUTS, *changed]]
    assert len(set(keys)) == len(keys)
    assert content_key(*INPUTS) == keys[0]


def test_wheels_are_keyed_whatever_their_order() -> None:
    orders = itertools.permutations(["ab", "cd", "ef"])
    assert len({content_key(*INPUTS[:3], order, "tree") for order in orders}) == 1


def test_wheels_fit_the_runtime_s_operating_system() -> None:
    assert platform("python3.11", "x86_64") == "x86_64-manylinux2014"
    assert platform("python3.13", "arm64") == "aarch64-manylinux_2_34"
    assert platform("python3.13", "native") is None


def test_only_python_is_built() -> None:
    assert python_version("python3.14") == "3.14"
    with pytest.raises(UnsupportedTemplate, match=r"nodejs22\.x"):
        python_version("nodejs22.x")


def test_includes_are_followed_once_each() -> None:
    texts = {"f/requirements.txt": "-r ../common.txt\na==1\n", "common.txt": "-c f/requirements.txt\nb\n"}
    assert collect_requirements("f/requirements.txt", texts.get) == texts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-r missing.txt", r"missing\.txt is included but does not exist"),
        ("ok\n-r ../../outside.txt", r"f/requirements\.txt:2: .* is not in the source"),
        ("-r https://example.com/r.txt", "is not in the source"),
        ("-e .", r"f/requirements\.txt:1: '-e \.' would have to be built from source"),
        ("a\n\ngit+https://example.com/x.git", r"f/requirements\.txt:3"),
        ("x @ git+https://example.com/x.git", "built from source"),
    ],
)
def test_what_cannot_be_installed_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=message):
        collect_requirements("f/requirements.txt", {"f/requirements.txt": text}.get)


def test_where_sources_are_built_a_commit_may_be_named_and_nothing_that_moves() -> None:
    commit = "ab" * 20
    for line in (
        f"git+https://h/x.git@{commit}",
        f"x @ git+https://h/x@{commit}#subdirectory=a ; python_version > '3'",
    ):
        assert collect_requirements("r.txt", {"r.txt": line}.get, sources=True) == {"r.txt": line}
        assert names_commit(f"a==1\n{line}\n")
        with pytest.raises(BuildFailed, match="built from source"):
            collect_requirements("r.txt", {"r.txt": line}.get)
    for line in ("git+https://h/x@main", f"git+ssh://h/x@{commit}", f"-e git+https://h/x@{commit}", "-e ."):
        with pytest.raises(BuildFailed, match="built from source"):
            collect_requirements("r.txt", {"r.txt": line}.get, sources=True)
