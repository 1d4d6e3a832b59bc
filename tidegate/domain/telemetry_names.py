"""The names of what collects a stage's telemetry; without any import, for the function that starts often."""

from __future__ import annotations

from typing import Final

COLLECTOR: Final = "tidegate-collect-telemetry"
TABLE: Final = "tidegate-telemetry"


def collector(stage: str) -> str:
    """The name of the function that collects a stage's telemetry, and of its role."""
    return f"{COLLECTOR}-{stage}"


def table(stage: str) -> str:
    """The name of the table that holds a stage's telemetry."""
    return f"{TABLE}-{stage}"


def table_of(function: str) -> str:
    """The table of a collecting function, by its name."""
    return table(function.removeprefix(f"{COLLECTOR}-"))
