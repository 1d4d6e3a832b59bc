"""Probes: both versions invoked alike, with events declared safe, where users send too little to judge by.

They are a batch of their own and count together with a floor of users' requests only, as the judge has it.
Their requests are in the logs like users': their ids are kept, so that they are not counted twice.

A function that hangs must not hold the look. Each function's invocations are waited for so long and no more,
by its own history; what has not answered then has failed, in either version by the same time. A pair is begun
only where there is time for both, and counts only where both are known.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import timedelta
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.adapters.plans import read_snapshot
from tidegate.adapters.probing import TENANT, Probe, ask, read_events
from tidegate.adapters.threads import AT_ONCE, side_by_side
from tidegate.adapters.trials import write_trial
from tidegate.domain.batches import Arm, Batch
from tidegate.domain.judging import Signal
from tidegate.domain.trials import Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tidegate.adapters.probing import Answer
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.judging import Policy, Verdict
    from tidegate.domain.observing import Thresholds
    from tidegate.domain.plans import StagePlan
    from tidegate.domain.rollouts import RollingFunction, Rollout
    from tidegate.domain.trials import Trial
    from tidegate.task import StageTools, Tools

MOST: Final = 100  # pairs at one look, over all functions
LONGEST: Final = timedelta(seconds=200)  # of a look's 290, from its beginning to the last answer
USUAL: Final = 10.0  # times the slowest usual duration
START: Final = 10.0  # seconds that an environment may take to start
PATIENCE: Final = (20, 60)  # seconds that one answer is waited for, by steps of ten


class Pair(NamedTuple):
    """What both versions of a function are asked; the odd ones are asked of the new version first."""

    function: RollingFunction
    path: str
    payload: bytes
    tenant: str
    patience: int
    odd: bool


class Answers(NamedTuple):
    """Both versions' answers; None where nothing is known of the version."""

    stable: Answer | None
    canary: Answer | None

    @property
    def requests(self) -> list[str]:
        """The ids of the requests, as far as they are known."""
        return [answer.request for answer in self if answer is not None and answer.request]


class Probed(NamedTuple):
    """What a look's probes gave.

    A batch for each function that was probed, the ids of their requests, and the functions some of whose ids
    are not known, with the span in which those began.
    """

    batches: tuple[Batch, ...] = ()
    requests: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    span: Span = Span(begin=0, end=0)


def probe(
    ref: ReleaseRef,
    plan: StagePlan,
    rollout: Rollout,
    trial: Trial,
    lacking: Sequence[str],
    now: datetime,
    tools: Tools,
) -> tuple[Probed, Trial]:
    """Probe the functions that lack evidence and have events; nothing where no probes are asked for.

    Gives the trial, too, with what it must know of them. That they are made is noted before: their ids are
    lost where the look dies, and nothing that begins meanwhile could be told from users' requests.
    """
    pairs = choose_pairs(ref, plan, rollout, trial, lacking, tools) if plan.config.probes else []
    if not pairs:
        return Probed(), trial
    began = tools.now()
    asked = {pair.function.logical_id for pair in pairs}
    noted = trial.hide(asked, foresee(pairs, began, tools.settings.pace))
    tag = write_trial(tools.documents, ref, plan.stage, noted).tag
    answers = ask_pairs(pairs, now + LONGEST, tools.stage(plan.stage), tools)
    probed = count(answers, now, Span(begin=began.timestamp(), end=tools.now().timestamp()))
    known = trial.model_copy(update={"tag": tag}).remember(probed.requests, now)
    return probed, known.hide(probed.unknown, probed.span)


def foresee(pairs: Sequence[Pair], began: datetime, pace: float) -> Span:
    """The span in which probes begin, as long as it can be; shorter where durations are."""
    rounds = math.ceil(len(pairs) / AT_ONCE)
    longest = rounds * 2 * max(pair.patience for pair in pairs)
    seconds = min(LONGEST.total_seconds(), longest) * pace
    return Span(begin=began.timestamp(), end=began.timestamp() + seconds)


def list_lacking(verdict: Verdict, policy: Policy) -> list[str]:
    """Those without enough evidence; the least probed ones first, so that one that hangs is not all."""
    found = sorted(verdict.functions, key=lambda f: f.probed_canary.requests)
    return [f.function for f in found if f.promotion[Signal.ERRORS] < 1 / policy.beta]


def choose_pairs(
    ref: ReleaseRef, plan: StagePlan, rollout: Rollout, trial: Trial, lacking: Sequence[str], tools: Tools
) -> list[Pair]:
    """What a look asks, at most MOST pairs."""
    declared = read_snapshot(tools.documents, ref).config.smoke.get(plan.stage, {})
    rolling = {f.logical_id: f for f in rollout.functions}
    chosen = [rolling[name] for name in lacking if name in rolling and declared.get(name)]
    chosen = chosen[: MOST // plan.config.probes]
    bodies = read_events(tools.documents, ref, (path for f in chosen for path in declared[f.logical_id]))
    tenants = {f.logical_id: TENANT for f in plan.functions if f.tenants}
    return [
        Pair(
            function=function,
            path=path,
            payload=bodies[path],
            tenant=tenants.get(function.logical_id, ""),
            patience=choose_patience(trial.thresholds.get(function.logical_id)),
            odd=bool(number % 2),
        )
        for function in chosen
        for number, path in enumerate(islice(cycle(declared[function.logical_id]), plan.config.probes))
    ]


def choose_patience(usual: Thresholds | None) -> int:
    """How many seconds to wait for an answer of either version: many times what is usual, and a start.

    Both versions have the same, so a wrong one does not speak against either.
    """
    slowest = max(usual.slow, default=0.0) / 1000 if usual else 0.0
    least, most = PATIENCE
    return min(most, max(least, math.ceil((START + USUAL * slowest) / 10) * 10))


def ask_pairs(
    pairs: Sequence[Pair], until: datetime, stage: StageTools, tools: Tools
) -> dict[str, list[Answers]]:
    """The answers by function; a pair that could not end before `until` is not begun."""
    clients = {pair.patience: stage.probing(pair.patience) for pair in pairs}

    def work(pair: Pair) -> Answers | None:
        if tools.now() + timedelta(seconds=2 * pair.patience) > until:
            return None
        client, function = clients[pair.patience], pair.function
        versions = (function.canary, function.stable) if pair.odd else (function.stable, function.canary)
        found = {v: ask(client, _make(pair, v), pair.patience) for v in versions}
        return Answers(found[function.stable], found[function.canary])

    given: defaultdict[str, list[Answers]] = defaultdict(list)
    for pair, answers in zip(pairs, side_by_side(work, pairs), strict=True):
        if answers is not None:
            given[pair.function.logical_id].append(answers)
    return dict(given)


def _make(pair: Pair, version: str) -> Probe:
    return Probe(
        function=pair.function.logical_id,
        physical=pair.function.name,
        qualifier=version,
        name=pair.path,
        payload=pair.payload,
        strict=True,
        tenant=pair.tenant,
    )


def count(given: Mapping[str, Sequence[Answers]], now: datetime, span: Span) -> Probed:
    """The batches of a look's answers. A pair counts where both are known; ids count in any case."""
    batches = []
    for function, answers in given.items():
        stable = [pair.stable for pair in answers if pair.stable and pair.canary]
        canary = [pair.canary for pair in answers if pair.stable and pair.canary]
        if stable:
            batches.append(_batch(function, stable, canary, now))
    return Probed(
        batches=tuple(batches),
        requests=tuple(
            request for answers in given.values() for pair in answers for request in pair.requests
        ),
        unknown=tuple(
            name for name, answers in given.items() if any(len(p.requests) < len(p) for p in answers)
        ),
        span=span,
    )


def _batch(function: str, stable: Sequence[Answer], canary: Sequence[Answer], now: datetime) -> Batch:
    def arm(answers: Sequence[Answer]) -> Arm:
        return Arm(requests=len(answers), failed=sum(1 for answer in answers if answer.failure))

    at = now.timestamp()
    return Batch(
        key=f"probe#{function}#{at}",
        function=function,
        at=at,
        seconds=1,
        weight=0.5,
        stable=arm(stable),
        canary=arm(canary),
        probe=True,
    )
