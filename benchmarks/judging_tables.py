"""The figures of the judge's benchmark as tables, and whether each goal is reached.

A goal for a share counts as missed where its whole 95 % interval lies above it: less would blame chance.
"""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from tidegate.cli.screens import duration, show_table
from tidegate.domain.simulation.results import measure_share
from tidegate.domain.simulation.scenarios import show_interval, show_share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tidegate.domain.simulation.results import Interval, Summary
    from tidegate.domain.simulation.scenarios import Traffic

HORIZONS: Final = (3600, 900)  # seconds from the first shift, up to which failed requests are counted
TIMES: Final = 20.0
WRONG: Final = 0.01
WRONG_IN_BURSTS: Final = 0.001
BAD: Final = (
    "requests/s",
    "fail anyhow",
    "bad version",
    "failed by us",
    "of Wald's bound",
    "by the canary",
    *(f"times, {seconds // 60} min" for seconds in HORIZONS),
    "missed",
    "the canary's",
    "undecided",
    "to rollback",
)
HEALTHY: Final = (
    "requests/s",
    "fail anyhow",
    "false rollbacks",
    "the canary's",
    "undecided",
    "to promotion",
)


class Cell(NamedTuple):
    """Traffic and fault, by both policies; `ratios` of failed requests are by horizon, none if healthy."""

    traffic: Traffic
    ours: Summary
    peer: Summary
    ratios: tuple[float, ...]
    bound: float


def show(cells: Sequence[Cell]) -> None:
    """All tables, and the goals."""
    bad = [cell for cell in cells if cell.ratios]
    healthy = [cell for cell in cells if not cell.ratios and cell.traffic.bursts is None]
    struck = [cell for cell in cells if cell.traffic.bursts is not None]
    click.echo("bad versions; Canary10Percent5Minutes has an alarm that is tuned with hindsight")
    show_table(BAD, [_bad_row(cell) for cell in bad])
    click.echo("\nhealthy versions")
    show_table(HEALTHY, [_healthy_row(cell) for cell in healthy])
    click.echo("\nhealthy versions, bursts of errors on both versions; the canary's alarm is at 5 %")
    show_table(HEALTHY, [_healthy_row(cell) for cell in struck])
    click.echo()
    for line in _conclude(bad, healthy, struck):
        click.echo(line)


def tell(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "traffic": cell.traffic.model_dump(mode="json"),
            "ours": cell.ours.model_dump(mode="json"),
            "canary": cell.peer.model_dump(mode="json"),
            "ratios": dict(zip(HORIZONS, cell.ratios, strict=False)),
            "wald": cell.bound,
        }
        for cell in cells
    ]


def _bad_row(cell: Cell) -> tuple[str, ...]:
    return (
        *_name(cell),
        cell.ours.fault,
        f"{cell.ours.failed:,.1f} ± {1.96 * cell.ours.failed_error:.1f}",
        f"{cell.ours.failed / cell.bound:.1f}",
        f"{cell.peer.failed:,.0f}",
        *(f"{ratio:,.1f}" for ratio in cell.ratios),
        _show_interval(cell.ours.wrong),
        show_share(cell.peer.wrong.share),
        show_share(cell.ours.undecided / cell.ours.runs),
        _show_time(cell.ours.to_rollback),
    )


def _healthy_row(cell: Cell) -> tuple[str, ...]:
    return (
        *_name(cell),
        _show_interval(cell.ours.wrong),
        _show_interval(cell.peer.wrong),
        show_share(cell.ours.undecided / cell.ours.runs),
        _show_time(cell.ours.to_promotion),
    )


def _name(cell: Cell) -> tuple[str, str]:
    return f"{cell.traffic.rate:g}", show_share(cell.traffic.baseline)


def _show_interval(wrong: Interval) -> str:
    return f"{show_share(wrong.share)} ({show_interval(wrong)})"


def _show_time(seconds: float | None) -> str:
    return "-" if seconds is None else duration(seconds)


def _conclude(bad: Sequence[Cell], healthy: Sequence[Cell], struck: Sequence[Cell]) -> Iterator[str]:
    for number, seconds in enumerate(HORIZONS):
        ratios = [cell.ratios[number] for cell in bad]
        mean = math.exp(fmean(math.log(ratio) for ratio in ratios))
        yield _judge(
            f"failures counted over {duration(seconds)}: {mean:.1f} times fewer in the geometric mean, "
            f"{min(ratios):.1f} times in the worst cell; goal {TIMES:g} in the mean",
            reached=mean >= TIMES,
        )
    bounds = math.exp(fmean(math.log(cell.ours.failed / cell.bound) for cell in bad))
    yield f"within {bounds:.1f} times of Wald's bound in the geometric mean"
    yield _judge_shares("missed bad versions", bad, WRONG)
    yield _judge_shares("false rollbacks", healthy, WRONG)
    yield _judge_shares("false rollbacks in bursts", struck, WRONG_IN_BURSTS)
    runs = sum(cell.ours.runs for cell in struck)
    wrong = measure_share(sum(cell.ours.rolled_back for cell in struck), runs)
    yield f"over all {runs:,} releases in bursts: {_show_interval(wrong)}"


def _judge_shares(what: str, cells: Sequence[Cell], most: float) -> str:
    worst = max((cell.ours.wrong for cell in cells), key=lambda wrong: (wrong.share, wrong.high))
    reached = all(cell.ours.wrong.low <= most for cell in cells)
    return _judge(f"{what}: at most {_show_interval(worst)}; goal {show_share(most)}", reached=reached)


def _judge(text: str, *, reached: bool) -> str:
    return f"{'reached' if reached else 'NOT REACHED'}: {text}"
