"""Reads `pylock.toml` for a target: one wheel of each package that is for it, by its address and its hash.

Source: PEP 751, https://packaging.python.org/en/latest/specifications/pylock-toml/
"""

from __future__ import annotations

import json
import posixpath
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from tidegate.adapters.wheel_choice import applies, choose
from tidegate.domain.artifacts import hide_credentials
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Lock, Pin, SourceRelease, Wheel, normalize, read_filename
from tidegate.domain.projects import check_python, read_toml, table, well_formed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.domain.locks import Target

SCHEMES: Final = frozenset({"https", "http", "file"})
FOREIGN: Final = ("vcs", "directory")
# By which a build elsewhere can fetch what it builds from.
BUILT: Final = frozenset({"https", "http"})
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
UNRESOLVED: Final = "it holds what has no wheel, and must be resolved by a build; name versions with wheels"
WHEEL: Final = re.compile(r"[^-]+-[^-]+(-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl")


def parse_lock(text: str, file: str, target: Target, *, sources: bool = False) -> Lock:
    """Read a lock for a target; BuildFailed where it is none, or names what no build takes.

    Each package that is for the target must have a wheel that fits it, with a SHA-256, or, where `sources`
    are allowed, a source distribution with one, or a commit of a repository: all else is refused by name. Of
    several wheels the one counts that installers prefer. The project itself, the folder of the lock, is left
    out: its code is the function's.
    """
    with well_formed(file):
        wanted = [one for one in _list_packages(text, file, target) if not _is_itself(one)]
        read = [_read_package(one, file, target, sources=sources) for one in wanted]
        found = sorted(read, key=lambda one: one.name)
        texts = read_texts(text, file)
    for first, second in pairwise(found):
        if first.name == second.name:
            twice = f"{first.name} stands twice, as {first.version} and {second.version}"
            raise BuildFailed(twice, file=file)
    if texts and not sources:
        raise BuildFailed(UNRESOLVED, file=file)
    return Lock(
        wheels=tuple(one for one in found if isinstance(one, Wheel)),
        sources=tuple(one for one in found if isinstance(one, SourceRelease)),
        texts=texts,
    )


def write_texts(texts: Mapping[str, str]) -> str:
    """A lock of requirement texts that only a build resolves, the main one first."""
    pairs = json.dumps(list(texts.items()))
    return f'lock-version = "1.0"\ncreated-by = "tidegate"\n[tool.tidegate]\ntexts = {json.dumps(pairs)}\n'


def read_texts(text: str, file: str) -> dict[str, str]:
    """The texts of such a lock; none where it is another's, since a service writes no lock of ours."""
    data = read_toml(text, file)
    kept = table(data, "tool", "tidegate").get("texts") if data.get("created-by") == "tidegate" else None
    return {str(path): str(one) for path, one in json.loads(kept)} if kept else {}


def list_pins(text: str, file: str, target: Target) -> tuple[Pin, ...]:
    """The versions of all that a lock names for a target, whether it can be built or not."""
    found = (_name(one) for one in _list_packages(text, file, target) if not _is_itself(one))
    return tuple(Pin(name, version, ()) for name, version in found)


def _list_packages(text: str, file: str, target: Target) -> list[Mapping[str, Any]]:
    """The packages of a lock that are for the target; BuildFailed where the lock is not."""
    data = read_toml(text, file)
    if data.get("lock-version") != "1.0":
        message = f"lock-version is {data.get('lock-version')!r}; only 1.0 (PEP 751) is read"
        raise BuildFailed(message, file=file)
    check_python(data.get("requires-python"), target.python, file)
    environments = data.get("environments", ())
    if environments and not any(applies(one, target) for one in environments):
        shown = "; ".join(environments)
        raise BuildFailed(f"it is for other environments than the function's: {shown}", file=file)
    groups = data.get("default-groups", ())
    return [one for one in data.get("packages", ()) if applies(one.get("marker", ""), target, groups=groups)]


def find_itself(text: str, file: str) -> str | None:
    """The name of the project that lies in the lock's own folder, where the lock holds it."""
    found = (one for one in read_toml(text, file).get("packages", ()) if _is_itself(one))
    return next((_name(one)[0] for one in found), None)


def _is_itself(package: Mapping[str, Any]) -> bool:
    return posixpath.normpath(str(table(package, "directory").get("path", ".."))) == "."


def _name(package: Mapping[str, Any]) -> tuple[str, str]:
    return normalize(str(package.get("name", ""))), str(package.get("version", ""))


def _read_package(
    package: Mapping[str, Any], file: str, target: Target, *, sources: bool
) -> Wheel | SourceRelease:
    name, version = _name(package)
    place = f"{name}=={version}" if version else name
    check_python(package.get("requires-python"), target.python, f"{file}: {place}")
    source = _find_source(package, place, file) if sources else None
    if source is None:
        return _read_wheel(package, place, file, target)
    wheels = [read_filename(str(one.get("url", ""))) for one in package.get("wheels", ())]
    return source if choose(wheels, target) is None else _read_wheel(package, place, file, target)


def _find_source(package: Mapping[str, Any], place: str, file: str) -> SourceRelease | None:
    """What a package could be built from; None where it has nothing of the kind."""
    name, version = _name(package)
    named = {"name": name, "version": version}
    if "vcs" in package:
        told = table(package, "vcs")
        commit, url = str(told.get("commit-id", "")), str(told.get("url", ""))
        if told.get("type") != "git" or not COMMIT.fullmatch(commit) or not url.startswith("https://"):
            shown = hide_credentials(url)
            message = f"{place} is at {shown or 'no address'}; a commit of git by https is taken alone"
            raise BuildFailed(message, file=file)
        return SourceRelease(**named, url=url, commit=commit, folder=str(told.get("subdirectory", "")))
    told = table(package, "sdist")
    digest = str(table(told, "hashes").get("sha256", ""))
    url = str(told.get("url", ""))
    if not DIGEST.fullmatch(digest) or url.partition("://")[0] not in BUILT:
        return None
    return SourceRelease(**named, url=url, sha256=digest)


def _read_wheel(package: Mapping[str, Any], place: str, file: str, target: Target) -> Wheel:
    name, version = _name(package)
    for kind in FOREIGN:
        if kind in package:
            told = table(package, kind)
            where = hide_credentials(str(told.get("url", told.get("path", "no address"))))
            message = f"{place} is a {kind} ({where}); name a released version with a wheel"
            raise BuildFailed(message, file=file)
    found = [*package.get("wheels", ()), *([package["archive"]] if "archive" in package else [])]
    if not found:
        raise BuildFailed(f"{place} has no wheel; name a version with one", file=file)
    wheels = [_check(place, one, {"name": name, "version": version}, file) for one in found]
    named = {wheel.filename: wheel for wheel in wheels}
    best = choose(named, target)
    if best is None:
        where = f"Python {target.python} on {target.platform or 'this machine'}"
        raise BuildFailed(f"{place} has no wheel for {where}: {', '.join(named)}", file=file)
    return named[best]


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
