"""Reading telemetry: from where on, in pages, and of many functions."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tidegate.adapters import telemetry
from tidegate.domain.attempts import share_out, sort_key
from tidegate.domain.identity import ReleaseRef
from tidegate.domain.log_lines import Report
from tidegate.domain.observing import Arming, Read, Terms
from tidegate.domain.rollouts import RollingFunction

if TYPE_CHECKING:
    from collections.abc import Iterator

LENGTH = 5000
BASE = 1_800_000_000
BEGUN = datetime.fromtimestamp(BASE, UTC)
REF = ReleaseRef(service="orders", id="0123456789ab-1", execution="arn", epoch=1, opened_at=BEGUN)


class Stage:
    """A table whose partitions all hold one request in each batch, in pages of a hundred items."""

    name = "staging"

    def __init__(self, batches: int) -> None:
        self.queries: list[dict[str, Any]] = []
        self.pages = 0
        self.items = dict(self._item(number) for number in range(batches))
        self._lock = threading.Lock()

    @staticmethod
    def _item(number: int) -> tuple[str, dict[str, Any]]:
        at = (BASE * 1000) + number * LENGTH + 2000
        report = Report(f"e{number}", at, f"r{number}", 20.0, None, 2.5, failed=False, timed_out=False)
        ((batch, share),) = share_out([report], LENGTH, at + 900).items()
        key = sort_key(batch, "8", "s")
        parts = {"attempts": {"BS": list(share.attempts)}, "lags": {"BS": list(share.lags)}}
        return key, {"sk": {"S": key}, "expires": {"N": "1"}, **parts}

    @property
    def target(self) -> Stage:
        return self

    @property
    def tables(self) -> Stage:
        return self

    def get_paginator(self, name: str) -> Stage:
        assert name == "query"
        return self

    def paginate(self, **arguments: Any) -> Iterator[Any]:
        with self._lock:
            self.queries.append(arguments)
        values = arguments["ExpressionAttributeValues"]
        low, high = values[":from"]["S"], values[":to"]["S"]
        chosen = [item for key, item in sorted(self.items.items()) if low <= key <= high]
        for first in range(0, len(chosen), 100):
            self.pages += 1
            yield {"Items": chosen[first : first + 100]}

    def starts(self) -> list[int]:
        return [
            int(query["ExpressionAttributeValues"][":from"]["S"]) // 1000 - BASE for query in self.queries
        ]


def function(name: str) -> tuple[RollingFunction, Arming]:
    rolling = RollingFunction(
        logical_id=name, name=name, alias="live", stable="7", canary="8", log_group=f"/{name}"
    )
    return rolling, Arming(function=name, log_group=f"/{name}", armed=True)


def read(stage: Any, seconds: float, cursors: dict[str, Read], *names: str) -> Any:
    pairs = [function(name) for name in names]
    shifts = [(0.1, BEGUN - timedelta(seconds=30))]
    now = BEGUN + timedelta(seconds=seconds)
    return telemetry.read(stage, REF, pairs, shifts, cursors, now, Terms(mark="x"))


def test_a_look_reads_what_is_new_and_what_may_be_late() -> None:
    stage = Stage(batches=400)
    first = read(stage, 1000, {}, "F")["F"]
    assert stage.starts() == [-30]
    assert stage.pages == 3
    assert len(first.batches) == 199
    second = read(stage, 1060, {"F": first.read}, "F")["F"]
    assert stage.starts()[1] == 1060 - 300
    assert len(second.batches) == 12
    assert {batch.key for batch in first.batches}.isdisjoint(batch.key for batch in second.batches)
    assert len(second.read.counted) <= 62
    # Whoever has not looked for long reads from where it stood.
    third = read(stage, 1900, {"F": second.read}, "F")["F"]
    assert stage.starts()[2] == second.read.closed // 1000 - BASE
    assert sum(len(one.batches) for one in (first, second, third)) == third.read.closed // LENGTH - BASE // 5


@pytest.mark.parametrize("functions", [0, 1, 1000])
def test_one_query_for_a_function(functions: int) -> None:
    stage = Stage(batches=10)
    found = read(stage, 40, {}, *(f"F{number}" for number in range(functions)))
    assert len(stage.queries) == functions
    assert len({query["ExpressionAttributeValues"][":pk"]["S"] for query in stage.queries}) == functions
    assert all(one.delay == pytest.approx(5 + 0.9 + 0.02) for one in found.values())


def test_a_repeated_look_gives_the_same_keys() -> None:
    stage = Stage(batches=10)
    assert read(stage, 40, {}, "F") == read(stage, 40, {}, "F")


def test_nothing_is_read_before_the_first_shift() -> None:
    assert telemetry.read(Stage(1), REF, [function("F")], [], {}, BEGUN, Terms(mark="x")) == {}  # type: ignore[arg-type]
