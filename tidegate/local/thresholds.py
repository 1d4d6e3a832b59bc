"""What state an alarm is in, given its datapoints. Pure.

`None` among the datapoints is a period without data. Follows AWS's tables for missing data, in which a few
more periods are looked at than are evaluated, and the newest that exist are taken first.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import dataclasses
import operator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXTRA_PERIODS: Final = 2
COMPARISONS: Final[dict[str, tuple[Callable[[float, float], bool], str]]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
TREATMENTS: Final = ("missing", "ignore", "breaching", "notBreaching")


@dataclasses.dataclass(frozen=True)
class Rule:
    """When an alarm is one: `needed` of the last `periods` datapoints breach."""

    comparison: str
    threshold: float
    periods: int
    needed: int
    treatment: str

    def breaches(self, value: float) -> bool:
        """Whether one value breaches."""
        return COMPARISONS[self.comparison][0](value, self.threshold)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The state, and why. `used` are the datapoints that were evaluated, the newest first."""

    state: str
    reason: str
    used: tuple[float, ...]


def judge(rule: Rule, datapoints: Sequence[float | None], state: str) -> Verdict:
    """Judge the last `periods + EXTRA_PERIODS` periods, the newest first; `state` is the present one."""
    used = tuple(value for value in datapoints if value is not None)[: rule.periods]
    breaching = sum(rule.breaches(value) for value in used)
    missing = rule.periods - len(used)
    found = _decide(rule, breaching, len(used), missing)
    return Verdict(found or state, _explain(rule, used, breaching, missing, found or state, state), used)


def _decide(rule: Rule, breaching: int, existing: int, missing: int) -> str | None:
    """The state, or None to keep the present one."""
    if rule.treatment == "breaching":
        return "ALARM" if breaching + missing >= rule.needed else "OK"
    if breaching >= rule.needed:
        return "ALARM"
    if rule.treatment == "notBreaching":
        return "OK"
    if not existing:
        return "INSUFFICIENT_DATA" if rule.treatment == "missing" else None
    if breaching < existing:
        return "OK"
    return "ALARM" if rule.treatment == "missing" else None


def _explain(
    rule: Rule, used: tuple[float, ...], breaching: int, missing: int, state: str, before: str
) -> str:
    if state == "INSUFFICIENT_DATA":
        return f"Insufficient Data: {missing} datapoint{'s were' if missing > 1 else ' was'} unknown."
    if not used:
        kind = "Breaching" if state == "ALARM" else "NonBreaching"
        return (
            f"Threshold Crossed: no datapoints were received for {missing} period{'s'[: missing > 1]} "
            f"and {missing} missing datapoint{'s were' if missing > 1 else ' was'} treated as [{kind}]."
        )
    count = breaching if state == "ALARM" else len(used) - breaching
    words = COMPARISONS[rule.comparison][1]
    verb = ("were " if count > 1 else "was ") + ("" if state == "ALARM" else "not ")
    shown = ", ".join(str(value) for value in used)
    least = f"{rule.needed} datapoint{'s' if rule.needed > 1 else ''}"
    return (
        f"Threshold Crossed: {count} out of the last {len(used)} datapoints [{shown}] {verb}{words} "
        f"the threshold ({float(rule.threshold)}) (minimum {least} for {before} -> {state} transition)."
    )
