"""What a package of npm's tells of itself, and whether it works though its install scripts are not run; pure.

Install scripts are not run. Most of them print, or check something; a package that compiles or fetches native
code by one is of no use without it, unless that code lies in its tarball or in a package of its own.
Source: https://docs.npmjs.com/cli/v11/using-npm/scripts, "npm install" and "npm rebuild".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tidegate.domain.errors import BuildFailed
from tidegate.domain.identity import Frozen
from tidegate.domain.modules import NAME, Platform, read_json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MANIFEST: Final = "package.json"
GYP: Final = "binding.gyp"
STEPS: Final = ("preinstall", "install", "postinstall")
# Programs that compile native code, or fetch what somebody has compiled.
NATIVE: Final = re.compile(
    r"node-gyp|node-pre-gyp|prebuild-install|cmake-js|\bnapi\b|\b(?:make|cmake|cargo|gcc|g\+\+|cc)\b"
)
LONGEST: Final = 80


class Package(Frozen):
    """A package by its own words; `scripts` are what npm would run to install it, by their steps."""

    name: str
    version: str
    scripts: dict[str, str]
    optional: tuple[str, ...]
    builds_itself: bool


def read_package(body: bytes, title: str) -> Package:
    """What a package.json tells; BuildFailed where there is none that names its package."""
    try:
        data = read_json(body.decode("utf-8-sig"), MANIFEST)
    except (BuildFailed, UnicodeDecodeError) as error:
        raise BuildFailed(f"{title}: its {MANIFEST} cannot be read: {error}") from None
    name, scripts, optional = data.get("name"), data.get("scripts"), data.get("optionalDependencies")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BuildFailed(f"{title}: its {MANIFEST} has no name of a package: {str(name)[:LONGEST]!r}")
    told = scripts if isinstance(scripts, dict) else {}
    return Package(
        name=name,
        version=str(data.get("version") or ""),
        scripts={step: str(told[step]) for step in STEPS if told.get(step)},
        optional=tuple(sorted(optional)) if isinstance(optional, dict) else (),
        builds_itself=data.get("gypfile") is not False,
    )


def find_need(
    package: Package, paths: Collection[str], platform: Platform, others: Collection[str]
) -> str | None:
    """What must run before a package with native code works on a platform; None where nothing must.

    `paths` are those of its files in its own folder, `others` the names of the packages that are installed.
    """
    scripts: Mapping[str, str] = package.scripts
    if GYP in paths and package.builds_itself and not {"install", "preinstall"} & scripts.keys():
        scripts = {**scripts, "install": "node-gyp rebuild"}
    native = GYP in paths or any(NATIVE.search(text) for text in scripts.values())
    if not scripts or not native or _is_built(package, paths, platform, others):
        return None
    step, text = next(
        ((step, text) for step, text in scripts.items() if NATIVE.search(text)), next(iter(scripts.items()))
    )
    return f"{step}: {text[:LONGEST]}"


def _is_built(package: Package, paths: Collection[str], platform: Platform, others: Collection[str]) -> bool:
    """Whether the code for a platform is there: in `prebuilds`, or in an optional package for it alone."""
    for path in paths:
        folder, _, rest = path.removeprefix("prebuilds/").partition("/")
        system, _, machines = folder.partition("-")
        is_code = path.startswith("prebuilds/") and rest.endswith(".node")
        if is_code and system == platform.os and platform.cpu in re.split(r"[+-]", machines):
            return True
    ending = re.compile(rf"\b{platform.os}-{platform.cpu}\b")
    return any(ending.search(name) for name in package.optional if name in others)
