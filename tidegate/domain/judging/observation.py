"""What batches change: each is counted once, under one weight, and folded into its function's evidence.

A block is what the scores are folded over: a batch, or the small batches of one weight together, since a
batch of a few requests mostly has requests of one version alone and says nothing by itself. When a block is
closed depends on how many requests it has, not on their versions or marks, so the evidence stays valid.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tidegate.domain.batches import Arm, Batch
from tidegate.domain.signals import Signal

from . import downstream, evidence, promotion
from .arms import EMPTY, Q95, QUANTILES, Pair, add, add_pairs, count, is_comparable, pair, size
from .ramp import NEAR
from .state import Carried, Progress, State, Traffic, Weighted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .policy import Policy

SMALL = 50  # requests below which batches are taken together
SMOOTHING = 60.0  # seconds over which the rate of requests is smoothed
TARGETS = (Signal.ERRORS, Signal.LATENCY)


class MixedWeights(ValueError):
    """A batch's requests did not all start under the weight that it names."""


def is_under_one_weight(state: State, batch: Batch) -> bool:
    """Whether the weight that a batch names was in force for its whole span. Probes go around the weight."""
    if batch.probe:
        return True
    end = batch.at + batch.seconds
    if any(batch.at < found.at < end for found in state.shifts):
        return False
    return abs(_weight_at(state.shifts, batch.at) - batch.weight) <= NEAR


def _weight_at(shifts: Sequence[Weighted], at: float) -> float:
    return next((found.weight for found in reversed(shifts) if found.at <= at), 0.0)


def observe(state: State, batches: Iterable[Batch], policy: Policy) -> State:
    """The state after new batches, in whatever order they come.

    A batch whose key was counted before is left out and counted as a duplicate; one that begins before the
    horizon, as late. Raises MixedWeights, and ValueError for a function that is not of the rollout: then
    nothing is counted.
    """
    seen, fresh = dict(state.seen), dict[str, list[Batch]]()
    duplicates = late = 0
    for batch in batches:
        if batch.key in seen:
            duplicates += 1
        elif state.horizon is not None and batch.at < state.horizon:
            late += 1
        else:
            _check(state, batch)
            seen[batch.key] = batch.at
            fresh.setdefault(batch.function, []).append(batch)
    changed = {
        name: _progress(
            state.functions[name], sorted(found, key=lambda each: (each.at, each.key)), state, policy
        )
        for name, found in fresh.items()
    }
    return state.model_copy(
        update={
            "functions": {**state.functions, **changed},
            "seen": seen,
            "duplicates": state.duplicates + duplicates,
            "late": state.late + late,
        }
    )


def _check(state: State, batch: Batch) -> None:
    if batch.function not in state.functions:
        raise ValueError(f"batch {batch.key} is of {batch.function}, which is not of this rollout")
    if not is_under_one_weight(state, batch):
        raise MixedWeights(
            f"batch {batch.key} says that all its requests started under weight {batch.weight:g} between "
            f"{batch.at:.3f} and {batch.at + batch.seconds:.3f}; the weights in force were "
            + ", ".join(
                f"{found.weight:g} from {found.at:.3f}"
                for found in state.shifts[-3:] or [Weighted(at=0, weight=0)]
            )
        )


def _progress(found: Progress, batches: Sequence[Batch], state: State, policy: Policy) -> Progress:
    users = [batch for batch in batches if not batch.probe]
    blocks, carried = _block(users, found.carried, state.weight)
    changes = _tally(found, batches)
    changes |= {"carried": carried, "traffic": _measure(found.traffic, users)}
    changes |= _fold(found, blocks, [pair(batch) for batch in batches if batch.probe], policy)
    return found.model_copy(update=changes)


def _block(users: Sequence[Batch], carried: Carried | None, now: float) -> tuple[list[Pair], Carried | None]:
    """The closed blocks, and what waits for more: small batches of the weight now in force."""
    blocks = [pair(batch) for batch in users if size(pair(batch)) >= SMALL]
    small = [batch for batch in users if 0 < size(pair(batch)) < SMALL]
    if not small:
        return blocks, carried
    pools: dict[float, Pair] = {}
    if carried is not None:
        pools[carried.weight] = (carried.stable, carried.canary)
    for batch in small:
        pools[batch.weight] = add_pairs(pools.get(batch.weight, (EMPTY, EMPTY)), pair(batch))
    waiting = None
    for weight, pooled in pools.items():
        if weight == now and size(pooled) < _enough(weight):
            waiting = Carried(weight=weight, stable=pooled[0], canary=pooled[1])
        else:
            blocks.append(pooled)
    return blocks, waiting


def _enough(weight: float) -> float:
    """Requests of which about two are of the rarer version."""
    rarer = min(weight, 1 - weight)
    return min(SMALL, 2 / rarer) if rarer > 0 else 0.0


def _tally(found: Progress, batches: Sequence[Batch]) -> dict[str, object]:
    """The sums that people are shown: users' requests while both versions got some, and probes."""
    arms: dict[str, Arm] = {}
    for batch in batches:
        if not batch.probe and not 0 < batch.weight < 1:
            continue
        for name, arm in (("stable", batch.stable), ("canary", batch.canary)):
            field = f"probed_{name}" if batch.probe else name
            arms[field] = add(arms.get(field) or getattr(found, field), arm)
    return dict(arms)


def _measure(found: Traffic, users: Sequence[Batch]) -> Traffic:
    """The rate of requests, smoothed; late batches add to the span that comes with them."""
    new = [batch for batch in users if found.until is None or batch.at >= found.until]
    if not new:
        return found
    until = max(batch.at + batch.seconds for batch in new)
    span = until - min(batch.at for batch in new)
    rate = sum(size(pair(batch)) for batch in users) / span
    if found.rate is not None:
        rate = found.rate + (1 - math.exp(-span / SMOOTHING)) * (rate - found.rate)
    return Traffic(rate=rate, until=until)


def _fold(
    found: Progress, blocks: Sequence[Pair], probes: Sequence[Pair], policy: Policy
) -> dict[str, object]:
    scores = dict(found.evidence)
    shown = found.downstream
    for arms in (*blocks, *probes):
        for signal in Signal if is_comparable(arms) else ():
            folded = evidence.fold(scores.get(signal, evidence.Evidence()), arms, signal, late=policy.late)
            if folded.steady:
                scores[signal] = folded
    for arms in blocks:
        shown = downstream.follow(shown, *((arm.requests, arm.failed) for arm in arms))
    return {
        "evidence": scores,
        "judged": found.judged + sum(arms[1].requests for arms in blocks if is_comparable(arms)),
        "downstream": shown,
        "promotion": _promote(found.promotion, blocks, policy),
        "probed": _promote(found.probed, probes, policy),
    }


def _promote(
    found: dict[Signal, promotion.Promotion], blocks: Sequence[Pair], policy: Policy
) -> dict[Signal, promotion.Promotion]:
    folded = dict(found)
    for signal, margin in zip(TARGETS, (policy.margin, policy.slow_margin), strict=True):
        folded[signal] = promotion.aim(folded[signal], margin)
        for arms in blocks:
            counts = _count_promotion(arms, signal)
            if counts is not None:
                folded[signal] = promotion.fold(folded[signal], counts)
    return folded


def _count_promotion(arms: Pair, signal: Signal) -> promotion.Counts | None:
    """(stable requests, marks, canary requests, marks); None where the source cannot tell."""
    at, thresholds = (Q95, len(QUANTILES)) if signal is Signal.LATENCY else (0, 1)
    stable, canary = (count(arm, signal) for arm in arms)
    known = [marks for requests, marks in (stable, canary) if requests]
    if not known or any(len(marks) != thresholds for marks in known):
        return None
    return stable[0], stable[1][at] if stable[0] else 0, canary[0], canary[1][at] if canary[0] else 0
