"""Locks: which wheel, of which bytes, stands for each requirement of a function; pure.

A lock is a `pylock.toml` (PEP 751) that was resolved for one Python version and one platform, or one that the
service gives. It is written once under a key of what it was made from, so that requirements without a version
stay what they were.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import Field

from tidegate.domain.errors import BuildFailed
from tidegate.domain.identity import Frozen
from tidegate.domain.modules import Module

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Raised whenever a lock made from the same inputs would have to be made anew.
LOCK_FORM: Final = "1"
# A requirement's name, and the hashes that it pins: `--hash=sha256:…`, or `#sha256=…` of an address.
NAME: Final = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
PIN: Final = re.compile(r"(?:--hash[\s=]+|#)([a-z0-9]+)[:=]([0-9a-fA-F]{32,})")


def read_filename(url: str) -> str:
    """The name of the file at an address."""
    name = posixpath.basename(re.split(r"[?#]", url)[0])
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), name)


class Wheel(Frozen):
    """A built distribution: where it is, and the SHA-256 (hex) and size in bytes that it must have."""

    name: str = Field(description="normalized as PEP 503 says")
    version: str
    url: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int | None = Field(None, ge=0)

    @property
    def filename(self) -> str:
        """The wheel's own name, such as idna-3.10-py3-none-any.whl."""
        return read_filename(self.url)


class SourceRelease(Frozen):
    """What has no wheel for the target: a source distribution of these bytes, or a commit of a repository."""

    name: str = Field(description="normalized as PEP 503 says")
    version: str
    url: str
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    commit: str = Field("", pattern=r"^([0-9a-f]{40})?$")
    folder: str = Field("", description="of the project in the repository")

    @property
    def identity(self) -> str:
        """The hash of its bytes, sha256:…, or its commit, git:…."""
        return f"git:{self.commit}" if self.commit else f"sha256:{self.sha256}"

    @property
    def requirement(self) -> str:
        """The requirement that pip takes it by, and nothing else."""
        if self.commit:
            inner = f"#subdirectory={self.folder}" if self.folder else ""
            return f"{self.name} @ git+{self.url}@{self.commit}{inner}"
        return f"{self.name} @ {self.url} --hash=sha256:{self.sha256}"


class Lock(Frozen):
    """The wheels of a lock, sorted by name, each name once; or Node's packages, sorted by folder.

    What has no wheel for the target is in `sources`. A lock that no resolver makes without running foreign
    code has the requirement texts themselves, by path, the main one first: whoever builds resolves them.
    """

    wheels: tuple[Wheel, ...] = ()
    modules: tuple[Module, ...] = ()
    sources: tuple[SourceRelease, ...] = ()
    texts: dict[str, str] = Field(default_factory=dict)

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of the wheels, or of the packages with their places: what they add to a content key."""
        wheels = sorted(wheel.sha256 for wheel in self.wheels)
        return (*wheels, *(module.mark for module in self.modules if module.sha512))

    @property
    def needs_build(self) -> bool:
        """Whether wheels alone do not do."""
        return bool(self.sources or self.texts)

    @property
    def inputs(self) -> tuple[str, ...]:
        """What all of it adds to the content key of what is built from sources."""
        sources = (one.requirement for one in self.sources)
        return (*self.hashes, *sorted(sources), *(part for pair in self.texts.items() for part in pair))


class Pin(NamedTuple):
    """A version that a lock names without an address: its hashes, such as sha256:…, and where it is told.

    `origin` is the index that it must come from, empty for the usual one.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    origin: str = ""


class Target(NamedTuple):
    """A CPython version such as 3.13 and a platform such as x86_64-manylinux_2_34; None: this machine's."""

    python: str
    platform: str | None


class Kind(StrEnum):
    """What says what a function requires, by the name of the file; the first of a folder is taken.

    A lock is taken as it says. Requirement texts come before a project without a lock, since they may be
    pinned, and since they are what `sam build` reads.
    """

    PYLOCK = "pylock.toml"
    UV = "uv.lock"
    POETRY = "poetry.lock"
    REQUIREMENTS = "requirements.txt"
    PROJECT = "pyproject.toml"


# Taken as they say, not resolved.
GIVEN: Final = frozenset({Kind.PYLOCK, Kind.UV, Kind.POETRY})


@dataclass(frozen=True)
class LockRequest:
    """What a lock is made from; `texts` are files by path, the main one first.

    `platform` is the platform tag that wheels must fit, None for the machine at hand. `member` is the folder
    of the project that is meant, relative to the lock's, where one lock is that of a workspace.
    """

    texts: Mapping[str, str]
    python: str
    platform: str | None
    member: str = "."

    @property
    def target(self) -> Target:
        """What it is resolved for."""
        return Target(self.python, self.platform)

    @property
    def main(self) -> str:
        """The path of the lock, or of the requirements file that includes the others."""
        return next(iter(self.texts))

    @property
    def kind(self) -> Kind:
        """What the main file is; requirement texts may have any name."""
        name = posixpath.basename(self.main)
        return Kind(name) if name in set(Kind) else Kind.REQUIREMENTS

    @property
    def folder(self) -> str:
        """Where the main file lies."""
        return posixpath.dirname(self.main) or "."

    @property
    def project(self) -> str:
        """The path of the pyproject.toml whose requirements are meant."""
        return posixpath.normpath(posixpath.join(self.folder, self.member, Kind.PROJECT))

    @cached_property
    def key(self) -> str:
        """Where the lock lies. Paths count relative to the main file: equal files share a lock."""
        texts = {posixpath.relpath(path, self.folder): text for path, text in self.texts.items()}
        inputs = [LOCK_FORM, posixpath.basename(self.main), sorted(texts.items()), self.python, self.platform]
        member = [self.member] if self.member != "." else []
        return f"locks/{hashlib.sha256(json.dumps([*inputs, *member]).encode()).hexdigest()}.toml"


def normalize(name: str) -> str:
    """A distribution's name as indices compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_empty(texts: Iterable[str]) -> bool:
    """Whether requirement texts hold nothing but blank lines and comments."""
    return all(
        not line.strip() or line.lstrip().startswith("#") for text in texts for line in text.split("\n")
    )


def check_pins(lock: Lock, texts: Mapping[str, str]) -> None:
    """BuildFailed where a requirement pins hashes and the lock's wheel has none of them.

    The resolver does not look at them when it makes a lock. Where all requirements pin hashes, nothing else
    may be in the lock: as installers have it, such a list is whole.
    """
    pins: dict[str, set[str]] = {}
    for path, text in texts.items():
        for name, algorithm, digest in _pins(text):
            if algorithm != "sha256":
                raise BuildFailed(f"{name} is pinned by {algorithm}; only sha256 is checked", file=path)
            pins.setdefault(name, set()).add(digest)
    is_whole = set(pins) == {name for text in texts.values() for name, _ in _requirements(text)}
    for wheel in lock.wheels:
        if pins and is_whole and wheel.name not in pins:
            message = f"{wheel.name}=={wheel.version} is required too, and all others are pinned by hash"
            raise BuildFailed(f"{message}; pin it", file=next(iter(texts)))
        if wheel.sha256 not in pins.get(wheel.name, {wheel.sha256}):
            message = f"{wheel.filename} has the SHA-256 {wheel.sha256}, which is none of those pinned"
            raise BuildFailed(message, file=next(iter(texts)))


def _pins(text: str) -> Iterator[tuple[str, str, str]]:
    for name, line in _requirements(text):
        for algorithm, digest in PIN.findall(line):
            yield name, algorithm, digest.lower()


def _requirements(text: str) -> Iterator[tuple[str, str]]:
    """The lines that require something, continued ones joined, by the name of what they require."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        if name := NAME.match(line):
            yield normalize(name[1]), line
