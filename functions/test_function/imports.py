"""The imports of a release's handlers: had made by the sandbox, told in the ledger, and held against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidegate.adapters.documents import release_prefix
from tidegate.adapters.import_checks import Importer
from tidegate.domain.imports import check_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.imports import ImportReport
    from tidegate.domain.snapshots import Snapshot
    from tidegate.task import Tools

SHOWN: Final = 10


def import_handlers(
    ref: ReleaseRef, snapshot: Snapshot, tools: Tools, in_time: Callable[[], bool]
) -> ImportReport:
    """Import what has not been imported before; ImportFailed names what cannot be."""
    sandbox = tools.settings.sandbox_function
    report = Importer(tools.documents, tools.functions, sandbox, ref).run(snapshot, in_time)
    told = [*report.texts("failed"), *report.notes]
    what = "; ".join([report.summary, *told[:SHOWN]])
    evidence = {"document": f"{release_prefix(ref)}imports.json", "told": told[:SHOWN]}
    tools.record(ref, "TestFunction", what, key="imports", evidence=evidence)
    check_report(report)
    return report
