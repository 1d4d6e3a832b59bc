"""Has the sandbox import the handlers of a release from their artifacts, a few dozen in each invocation.

What was imported once is not tried again for its service: the artifact, the handler and the variables
are the check's key. So a release that failed, and is tried again, does not pass because its artifacts stand.
"""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

from tidegate.adapters.documents import release_prefix
from tidegate.adapters.imports import own_machine, own_runtime
from tidegate.adapters.testing import URL_SECONDS, SandboxEnded, invoke_sandbox
from tidegate.adapters.threads import AT_ONCE, side_by_side
from tidegate.domain.artifacts import archive_key
from tidegate.domain.errors import ImportsPending
from tidegate.domain.imports import (
    ImportAnswer,
    ImportOutcome,
    ImportReport,
    ImportRequest,
    ImportTarget,
    KnownImports,
    find_misfits,
    judge,
    list_checks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_lambda import LambdaClient

    from tidegate.adapters.documents import Documents
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.imports import ImportCheck
    from tidegate.domain.snapshots import Snapshot

SHARE: Final = 20  # imports in one invocation: they end within its time though each takes all of its own
KEPT: Final = frozenset({"imported", "warned"})


class Importer:
    """Imports the handlers of one release."""

    def __init__(self, documents: Documents, functions: LambdaClient, sandbox: str, ref: ReleaseRef) -> None:
        self._documents = documents
        self._functions = functions
        self._sandbox = sandbox
        self._ref = ref
        self._key = f"{release_prefix(ref)}imports.json"
        self._known_key = f"releases/{ref.service}/imports.json"

    def run(self, snapshot: Snapshot, in_time: Callable[[], bool]) -> ImportReport:
        """The report on all handlers; ImportsPending once time is up, and what was found so far is kept."""
        runtime = own_runtime()
        checks = list_checks(one for one in snapshot.functions if one.runtime == runtime)
        report = self._documents.find(self._key, ImportReport) or self._begin(snapshot, checks)
        left = [check for check in checks if check.key not in report.verdicts]
        while left:
            if not in_time():
                raise ImportsPending(f"{len(left):,} handlers are still to be imported")
            report = self._import(report, left)
            left = [check for check in left if check.key not in report.verdicts]
        self._remember(report, checks)
        return report

    def _begin(self, snapshot: Snapshot, checks: Sequence[ImportCheck]) -> ImportReport:
        """A report with what is known already."""
        known = (self._documents.find(self._known_key, KnownImports) or KnownImports()).verdicts
        found = {check.key: known[check.key] for check in checks if check.key in known}
        misfits = find_misfits(snapshot.functions, own_runtime(), own_machine())
        return ImportReport(verdicts={**misfits, **found}, known=len(found))

    def _import(self, report: ImportReport, checks: Sequence[ImportCheck]) -> ImportReport:
        """Import as many as one round of invocations takes; the first of each share is answered for sure."""
        shares = list(islice(_share(checks), AT_ONCE))
        found = [pair for pairs in side_by_side(self._ask, shares) for pair in pairs]
        verdicts = {check.key: judge(check, outcome) for check, outcome in found}
        report = report.model_copy(update={"verdicts": {**report.verdicts, **verdicts}})
        self._documents.write(self._key, report)
        return report

    def _ask(self, checks: Sequence[ImportCheck]) -> list[tuple[ImportCheck, ImportOutcome]]:
        targets = tuple(
            ImportTarget(
                url=self._documents.presign("get_object", archive_key(artifact), URL_SECONDS),
                checks=tuple(found),
            )
            for artifact, found in groupby(checks, lambda check: check.artifact)
        )
        request = ImportRequest(artifacts=targets)
        try:
            answer = ImportAnswer.model_validate(
                invoke_sandbox(self._functions, self._sandbox, self._ref, request)
            )
        except SandboxEnded as error:
            ended = ImportOutcome(kind="unchecked", message=f"the imports ended the sandbox: {error}")
            return [(check, ended) for check in checks]
        silent = ImportOutcome(kind="unchecked", message="the sandbox told nothing of it")
        told = [(check, answer.outcomes[check.key]) for check in checks if check.key in answer.outcomes]
        return told or [(checks[0], silent)]

    def _remember(self, report: ImportReport, checks: Sequence[ImportCheck]) -> None:
        """Keep what lets a release go on, of this snapshot's handlers alone, so that it grows no further."""
        good = {key: one for key, one in report.verdicts.items() if one.status in KEPT}
        verdicts = {check.key: good[check.key] for check in checks if check.key in good}
        if len(verdicts) > report.known:
            self._documents.write(self._known_key, KnownImports(verdicts=verdicts))


def _share(checks: Sequence[ImportCheck]) -> Iterator[Sequence[ImportCheck]]:
    """Shares of equal size; checks of one artifact stand beside each other."""
    return (checks[start : start + SHARE] for start in range(0, len(checks), SHARE))
