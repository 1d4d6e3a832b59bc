"""What the plan says of the dependencies: what AuditRelease found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.documents import release_prefix
from tidegate.domain.audits.gates import AuditReport

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.task import Tools


def tell_audit(ref: ReleaseRef, tools: Tools) -> tuple[str, ...]:
    """The audit in sentences, its summary first; that there was none, where a release began without one."""
    report = tools.documents.find(f"{release_prefix(ref)}audit.json", AuditReport)
    return ("dependencies were not audited",) if report is None else report.sentences
