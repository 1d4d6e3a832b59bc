"""Which packages of npm's locks go into an artifact, where they lie, and which are refused."""

from __future__ import annotations

import base64
import json
from itertools import product
from typing import Any

import pytest

from tests.tarballs import lock
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Lock
from tidegate.domain.module_locks import check_agreement, choose_modules
from tidegate.domain.modules import LAMBDA, Platform, fits, is_source

X64, ARM = LAMBDA["x86_64"], LAMBDA["arm64"]
SHA512 = f"sha512-{base64.b64encode(bytes(64)).decode()}"
ALL = {"dependencies": {"a": "1"}}


def entry(version: str = "1.0.0", **told: Any) -> dict[str, Any]:
    return {"version": version, "resolved": "https://r/x.tgz", "integrity": SHA512, **told}


def needs(*names: str) -> dict[str, Any]:
    return {"dependencies": dict.fromkeys(names, "*")}


def choose(
    packages: dict[str, Any], root: dict[str, Any], platform: Platform = X64, member: str = "."
) -> list[str]:
    found = choose_modules(lock(packages, **root), "package-lock.json", platform, member)
    return [module.folder.replace("node_modules/", "/") for module in found]


def under(*names: str) -> str:
    return "/".join(f"node_modules/{name}" for name in names)


def test_what_production_leads_to_is_chosen() -> None:
    packages = {
        under("a"): entry(**needs("b", "@s/c")),
        under("b"): entry(
            peerDependencies={"p": "*", "q": "*"}, peerDependenciesMeta={"q": {"optional": True}}
        ),
        under("@s/c"): entry(**needs("b")),
        under("@s/c", "b"): entry("2.0.0"),
        under("p"): entry(peer=True),
        under("d"): entry(dev=True, **needs("b")),
        under("lost"): entry(extraneous=True),
    }
    root = {"dependencies": {"a": "1"}, "devDependencies": {"d": "1"}}
    assert choose(packages, root) == ["/@s/c", "/@s/c//b", "/a", "/b", "/p"]
    # A package that is optional for a peer counts where something else has brought it.
    assert "/q" in choose({**packages, under("q"): entry(devOptional=True)}, root)


def test_each_name_leads_where_node_finds_it() -> None:
    packages = {
        under("a"): entry(**needs("b")),
        under("a", "b"): entry("2.0.0", **needs("c")),
        under("a", "c"): entry("2.0.0"),
        under("b"): entry("1.0.0"),
        under("c"): entry("1.0.0"),
    }
    found = choose_modules(lock(packages, **ALL), "l", X64)
    assert {one.folder: one.requires for one in found} == {
        under("a"): (under("a", "b"),),
        under("a", "b"): (under("a", "c"),),
        under("a", "c"): (),
    }


NATIVE = {
    under("a"): entry(optionalDependencies={"a-x64": "1", "a-arm": "1", "a-musl": "1", "a-mac": "1"}),
    under("a-x64"): entry(os=["linux"], cpu=["x64"], libc=["glibc"], optional=True),
    under("a-arm"): entry(os=["linux"], cpu=["arm64"], libc=["glibc"], optional=True),
    under("a-musl"): entry(os=["linux"], cpu=["x64"], libc=["musl"], optional=True),
    under("a-mac"): entry(os=["darwin"], optional=True, **needs("only-mac")),
    under("only-mac"): entry(optional=True),
}


@pytest.mark.parametrize(("platform", "kept"), [(X64, "/a-x64"), (ARM, "/a-arm")])
def test_optional_packages_are_those_of_the_target(platform: Platform, kept: str) -> None:
    assert choose(NATIVE, ALL, platform) == sorted(["/a", kept])


def test_what_needs_an_optional_package_that_does_not_fit_goes_with_it() -> None:
    packages = {
        under("a"): entry(optionalDependencies={"o": "1"}),
        under("o"): entry(optional=True, **needs("mac")),
        under("mac"): entry(os=["darwin"], optional=True),
    }
    assert choose(packages, ALL) == ["/a"]
    packages[under("a")] = entry(**needs("o"))
    with pytest.raises(
        BuildFailed, match=r"mac 1\.0\.0 of o 1\.0\.0 of a 1\.0\.0 is not for linux-x64-glibc"
    ):
        choose(packages, ALL)


def test_lists_are_read_as_npm_does() -> None:
    """npm's own words, in another form: no negated entry is the value, and some entry is, or all are negated."""
    words = ("linux", "darwin", "!linux", "!darwin", "any")
    lists = [list(one) for length in range(4) for one in product(words, repeat=length)]
    for value, listed in product(("linux", "darwin"), lists):
        negated = [one[1:] for one in listed if one[0] == "!"]
        plain = [one for one in listed if one[0] != "!"]
        expected = value not in negated and (value in plain or not plain)
        assert fits(value, listed) == (listed == ["any"] or expected), listed


def test_a_workspace_s_member_has_its_packages_at_its_own_root() -> None:
    packages = {
        "svc/one": {"version": "0", **needs("a", "b")},
        under("one"): {"resolved": "svc/one", "link": True},
        "svc/one/" + under("a"): entry("2.0.0", **needs("c")),
        under("a"): entry("1.0.0"),
        under("b"): entry(**needs("c")),
        under("c"): entry(),
    }
    assert choose(packages, {"workspaces": ["svc/*"]}, member="svc/one") == ["/a", "/b", "/c"]
    packages[under("b")] = entry(**needs("a"))
    with pytest.raises(BuildFailed, match=r"a .* and a .* would both lie at node_modules/a"):
        choose(packages, {"workspaces": ["svc/*"]}, member="svc/one")


def test_what_a_tarball_brings_has_no_address() -> None:
    packages = {
        under("a"): entry(bundleDependencies=["b"], **needs("b")),
        under("a", "b"): {"version": "3.0.0", "inBundle": True, "os": ["darwin"]},
        under("own"): entry(inBundle=True),
    }
    found = choose_modules(lock(packages, **needs("a", "own"), bundleDependencies=["own"]), "l", X64)
    assert [(one.name, bool(one.url)) for one in found] == [("a", True), ("b", False), ("own", True)]
    assert len(Lock(modules=found).hashes) == 2


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"resolved": "git+ssh://git@github.com/o/r.git#abc"}, "a comes from git\\+ssh://.*no repositories"),
        ({"resolved": "file:../a.tgz"}, "a comes from file:"),
        ({"resolved": "../lib", "link": True}, r"a is a link to \.\./lib"),
        ({"integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="}, r"a 1\.0\.0 has no sha512 integrity \(sha1\)"),
        ({"integrity": ""}, r"no sha512 integrity \(none\)"),
        ({"integrity": "sha512-AAAA"}, "is no SHA-512"),
        ({"name": "../evil"}, "is no name of a package"),
        ({"dependencies": {"lost": "1"}}, r"a 1\.0\.0 asks for lost, and the lock holds none"),
    ],
)
def test_what_no_registry_has_is_refused_by_name(told: dict[str, Any], message: str) -> None:
    with pytest.raises(BuildFailed, match=rf"^package-lock\.json: .*{message}"):
        choose({under("a"): entry(**told)}, ALL)


def test_names_that_lead_out_are_refused() -> None:
    packages = {"node_modules/../../etc": entry(name="etc")}
    with pytest.raises(BuildFailed, match="is no name of a package"):
        choose(packages, needs("../../etc"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a mapping"),
        ('{"lockfileVersion": 1, "dependencies": {}}', "lockfileVersion is 1; .*with npm 7 or newer"),
        ('{"lockfileVersion": 3, "packages": []}', "lockfileVersion is 3"),
        ('{"lockfileVersion": 3, "packages": {}}', "an entry has an unknown shape"),
        ('{"lockfileVersion": 3, "packages": {"": {"dependencies": 3}}}', "an entry has an unknown shape"),
    ],
)
def test_what_is_no_lock_is_named(text: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=rf"^package-lock\.json: {message}"):
        choose_modules(text, "package-lock.json", X64)


def test_an_address_is_npm_s_own_where_the_lock_tells_none() -> None:
    told = {"version": "1.0.0", "integrity": f"sha1-AAAA {SHA512}?x"}
    (module,) = choose_modules(lock({under("@s/a"): told}, **needs("@s/a")), "l", X64)
    assert module.url == "https://registry.npmjs.org/@s/a/-/a-1.0.0.tgz"
    assert module.sha512 == "0" * 128


def test_a_lock_must_agree_with_what_is_asked_for() -> None:
    data = json.loads(lock({}, dependencies={"a": "^1"}, optionalDependencies={"b": "1"}))
    check_agreement({"dependencies": {"a": "^1", "b": "1"}, "devDependencies": {"c": "1"}}, data, ".", "l")
    # What is for development too is for development alone, as npm writes its locks.
    check_agreement(
        {"dependencies": {"a": "^1", "b": "1", "c": "1"}, "devDependencies": {"c": "1"}}, data, ".", "l"
    )
    with pytest.raises(BuildFailed, match=r"^l: package\.json asks for a \^2, .* made for a \^1; run `npm"):
        check_agreement({"dependencies": {"a": "^2", "b": "1"}}, data, ".", "l")
    with pytest.raises(BuildFailed, match="asks for no b"):
        check_agreement({"dependencies": {"a": "^1"}}, data, ".", "l")
    with pytest.raises(BuildFailed, match="does not know the package in svc"):
        check_agreement({}, data, "svc", "l")


def test_npm_s_own_files_are_in_no_artifact() -> None:
    assert not is_source(".npmrc", locked=False)
    assert not is_source("package-lock.json", locked=True)
    assert is_source("lib/package-lock.json", locked=True)
    assert is_source("node_modules/a/index.js", locked=False)
    assert not is_source("node_modules/a/index.js", locked=True)
