"""The one way to a rollout's batches: telemetry where a function is watched, the metrics otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.metrics import Look, read_metrics
from tidegate.adapters.telemetry import read, read_armings
from tidegate.domain.batches import Observation
from tidegate.domain.observing import METRICS, MIXED, TELEMETRY, Cursor, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tidegate.adapters.clients import StageClients
    from tidegate.domain.batches import Batch
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.rollouts import RollingFunction
    from tidegate.domain.tallies import Given


def observe(
    stage: StageClients,
    ref: ReleaseRef,
    functions: Sequence[RollingFunction],
    shifts: Sequence[tuple[float, datetime]],
    cursor: Cursor,
    now: datetime,
    terms: Terms,
) -> tuple[Observation, Cursor]:
    """The batches that are new since the cursor, and the cursor for the next look.

    A shift is (weight from 0 to 1, when all aliases had been written), in their order. The look may be
    repeated: the same cursor gives the same keys. A function that `cursor.silent` names is served by the
    metrics from then on, with the reason there.
    """
    known = {arming.function: arming for arming in read_armings(stage, ref)}
    armings = {name: arming for name, arming in known.items() if arming.armed}
    watched = [f for f in functions if f.logical_id in armings and f.logical_id not in cursor.silent]
    pairs = [(function, armings[function.logical_id]) for function in watched]
    given = read(stage, ref, pairs, shifts, cursor.telemetry, now, terms)
    cursor = cursor.model_copy(
        update={"telemetry": {**cursor.telemetry, **{name: one.read for name, one in given.items()}}}
    )
    served = tuple(function for function in functions if function not in watched)
    limits = (known[function.logical_id].timeout for function in served if function.logical_id in known)
    look = Look(served, tuple(watched), shifts, now, terms, limit=max(limits, default=0))
    batches, cursor = read_metrics(stage, look, cursor)
    every = sorted((*batches, *_batches(given)), key=lambda batch: (batch.at, batch.key))
    observation = Observation(
        batches=tuple(every),
        source=MIXED if watched and served else TELEMETRY if watched else METRICS,
        delay=_delay(given, look),
    )
    return observation, cursor


def _batches(given: Mapping[str, Given]) -> list[Batch]:
    return [batch for one in given.values() for batch in one.batches]


def _delay(given: Mapping[str, Given], look: Look) -> float:
    """The longest time from a request's start to its judgement, over all functions, in seconds."""
    metrics = look.period + look.settle
    return metrics if look.served else max([one.delay for one in given.values()], default=metrics)
