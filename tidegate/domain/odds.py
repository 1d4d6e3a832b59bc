"""How much likelier failures fall on the new version than chance has them; the one formula of it.

For a risk ratio r the score is  r^k_c / (1 + v (r - 1))^k  where k_c of k marked requests fell on the new
version, which got the share v of the requests. Why its mean is at most 1 where a mark does not depend on the
version, and why v is the realised share: judging/evidence.py. It is apart from the judge, since what restores
traffic starts without that.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

RISKS: Final = (1.5, 3.0, 8.0, 30.0, 200.0)
LARGEST: Final = 700.0  # the logarithm of what a float holds


def factor(canary: int, marked: int, share: float, ratio: float) -> float:
    """The logarithm of a batch's factor: `canary` of `marked` marks fell on the version with that share."""
    return canary * math.log(ratio) - marked * math.log1p(share * (ratio - 1))


def compare(stable: tuple[int, int], canary: tuple[int, int]) -> float:
    """The evidence, to one, that the new version fails more; each version is (requests, failed).

    1 where a version had no request. At one moment only: the judge's is good for any number of looks.
    """
    if not stable[0] or not canary[0]:
        return 1.0
    share, failed = canary[0] / (stable[0] + canary[0]), stable[1] + canary[1]
    return average([factor(canary[1], failed, share, ratio) for ratio in RISKS])


def average(logs: Sequence[float]) -> float:
    """The mean of scores whose logarithms these are."""
    top = max(logs)
    return math.exp(min(top, LARGEST)) * sum(math.exp(log - top) for log in logs) / len(logs)
