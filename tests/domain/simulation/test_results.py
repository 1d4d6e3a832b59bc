from __future__ import annotations

import pytest

from tidegate.domain.simulation.results import find_quantile, measure_share, summarize
from tidegate.domain.simulation.runs import End, Run


def run(end: End, seconds: float, failed: int = 0) -> Run:
    return Run(end, seconds, failed, 10 * failed, (), ())


def test_an_interval_is_wilsons() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 0 of 20, 1 of 29, 81 of 263.
    assert measure_share(0, 20) == pytest.approx((0, 0, 0.1611), abs=1e-4)
    assert measure_share(1, 29) == pytest.approx((1 / 29, 0.0061, 0.1718), abs=1e-4)
    assert measure_share(81, 263) == pytest.approx((81 / 263, 0.2553, 0.3662), abs=1e-4)


def test_a_quantile_is_one_of_the_values() -> None:
    assert find_quantile([5, 1, 3], 0.5) == 3
    assert find_quantile(list(range(1, 101)), 0.95) == 95
    assert find_quantile([7], 0.0) == 7


def test_runs_of_a_bad_version_are_wrong_where_it_was_promoted() -> None:
    runs = [run(End.ROLLED_BACK, 70, 4), run(End.ROLLED_BACK, 90, 8), run(End.PROMOTED, 300, 600)]
    summary = summarize("+2 %", 60, "x", [*runs, run(End.UNDECIDED, 999)], healthy=False)
    assert (summary.promoted, summary.rolled_back, summary.undecided) == (1, 2, 1)
    assert summary.wrong.share == 0.25
    assert (summary.failed, summary.failed_95, summary.exposed) == (153, 600, 1530)
    assert (summary.to_rollback, summary.to_promotion) == (20, 300)
    assert summary.failed_error == pytest.approx(149.01, abs=0.01)


def test_runs_of_a_healthy_version_are_wrong_where_it_was_rolled_back() -> None:
    summary = summarize("healthy", 0, "x", [run(End.PROMOTED, 300)], healthy=True)
    assert (summary.wrong.share, summary.to_rollback, summary.failed_error) == (0, None, 0)
