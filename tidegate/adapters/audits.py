"""Audits packages: asks every scanner that is at hand, merges what they find, and holds it against a policy.

May not decide what passes: that is the domain's gate.
"""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tidegate.adapters.advisory_records import DAMAGE, RecordScanner, list_members
from tidegate.domain.audits.findings import merge
from tidegate.domain.audits.gates import not_scanned, pass_gate
from tidegate.domain.errors import InvalidConfiguration
from tidegate.domain.sources import CONFIG_FILE, is_within

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tidegate.adapters.documents import Documents
    from tidegate.adapters.manifests import Inventory
    from tidegate.domain.audits.findings import Scanner
    from tidegate.domain.audits.gates import AuditReport
    from tidegate.domain.audits.policies import AuditConfig

NOBODY: Final = "no advisories were at hand"


def audit(inventory: Inventory, scanners: Sequence[Scanner], policy: AuditConfig, day: date) -> AuditReport:
    """The report over all packages; ScannerUnavailable where a scanner does not answer.

    Where there is nobody to ask, the report says so; without packages there is nothing to ask.
    """
    packages = list(inventory.packages)
    if packages and not scanners:
        return not_scanned((NOBODY, *inventory.notices), len(packages), day)
    scans = [scanner.scan(packages) for scanner in scanners] if packages else []
    found = tuple(
        finding.model_copy(update={"found_in": inventory.packages[finding.package]})
        for finding in merge(finding for scan in scans for finding in scan.findings)
    )
    report = pass_gate(scans, found, len(packages), policy, day)
    return report.model_copy(update={"notices": (*report.notices, *inventory.notices)})


@contextmanager
def open_records(documents: Documents, source_key: str, place: str) -> Iterator[RecordScanner]:
    """The scanner of the records that a release's own source holds at a path: a folder, a zip or one file."""
    with TemporaryDirectory(prefix="tidegate-") as name:
        packed = Path(name) / "source.zip"
        documents.download(source_key, packed)
        try:
            with zipfile.ZipFile(packed) as archive:
                files = (one for one in list_members(archive) if is_within(one[0], place))
                yield RecordScanner(files, place)
        except DAMAGE as error:
            raise InvalidConfiguration(f"audit.advisories: {place}: {error}", file=CONFIG_FILE) from error
