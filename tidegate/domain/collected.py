"""What fast telemetry collected of one function, by log stream, and the rules that it is read by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tidegate.domain.attempts import Attempt, Flag, read_attempts, read_flags, read_lags, read_starts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from tidegate.domain.observing import Thresholds

PATIENCE: Final = 60.0  # seconds that a request may run at least before it is taken to hang
USUAL_TIMES: Final = 4.0  # and times its historic q99, the last of the thresholds


@dataclass
class Stream:
    """What was collected of one log stream, which is one environment's; `name` is unique in a function."""

    version: str
    name: str
    attempts: list[Attempt] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    starts: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass(frozen=True)
class Collected:
    """What was collected of one function, by log stream; lags are (seconds, requests)."""

    streams: tuple[Stream, ...]
    lags: tuple[tuple[float, int], ...]

    @property
    def attempts(self) -> list[Attempt]:
        """Those of all streams."""
        return [one for stream in self.streams for one in stream.attempts]

    @property
    def tells_starts(self) -> bool:
        """Whether the log tells of beginnings at all."""
        return 2 * sum(len(stream.starts) for stream in self.streams) >= len(self.attempts)


@dataclass(frozen=True)
class Rules:
    """How a function's telemetry is read: lengths in milliseconds, the time limit in seconds.

    `weigh` gives the one weight between two moments, or None. Requests `left_out` (digests of their ids) are
    nobody's: Tidegate made them itself.
    """

    function: str
    stable: str
    canary: str
    length: int
    timeout: float
    pace: float
    thresholds: Thresholds
    weigh: Callable[[datetime, datetime], float | None]
    allowance: float = 0
    left_out: frozenset[bytes] = frozenset()

    @property
    def patience(self) -> float:
        """Seconds that a request may run: its time limit, or less where it is known how long one takes."""
        if not self.thresholds.slow:
            return self.timeout
        return min(self.timeout, max(PATIENCE, USUAL_TIMES * self.thresholds.slow[-1] / 1000))

    def is_hanging(self, milliseconds: float) -> bool:
        """Whether a request that ran for so long is taken to hang."""
        return self.hurries and milliseconds > self.patience * 1000

    @property
    def hurries(self) -> bool:
        """Whether a request is given up before its time limit."""
        return self.patience < self.timeout


def collect(items: Iterable[tuple[int, str, str, Mapping[str, Iterable[bytes]]]]) -> Collected:
    """What shares hold, each (batch, version, stream, elements by kind), by stream."""
    streams: dict[tuple[str, str], Stream] = {}
    lags: list[tuple[float, int]] = []
    for batch, version, name, parts in items:
        stream = streams.setdefault((version, name), Stream(version, f"{version}#{name}"))
        stream.attempts += read_attempts(batch, parts.get("attempts", ()))
        stream.flags += read_flags(batch, parts.get("marks", ()))
        stream.starts += [(batch, one) for one in read_starts(parts.get("starts", ()))]
        lags += read_lags(parts.get("lags", ()))
    return Collected(tuple(streams.values()), tuple(lags))
