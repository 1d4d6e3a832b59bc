"""Many runs of one policy against one fault in a few numbers, with what chance leaves open."""

from __future__ import annotations

import math
from statistics import fmean, median
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import Field

from tidegate.domain.identity import Frozen
from tidegate.domain.simulation.runs import End

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.domain.simulation.runs import Run

NORMAL: Final = 1.959964  # the two-sided 95 % quantile


class Interval(NamedTuple):
    """A share, and where it is with a confidence of 95 %."""

    share: float
    low: float
    high: float


class Summary(Frozen):
    """The runs of one policy against one fault; times are medians, in seconds.

    `wrong` are false rollbacks of a healthy version, and promotions of a bad one. `failed` are requests that
    the stable version would not have failed, up to the horizon; `exposed` those that a bad version got.
    """

    fault: str
    policy: str
    runs: int
    promoted: int
    rolled_back: int
    undecided: int
    wrong: Interval = Field(description="share, and its 95 % interval (Wilson)")
    failed: float = Field(description="mean over the runs")
    failed_error: float = Field(description="standard error of that mean")
    failed_95: float = Field(description="95 of 100 runs fail no more")
    exposed: float
    to_rollback: float | None = Field(description="from the fault's start to the decision")
    to_promotion: float | None


def summarize(fault: str, after: float, policy: str, runs: Sequence[Run], *, healthy: bool) -> Summary:
    """Sum up; `after` is when the fault begins, in seconds."""
    ends = {end: [run.seconds for run in runs if run.end is end] for end in End}
    failed = [run.failed for run in runs]
    wrong = len(ends[End.ROLLED_BACK if healthy else End.PROMOTED])
    back, promoted = ends[End.ROLLED_BACK], ends[End.PROMOTED]
    return Summary(
        fault=fault,
        policy=policy,
        runs=len(runs),
        promoted=len(promoted),
        rolled_back=len(back),
        undecided=len(ends[End.UNDECIDED]),
        wrong=measure_share(wrong, len(runs)),
        failed=fmean(failed),
        failed_error=_standard_error(failed),
        failed_95=find_quantile(failed, 0.95),
        exposed=fmean(run.exposed for run in runs),
        to_rollback=median(seconds - after for seconds in back) if back else None,
        to_promotion=median(promoted) if promoted else None,
    )


def measure_share(count: int, total: int) -> Interval:
    """A share with its 95 % interval (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    share, square = count / total, NORMAL * NORMAL
    middle = (share + square / (2 * total)) / (1 + square / total)
    spread = math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    half = NORMAL * spread / (1 + square / total)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def find_quantile(values: Sequence[float], share: float) -> float:
    """The least of the values that at least a share of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _standard_error(values: Sequence[float]) -> float:
    if len(values) == 1:
        return 0.0
    mean = fmean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
