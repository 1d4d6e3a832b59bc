"""What the judge remembers between looks: values that go through JSON, linear in the number of functions.

`begin`, `shift` and `forget` make new states; what comes in with batches is in observation.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import Field

from tidegate.domain.batches import Arm
from tidegate.domain.identity import Frozen
from tidegate.domain.signals import Signal

from . import downstream, promotion
from .arms import EMPTY
from .downstream import Downstream
from .evidence import Evidence
from .policy import History
from .promotion import Promotion

SLOW_RATE = 0.05  # of requests are above the historic q95, by its meaning
SLOW_KNOWN = 200.0


class Traffic(Frozen):
    """How many requests a second a function gets, both versions together, and until when that is counted."""

    rate: float | None = None
    until: float | None = None


class Carried(Frozen):
    """Requests of small batches under one weight that wait for more of them."""

    weight: float
    stable: Arm
    canary: Arm


class Progress(Frozen):
    """One function: users' requests under the canary, probes, and the evidence from both."""

    stable: Arm = EMPTY
    canary: Arm = EMPTY
    probed_stable: Arm = EMPTY
    probed_canary: Arm = EMPTY
    carried: Carried | None = None
    judged: int = Field(0, description="users' canary requests that are in the evidence")
    evidence: dict[Signal, Evidence] = Field(default_factory=dict)
    promotion: dict[Signal, Promotion] = Field(description="errors and latency, from users' requests")
    probed: dict[Signal, Promotion] = Field(description="the same from probes")
    downstream: Downstream
    traffic: Traffic = Traffic()


class Weighted(Frozen):
    """A weight, and from when on it was in force."""

    at: float
    weight: float


class State(Frozen):
    """A rollout as the judge knows it. `peak` is the greatest weight, `begun` the first shift's time."""

    functions: dict[str, Progress]
    shifts: tuple[Weighted, ...] = ()
    begun: float | None = None
    peak: float = 0.0
    seen: dict[str, float] = Field(
        default_factory=dict, description="keys of counted batches, and their time"
    )
    horizon: float | None = Field(None, description="batches that begin before it come too late")
    duplicates: int = 0
    late: int = 0

    @property
    def weight(self) -> float:
        """The weight now in force; 0 before the first shift."""
        return self.shifts[-1].weight if self.shifts else 0.0


def begin(functions: Mapping[str, History] | Iterable[str]) -> State:
    """A rollout before its first shift; names alone where nothing is known of the stable versions."""
    histories = functions if isinstance(functions, Mapping) else dict.fromkeys(functions, History())
    if not histories:
        raise ValueError("a rollout has at least one function")
    return State(functions={name: _start(history) for name, history in histories.items()})


def _start(history: History) -> Progress:
    def priors() -> dict[Signal, Promotion]:
        return {
            Signal.ERRORS: promotion.start(history.error_rate, history.requests, promotion.MARGINS),
            Signal.LATENCY: promotion.start(SLOW_RATE, SLOW_KNOWN, promotion.MARGINS),
        }

    return Progress(
        promotion=priors(),
        probed=priors(),
        downstream=downstream.start(history),
        traffic=Traffic(rate=history.rate),
    )


def shift(state: State, weight: float, at: float) -> State:
    """A weight (0 to 1) was given at a time (seconds since 1970), not before the last one's."""
    if not 0 <= weight <= 1:
        raise ValueError(f"a weight is between 0 and 1, not {weight}")
    if state.shifts and at < state.shifts[-1].at:
        raise ValueError(f"a weight was given at {state.shifts[-1].at}; none can be given before it, at {at}")
    begun = at if state.begun is None and weight > 0 else state.begun
    return state.model_copy(
        update={
            "shifts": (*state.shifts, Weighted(at=at, weight=weight)),
            "begun": begun,
            "peak": max(state.peak, weight),
        }
    )


def forget(state: State, before: float) -> State:
    """Let go of the keys of batches that begin before a time; from now on such batches come too late.

    Call it with a time that no batch can come in after (an hour ago, say), or the state grows with time.
    """
    horizon = before if state.horizon is None else max(before, state.horizon)
    last = max((index for index, found in enumerate(state.shifts) if found.at <= horizon), default=0)
    return state.model_copy(
        update={
            "horizon": horizon,
            "seen": {key: at for key, at in state.seen.items() if at >= horizon},
            "shifts": state.shifts[last:],
        }
    )
