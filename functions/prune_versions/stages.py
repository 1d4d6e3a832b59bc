"""A service's functions in a fixed order, one after the other, so that a turn can be gone on with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from functions.prune_versions.tidying import take_provisioned
from tidegate.adapters.pacing import Pacer, TokenBucket, keep_pace
from tidegate.adapters.provisioning import list_provisioned
from tidegate.adapters.versions import (
    delete_version,
    find_pointed,
    find_use,
    list_anchors,
    list_mapped,
    list_published,
)
from tidegate.domain.pruning import PROVISIONED, STALE, Fate, is_own, judge_versions
from tidegate.domain.undo import PreviousStack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from functions.prune_versions.tidying import Tidying
    from tidegate.domain.healthy import Healthy
    from tidegate.domain.pruning import Published
    from tidegate.task import StageTools, Tools

# Of the account's calls in a second the janitor takes a third: releases come first.
SHARE: Final = 3
PACER: Final = Pacer(lambda rate: TokenBucket(rate / SHARE))


@dataclass(frozen=True)
class Turn:
    """What stays, by stage; functions besides those; after which function to go on; and until when.

    `others` are functions that only an unfinished or undone release has moved, by stage.
    """

    kept: Mapping[str, tuple[tuple[str, Healthy], ...]]
    others: Mapping[str, frozenset[str]]
    after: str
    until: datetime
    tidying: Tidying


class Known(NamedTuple):
    """What needs versions and is not asked for function by function: what feeds them, and what keeps them."""

    fed: dict[str, dict[str, str]]
    kept: dict[str, dict[str, str]]


def prune_stages(turn: Turn, tools: Tools) -> tuple[tuple[Fate, ...], str]:
    """What became of every version, and the function that was reached if the time was up before the end."""
    fates: list[Fate] = []
    for stage in sorted({*turn.kept, *turn.others}):
        items = turn.kept.get(stage, ())
        names = sorted(
            {function.name for _, healthy in items for function in healthy.functions.values()}
            | turn.others.get(stage, frozenset())
        )
        waiting = [name for name in names if (stage, name) > tuple(turn.after.split("/"))]
        if not waiting:
            continue
        keep_pace(tools.stage(stage).functions, PACER)
        known = _list_known(stage, items, tools)
        for name in waiting:
            if tools.now() > turn.until:
                return tuple(fates), f"{stage}/{max(n for n in ['', *names] if n < name)}"
            fates += _prune_function(stage, name, known, tools.stage(stage), turn.tidying)
    return tuple(fates), ""


def _list_known(stage: str, items: tuple[tuple[str, Healthy], ...], tools: Tools) -> Known:
    kept: dict[str, dict[str, str]] = {}
    for key in {healthy.stack for _, healthy in items if healthy.stack}:
        stack = tools.documents.find(key, PreviousStack)
        anchors = list_anchors(tools.stage(stage).cloudformation, stack.stack_name) if stack else {}
        for name, versions in anchors.items():
            kept.setdefault(name, {}).update(versions)
    for _, healthy in items:
        for function in healthy.functions.values():
            reason = f"release {healthy.label} can be gone back to"
            kept.setdefault(function.name, {}).setdefault(function.version, reason)
    return Known(fed=list_mapped(tools.stage(stage).functions), kept=kept)


def _prune_function(stage: str, name: str, known: Known, clients: StageTools, tidying: Tidying) -> list[Fate]:
    client = clients.functions
    published = list_published(client, name)
    if not published:
        return []
    used = {**find_pointed(client, name), **known.fed.get(name, {})}
    kept = known.kept.get(name, {})
    used |= _strip(name, published, used, kept, clients, tidying)
    if not kept:
        return []  # of no healthy state: in doubt its versions stay
    fates = []
    for version, why in judge_versions(published, {**used, **kept}):
        reason = why or find_use(client, name, version)
        if not reason and not tidying.dry_run:
            reason = delete_version(client, name, version.version)
        fate = Fate(
            stage=stage, function=name, version=version.version, goes=not reason, reason=reason or STALE
        )
        fates.append(fate)
    return fates


def _strip(
    name: str,
    published: tuple[Published, ...],
    used: Mapping[str, str],
    kept: Mapping[str, str],
    clients: StageTools,
    tidying: Tidying,
) -> dict[str, str]:
    """Take the provisioned concurrency that releases left on versions which nobody uses.

    Gives the versions that have some all the same, and whose that is nobody knows here.
    """
    provisioned = list_provisioned(clients.functions, name)
    left = {}
    for version in published:
        if version.version not in provisioned:
            continue
        own = is_own(version) or version.version in kept
        needed = version.version in used or find_use(clients.functions, name, version)
        if not own or needed or not take_provisioned(clients, name, version.version, tidying):
            left[version.version] = used.get(version.version, PROVISIONED)
    return left
