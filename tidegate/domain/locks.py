"""Locks: which wheel, of which bytes, stands for each requirement of a function; pure.

A lock is a `pylock.toml` (PEP 751) that was resolved for one Python version and one platform. It is written
once under a key of what it was resolved from, so that requirements without a version stay what they were.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import tomllib
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import Field, ValidationError

from tidegate.domain.artifacts import hide_credentials
from tidegate.domain.errors import BuildFailed
from tidegate.domain.identity import Frozen
from tidegate.domain.markers import applies
from tidegate.domain.tags import Target, rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Raised whenever a lock made from the same inputs would have to be made anew.
LOCK_FORM: Final = "1"
SCHEMES: Final = frozenset({"https", "http", "file"})
FOREIGN: Final = ("vcs", "directory")
WHEEL: Final = re.compile(r"[^-]+-[^-]+(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")
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


def parse_lock(text: str, file: str, target: Target) -> Lock:
    """Read a lock for a target; BuildFailed where it is none, or names what no build takes.

    Each package that is for the target must have a wheel that fits it, with a SHA-256: source distributions,
    repositories and folders are refused by name. Of several wheels the one counts that installers prefer.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BuildFailed(f"not valid TOML: {error}", file=file) from None
    if data.get("lock-version") != "1.0":
        message = f"lock-version is {data.get('lock-version')!r}; only 1.0 (PEP 751) is read"
        raise BuildFailed(message, file=file)
    wanted = [one for one in data.get("packages", ()) if applies(one.get("marker", ""), target.environment)]
    wheels = sorted((_read_wheel(one, file, target) for one in wanted), key=lambda one: one.name)
    for first, second in pairwise(wheels):
        if first.name == second.name:
            twice = f"{first.name} stands twice, as {first.version} and {second.version}"
            raise BuildFailed(twice, file=file)
    return Lock(wheels=tuple(wheels))


def _read_wheel(package: Mapping[str, Any], file: str, target: Target) -> Wheel:
    name, version = normalize(str(package.get("name", ""))), str(package.get("version", ""))
    place = f"{name}=={version}" if version else name
    for kind in FOREIGN:
        if kind in package:
            raise BuildFailed(f"{place} is a {kind}; name a released version with a wheel", file=file)
    found = [*package.get("wheels", ()), *([package["archive"]] if "archive" in package else [])]
    if not found:
        raise BuildFailed(f"{place} has no wheel; name a version with one", file=file)
    wheels = [_check(place, one, {"name": name, "version": version}, file) for one in found]
    ranked = {wheel.filename: rank(wheel.filename, target) for wheel in wheels}
    fitting = [wheel for wheel in wheels if ranked[wheel.filename]]
    if not fitting:
        where = f"Python {target.python} on {target.platform or 'this machine'}"
        raise BuildFailed(f"{place} has no wheel for {where}: {', '.join(ranked)}", file=file)
    return max(fitting, key=lambda wheel: (ranked[wheel.filename] or (), wheel.filename))


def _check(place: str, found: Mapping[str, Any], named: dict[str, str], file: str) -> Wheel:
    url = str(found.get("url", ""))
    if url.partition("://")[0] not in SCHEMES:
        shown = hide_credentials(str(found.get("path", url)))
        raise BuildFailed(f"{place} lies at {shown!r}, which is no address of a registry", file=file)
    if "sha256" not in found.get("hashes", {}):
        raise BuildFailed(f"{place} has no SHA-256 at its registry", file=file)
    try:
        wheel = Wheel(url=url, sha256=found["hashes"]["sha256"], size=found.get("size"), **named)
    except ValidationError as error:
        raise BuildFailed(f"{place}: {error.errors()[0]['msg']}", file=file) from None
    if not WHEEL.fullmatch(wheel.filename):
        message = f"{place} is {wheel.filename}, which would have to be built; name a version with a wheel"
        raise BuildFailed(message, file=file)
    return wheel


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
