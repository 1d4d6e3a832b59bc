"""A service's functions in a fixed order, one after the other, so that a turn can be gone on with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tidegate.adapters.pacing import Pacer, TokenBucket, pace
from tidegate.adapters.versions import (
    delete_version,
    find_needs,
    find_use,
    list_anchors,
    list_mapped,
    list_published,
)
from tidegate.domain.pruning import STALE, Fate, judge_versions
from tidegate.domain.undo import PreviousStack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mypy_boto3_lambda import LambdaClient

    from tidegate.domain.healthy import Healthy
    from tidegate.task import Tools

# Of the account's calls in a second the janitor takes a third: releases come first.
SHARE: Final = 3
PACER: Final = Pacer(lambda rate: TokenBucket(rate / SHARE))


@dataclass(frozen=True)
class Turn:
    """What stays, by stage; after which function to go on; until when; and whether only to say so."""

    kept: Mapping[str, tuple[tuple[str, Healthy], ...]]
    after: str
    until: datetime
    dry_run: bool


def prune_stages(turn: Turn, tools: Tools) -> tuple[tuple[Fate, ...], str]:
    """What became of every version, and the function that was reached if the time was up before the end."""
    fates: list[Fate] = []
    for stage, items in sorted(turn.kept.items()):
        names = sorted({function.name for _, healthy in items for function in healthy.functions.values()})
        waiting = [name for name in names if (stage, name) > tuple(turn.after.split("/"))]
        if not waiting:
            continue
        client = tools.stage(stage).functions
        pace(client, PACER)
        known = _list_known(stage, items, client, tools)
        for name in waiting:
            if tools.now() > turn.until:
                return tuple(fates), f"{stage}/{max(n for n in ['', *names] if n < name)}"
            fates += _prune_function(stage, name, known.get(name, {}), client, dry_run=turn.dry_run)
    return tuple(fates), ""


def _list_known(
    stage: str, items: tuple[tuple[str, Healthy], ...], client: LambdaClient, tools: Tools
) -> dict[str, dict[str, str]]:
    """What needs versions and is not asked for function by function."""
    needs = list_mapped(client)
    for key in {healthy.stack for _, healthy in items if healthy.stack}:
        stack = tools.documents.find(key, PreviousStack)
        anchors = list_anchors(tools.stage(stage).cloudformation, stack.stack_name) if stack else {}
        for name, versions in anchors.items():
            needs.setdefault(name, {}).update(versions)
    for _, healthy in items:
        for function in healthy.functions.values():
            reason = f"release {healthy.label} can be gone back to"
            needs.setdefault(function.name, {}).setdefault(function.version, reason)
    return needs


def _prune_function(
    stage: str, name: str, known: Mapping[str, str], client: LambdaClient, *, dry_run: bool
) -> list[Fate]:
    published = list_published(client, name)
    if not published:
        return []
    judged = judge_versions(published, {**find_needs(client, name), **known})
    fates = []
    for version, why in judged:
        reason = why or find_use(client, name, version)
        if not reason and not dry_run:
            reason = delete_version(client, name, version.version)
        fate = Fate(
            stage=stage, function=name, version=version.version, goes=not reason, reason=reason or STALE
        )
        fates.append(fate)
    return fates
