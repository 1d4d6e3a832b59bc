"""Probes: both versions invoked alike, with events declared safe, where users send too little to judge by.

They are a batch of their own and count together with a floor of users' requests only, as the judge has it.
Their requests are in the logs like users': their ids are kept, so that they are not counted twice. A look
waits for its probes, so a function that is probed should answer in seconds.
"""

from __future__ import annotations

from itertools import cycle, islice
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.adapters.plans import read_snapshot
from tidegate.adapters.probing import TENANT, Probe, invoke, read_events
from tidegate.adapters.threads import side_by_side
from tidegate.domain.batches import Arm, Batch
from tidegate.domain.judging import Signal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_lambda import LambdaClient

    from tidegate.adapters.probing import Answer
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.judging import Policy, Verdict
    from tidegate.domain.plans import StagePlan
    from tidegate.domain.rollouts import RollingFunction, Rollout
    from tidegate.task import Tools

MOST: Final = 100  # pairs at one look, over all functions


class Probed(NamedTuple):
    """What a look's probes gave: a batch for each function that was probed, and the ids of their requests."""

    batches: tuple[Batch, ...] = ()
    requests: tuple[str, ...] = ()


def probe(
    ref: ReleaseRef,
    plan: StagePlan,
    rollout: Rollout,
    verdict: Verdict,
    policy: Policy,
    now: datetime,
    tools: Tools,
) -> Probed:
    """Probe the functions that lack evidence and have events; nothing where no probes are asked for."""
    if not plan.config.probes:
        return Probed()
    declared = read_snapshot(tools.documents, ref).config.smoke.get(plan.stage, {})
    short = {f.function for f in verdict.functions if f.promotion[Signal.ERRORS] < 1 / policy.beta}
    chosen = [f for f in rollout.functions if f.logical_id in short and declared.get(f.logical_id)]
    chosen = chosen[: MOST // plan.config.probes]
    bodies = read_events(tools.documents, ref, (path for f in chosen for path in declared[f.logical_id]))
    tenants = {f.logical_id: TENANT for f in plan.functions if f.tenants}
    client = tools.stage(plan.stage).functions
    batches, requests = [], []
    for function in chosen:
        paths = list(islice(cycle(declared[function.logical_id]), plan.config.probes))
        tenant = tenants.get(function.logical_id, "")
        events = [(path, bodies[path]) for path in paths]
        stable = _ask(client, function, function.stable, events, tenant)
        canary = _ask(client, function, function.canary, events, tenant)
        batches.append(_batch(function, stable, canary, now))
        requests += [answer.request for answer in (*stable, *canary)]
    return Probed(tuple(batches), tuple(requests))


def _ask(
    client: LambdaClient,
    function: RollingFunction,
    version: str,
    events: Sequence[tuple[str, bytes]],
    tenant: str,
) -> list[Answer]:
    def ask(event: tuple[str, bytes]) -> Answer:
        name, payload = event
        return invoke(
            client,
            Probe(
                function=function.logical_id,
                physical=function.name,
                qualifier=version,
                name=name,
                payload=payload,
                strict=True,
                tenant=tenant,
            ),
        )

    return side_by_side(ask, events)


def _batch(
    function: RollingFunction, stable: Sequence[Answer], canary: Sequence[Answer], now: datetime
) -> Batch:
    def count(answers: Sequence[Answer]) -> Arm:
        return Arm(requests=len(answers), failed=sum(1 for answer in answers if answer.failure))

    at = now.timestamp()
    return Batch(
        key=f"probe#{function.logical_id}#{at}",
        function=function.logical_id,
        at=at,
        seconds=1,
        weight=0.5,
        stable=count(stable),
        canary=count(canary),
        probe=True,
    )
