"""What a table of telemetry would hold after deliveries of log events, and looks at it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tidegate.domain.attempts import Share, share_out, sort_key, split_key
from tidegate.domain.collected import Rules, collect
from tidegate.domain.log_lines import Report
from tidegate.domain.observing import Read, Thresholds, find_weight
from tidegate.domain.tallies import give
from tidegate.domain.warming import YOUNG, Age

if TYPE_CHECKING:
    from tidegate.domain.log_lines import Mark, Start
    from tidegate.domain.tallies import Given

BASE = 1_800_000_000_000  # a multiple of the batch's length
LENGTH = 5000
SHIFTED = datetime.fromtimestamp(BASE / 1000, UTC) - timedelta(minutes=1)


def rules(**changes: Any) -> Rules:
    values: dict[str, Any] = {
        "function": "F",
        "stable": "7",
        "canary": "8",
        "length": LENGTH,
        "timeout": 3.0,
        "pace": 1.0,
        "thresholds": Thresholds(slow=(100.0, 400.0), costly=(50.0,)),
        "weigh": partial(find_weight, [(0.1, SHIFTED)], writing=0.0, spread=5.0),
    }
    return Rules(**values | changes)


def report(number: int, end: int, duration: float = 50.0, **changes: Any) -> Report:
    values: dict[str, Any] = {
        "event": f"e{number}",
        "at": BASE + end,
        "request": f"r{number}",
        "duration": duration,
        "init": None,
        "billed": duration / 2,
        "failed": False,
        "timed_out": False,
    }
    return Report(**values | changes)


class Table:
    """What a table of sets would hold. Its streams are old environments', unless a look brings a cursor."""

    def __init__(self) -> None:
        self.items: dict[str, Share] = {}

    def deliver(
        self, version: str, *found: Start | Report | Mark, stream: str = "s", lag: int = 1000
    ) -> None:
        arrived = max(item.at for item in found) + lag
        for batch, share in share_out(found, LENGTH, arrived).items():
            kept = self.items.setdefault(sort_key(batch, version, stream), Share())
            kept.attempts |= share.attempts
            kept.starts |= share.starts
            kept.marks |= share.marks
            kept.lags |= share.lags

    def look(self, now: int, read: Read | None = None, since: int = BASE, **changes: Any) -> Given:
        items = [
            (*split_key(key), vars(share)) for key, share in self.items.items() if split_key(key)[0] >= since
        ]
        collected = collect(items)
        old = {stream.name: Age(YOUNG, BASE - LENGTH - 1) for stream in collected.streams}
        read = read if read is not None else Read(ages=old)
        return give(collected, rules(**changes), read, since, BASE + now)
