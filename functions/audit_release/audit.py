"""One audit of a release: its manifest, its packages, the scanners that are set, and the policy."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from tidegate.adapters.audits import audit, open_records
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.inspector import InspectorScanner
from tidegate.adapters.manifests import read_inventory, write_manifest
from tidegate.adapters.osv import OsvScanner
from tidegate.domain.audits.gates import not_scanned, without_scan
from tidegate.domain.audits.policies import OnUnavailable
from tidegate.domain.errors import ScannerUnavailable

if TYPE_CHECKING:
    from tidegate.domain.audits.findings import Scanner
    from tidegate.domain.audits.gates import AuditReport
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.snapshots import Snapshot
    from tidegate.task import Tools

LAST_ATTEMPT: Final = 4  # of those that the state's Retry of ScannerUnavailable makes, from 0 on


def audit_release(ref: ReleaseRef, snapshot: Snapshot, tools: Tools, *, last: bool) -> AuditReport:
    """The report; ScannerUnavailable leaves to be tried again, and at the end where the policy is to fail."""
    policy, documents = snapshot.config.audit, tools.documents
    inventory = read_inventory(documents, write_manifest(documents, ref, snapshot))
    day = tools.now().date()
    with ExitStack() as stack:
        records: list[Scanner] = []
        if policy.advisories is not None:
            source = f"{release_prefix(ref)}source.zip"
            records.append(stack.enter_context(open_records(documents, source, policy.advisories)))
        try:
            return audit(inventory, [*find_scanners(tools), *records], policy, day)
        except ScannerUnavailable as error:
            if not last or policy.on_unavailable is OnUnavailable.FAIL:
                way = "`tidegate retry` tries again; audit.on_unavailable: warn goes on without a scan"
                raise ScannerUnavailable(f"{error}; {way}") from error
            if not records:
                return not_scanned((str(error), *inventory.notices), len(inventory.packages), day)
            return without_scan(audit(inventory, records, policy, day), str(error))


def find_scanners(tools: Tools) -> list[Scanner]:
    """The pipeline's scanner; none where only records of the service count."""
    match tools.settings.scanner:
        case "inspector":
            return [InspectorScanner(tools.inspector)]
        case "osv":
            return [OsvScanner()]
        case "records":
            return []
        case other:
            message = f"TIDEGATE_SCANNER names {other!r}; there are inspector, osv and records"
            raise LookupError(message)
