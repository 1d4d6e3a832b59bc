"""A sample of what `make faults` tries: every function of every scenario is struck, by kinds that a seed chooses.

TIDEGATE_FAULTS_SEED tries another sample, TIDEGATE_FAULTS_SAMPLE a larger one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tests.faults.campaign import Crew, sample_points, sample_scenarios
from tests.faults.plans import KINDS, STATE_KINDS, Point

if TYPE_CHECKING:
    import pytest

SEED = int(os.environ.get("TIDEGATE_FAULTS_SEED", "1"))
SAMPLE = int(os.environ.get("TIDEGATE_FAULTS_SAMPLE", "24"))


def test_no_fault_of_a_sample_breaks_what_must_hold(capsys: pytest.CaptureFixture[str]) -> None:
    with Crew(jobs=1, side_by_side=6) as crew:
        points = sample_points(crew.record(sample_scenarios(SEED)), SEED, SAMPLE)
        results = list(crew.try_points(points))
    wrong = [one for one in results if one["violation"]]
    told = [
        f"{one['violation']}\n  python -m tests.faults {Point(**one['point'])}\n{one['told']}"
        for one in wrong
    ]
    struck = [one for one in results if one["struck"] or one["point"]["kind"] not in (*KINDS, *STATE_KINDS)]
    with capsys.disabled():
        print(f"\n{len(points)} points of faults tried with seed {SEED}, {len(struck)} struck")  # noqa: T201
    assert not wrong, "\n\n".join(told)
    assert len(struck) > len(points) / 2
