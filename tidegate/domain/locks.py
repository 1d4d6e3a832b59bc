"""Locks: which wheel, of which bytes, stands for each requirement of a function; pure.

A lock is a `pylock.toml` (PEP 751) that was resolved for one Python version and one platform. It is written
once under a key of what it was resolved from, so that requirements without a version stay what they were.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import Field

from tidegate.domain.errors import BuildFailed
from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Raised whenever a lock made from the same inputs would have to be made anew.
LOCK_FORM: Final = "1"
# A requirement's name, and the hashes that it pins: `--hash=sha256:…`, or `#sha256=…` of an address.
NAME: Final = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
PIN: Final = re.compile(r"(?:--hash[\s=]+|#)([a-z0-9]+)[:=]([0-9a-fA-F]{32,})")


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
        name = posixpath.basename(re.split(r"[?#]", self.url)[0])
        return re.sub(r"%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), name)


class Lock(Frozen):
    """The wheels of a lock, sorted by name; each name once."""

    wheels: tuple[Wheel, ...] = ()

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of the wheels, sorted: what they add to a content key."""
        return tuple(sorted(wheel.sha256 for wheel in self.wheels))


class Target(NamedTuple):
    """A CPython version such as 3.13 and a platform such as x86_64-manylinux_2_34; None: this machine's."""

    python: str
    platform: str | None


class LockRequest(NamedTuple):
    """What a lock is resolved from; `texts` are requirement texts by path, the main one first.

    `platform` is the platform tag that wheels must fit, None for the machine at hand.
    """

    texts: Mapping[str, str]
    python: str
    platform: str | None

    @property
    def target(self) -> Target:
        """What it is resolved for."""
        return Target(self.python, self.platform)

    @property
    def main(self) -> str:
        """The path of the requirements file that includes the others."""
        return next(iter(self.texts))

    @property
    def key(self) -> str:
        """Where the lock lies. Paths count relative to the main file: equal files share a lock."""
        folder = posixpath.dirname(self.main) or "."
        texts = {posixpath.relpath(path, folder): text for path, text in self.texts.items()}
        inputs = [LOCK_FORM, posixpath.basename(self.main), sorted(texts.items()), self.python, self.platform]
        return f"locks/{hashlib.sha256(json.dumps(inputs).encode()).hexdigest()}.toml"


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

    The resolver does not look at them when it makes a lock.
    """
    pins: dict[str, set[str]] = {}
    for path, text in texts.items():
        for name, algorithm, digest in _pins(text):
            if algorithm != "sha256":
                raise BuildFailed(f"{name} is pinned by {algorithm}; only sha256 is checked", file=path)
            pins.setdefault(name, set()).add(digest)
    for wheel in lock.wheels:
        if wheel.sha256 not in pins.get(wheel.name, {wheel.sha256}):
            message = f"{wheel.filename} has the SHA-256 {wheel.sha256}, which is none of those pinned"
            raise BuildFailed(message, file=next(iter(texts)))


def _pins(text: str) -> Iterator[tuple[str, str, str]]:
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        name = NAME.match(line)
        for algorithm, digest in PIN.findall(line) if name else ():
            yield normalize(name[1]) if name else "", algorithm, digest.lower()
