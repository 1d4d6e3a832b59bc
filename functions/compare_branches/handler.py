"""Compares the heads of branches at GitHub with what was released: GitHub tells of a push once only.

A head that no release was ever opened for is told as a push is. Each branch is one call, which costs no quota
where nothing has changed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tidegate.adapters.threads import side_by_side
from tidegate.domain.errors import HostRefused
from tidegate.domain.identity import Commit, Frozen, release_id
from tidegate.domain.webhooks import Pushed
from tidegate.task import Tools, logger, task

if TYPE_CHECKING:
    from tidegate.domain.origins import Origin

NAMED = 5


class Request(Frozen):
    """Nothing: all repositories are compared."""


class Response(Frozen):
    """How many branches were compared, and how many heads were told as pushes."""

    compared: int
    pushed: int


class Found(Frozen):
    """What became of one branch: a push, or why it could not be compared; neither where nothing is new."""

    pushed: Pushed | None = None
    refused: str = ""


def handle(_request: Request, tools: Tools) -> Response:
    """Tell every head that was never released; HostRefused at the end, for repositories that refused."""
    branches = [
        (origin, branch) for origin in tools.settings.origins.at("github") for branch in origin.branches
    ]
    found = side_by_side(partial(_compare, tools), branches)
    for pushed in (one.pushed for one in found if one.pushed):
        logger().info("push found", extra=pushed.model_dump())
        tools.bus.put("Commit Pushed", pushed.model_dump())
    refused = [one.refused for one in found if one.refused]
    if refused:
        more = f" (and {len(refused) - NAMED} more)" if len(refused) > NAMED else ""
        raise HostRefused("; ".join(refused[:NAMED]) + more)
    return Response(compared=len(found), pushed=sum(one.pushed is not None for one in found))


def _compare(tools: Tools, asked: tuple[Origin, str]) -> Found:
    origin, branch = asked
    releases = tools.ledger.releases(origin.service)
    known = next((one.commit.id for one in releases if one.commit.branch == branch), "")
    try:
        head = tools.hosts.find_head(origin, branch, known)
    except HostRefused as error:
        return Found(refused=f"{origin.name}: {error}")
    if head is None or _was_opened(origin.service, head, branch, tools):
        return Found()
    return Found(pushed=Pushed(service=origin.service, commit=head, branch=branch))


def _was_opened(service: str, head: str, branch: str, tools: Tools) -> bool:
    first = release_id(Commit(service=service, id=head, branch=branch), 1)
    return tools.ledger.document(service, f"opened#{first}") is not None


handler = task(Request, handle)
