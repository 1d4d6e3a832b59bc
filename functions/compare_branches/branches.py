"""Looks at one branch: whether its head was ever released."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ConnectionClosedError
from urllib3.exceptions import HTTPError

from tidegate.domain.errors import HostRefused
from tidegate.domain.identity import Commit, Frozen, release_id
from tidegate.domain.webhooks import Pushed

if TYPE_CHECKING:
    from tidegate.domain.origins import Origin
    from tidegate.task import Tools

# A repository that GitHub fails at hides no other, but all of them would take too long.
SILENT: Final = 20
# How far back the last release of a branch is looked for. Without one the head is asked for all the same.
RECENT: Final = 100


class Found(Frozen):
    """What became of one branch: a push, or why it could not be compared; neither where nothing is new."""

    pushed: Pushed | None = None
    refused: str = ""


def compare(tools: Tools, silent: list[str], asked: tuple[Origin, str]) -> Found:
    """Look at a branch of a repository; `silent` are those that GitHub did not answer for so far."""
    origin, branch = asked
    releases = tools.ledger.releases(origin.service)
    recent = islice(releases, RECENT)
    known = next((one.commit.id for one in recent if one.commit.branch == branch), "")
    if len(silent) >= SILENT:
        return Found(refused=f"{origin.name}: not asked, since GitHub does not answer")
    try:
        head = tools.hosts.find_head(origin, branch, known)
    except HostRefused as error:
        return Found(refused=f"{origin.name}: {error}")
    except (ConnectionClosedError, HTTPError) as error:
        silent.append(origin.name)
        return Found(refused=f"{origin.name}: {error}")
    if head is None or _was_opened(origin.service, head, branch, tools):
        return Found()
    return Found(pushed=Pushed(service=origin.service, commit=head, branch=branch))


def _was_opened(service: str, head: str, branch: str, tools: Tools) -> bool:
    first = release_id(Commit(service=service, id=head, branch=branch), 1)
    return tools.ledger.document(service, f"opened#{first}") is not None
