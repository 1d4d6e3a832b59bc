"""What the plan says of what was built: what AuditRelease and the imports of its handlers found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.documents import release_prefix
from tidegate.domain.audits.gates import AuditReport
from tidegate.domain.imports import ImportReport

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.task import Tools


def tell_audit(ref: ReleaseRef, tools: Tools) -> tuple[str, ...]:
    """The audit in sentences, its summary first; that there was none, where a release began without one."""
    report = tools.documents.find(f"{release_prefix(ref)}audit.json", AuditReport)
    return ("dependencies were not audited",) if report is None else report.sentences


def tell_imports(ref: ReleaseRef, tools: Tools) -> tuple[str, ...]:
    """The handlers of which it is not known whether they can be imported, a sentence each."""
    report = tools.documents.find(f"{release_prefix(ref)}imports.json", ImportReport)
    return () if report is None else report.notes
