"""Which packages work although their install scripts are not run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidegate.domain.errors import BuildFailed
from tidegate.domain.modules import LAMBDA
from tidegate.domain.packages import find_need, read_package

X64, ARM = LAMBDA["x86_64"], LAMBDA["arm64"]


def need(paths: set[str], installed: set[str] | None = None, platform: Any = X64, **told: Any) -> str | None:
    package = read_package(json.dumps({"name": "x", "version": "1", **told}).encode(), "x 1")
    return find_need(package, paths, platform, installed or set())


@pytest.mark.parametrize(
    "scripts",
    [
        {},
        {"test": "node-gyp rebuild"},
        {"postinstall": "node -e \"try{require('./postinstall')}catch(e){}\""},
        {"install": "node install/check.js"},
        {"postinstall": "echo thanks"},
    ],
)
def test_scripts_that_make_nothing_native_are_left_out(scripts: dict[str, str]) -> None:
    assert need({"index.js"}, scripts=scripts) is None


@pytest.mark.parametrize(
    "script",
    ["node-pre-gyp install --fallback-to-build", "prebuild-install || node-gyp rebuild", "cd x && make"],
)
def test_native_code_that_is_made_by_a_script_is_refused(script: str) -> None:
    assert need({"index.js"}, scripts={"install": script}) == f"install: {script}"


def test_npm_builds_what_has_a_binding_without_being_asked() -> None:
    assert need({"binding.gyp"}) == "install: node-gyp rebuild"
    assert need({"binding.gyp"}, gypfile=False) is None
    assert need({"binding.gyp"}, scripts={"preinstall": "node build.js"}) == "preinstall: node build.js"


@pytest.mark.parametrize(
    ("path", "x64", "arm"),
    [
        ("prebuilds/linux-x64/x.glibc.node", True, False),
        ("prebuilds/linux-x64+arm64/x.node", True, True),
        ("prebuilds/darwin-arm64/x.node", False, False),
        ("prebuilds/linux-arm64/readme.md", False, False),
    ],
)
def test_code_that_is_built_already_will_do(path: str, x64: bool, arm: bool) -> None:
    paths, scripts = {"binding.gyp", path}, {"install": "node-gyp-build"}
    assert (need(paths, scripts=scripts) is None, need(paths, platform=ARM, scripts=scripts) is None) == (
        x64,
        arm,
    )


def test_so_will_a_package_for_the_target_alone() -> None:
    told = {"optionalDependencies": {"@x/x-linux-arm64": "1"}, "scripts": {"install": "node-gyp-build"}}
    assert need(set(), {"@x/x-linux-arm64"}, ARM, **told) is None
    assert need(set(), {"@x/x-linux-arm64"}, X64, **told)
    assert need(set(), set(), ARM, **told)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{}", b'{"name": "../x"}', b'{"name": 3}'])
def test_a_package_must_name_itself(body: bytes) -> None:
    with pytest.raises(BuildFailed, match=r"^x 1: its package\.json"):
        read_package(body, "x 1")
