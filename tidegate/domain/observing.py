"""What a look at a rollout starts from and leaves: the cursor, the thresholds, and what is known from before.

A source of batches is asked again and again; the cursor says what it has given already, so that each look
reads what is new and no request counts twice. Whoever judges keeps the cursor with what was judged of it: a
look that is repeated with the same cursor gives the same keys again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pydantic import Field

from tidegate.domain.identity import Frozen
from tidegate.domain.warming import Age

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

TELEMETRY: Final = "telemetry"
METRICS: Final = "metrics"
MIXED: Final = "telemetry and metrics"
SPREAD: Final = 5.0  # seconds that a written weight may take to hold everywhere
METRICS_DELAY: Final = 180.0  # seconds from the end of a period to when its metrics are complete


LEAST: Final = 10.0  # milliseconds of duration that tell nothing of a version


class Thresholds(Frozen):
    """Above which a warm request counts as slow (ms of duration) and as costly (GB-ms); ascending."""

    slow: tuple[float, ...] = ()
    costly: tuple[float, ...] = ()

    def widen(self, allowance: float) -> Thresholds:
        """The new version's: it may be slower and cost more by this share, and slower by LEAST in any case.

        Marked so, a version that is slower by no more than that has no more marks than the stable one, and
        what the judge shows of it is evidence for more than that.
        """
        return Thresholds(
            slow=tuple(max(limit * (1 + allowance), limit + LEAST) for limit in self.slow),
            costly=tuple(limit * (1 + allowance) for limit in self.costly),
        )


class LastDay(Frozen):
    """A function's last day, by its stable version: what the judge starts from. Nothing known is zeros."""

    requests: int = Field(0, ge=0)
    errors: int = Field(0, ge=0)
    thresholds: Thresholds = Thresholds()


class Profile(Frozen):
    """What of a function's two versions matters to who watches them; `reason`: why telemetry cannot serve."""

    timeout: int = Field(3, description="the longer one of the two versions, in seconds")
    memory: int = Field(128, description="the stable version's, in MB")
    reason: str = ""


class Arming(Frozen):
    """Whether fast telemetry serves a function, and why not; `timeout` is the function's, in seconds."""

    function: str
    log_group: str
    timeout: int = 3
    armed: bool = False
    reason: str = ""


class Counted(Frozen):
    """What was given of a batch: each version's numbers (`tallies.Numbers`), and how many late batches."""

    stable: tuple[float, ...]
    canary: tuple[float, ...]
    late: int = 0


class Read(Frozen):
    """How far a function's telemetry was read: batches before `closed` (ms since 1970) are closed."""

    closed: int = 0
    heard: bool = Field(default=False, description="whether any request was read of at all")
    counted: dict[int, Counted] = Field(default_factory=dict)
    ages: dict[str, Age] = Field(default_factory=dict, description="by log stream: see `warming`")


class Totals(Frozen):
    """A version's errors and failure marks by the metrics since the first shift, and the failures given."""

    errors: int = 0
    marks: int = 0
    given: int = 0


class Terms(Frozen):
    """How a rollout is observed; `period` is that of the metrics in seconds, thresholds are by logical id."""

    mark: str = Field(description="the failure mark")
    period: int = 60
    pace: float = 1.0
    allowance: float = Field(0, description="the share by which the new version may be slower or cost more")
    left_out: tuple[str, ...] = Field((), description="ids of requests that Tidegate made itself")
    thresholds: dict[str, Thresholds] = Field(default_factory=dict)


class Cursor(Frozen):
    """Where the looks at one rollout have come to; an empty one is the beginning.

    It holds numbers for the batches of the last minutes, by function: a document to keep, not to pass on in a
    state machine's data.
    """

    telemetry: dict[str, Read] = Field(default_factory=dict)
    silent: dict[str, str] = Field(
        default_factory=dict, description="functions whose telemetry stayed away, and why metrics serve them"
    )
    metrics_to: int = Field(0, description="metrics of periods that begin before are read (s since 1970)")
    totals: dict[str, tuple[Totals, Totals]] = Field(default_factory=dict)
    invoked: dict[str, int] = Field(
        default_factory=dict, description="invocations by the metrics of functions that telemetry serves"
    )


def find_weight(
    shifts: Sequence[tuple[float, datetime]], begin: datetime, end: datetime, writing: float, spread: float
) -> float | None:
    """The one weight that held from `begin` to `end`; None where it changed, or nothing had been shifted.

    A shift is (weight, when all aliases had been written); `writing` is how many seconds the writing before
    that may have taken, `spread` how many a written weight takes to hold everywhere.
    """
    held = None
    for weight, at in shifts:
        if begin >= at + timedelta(seconds=spread):
            held = weight
        elif end > at - timedelta(seconds=writing):
            return None
    return held
