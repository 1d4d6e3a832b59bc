"""What befalls the calls of one service in one run: the kinds of faults, and the calls that were counted."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.processes import Run

# At the k-th call. `-once` strikes its first attempt only, so that botocore's own retry is what mends it.
CALL_KINDS = {
    "throttle": "every attempt is throttled",
    "throttle-once": "the first attempt is throttled",
    "error": "every attempt fails with a 5xx status",
    "error-once": "the first attempt fails with a 5xx status",
    "refuse": "every attempt fails in its TLS handshake; of the bus, it is answered and its entry refused",
    "timeout": "every attempt times out and has no effect",
    "lost": "every attempt is carried out, and its answer lost",
    "lost-once": "the first attempt is carried out, and its answer lost",
    "cut": "it is carried out, and the connection ends in the midst of its answer",
    "late": "every attempt times out; the first is carried out long after that",
    "delay": "it waits for half a minute",
    "kill": "it is carried out, and its function's process ends",
    "die": "its function runs into its timeout before it",
    "stop": "the execution is stopped before it, and its function runs on later",
    "stop-after": "the execution is stopped a moment after it",
}
# From the k-th call on: (service, seconds); a call of the service fails until they are over.
OUTAGES = {
    "table-blink": ("dynamodb", 0.3),
    "table-out": ("dynamodb", 3.0),
    "bucket-blink": ("s3", 0.3),
    "bucket-out": ("s3", 3.0),
}
# At the entry into a state, whatever its type.
STATE_KINDS = {"halt": "the execution is stopped in a state that it has just entered"}
# From the first call on, by seed.
EVENT_KINDS = {"events": "every event arrives twice, late, and in another order"}
HALF = 0.5
KINDS = (*CALL_KINDS, *OUTAGES)
# More goes wrong than one call: such a release may end in any final way, and an operator may be needed.
LASTING = ("stop", "stop-after", *OUTAGES)
# The last state of a release, and its function.
CLOSING = ("CompleteRelease", "tidegate-complete-release")
BRIEF = tuple(kind for kind in KINDS if kind not in LASTING)


@dataclass(frozen=True)
class Point:
    """What one run tries: call (or state) `k` of the recording, which is `at` in every run.

    A run waits as long as it must, so that its number of calls differs from the recording's; which call of
    which invocation of a function it is does not.
    """

    scenario: str
    kind: str = ""
    k: int = 0
    seed: int = 0
    at: str = ""

    def __str__(self) -> str:
        where = f"--at {self.at}" if self.at else f"--k {self.k}"
        return f"--scenario {self.scenario} --kind {self.kind} {where} --seed {self.seed}"


@dataclass
class Call:
    """One call of a function, whatever the number of its attempts; or the entry into a state."""

    number: int
    function: str
    operation: str
    machine: str
    address: str

    def __str__(self) -> str:
        return f"{self.machine}:{self.function.removeprefix('tidegate-')} {self.operation}"


@dataclass
class Plan:
    """`kind` at call `at`, or else `k`; `struck` is the call that it was, `pending` counts what comes later than it should."""

    kind: str = ""
    k: int = 0
    seed: int = 0
    at: str = ""
    calls: list[Call] = field(default_factory=list)
    states: list[Call] = field(default_factory=list)
    struck: Call | None = None
    pending: int = 0
    until: float = 0
    stop: Callable[[str], None] | None = None
    _invocations: Counter[str] = field(default_factory=Counter)
    _entries: Counter[str] = field(default_factory=Counter)
    _numbers: dict[str, Call] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def disturbs(self) -> bool:
        """Whether more goes wrong than one call."""
        return self.kind in LASTING or self.kind in STATE_KINDS

    @property
    def is_late(self) -> bool:
        """Whether the execution was stopped between a look at the claim and the change set asked for after it."""
        if self.struck is None or not self.kind.startswith("stop"):
            return False
        near = self.calls[self.struck.number - 1 : self.struck.number + 1]
        return any(call.operation == "cloudformation.CreateChangeSet" for call in near)

    @property
    def is_closing(self) -> bool:
        """Whether its last state was struck: stopped there, it is closed by its function all the same."""
        return self.struck is not None and self.struck.function in CLOSING

    def hits(self, call: Call) -> bool:
        """Whether this is the call."""
        return call.address == self.at if self.at else call.number == self.k

    @cached_property
    def chance(self) -> random.Random:
        return random.Random(f"{self.seed}/{self.k}")  # noqa: S311

    def again(self, token: str) -> str:
        """The token of an event's second delivery: the same, or that of an equal event from another rule."""
        if self.chance.random() < HALF:
            return token
        return f"{uuid.UUID(int=self.chance.getrandbits(128), version=4)}{token[36:]}"

    def record(self) -> dict[str, list[tuple[str, str]]]:
        """The calls and the states, each with its address."""
        found = {"calls": self.calls, "states": self.states}
        return {key: [(str(one), one.address) for one in ones] for key, ones in found.items()}

    def enter(self, machine: str, state: str) -> Call:
        """An execution has entered a state."""
        with self._lock:
            name = f"{machine}/{state}"
            self._entries[name] += 1
            entry = Call(len(self.states) + 1, state, "entered", machine, f"{name}/{self._entries[name]}")
            self.states.append(entry)
            return entry

    def take(self, identity: str, run: Run, operation: str) -> tuple[Call, bool]:
        """The call that an attempt is of, and whether it is its first."""
        with self._lock:
            found = self._numbers.get(identity)
            if found is not None:
                return found, False
            if not run.ordinal:
                self._invocations[run.function] += 1
                run.ordinal = self._invocations[run.function]
            run.calls += 1
            address = f"{run.function.removeprefix('tidegate-')}/{run.ordinal}/{run.calls}"
            call = Call(len(self.calls) + 1, run.function, operation, run.machine, address)
            self._numbers[identity] = call
            self.calls.append(call)
            return call, True
