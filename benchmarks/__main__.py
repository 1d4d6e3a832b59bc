"""`python -m benchmarks [PART …] [--json]`: all parts one after the other, or those that are named.

A new part is a module with a function `measure`, and a line in PARTS.
"""

from __future__ import annotations

import importlib
from typing import Final

import click

PARTS: Final = {
    "releases": "the example's releases in the local cloud: time, transitions, cost",
    "scale": "one release of many functions beside one of few: what grows, against AWS's limits",
    "builds": "builds of Python functions beside `sam build`: cold, unchanged, one file changed",
    "cold_starts": "from a new process to each task's handler, with byte code and without",
    "judging": "requests that bad versions fail, by the judge and by a tuned canary; how often it is wrong",
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def main(parts: tuple[str, ...], *, as_json: bool) -> None:
    """Measure Tidegate; PARTS are all of them by default."""
    for name in parts or PARTS:
        importlib.import_module(f"benchmarks.{name}").measure(as_json=as_json)


if __name__ == "__main__":
    main()
