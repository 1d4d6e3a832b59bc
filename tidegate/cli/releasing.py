"""Commits released one after the other in an embedded pipeline, under traffic, with all that came of each.

Both `tidegate demo` and `tidegate run` are made of this. It checks the aliases itself, from Lambda, and does
not take the pipeline's word for where they point.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from tidegate.adapters.aliases import find_alias
from tidegate.adapters.plans import find_plan, find_rollout
from tidegate.adapters.stack_trees import list_aliases
from tidegate.cli.following import await_release, follow
from tidegate.cli.push import push_commit
from tidegate.cli.report_series import ReleaseReport
from tidegate.cli.traffic import Target
from tidegate.domain.ledger import ClaimState, Outcome
from tidegate.domain.rollouts import Pointing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tidegate.cli.pipeline import Pipeline
    from tidegate.cli.traffic import Traffic
    from tidegate.domain.ledger import Entry, Release
    from tidegate.local.cloud import LocalCloud

POLL = 0.2
FREE_SECONDS = 60.0


class Placed(NamedTuple):
    """An alias of one stage: its function's logical id, and where it is to be found."""

    stage: str
    function: str
    target: Target


class Released(NamedTuple):
    """A release's report, and every alias that does not point where its outcome says it must."""

    report: ReleaseReport
    wrong: tuple[str, ...]


class Releasing:
    """A service's commits, released in turn. `traffic` is sent to the last stage's aliases."""

    def __init__(
        self, cloud: LocalCloud, pipeline: Pipeline, traffic: Traffic, show: Callable[[Entry], None]
    ) -> None:
        self._cloud = cloud
        self._pipeline = pipeline
        self._traffic = traffic
        self._show = show
        self._functions = cloud.client("lambda")
        self._stacks = cloud.client("cloudformation")

    def release(
        self,
        repository: Path,
        commit: str,
        branch: str,
        service: str,
        *,
        title: str,
        expected: Outcome | None = None,
        react: Callable[[Entry, Release], None] | None = None,
    ) -> Released:
        """Push the commit and follow its release to the end; `react` is told of each entry as it comes."""
        pushed_at = datetime.now(UTC)
        pushed = push_commit(self._pipeline, repository, commit, branch, service)
        opened = await_release(self._pipeline, service, pushed.release_id, lambda _: None, poll=POLL)
        before = self._point(opened)

        def on_entry(entry: Entry) -> None:
            self._show(entry)
            if entry.step in {"ProvisionStage", "LeaveStage"}:
                self._find_targets(opened)
            if react is not None:
                react(entry, opened)

        ended = follow(self._pipeline, opened.ref, on_entry, poll=POLL)
        self._await_free(service)
        self._find_targets(ended)
        wrong = self._check(ended, before, self._point(ended))
        return Released(self._report(ended, pushed_at, title, expected), wrong)

    def _report(
        self, release: Release, pushed_at: datetime, title: str, expected: Outcome | None
    ) -> ReleaseReport:
        stages = [stage.name for stage in self._stage_names(release)]
        until = datetime.now(UTC)
        samples = self._traffic.samples(stages[-1] if stages else "", release.ref.opened_at, until)
        return ReleaseReport(
            release=release,
            pushed_at=pushed_at,
            entries=tuple(self._pipeline.ledger.entries(release.ref.service, release.ref.id)),
            title=title,
            expected=expected.value if expected else None,
            samples=samples,
            transitions=self._count_transitions(release),
            requests=sum(sample.requests for sample in samples),
            failed=sum(sample.failed for sample in samples),
        )

    def _count_transitions(self, release: Release) -> int:
        """Of the release's execution, and of the rollback's that took its claim."""
        from tidegate.local.paths import transitions

        claim = self._pipeline.ledger.read_claim(release.ref.service)
        holders = {release.ref.execution} | ({claim.holder} if claim is not None else set())
        return sum(transitions(self._pipeline.machines, holder) for holder in holders)

    def _await_free(self, service: str) -> None:
        """A rollback frees the claim as its last act."""
        waited = 0.0
        while waited < FREE_SECONDS:
            claim = self._pipeline.ledger.read_claim(service)
            if claim is None or claim.state is not ClaimState.HELD:
                return
            self._cloud.stopping.wait(POLL)
            waited += POLL

    def _stage_names(self, release: Release) -> list[_Stage]:
        plan = find_plan(self._pipeline.documents, release.ref)
        return (
            [_Stage(stage.stage, stage.stack_name, stage.children) for stage in plan.stages] if plan else []
        )

    def _place(self, stage: _Stage) -> list[Placed]:
        """The aliases of a stage's stacks, each with its function's name."""
        try:
            aliases = list_aliases(self._stacks, stage.stack, stage.children)
        except self._stacks.exceptions.ClientError:
            return []  # the stack is not there (yet, or any more): it has no alias
        return [Placed(stage.name, function, Target(*alias)) for function, alias in aliases.items()]

    def _find_targets(self, release: Release) -> None:
        stages = self._stage_names(release)
        if stages:
            self._traffic.targets = {placed.function: placed.target for placed in self._place(stages[-1])}

    def _point(self, release: Release) -> dict[Placed, Pointing]:
        """Where every alias of every stage points."""
        states = (
            (placed, find_alias(self._functions, *placed.target))
            for stage in self._stage_names(release)
            for placed in self._place(stage)
        )
        return {placed: state.pointing for placed, state in states if state is not None}

    def _check(
        self, release: Release, before: dict[Placed, Pointing], after: dict[Placed, Pointing]
    ) -> tuple[str, ...]:
        """What points elsewhere than it must: the new version after a promotion, the old one otherwise."""
        wanted = dict(before)
        if release.outcome is Outcome.PROMOTED:
            wanted |= self._canaries(release, after)
        return tuple(
            f"{placed.target.function}:{placed.target.alias} in {placed.stage} points at "
            f"{after.get(placed)}, not at {pointing}"
            for placed, pointing in wanted.items()
            if after.get(placed) != pointing
        )

    def _canaries(self, release: Release, after: dict[Placed, Pointing]) -> dict[Placed, Pointing]:
        found: dict[Placed, Pointing] = {}
        for stage in {placed.stage for placed in after}:
            rollout = find_rollout(self._pipeline.documents, release.ref, stage)
            new = {f.logical_id: f.canary for f in rollout.functions} if rollout else {}
            found |= {
                placed: Pointing(version=new[placed.function])
                for placed in after
                if placed.stage == stage and placed.function in new
            }
        return found


class _Stage(NamedTuple):
    name: str
    stack: str
    children: tuple[str, ...]
