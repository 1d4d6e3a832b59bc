"""What is known of a stage's rollout between two looks: shifts, the judge's accumulators, how far was read.

`Trial` lies at stages/<stage>/trial.json of the release. It is written as one document, so that accumulators
and cursor always belong together: a look that dies before it has written is made again on the same batches.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from tidegate.domain import judging
from tidegate.domain.config import DAY
from tidegate.domain.gauges import Gauged
from tidegate.domain.identity import Frozen
from tidegate.domain.judging import Moment, Policy, Signal, State, Status
from tidegate.domain.observing import Cursor, Thresholds
from tidegate.domain.rollouts import Shift
from tidegate.domain.strategies import ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tidegate.domain.batches import Batch
    from tidegate.domain.config import StageConfig
    from tidegate.domain.judging import Verdict
    from tidegate.domain.observing import LastDay

FALSE_ROLLBACK: Final = 0.01  # the probability of a false rollback that a whole release may have
TELEMETRY_DELAY: Final = 20.0  # seconds until telemetry is judged, as long as it has not been measured
MEMORY: Final = 3600.0  # seconds after which no batch comes in any more
SHOWN: Final = 20  # functions in a ledger entry


class Span(Frozen):
    """A span of time in seconds since 1970, both ends included."""

    begin: float
    end: float


class Trial(Frozen):
    """`said` is the last verdict that the ledger has, and `said_at` when it was given.

    `first` is the weight that the judge proposes to begin with (0 to 1), `delay` how many seconds pass until
    a request is judged, `unwatched` says why the metrics serve a function, and `ungauged` what should have a
    gauge and has none. `revisions` are those that the aliases have had since they were last written, by
    logical id.
    """

    state: State
    first: float
    delay: float
    cursor: Cursor = Cursor()
    thresholds: dict[str, Thresholds] = Field(default_factory=dict)
    unwatched: dict[str, str] = Field(default_factory=dict)
    shifts: tuple[Shift, ...] = ()
    revisions: dict[str, str] = Field(default_factory=dict)
    probed: dict[str, float] = Field(
        default_factory=dict, description="ids of requests that Tidegate made itself, and when"
    )
    unknown: dict[str, tuple[Span, ...]] = Field(
        default_factory=dict, description="by function, when it ran requests of Tidegate's whose ids it lacks"
    )
    tag: str = Field(
        default="", exclude=True, description="which revision of the document this was read from; not in it"
    )
    ungauged: tuple[str, ...] = ()
    gauged: Gauged = Gauged()
    said: Status | None = None
    said_at: datetime | None = None

    def remember(self, requests: Iterable[str], now: datetime) -> Trial:
        """The trial with requests that Tidegate has just made itself; those long past are forgotten."""
        at = now.timestamp()
        kept = {request: when for request, when in self.probed.items() if at - when < MEMORY}
        return self.model_copy(update={"probed": kept | dict.fromkeys(requests, at)})

    def hide(self, functions: Iterable[str], span: Span) -> Trial:
        """The trial in which nothing that began in this span counts for these functions; see `is_hidden`."""
        since = span.end - MEMORY
        kept = {name: tuple(s for s in spans if s.end > since) for name, spans in self.unknown.items()}
        added = {name: (*kept.get(name, ()), span) for name in functions}
        return self.model_copy(update={"unknown": {n: s for n, s in (kept | added).items() if s}})

    def is_hidden(self, batch: Batch) -> bool:
        """Whether a batch of users' requests may hold one of Tidegate's own that nothing tells apart."""
        end = batch.at + batch.seconds
        spans = self.unknown.get(batch.function, ())
        return not batch.probe and any(span.begin < end and span.end >= batch.at for span in spans)

    @property
    def weights(self) -> tuple[tuple[float, datetime], ...]:
        """The shifts that were made whole: (weight from 0 to 1, when all aliases had been written)."""
        return tuple((shift.weight / ALL, shift.at) for shift in self.shifts if shift.made)


def begin_trial(config: StageConfig, history: Mapping[str, LastDay], now: datetime, delay: float) -> Trial:
    """A trial before its first shift; `config` with its durations as they run here, `history` by function."""
    state = judging.begin({name: _remember(known) for name, known in history.items()})
    verdict = judging.decide(state, make_policy(config), Moment(now=now.timestamp(), delay=delay))
    return Trial(
        state=state,
        first=verdict.weight or make_policy(config).first,
        delay=delay,
        thresholds={name: known.thresholds for name, known in history.items()},
    )


def _remember(known: LastDay) -> judging.History:
    if not known.requests:
        return judging.History()
    return judging.History(
        error_rate=min(1.0, known.errors / known.requests),
        requests=known.requests,
        rate=known.requests / DAY,
    )


def begin_shift(trial: Trial, step: int, weight: float, now: datetime) -> Trial:
    """The trial with a shift that is about to be made; one that was begun before keeps its time."""
    if trial.shifts and trial.shifts[-1].step == step:
        return trial
    shift = Shift(step=step, weight=weight, began=now, at=now)
    return trial.model_copy(update={"shifts": (*trial.shifts, shift)})


def end_shift(trial: Trial, now: datetime, revisions: Mapping[str, str] | None = None) -> Trial:
    """The trial whose newest shift has been made; again where it was made before, since writes were."""
    *before, last = trial.shifts
    made = last.model_copy(update={"at": now, "made": True})
    state = judging.shift(trial.state, last.weight / ALL, now.timestamp())
    known = {**trial.revisions, **(revisions or {})}
    return trial.model_copy(update={"shifts": (*before, made), "state": state, "revisions": known})


def make_policy(config: StageConfig, stages: int = 1, schedule: float = 0) -> Policy:
    """The judge's policy; `config` has its durations as they run here, `stages` is how many shift traffic.

    `schedule` is how many seconds the stage's strategy takes by itself.
    """
    return Policy(
        alpha=FALSE_ROLLBACK / max(1, stages),
        margin=config.margin / 100,
        slow_margin=max(Policy().slow_margin, config.margin / 100),
        least_seconds=config.least_time,
        longest_hold=max(config.longest_hold + schedule, 1e-3),
        minimum=config.minimum_invocations,
        late=(config.bake or 0) > 0,
        modes={signal: config.signals.mode(signal) for signal in Signal},
    )


def summarize(verdict: Verdict) -> dict[str, Any]:
    """What the ledger keeps of a verdict: all but the functions with little evidence, which the trial has."""
    worst = sorted(verdict.functions, key=lambda found: found.total, reverse=True)[:SHOWN]
    return verdict.model_copy(update={"functions": tuple(worst)}).model_dump(mode="json")
