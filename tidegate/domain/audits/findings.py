"""Findings: one for each vulnerability of a package, however many databases name it.

Records that share an id or an alias speak of one vulnerability: its GHSA, PYSEC and CVE ids are one finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from pydantic import Field

from tidegate.domain.audits.advisories import Package
from tidegate.domain.audits.policies import Severity, Waiver
from tidegate.domain.audits.severities import gravest, rate
from tidegate.domain.identity import Frozen
from tidegate.domain.versions import order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate.domain.audits.matching import Hit

PREFIXES: Final = ("GHSA-", "PYSEC-", "MAL-", "CVE-")
Verdict = Literal["fails", "waived", "passes"]


class Finding(Frozen):
    """A known vulnerability of a package. An empty severity is one that nobody states."""

    package: Package
    id: str
    aliases: tuple[str, ...] = ()
    severity: Severity | None = None
    score: float | None = Field(None, description="the highest CVSS base score")
    fixed: tuple[str, ...] = Field((), description="the first fixed version that each record names, sorted")
    summary: str = ""
    found_in: tuple[str, ...] = Field((), description="functions and layers that hold the package")
    verdict: Verdict = "passes"
    waiver: Waiver | None = None

    @property
    def ids(self) -> frozenset[str]:
        """All its names."""
        return frozenset({self.id, *self.aliases})

    @property
    def remedy(self) -> str:
        """The version that no record holds to be affected any more; empty where none is named."""
        return self.fixed[-1] if self.fixed else ""

    @property
    def rated(self) -> str:
        """`critical 9.8`, or that nobody rates it."""
        score = f" {self.score:g}" if self.score is not None else ""
        return f"{self.severity.value}{score}" if self.severity else "severity unknown"

    @property
    def text(self) -> str:
        """Package, version, id, severity and remedy in one line."""
        cves = [one for one in self.aliases if one.startswith("CVE-")]
        names = f"{self.id} ({', '.join(cves)})" if cves else self.id
        remedy = f"fixed in {self.remedy}" if self.remedy else "no fixed version is known"
        return f"{self.package.title}: {names}, {self.rated}, {remedy}"


class Scan(Frozen):
    """What a scanner found, and what it could not decide. `scanner` is its name for people."""

    scanner: str
    findings: tuple[Finding, ...] = ()
    notices: tuple[str, ...] = ()


class Scanner(Protocol):
    """Looks packages up. Leaves as ScannerUnavailable where trying again may help."""

    def scan(self, packages: Sequence[Package]) -> Scan:
        """The known vulnerabilities of packages."""


def combine(hits: Iterable[Hit]) -> tuple[Finding, ...]:
    """Hits as findings, those of one vulnerability of one package as one."""
    return merge(_describe(hit) for hit in hits)


def merge(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings of one package that share an id as one, sorted by package and id."""
    groups: dict[Package, list[list[Finding]]] = {}
    for finding in findings:
        known = groups.setdefault(finding.package, [])
        same = [group for group in known if any(one.ids & finding.ids for one in group)]
        joined = [*(one for group in same for one in group), finding]
        groups[finding.package] = [*(group for group in known if group not in same), joined]
    merged = [_merge(group) for known in groups.values() for group in known]
    return tuple(sorted(merged, key=lambda one: (one.package.name, one.package.version, _rank(one.id))))


def _merge(group: Sequence[Finding]) -> Finding:
    ids = sorted({one for finding in group for one in finding.ids}, key=_rank)
    ecosystem = group[0].package.key[0]
    fixed = sort_versions({one for finding in group for one in finding.fixed}, ecosystem)
    scores = [one.score for one in group if one.score is not None]
    ordered = sorted(group, key=lambda one: _rank(one.id))
    return Finding(
        package=group[0].package,
        id=ids[0],
        aliases=tuple(ids[1:]),
        severity=gravest(one.severity for one in group),
        score=max(scores, default=None),
        fixed=fixed,
        summary=next((one.summary for one in ordered if one.summary), ""),
    )


def sort_versions(versions: Iterable[str], ecosystem: str) -> tuple[str, ...]:
    """Each version once, the greatest last; what is no version comes first."""
    known: dict[tuple[Any, ...], str] = {}
    for one in sorted(versions):
        key = order(ecosystem, one)
        known[(0, one) if key is None else (1, key)] = one
    return tuple(known[key] for key in sorted(known))


def _describe(hit: Hit) -> Finding:
    severity, score = rate(hit.advisory, hit.affected)
    return Finding(
        package=hit.package,
        id=hit.advisory.id,
        aliases=tuple(sorted(hit.advisory.ids - {hit.advisory.id})),
        severity=severity,
        score=score,
        fixed=(hit.fixed,) if hit.fixed else (),
        summary=hit.advisory.summary,
    )


def _rank(name: str) -> tuple[int, str]:
    """Names of databases that say more come first."""
    return next((n for n, prefix in enumerate(PREFIXES) if name.startswith(prefix)), len(PREFIXES)), name
