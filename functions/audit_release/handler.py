"""AuditRelease: whether known vulnerabilities of what was built let the release go on."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from functions.audit_release.audit import LAST_ATTEMPT, audit_release
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.plans import read_snapshot
from tidegate.domain.audits.gates import AuditReport, check_report
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.task import Tools, task

SHOWN: Final = 20


class Request(Frozen):
    """The release; `attempt` counts the state's retries, from 0 on."""

    release: ReleaseRef
    attempt: int = Field(0, ge=0)


class Response(Frozen):
    """How the audit ended; one that does not let the release go on leaves as AuditFailed."""

    status: Literal["clean", "tolerated", "not scanned"]
    summary: str


def handle(request: Request, tools: Tools) -> Response:
    """Audit once for a release: a second call reads what the first one found."""
    release, key = request.release, f"{release_prefix(request.release)}audit.json"
    snapshot = read_snapshot(tools.documents, release)
    report = tools.documents.find(key, AuditReport)
    if report is None:
        report = audit_release(release, snapshot, tools, last=request.attempt >= LAST_ATTEMPT)
        tools.documents.replace(key, report, over="")  # of two at once the first one counts
    evidence = {
        "document": f"s3://{tools.documents.bucket}/{key}",
        "failures": list(report.failures[:SHOWN]),
        "findings": [one.text for one in report.findings[:SHOWN]],
        "notices": list(report.notices[:SHOWN]),
    }
    tools.record(release, "AuditRelease", report.summary, evidence=evidence)
    return Response(status=report.status, summary=check_report(report, snapshot.config.audit))


handler = task(Request, handle)
