"""Where a service can go back to: the releases whose healthy state is kept, by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from tidegate.adapters.healthy import list_ways
from tidegate.adapters.plans import find_plan
from tidegate.cli.failures import Failed
from tidegate.cli.releases import matches
from tidegate.cli.screens import moment, show_json, show_table
from tidegate.domain.identity import SHORT

if TYPE_CHECKING:
    from tidegate.cli.pipeline import Pipeline
    from tidegate.domain.healthy import Healthy
    from tidegate.domain.ledger import Release


class Goal(NamedTuple):
    """A release that can be gone back to: its state by stage; `live` are the stages that run it now."""

    release: Release
    states: dict[str, Healthy]
    live: tuple[str, ...]


def read_ways(pipeline: Pipeline, service: str) -> list[Goal]:
    """The releases of a service that any stage can go back to, the newest first."""
    by_stage = {
        stage: list_ways(pipeline.ledger, pipeline.documents, service, stage)
        for stage in _list_stages(pipeline, service)
    }
    live = {stage: next(iter(found), "") for stage, found in by_stage.items()}
    known = {name for found in by_stage.values() for name in found}
    return [
        Goal(
            release=release,
            states={s: found[release.ref.id][1] for s, found in by_stage.items() if release.ref.id in found},
            live=tuple(stage for stage, name in live.items() if name == release.ref.id),
        )
        for release in pipeline.ledger.releases(service)
        if release.ref.id in known
    ]


def choose_way(pipeline: Pipeline, service: str, wanted: str, stages: tuple[str, ...]) -> str:
    """The id of the release meant; Failed, naming where one can go, if there is no way to it."""
    known_stages = _list_stages(pipeline, service)
    for stage in stages:
        if stage not in known_stages:
            raise Failed(f"{service} has no stage {stage}; it has {', '.join(known_stages) or 'none yet'}")
    goals = read_ways(pipeline, service)
    needed = stages or tuple({stage: None for goal in goals for stage in goal.states})
    for goal in goals:
        if matches(goal.release, wanted) and all(stage in goal.states for stage in needed):
            return goal.release.ref.id
    where = f" in {', '.join(stages)}" if stages else ""
    names = [goal.release.ref.id for goal in goals if all(stage in goal.states for stage in needed)]
    known = ", ".join(names) or "no release: none has completed yet"
    raise Failed(f"{service} cannot go back to {wanted}{where}; it can go to {known}")


def show_ways(pipeline: Pipeline, service: str, goals: list[Goal], *, as_json: bool) -> None:
    """One line for each release that can be gone back to."""
    if as_json:
        show_json([_dump(goal) for goal in goals])
    elif not goals:
        click.echo(f"{service} cannot go back to any release: none has completed yet")
    else:
        rows = [
            (
                goal.release.ref.id,
                goal.release.commit.id[:SHORT],
                moment(goal.release.ref.opened_at),
                ", ".join(goal.live) or "-",
                ", ".join(goal.states),
            )
            for goal in goals
        ]
        show_table(("release", "commit", "opened", "live in", "kept in"), rows)
        click.echo(f"go back with: tidegate rollback {service} --to RELEASE{pipeline.flag}")


def _dump(goal: Goal) -> dict[str, object]:
    return {
        "release": goal.release.ref.id,
        "commit": goal.release.commit.id,
        "opened_at": goal.release.ref.opened_at,
        "live": list(goal.live),
        "versions": {stage: state.versions for stage, state in goal.states.items()},
    }


def _list_stages(pipeline: Pipeline, service: str) -> list[str]:
    """The stages in the order of the newest release's plan."""
    for release in pipeline.ledger.releases(service):
        plan = find_plan(pipeline.documents, release.ref)
        if plan is not None:
            return [stage.stage for stage in plan.stages]
    return []
