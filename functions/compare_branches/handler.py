"""Compares the heads of branches at GitHub with what was released: GitHub tells of a push once only.

A head that no release was ever opened for is told as a push is. Each branch is one call, which costs no quota
where nothing has changed.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from functions.compare_branches.branches import compare
from tidegate.adapters.threads import side_by_side
from tidegate.domain.errors import HostRefused
from tidegate.domain.identity import Frozen
from tidegate.task import Tools, logger, task

NAMED: Final = 5


class Request(Frozen):
    """Nothing: all repositories are compared."""


class Response(Frozen):
    """How many branches were compared, and how many heads were told as pushes."""

    compared: int
    pushed: int


def handle(request: Request, tools: Tools) -> Response:  # noqa: ARG001
    """Tell every head that was never released; HostRefused at the end, for those that could not be had."""
    branches = [
        (origin, branch) for origin in tools.settings.origins.at("github") for branch in origin.branches
    ]
    found = side_by_side(partial(compare, tools, []), branches)
    for pushed in (one.pushed for one in found if one.pushed):
        logger().info("push found", extra=pushed.model_dump())
        tools.bus.put("Commit Pushed", pushed.model_dump())
    refused = [one.refused for one in found if one.refused]
    if refused:
        more = f" (and {len(refused) - NAMED} more)" if len(refused) > NAMED else ""
        raise HostRefused("; ".join(refused[:NAMED]) + more)
    return Response(compared=len(found), pushed=sum(one.pushed is not None for one in found))


handler = task(Request, handle)
