"""Whether a version is affected, as the OSV schema's evaluation algorithm says; pure.

A version is affected where it stands in `versions`, or in one of the ranges: walk a range's events in the
order of versions, and remember whether the last one at or before the version began or ended the trouble. A
range with limits holds below one of them only. Where events have one version, `introduced` comes first, as
osv.dev sorts them. Source: https://ossf.github.io/osv-schema/#evaluation
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.domain.versions import NPM, drop_local, is_same_version, order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.domain.audits.advisories import Advisory, Affected, Package, Range

ORDER: Final = {"introduced": 0, "last_affected": 1, "fixed": 2}
COMPARED: Final = {"SEMVER", "ECOSYSTEM"}
IGNORED: Final = {"GIT"}
START: Final = "0"  # before every version, pre-releases too
END: Final = "*"


class Uncompared(Exception):
    """A version that cannot be compared: the range is neither held nor excluded."""


class Hit(NamedTuple):
    """A version is affected by an advisory; `fixed` is the first fixed version after it, if one is named."""

    package: Package
    advisory: Advisory
    affected: Affected
    fixed: str | None


class Matched(NamedTuple):
    """What is affected, and what could not be decided."""

    hits: tuple[Hit, ...]
    notices: tuple[str, ...]


def match(packages: Iterable[Package], advisories: Iterable[Advisory]) -> Matched:
    """Every advisory that affects one of the packages, but for withdrawn ones."""
    known: dict[tuple[str, str], list[Package]] = {}
    for package in packages:
        known.setdefault(package.key, []).append(package)
    hits: list[Hit] = []
    notices: list[str] = []
    for advisory in advisories:
        for affected in () if advisory.withdrawn else advisory.affected:
            for package in known.get(affected.key, ()):
                found, unclear = find_hit(package, advisory, affected)
                hits += [found] if found else []
                notices += [f"{advisory.id} is not decided for {package.title}: {one}" for one in unclear]
    return Matched(tuple(hits), tuple(dict.fromkeys(notices)))


def find_hit(package: Package, advisory: Advisory, affected: Affected) -> tuple[Hit | None, list[str]]:
    """Whether an advisory's entry affects a package, and which of its ranges could not be compared."""
    ecosystem = package.key[0]
    fixes: list[str | None] = []
    own = package.version
    if any(is_same_version(one, drop_local(own, one, ecosystem), ecosystem) for one in affected.versions):
        fixes.append(None)
    unclear = []
    for found in affected.ranges:
        try:
            if holds(found, package.version, ecosystem):
                fixes.append(find_fix(found, package.version, ecosystem))
        except Uncompared as error:
            unclear.append(str(error))
    if not fixes:
        return None, unclear
    named = [one for one in fixes if one is not None]
    fixed = min(named, key=lambda one: _key(ecosystem, one), default=None)
    return Hit(package, advisory, affected, fixed), []


def holds(found: Range, version: str, ecosystem: str) -> bool:
    """Whether a version is in a range; Uncompared where one of the versions is none."""
    if found.type in IGNORED:
        return False
    if found.type not in COMPARED:
        raise Uncompared(f"ranges of type {found.type} are not known")
    compared = _choose_order(found, version, ecosystem)
    _key(compared, version)  # what is no version at all is told first
    limits = [value for kind, value in found.events if kind == "limit"]
    if limits and not any(one == END or _own(compared, version, one) < _key(compared, one) for one in limits):
        return False
    events = [(_key(compared, one), ORDER[kind], kind, one) for kind, one in found.events if kind in ORDER]
    affected = False
    for key, _, kind, value in sorted(events, key=lambda event: event[:2]):
        own = _own(compared, version, value)
        if kind == "introduced":
            affected = affected or own >= key
        elif own >= key if kind == "fixed" else own > key:
            affected = False
    return affected


def find_fix(found: Range, version: str, ecosystem: str) -> str | None:
    """The first fixed version of a range that comes after a version."""
    compared = _choose_order(found, version, ecosystem)
    own = _key(compared, version)
    later = [value for kind, value in found.events if kind == "fixed" and _key(compared, value) > own]
    return min(later, key=lambda value: _key(compared, value), default=None)


def _choose_order(found: Range, version: str, ecosystem: str) -> str:
    """Semantic versions are compared as such wherever all are; everything else as its ecosystem does."""
    values = [version, *(value for _, value in found.events if value not in {START, END})]
    semantic = found.type == "SEMVER" and all(order(NPM, value) is not None for value in values)
    return NPM if semantic else ecosystem


def _own(compared: str, version: str, value: str) -> Any:  # noqa: ANN401
    """What a package's version is compared as, with a value of an advisory."""
    return _key(compared, drop_local(version, value, compared))


def _key(compared: str, value: str) -> Any:  # noqa: ANN401 (each ecosystem's own key)
    """What is compared: a pair, so that the start comes before everything."""
    if value == START:
        return (0,)
    key = order(compared, value)
    if key is None:
        raise Uncompared(f"{value!r} is no version of {compared}")
    return (1, key)
