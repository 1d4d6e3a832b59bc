"""Lambda's quotas on control-plane calls, kept by waiting a moment before a call rather than by throttles.

An account has, in each region, about 15 calls a second for everything but invocations, GetFunction (100) and
GetPolicy (15 of its own); none of them can be raised. A bucket is shared by all threads of this process, and
by nothing else: what other processes call meanwhile is left to the retries of the client. A wait is a
fraction of a second for each call ahead; nothing here waits for an event.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_lambda import LambdaClient

CALLS: Final = "calls"
RATES: Final = {CALLS: 15.0, "GetFunction": 100.0, "GetPolicy": 15.0}  # a second
FREE: Final = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")


class TokenBucket:
    """`rate` tokens a second, at most `burst` of them saved; safe to use from many threads.

    Tokens are given in the order of asking. `urgent` asks before all that wait: it never waits itself, and
    what it takes is missing for the others.
    """

    def __init__(
        self,
        rate: float,
        burst: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._burst = rate if burst is None else burst
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._tokens = self._burst
        self._filled = clock()

    def take(self, *, urgent: bool = False) -> float:
        """Take one token, waiting until there is one; gives how long that was, in seconds."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            self._tokens -= 1
            wait = 0.0 if urgent else max(0.0, -self._tokens / self._rate)
        if wait:
            self._sleep(wait)
        return wait


class Pacer:
    """The buckets of one account and region, by the quota that a call counts against."""

    def __init__(self, make: Callable[[float], TokenBucket] = TokenBucket) -> None:
        self._buckets = {name: make(rate) for name, rate in RATES.items()}

    def take(self, operation: str, *, urgent: bool = False) -> float:
        """Wait for a call of this operation, as the API names it, to be within its quota."""
        if operation in FREE:
            return 0.0
        return self._buckets.get(operation, self._buckets[CALLS]).take(urgent=urgent)


_PACERS: dict[tuple[str, str], Pacer] = {}
_LOCK: Final = threading.Lock()


def find_pacer(account: str, region: str) -> Pacer:
    """The one pacer of this process for an account and region."""
    with _LOCK:
        return _PACERS.setdefault((account, region), Pacer())


def pace(client: LambdaClient, pacer: Pacer, *, urgent: bool = False) -> None:
    """Let every call of this client, and every retry of one, wait for its turn. Twice is once.

    A client keeps the urgency that it was first given.
    """

    def wait(event_name: str, **_: Any) -> None:  # noqa: ANN401 (as botocore calls it)
        pacer.take(event_name.rpartition(".")[2], urgent=urgent)

    client.meta.events.register_first("before-send.lambda", wait, unique_id="tidegate-pacing")
