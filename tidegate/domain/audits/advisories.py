"""Advisories as OSV records hold them: which versions of which packages are affected.

Unknown fields are left alone; a record that breaks the schema where it matters is an error, never skipped.
Source: https://ossf.github.io/osv-schema/
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field, ValidationError

from tidegate.domain.identity import Frozen
from tidegate.domain.locks import normalize
from tidegate.domain.versions import NPM, PYPI

KINDS: Final = {"pypi": PYPI, "npm": NPM}  # package URLs' types, as OSV names their ecosystems
EVENTS: Final = ("introduced", "fixed", "last_affected", "limit")


class UnreadableAdvisory(Exception):
    """A record that is no OSV record, or breaks the schema where it counts."""


class Package(Frozen):
    """A package of an ecosystem (`PyPI`, `npm`) in a version."""

    ecosystem: str
    name: str
    version: str

    @property
    def key(self) -> tuple[str, str]:
        """What advisories know it by."""
        return package_key(self.ecosystem, self.name)

    @property
    def title(self) -> str:
        """`idna 3.6`."""
        return f"{self.name} {self.version}".strip()


class Range(Frozen):
    """A range of versions; events are pairs of kind and version, in the record's order."""

    type: str
    events: tuple[tuple[str, str], ...]


class Rating(Frozen):
    """A severity: `kind` is CVSS_V2, CVSS_V3, CVSS_V4 or a database's own; `value` its vector or word."""

    kind: str
    value: str


class Affected(Frozen):
    """What of one package is affected."""

    ecosystem: str
    name: str
    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()
    ratings: tuple[Rating, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """The package, as `Package.key` has it."""
        return package_key(self.ecosystem, self.name)


class Advisory(Frozen):
    """One record; `ratings` are those for all packages, and `word` the database's own word for them."""

    id: str = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    summary: str = ""
    withdrawn: bool = False
    ratings: tuple[Rating, ...] = ()
    word: str = ""
    affected: tuple[Affected, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """All names of the vulnerability."""
        return frozenset({self.id, *self.aliases})


def package_key(ecosystem: str, name: str) -> tuple[str, str]:
    """The ecosystem without its suffix, and the name as its index compares names."""
    base = ecosystem.partition(":")[0]
    return base, normalize(name) if base == PYPI else name


def name_packages(record: object) -> frozenset[tuple[str, str]]:
    """The packages that a record speaks of, read before anything else: most records are of no concern."""
    affected = record.get("affected") if isinstance(record, dict) else None
    return frozenset(
        package_key(str(package.get("ecosystem")), str(package.get("name")))
        for one in (affected if isinstance(affected, list) else ())
        if isinstance(one, dict) and isinstance(package := one.get("package"), dict)
    )


def check_record(record: object) -> None:
    """UnreadableAdvisory where this is no record at all."""
    if not isinstance(record, dict) or not record.get("id"):
        raise UnreadableAdvisory("no OSV record")


def read_advisory(record: object) -> Advisory:
    """A record as parsed from JSON; UnreadableAdvisory says what is wrong with it."""
    try:
        return _read(record if isinstance(record, dict) else {})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnreadableAdvisory(f"{place}: {first['msg'].lower()}") from None
    except (TypeError, AttributeError, KeyError) as error:
        raise UnreadableAdvisory(f"no OSV record: {error}") from None


def _read(record: dict[str, Any]) -> Advisory:
    own = record.get("database_specific") or {}
    return Advisory(
        id=record.get("id", ""),
        aliases=tuple(record.get("aliases") or ()),
        summary=str(record.get("summary") or ""),
        withdrawn=bool(record.get("withdrawn")),
        ratings=_read_ratings(record),
        word=str(own.get("severity") or ""),
        affected=tuple(_read_affected(one) for one in record.get("affected") or () if one.get("package")),
    )


def _read_ratings(found: dict[str, Any]) -> tuple[Rating, ...]:
    return tuple(
        Rating(kind=str(one.get("type")), value=str(one.get("score"))) for one in found.get("severity") or ()
    )


def _read_affected(found: dict[str, Any]) -> Affected:
    return Affected(
        ecosystem=found["package"]["ecosystem"],
        name=found["package"]["name"],
        ranges=tuple(_read_range(one) for one in found.get("ranges") or ()),
        versions=tuple(found.get("versions") or ()),
        ratings=_read_ratings(found),
    )


def _read_range(found: dict[str, Any]) -> Range:
    """Events of kinds that are not known yet are kept out of what is compared."""
    events = (
        (kind, str(value))
        for event in found.get("events") or ()
        for kind, value in event.items()
        if kind in EVENTS
    )
    return Range(type=str(found.get("type")), events=tuple(events))
