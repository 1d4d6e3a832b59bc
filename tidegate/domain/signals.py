"""The signals that compare two versions, and what each may do by default.

Configuration and judge share them; apart from both, since whoever reads a configuration needs no judge.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Signal(StrEnum):
    """What a request can be marked with.

    How many cold starts there are is shown, never judged: a fresh canary has them all. How long each takes is
    compared among cold starts alone.
    """

    ERRORS = "errors"
    LATENCY = "latency"
    TIMEOUTS = "timeouts"
    COST = "cost"
    INIT = "init"


class Mode(StrEnum):
    """What a signal may do: turn a release back, keep it from going on, or only be shown."""

    ENFORCE = "enforce"
    HOLD = "hold"
    OBSERVE = "observe"


# An intended change of memory size marks every request as costly; whoever wants to be stopped by it says so.
# The first environments of any new version fetch code that those of the stable one have near them already.
MODES: Final = {
    Signal.ERRORS: Mode.ENFORCE,
    Signal.LATENCY: Mode.ENFORCE,
    Signal.TIMEOUTS: Mode.ENFORCE,
    Signal.COST: Mode.OBSERVE,
    Signal.INIT: Mode.OBSERVE,
}
