"""`python -m tests.faults`: a fault at every call, every fault at every call, or what the options name.

A violation is printed with the command that tries its point again.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from tests.faults.campaign import RECORDED, Crew, list_points, sample_points, spread_points
from tests.faults.plans import EVENT_KINDS, KINDS, STATE_KINDS, Point

if TYPE_CHECKING:
    from collections.abc import Iterable


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--scenario", choices=[*RECORDED, "crowd"], action="append", help="these only")
    parser.add_argument(
        "--kind", choices=[*KINDS, *STATE_KINDS, *EVENT_KINDS, "crowd"], action="append", help="these only"
    )
    parser.add_argument("--k", type=int, help="this call only, counted from 1")
    parser.add_argument(
        "--at",
        help="this call only: function/invocation/call; or state: machine/state/entry; each counted from 1",
    )
    parser.add_argument("--sample", type=int, help="so many points that reach every function")
    parser.add_argument("--every", action="store_true", help="every kind at every call, not one of them")
    parser.add_argument("--skip", type=int, default=0, help="leave so many out: an earlier run tried them")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no point after so many")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--side-by-side", type=int, default=5, help="services in each process")
    return parser.parse_args()


def choose(options: argparse.Namespace, crew: Crew) -> list[Point]:
    """The points that the options ask for."""
    scenarios = options.scenario or [*RECORDED, "crowd"]
    kinds = options.kind or list(KINDS)
    if options.k is not None or options.at:
        k, at = options.k or 0, options.at or ""
        return [Point(one, kind, k, options.seed, at) for one in scenarios for kind in kinds]
    recorded = crew.record(one for one in RECORDED if one in scenarios)
    for name, found in recorded.items():
        click.echo(f"{name}: {len(found['calls'])} calls, {len(found['states'])} states entered")
    if options.sample:
        return sample_points(recorded, options.seed, options.sample)
    if not options.every and not options.kind:
        return [one for one in spread_points(recorded, options.seed) if one.scenario in scenarios]
    points = list_points(recorded, kinds, options.seed)
    return [one for one in points if one.scenario in scenarios and (not options.kind or one.kind in kinds)]


def show(result: dict[str, Any]) -> None:
    """One violation, and how to see it again."""
    point = Point(**result["point"])
    click.echo(f"\nVIOLATION at {result['struck'] or 'no call'}: {result['violation']}")
    click.echo(f"    again: python -m tests.faults {point}")
    click.echo("    " + result["told"].replace("\n", "\n    "))


@dataclass
class Tally:
    """Outcomes by scenario, how many points were violated, and how many faults had no call to strike."""

    outcomes: Counter[str] = field(default_factory=Counter)
    tried: int = 0
    failed: int = 0
    missed: int = 0


def report(points: list[Point], results: Iterable[dict[str, Any]], tally: Tally) -> None:
    """Take each result into the tally, and show what was violated."""
    for result in results:
        tally.tried += 1
        if result["violation"]:
            tally.failed += 1
            show(result)
        else:
            tally.outcomes[f"{result['point']['scenario']} {result['outcome']}"] += 1
            tally.missed += not result["struck"] and result["point"]["kind"] in (*KINDS, *STATE_KINDS)
        if tally.tried % 50 == 0:
            click.echo(f"{tally.tried} of {len(points)} points, {tally.failed} violations")


def main() -> int:
    options, begun, tally = parse(), time.monotonic(), Tally()
    click.echo(f"seed {options.seed}")
    with Crew(options.jobs, options.side_by_side) as crew:
        points = choose(options, crew)[options.skip :]
        click.echo(f"{len(points)} points")
        deadline = begun + options.minutes * 60
        begin = itertools.takewhile(lambda _: time.monotonic() < deadline, points)
        with suppress(KeyboardInterrupt):  # what was tried until then is told
            report(points, crew.try_points(begin), tally)
    seconds = time.monotonic() - begun
    click.echo(
        f"\n{tally.tried} of {len(points)} points tried in {seconds:.0f} s, seed {options.seed}: "
        f"{tally.failed} violations"
    )
    click.echo(
        f"{tally.missed} of them struck nothing, since their run had fewer calls than the recorded one"
    )
    for outcome, count in sorted(tally.outcomes.items()):
        click.echo(f"    {outcome}: {count}")
    whole = tally.tried == len(points) or options.minutes < math.inf
    return 1 if tally.failed or not whole else 0


if __name__ == "__main__":
    sys.exit(main())
