from __future__ import annotations

import math

import pytest

from benchmarks.judging import find_bound
from benchmarks.judging_tables import Cell, show, tell
from tidegate.domain.simulation.results import Summary, measure_share
from tidegate.domain.simulation.scenarios import Bursts, Traffic


def summary(fault: str, failed: float, wrong: int) -> Summary:
    return Summary(
        fault=fault,
        policy="x",
        runs=400,
        promoted=0,
        rolled_back=0,
        undecided=0,
        wrong=measure_share(wrong, 400),
        failed=failed,
        failed_error=0.0,
        failed_95=failed,
        exposed=0.0,
        to_rollback=60.0,
        to_promotion=None,
    )


def cells(times: float, wrong: int) -> list[Cell]:
    peer = summary("+2 %", 10 * times, 0)
    bad = Cell(Traffic(), summary("+2 %", 10.0, wrong), peer, (times, times / 2), 5.0)
    healthy = Cell(Traffic(), summary("healthy", 0.0, wrong), peer, (), 0.0)
    return [bad, healthy, healthy._replace(traffic=Traffic(bursts=Bursts()))]


def test_the_bound_is_walds_and_at_least_one_request() -> None:
    distance = 0.021 * math.log(21) + 0.979 * math.log(0.979 / 0.999)
    assert find_bound(0.001, 0.02) == pytest.approx(0.02 * math.log(100) / distance)
    assert find_bound(0.001, 1.0) == 1.0
    assert find_bound(0.001, 0.0) == 0.0


def test_goals_that_are_reached_are_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    show(cells(45.0, 0))
    lines = capsys.readouterr().out.splitlines()[-7:-1]
    assert lines[0].startswith("reached: failures counted over 1 h 0 min: 45.0 times fewer")
    assert lines[1].startswith("reached: failures counted over 15 min: 22.5 times fewer")
    assert lines[2] == "within 2.0 times of Wald's bound in the geometric mean"
    assert all(line.startswith("reached: ") for line in lines[3:])


def test_goals_that_are_missed_are_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    show(cells(30.0, 20))
    lines = capsys.readouterr().out.splitlines()[-7:-1]
    assert [line.startswith("NOT REACHED: ") for line in lines] == [False, True, False, True, True, True]
    assert "missed bad versions: at most 5 % (3.26 to 7.6 %); goal 1 %" in lines[3]


def test_programs_get_the_same() -> None:
    told = tell(cells(45.0, 0))
    assert told[0]["ratios"] == {3600: 45.0, 900: 22.5}
    assert told[1]["ratios"] == {}
