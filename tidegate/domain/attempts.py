"""How attempts are kept between who collects them and who reads them: as sets of bytes.

A set takes an element once however often it is added, so a log event counts once whenever and in whatever
company it is delivered, and a retry that Lambda makes, which keeps its request id, is an event of its own.
An item is one log stream's share of one batch. Imports the standard library only, since a function that
starts often uses it.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.domain.log_lines import Mark, Report, Start

if TYPE_CHECKING:
    from collections.abc import Iterable

BATCH: Final = 5.0  # seconds on AWS; scaled where durations are
SHORTEST_BATCH: Final = 0.1
LARGEST: Final = (
    200_000  # bytes of an item, above which a part of its events stands for all; the limit is 400 KB
)
FAILED: Final = 1
TIMED_OUT: Final = 2
COLD: Final = 4
ATTEMPT: Final = struct.Struct(">8s6sHfffB")
START: Final = struct.Struct(">8s6s")
MARK: Final = struct.Struct(">8x6sHB")
LAG: Final = struct.Struct(">IH")
NOBODY: Final = bytes(6)
COARSE: Final = 10  # milliseconds, to which the time of a mark is rounded where there are many


class Attempt(NamedTuple):
    """One attempt: `at` is when it started, in ms since 1970; durations in ms, `billed` in GB-ms."""

    event: bytes
    request: bytes
    at: int
    duration: float
    init: float
    billed: float
    flags: int


class Flag(NamedTuple):
    """A failure mark; `request` is NOBODY where only its time tells whose it is."""

    request: bytes
    at: int
    timed_out: bool


@dataclass
class Share:
    """One stream's share of one batch, as it is written or read."""

    attempts: set[bytes] = field(default_factory=set)
    starts: set[bytes] = field(default_factory=set)
    marks: set[bytes] = field(default_factory=set)
    lags: set[bytes] = field(default_factory=set)

    @property
    def size(self) -> int:
        """How many bytes the elements are, with DynamoDB's own for each."""
        return sum(len(one) + 3 for part in (self.attempts, self.starts, self.marks) for one in part)


def batch_length(pace: float) -> int:
    """The length of a batch in milliseconds."""
    return round(max(SHORTEST_BATCH, BATCH * pace) * 1000)


def digest(text: str, size: int) -> bytes:
    """A digest of so many bytes."""
    return blake2b(text.encode(), digest_size=size).digest()


def identify(request: str | None) -> bytes:
    """A request by what is kept of its id; NOBODY where there is none."""
    return digest(request, 6) if request else NOBODY


def sort_key(batch: int, version: str, stream: str) -> str:
    """Where a stream's share of a batch is kept: shares sort by the batch's beginning (ms since 1970)."""
    return f"{batch:013d}#{version}#{digest(stream, 6).hex()}"


def split_key(key: str) -> tuple[int, str, str]:
    """(batch, version, digest of the stream) of a sort key."""
    batch, version, stream = key.split("#")
    return int(batch), version, stream


def share_out(found: Iterable[Start | Report | Mark], length: int, arrived: int) -> dict[int, Share]:
    """The shares by batch of what one delivery of one stream says; `arrived` is the time now, in ms.

    However many lines of a request are failure marks, they are one mark, at the time of the first.
    """
    firsts: dict[tuple[int, bytes, int], int] = {}
    shares: defaultdict[int, Share] = defaultdict(Share)
    lags: defaultdict[int, list[int]] = defaultdict(list)
    for item in found:
        at = round(item.at - item.duration) if isinstance(item, Report) else item.at
        batch = at // length * length
        event, request = digest(item.event, 8), identify(item.request)
        share = shares[batch]
        if isinstance(item, Start):
            share.starts.add(START.pack(event, request))
        elif isinstance(item, Mark):
            mark = batch, request, TIMED_OUT if item.timed_out else FAILED
            if request == NOBODY:
                share.marks.add(MARK.pack(request, at - batch, mark[-1]))
            else:
                firsts[mark] = min(at, firsts.get(mark, at))
        else:
            share.attempts.add(_pack(item, event, request, at - batch))
            lags[batch].append(max(0, arrived - item.at))
    for (batch, request, kind), at in firsts.items():
        shares[batch].marks.add(MARK.pack(request, at - batch, kind))
    for batch, values in lags.items():
        shares[batch].lags.add(LAG.pack(min(max(values), 2**32 - 1), min(len(values), 2**16 - 1)))
    return dict(shares)


def _pack(report: Report, event: bytes, request: bytes, offset: int) -> bytes:
    flags = FAILED * report.failed | TIMED_OUT * report.timed_out | COLD * (report.init is not None)
    return ATTEMPT.pack(event, request, offset, report.duration, report.init or 0.0, report.billed, flags)


def thin_out(share: Share, known: int) -> Share:
    """The share, or the part that stands for it where its item, of `known` bytes already, grows too large.

    Which events these are depends on their ids alone, not on the version and not on how a request went. Of
    marks the time stays, and not whose they are: so they are few, however many lines there were.
    """
    size = known + share.size
    if size <= LARGEST:
        return share
    keep = 1 << max(2, (size // LARGEST).bit_length())

    def sample(elements: set[bytes]) -> set[bytes]:
        return {one for one in elements if one[7] % keep == 0}

    # Starts tell of requests that are still running: without their reports they would run for ever.
    return Share(sample(share.attempts), set(), set(map(_forget, share.marks)), share.lags)


def _forget(mark: bytes) -> bytes:
    _, offset, kind = MARK.unpack(mark)
    return MARK.pack(NOBODY, offset // COARSE * COARSE, kind)


def read_attempts(batch: int, elements: Iterable[bytes]) -> list[Attempt]:
    """The attempts of a batch that begins at `batch`, in ms since 1970."""
    return [
        Attempt(event, request, batch + offset, duration, init, billed, flags)
        for event, request, offset, duration, init, billed, flags in map(ATTEMPT.unpack, elements)
    ]


def read_flags(batch: int, elements: Iterable[bytes]) -> list[Flag]:
    """The failure marks in a batch that begins at `batch`, in ms since 1970."""
    return [
        Flag(request, batch + offset, bool(kind & TIMED_OUT))
        for request, offset, kind in map(MARK.unpack, elements)
    ]


def read_starts(elements: Iterable[bytes]) -> list[bytes]:
    """The requests that started, one for each time that one did."""
    return [request for _, request in map(START.unpack, elements)]


def read_lags(elements: Iterable[bytes]) -> list[tuple[float, int]]:
    """(seconds from a request's end to when it could be read, for how many requests), the longest of each."""
    return [(lag / 1000, count) for lag, count in map(LAG.unpack, elements)]
