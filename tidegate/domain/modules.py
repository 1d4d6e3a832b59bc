"""Node's packages as an artifact holds them: where each lies, what it is, and for which platform; pure."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from pydantic import Field

from tidegate.domain.errors import BuildFailed
from tidegate.domain.identity import Frozen

MODULES: Final = "node_modules/"
REGISTRY: Final = "https://registry.npmjs.org"
NAME: Final = re.compile(r"(?:@[^/@\s\\]+/)?[^/@\s\\.][^/\s\\]*")
# npm's own files, and settings that may hold tokens: in no artifact.
NEVER: Final = frozenset({".npmrc", "npm-shrinkwrap.json", "package-lock.json"})


class Module(Frozen):
    """A package at its place: `folder` is relative to the artifact's root.

    One that another package's tarball brings along (`bundledDependencies`) has neither address nor hash.
    `requires` are the folders of the packages that it leads to.
    """

    folder: str
    name: str
    version: str
    url: str = ""
    sha512: str = Field("", pattern=r"^([0-9a-f]{128})?$")
    has_script: bool = Field(default=False, description="npm would run something to install it")
    is_optional: bool = Field(default=False, description="all that ask for it do without it")
    requires: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """What it adds to a content key: an optional package may be left out where another is refused."""
        return f"{self.folder} {self.sha512}{' optional' if self.is_optional else ''}"

    @property
    def title(self) -> str:
        """Such as idna 3.10, for messages."""
        return f"{self.name} {self.version}"


class Platform(NamedTuple):
    """What a package's `os`, `cpu` and `libc` are compared with, in npm's words; empty where not known."""

    os: str
    cpu: str
    libc: str


# Lambda's own, by its names of architectures.
LAMBDA: Final = {
    "x86_64": Platform("linux", "x64", "glibc"),
    "arm64": Platform("linux", "arm64", "glibc"),
}


def read_json(text: str, file: str) -> dict[str, Any]:
    """A JSON file that is a mapping; BuildFailed where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BuildFailed(f"not valid JSON: {error}", file=file) from None
    if not isinstance(found, dict):
        raise BuildFailed("not a mapping", file=file)
    return found


def fits(value: str, listed: object) -> bool:
    """Whether a value is among those of a list of npm's, such as `["linux", "!win32"]`; an empty one fits.

    Source: npm's install-checks, `checkList`. What is not known about the target fits no list.
    """
    names = [listed] if isinstance(listed, str) else list(listed) if isinstance(listed, (list, tuple)) else []
    if not names or names == ["any"]:
        return True
    refused = [str(name)[1:] for name in names if str(name).startswith("!")]
    if value in refused:
        return False
    return value in names or len(refused) == len(names)


def is_source(path: str, *, locked: bool) -> bool:
    """Whether a file of Node code goes into an artifact, by its path in the code's folder.

    npm's own files do not, and settings may hold tokens; nor packages that lie there where a lock names some.
    """
    return path not in NEVER and not (locked and path.startswith(MODULES))
