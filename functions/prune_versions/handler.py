"""PruneVersions: the janitor. On its own schedule it deletes versions and documents that nobody needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from functions.prune_versions.services import prune_service
from tidegate.domain.identity import Frozen
from tidegate.domain.pruning import PruneReport
from tidegate.task import Tools, logger, task

LONGEST: Final = timedelta(minutes=12)  # of the 15 that an invocation may last
MOST: Final = 2000  # fates that one answer tells, which may have 6 MB


class Request(Frozen):
    """Of all services, or of one; a dry run deletes nothing and says why everything else stays."""

    service: str = ""
    dry_run: bool = False


class Response(Frozen):
    """What became of each service's versions; what was not come to is the next turn's."""

    reports: tuple[PruneReport, ...]


def handle(request: Request, tools: Tools) -> Response:
    """Give each service its turn, as long as there is time."""
    until = tools.now() + LONGEST
    reports: list[PruneReport] = []
    for service in [request.service] if request.service else tools.ledger.services():
        if tools.now() > until:
            break
        report = prune_service(service, until, tools, dry_run=request.dry_run)
        if report.gone or report.documents or request.dry_run:
            logger().info(f"{service}: {report.gone} versions", extra={"dry_run": request.dry_run})
        if request.service:
            reports.append(report.model_copy(update={"fates": report.fates[:MOST]}))
        else:
            reports.append(report.model_copy(update={"fates": ()}))
    return Response(reports=tuple(reports))


handler = task(Request, handle)
