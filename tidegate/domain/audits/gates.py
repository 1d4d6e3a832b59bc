"""The gate: which findings end a release, which are waived, and what must be said; pure, the day is given.

A waiver that has expired and still covers a finding is a failure of its own, whatever the severity. One that
covers nothing is a notice. What was not scanned is never shown as clean.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from tidegate.domain.audits.findings import Finding
from tidegate.domain.audits.policies import FailOn, Severity
from tidegate.domain.errors import AuditFailed
from tidegate.domain.identity import Frozen
from tidegate.domain.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.domain.audits.findings import Scan
    from tidegate.domain.audits.policies import AuditConfig, Waiver

SHOWN: Final = 5
Status = Literal["clean", "tolerated", "failed", "not scanned"]


class AuditReport(Frozen):
    """The audit of a release: audit.json among its documents.

    clean: nothing was found. tolerated: findings that the policy lets pass. packages: how many were asked of.
    """

    status: Status
    day: date
    scanners: tuple[str, ...] = ()
    packages: int = 0
    findings: tuple[Finding, ...] = ()
    failures: tuple[str, ...] = Field((), description="why the gate is shut, a sentence each")
    notices: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The report in one line."""
        if self.status == "not scanned":
            return f"not scanned: {count(self.packages, 'package')}: {'; '.join(self.notices[:1])}"
        if not self.packages:
            return "there are no packages to look up"
        by = f"{count(self.packages, 'package')} looked up by {' and '.join(self.scanners)}"
        if not self.findings:
            return f"{by}: no known vulnerability"
        verdicts = [one.verdict for one in self.findings]
        parts = {"over the gate": "fails", "waived": "waived", "below the gate": "passes"}
        told = [f"{verdicts.count(verdict)} {name}" for name, verdict in parts.items() if verdict in verdicts]
        known = count(len(self.findings), "known vulnerability", "known vulnerabilities")
        return f"{by}: {known}, {', '.join(told)}"

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the plan says of it."""
        found = (f"{one.text}{_tell_waiver(one.waiver)}" for one in self.findings)
        notices = self.notices[1:] if self.status == "not scanned" else self.notices
        return (self.summary, *found, *notices)


def _tell_waiver(waiver: Waiver | None) -> str:
    return f"; waived until {waiver.expires} by {waiver.owner}: {waiver.reason}" if waiver else ""


def pass_gate(
    scans: Sequence[Scan], findings: Sequence[Finding], packages: int, policy: AuditConfig, day: date
) -> AuditReport:
    """Hold findings against a policy on a day (UTC)."""
    judged = tuple(_judge(finding, policy, day) for finding in findings)
    expired = [one for one in policy.waivers if day > one.expires and _covered(one, findings)]
    failures = [one.text for one in judged if one.verdict == "fails"]
    failures += [
        f"the waiver of {one.title} expired on {one.expires} ({one.owner}: {one.reason})" for one in expired
    ]
    useless = [one for one in policy.waivers if not _covered(one, findings)]
    notices = [notice for scan in scans for notice in scan.notices]
    notices += [f"the waiver of {one.title} covers nothing that was found; remove it" for one in useless]
    return AuditReport(
        status="failed" if failures else "tolerated" if judged else "clean",
        day=day,
        scanners=tuple(scan.scanner for scan in scans),
        packages=packages,
        findings=judged,
        failures=tuple(failures),
        notices=tuple(dict.fromkeys(notices)),
    )


def not_scanned(notices: tuple[str, ...], packages: int, day: date) -> AuditReport:
    """The report where nobody could be asked; the first notice says why."""
    return AuditReport(status="not scanned", day=day, packages=packages, notices=notices)


def without_scan(report: AuditReport, reason: str) -> AuditReport:
    """A report of the service's own records alone: they may fail it, though the scanner does not answer."""
    status: Status = "failed" if report.failures else "not scanned"
    return report.model_copy(update={"status": status, "notices": (reason, *report.notices)})


def check_report(report: AuditReport, policy: AuditConfig) -> str:
    """The summary of an audit that lets the release go on; AuditFailed names what does not."""
    if not report.failures:
        return report.summary
    more = len(report.failures) - SHOWN
    told = [*report.failures[:SHOWN], *([f"and {more:,} more, in audit.json"] if more > 0 else [])]
    way = f"upgrade, or waive it for some time under audit.waivers (audit.fail_on is {policy.fail_on.value})"
    raise AuditFailed(f"{'; '.join(told)}. Remedy: {way}")


def _judge(finding: Finding, policy: AuditConfig, day: date) -> Finding:
    waiver = next((one for one in policy.waivers if one.covers(finding.ids, finding.package.name)), None)
    if waiver is not None and day <= waiver.expires:
        return finding.model_copy(update={"verdict": "waived", "waiver": waiver})
    severity = finding.severity or policy.unknown_severity
    shut = policy.fail_on is not FailOn.NEVER and severity.rank >= Severity(policy.fail_on.value).rank
    return finding.model_copy(update={"verdict": "fails" if shut else "passes"})


def _covered(waiver: Waiver, findings: Sequence[Finding]) -> bool:
    return any(waiver.covers(one.ids, one.package.name) for one in findings)
