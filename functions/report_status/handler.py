"""Tells the repository at GitHub how the release of one of its commits stands; no release waits for it.

An event says only that something has changed: what is told is read from the ledger, so that events that come
late, twice or in another order end in the same status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import RootModel

from tidegate.domain.errors import MalformedEvent
from tidegate.domain.identity import SHORT, Frozen
from tidegate.domain.statuses import Status, describe
from tidegate.task import Tools, logger, task

if TYPE_CHECKING:
    from tidegate.domain.ledger import Release
    from tidegate.domain.origins import Origin

# A release that ends while its status is told is looked at again, so many times.
LOOKS: Final = 3


class Request(RootModel[dict[str, Any]]):
    """One of Tidegate's own events of a release."""


class Response(Frozen):
    """What was told last: `state` as GitHub calls it; empty where nothing was, with the `reason`."""

    state: str = ""
    reason: str = ""


def handle(request: Request, tools: Tools) -> Response:
    """Give the release's commit the status that the ledger says."""
    detail = request.root.get("detail") or {}
    service, release_id = (str(detail.get(key, "")) for key in ("service", "release"))
    if not service or not release_id:
        raise MalformedEvent("the event names no service and release")
    origin = tools.settings.origins.of_service(service)
    if origin is None or origin.host != "github":
        return Response(reason=f"{service} has no repository at GitHub")
    return _report(origin, service, release_id[:SHORT], tools)


def _report(origin: Origin, service: str, commit: str, tools: Tools) -> Response:
    told: Status | None = None
    for _ in range(LOOKS):
        release = _find_newest(service, commit, tools)
        if release is None:
            return Response(reason=f"the ledger has no release of {commit} of {service}")
        status = describe(release)
        if status == told:
            break
        if not tools.hosts.report(origin, release.commit.id, status):
            return Response(reason=f"{origin.name} has no commit {release.commit.id}")
        told = status
    logger().info("status told", extra={"state": status.state, "commit": commit, "release_of": service})
    return Response(state=status.state)


def _find_newest(service: str, commit: str, tools: Tools) -> Release | None:
    """A retry takes the place of what failed before."""
    return next((one for one in tools.ledger.releases(service) if one.commit.id.startswith(commit)), None)


handler = task(Request, handle)
