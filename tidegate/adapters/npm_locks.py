"""Reads npm's package-lock.json, versions 1 to 3: the packages that an installation for production has.

Source: https://docs.npmjs.com/cli/configuring-npm/package-lock-json
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.audits.advisories import Package
from tidegate.domain.errors import BuildFailed
from tidegate.domain.versions import NPM

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE: Final = "package-lock.json"
MODULES: Final = "node_modules/"


def parse_npm_lock(text: str, file: str) -> tuple[Package, ...]:
    """The packages, each version once, sorted; BuildFailed where the file is no lock.

    Development dependencies are left out, and so are links to folders of the repository itself.
    """
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BuildFailed(f"not valid JSON: {error}", file=file) from None
    if not isinstance(data, dict) or data.get("lockfileVersion") not in {1, 2, 3}:
        version = data.get("lockfileVersion") if isinstance(data, dict) else None
        raise BuildFailed(f"lockfileVersion is {version!r}; 1, 2 and 3 are read", file=file)
    try:
        pairs = set(_read_packages(data["packages"]) if "packages" in data else _read_tree(data))
    except (AttributeError, TypeError, KeyError) as error:
        raise BuildFailed(f"no lock of npm's: {error}", file=file) from None
    return tuple(Package(ecosystem=NPM, name=name, version=version) for name, version in sorted(pairs))


def _read_packages(packages: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Versions 2 and 3: by path; what is installed under another name tells its own."""
    for path, one in packages.items():
        if MODULES in path and not one.get("dev") and not one.get("link") and not one.get("extraneous"):
            yield str(one.get("name") or path.rpartition(MODULES)[2]), str(one.get("version") or "")


def _read_tree(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Version 1: by name, those of others within them; an alias is `npm:<name>@<version>`."""
    for name, one in (node.get("dependencies") or {}).items():
        if not one.get("dev"):
            version = str(one.get("version") or "")
            if version.startswith("npm:"):
                name, _, version = version.removeprefix("npm:").rpartition("@")  # noqa: PLW2901
            yield name, version
            yield from _read_tree(one)
