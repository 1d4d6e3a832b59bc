"""Lambda's quotas on control-plane calls, kept by waiting a moment before a call rather than by throttles.

An account has, in each region, 15 calls a second for everything but invocations, GetFunction (100) and
GetPolicy (15 of its own); none of them can be raised. A bucket is shared by all threads of this process, and
by nothing else: what other processes call meanwhile is left to the retries of the client. So a task spreads
its calls, and one that begins where another has ended exceeds nothing. A wait is a fraction of a second for
each call ahead; nothing here waits for an event.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_lambda import LambdaClient

CALLS: Final = "calls"
QUOTAS: Final = {CALLS: 15, "GetFunction": 100, "GetPolicy": 15}  # a second
FREE: Final = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")
BURST: Final = 0.2  # the share of a second's calls that may be made at once; the others follow one by one
SECOND: Final = 1.05  # calls do not arrive as evenly as they are sent
EACH: Final = 1 / (QUOTAS[CALLS] * (1 - BURST))  # seconds that a call takes where there are many
UNIQUE: Final = "tidegate-pacing"


class TokenBucket:
    """`rate` tokens a second, at most `burst` of them saved; safe to use from many threads.

    Tokens are given in the order of asking.
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

    def take(self) -> float:
        """Take one token, waiting until there is one; gives how long that was, in seconds."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            self._tokens -= 1
            wait = max(0.0, -self._tokens / self._rate)
        if wait:
            self._sleep(wait)
        return wait


class Window:
    """As many calls as a quota allows at once, then none until the first of them is a second old.

    For what users wait for: the few aliases of most services are restored without any wait.
    """

    def __init__(
        self,
        most: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._times: deque[float] = deque([-math.inf] * most, maxlen=most)

    def take(self) -> float:
        """Take a place, waiting until there is one; gives how long that was, in seconds."""
        with self._lock:
            now = self._clock()
            at = max(now, self._times[0] + SECOND)
            self._times.append(at)
        if at > now:
            self._sleep(at - now)
        return at - now


def spread(quota: float) -> TokenBucket:
    """A bucket that gives no more than the quota in any second: a fifth at once, and the rest evenly."""
    return TokenBucket(quota * (1 - BURST), quota * BURST)


class Pacer:
    """The buckets of one account and region, by the quota that a call counts against."""

    def __init__(self, make: Callable[[int], TokenBucket | Window] = spread) -> None:
        self._buckets = {name: make(quota) for name, quota in QUOTAS.items()}

    def take(self, operation: str) -> float:
        """Wait for a call of this operation, as the API names it, to be within its quota."""
        if operation in FREE:
            return 0.0
        return self._buckets.get(operation, self._buckets[CALLS]).take()


_PACERS: Final[dict[tuple[str, str, bool], Pacer]] = {}
_LOCK: Final = threading.Lock()


def find_pacer(account: str, region: str, *, urgent: bool = False) -> Pacer:
    """The one pacer of this process for an account and region; an urgent one waits for no first calls."""
    with _LOCK:
        key = (account, region, urgent)
        if key not in _PACERS:
            _PACERS[key] = Pacer(Window) if urgent else Pacer()
        return _PACERS[key]


def set_pacer(account: str, region: str, pacer: Pacer) -> None:
    """Go by this pacer from now on, urgent or not: an account may have quotas of its own."""
    with _LOCK:
        _PACERS.update({(account, region, urgent): pacer for urgent in (False, True)})


def keep_pace(client: LambdaClient, pacer: Pacer) -> None:
    """Let every call of this client, and every retry of one, wait for its turn; a later pacer replaces it."""

    def wait(event_name: str, **_: Any) -> None:  # noqa: ANN401 (as botocore calls it)
        pacer.take(event_name.rpartition(".")[2])

    events = client.meta.events
    events.unregister("before-send.lambda", unique_id=UNIQUE)
    events.register_first("before-send.lambda", wait, unique_id=UNIQUE)
