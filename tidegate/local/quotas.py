"""Lambda's quotas on control-plane calls, kept as AWS keeps them: what exceeds them is throttled.

A cloud has this only where it is asked for: time runs faster there than calls do, and tests make many at
once. Every call that comes over the network is noted, so that a measurement can tell when it was made. What
CloudFormation calls is not limited: on AWS it paces itself.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#api-requests
"""

from __future__ import annotations

import json
import re
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.local.stack_registry import USER_AGENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tidegate.local.cloud import LocalCloud

SCOPE: Final = re.compile(r"Credential=[^/]+/[^/]+/[^/]+/(?P<service>[^/]+)/")
FUNCTION: Final = re.compile(r"/2015-03-31/functions/[^/]+/?")
PER_SECOND: Final = {"calls": 15, "GetFunction": 100, "GetPolicy": 15}
UNLIMITED: Final = ("/invocations", "/invoke-async", "/response-streaming-invocations")
REFUSAL: Final = {"Type": "User", "message": "Rate exceeded", "Reason": "CallerRateLimitExceeded"}
RUNNING: dict[str, Quotas] = {}


class Noted(NamedTuple):
    """A call: when (since 1970), of which service, by which quota (empty: none), and whether throttled."""

    at: float
    service: str
    quota: str
    throttled: bool


class Quotas:
    """A bucket for each quota, full at first, that fills at its own rate: the calls of a second at once."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._levels = {name: (float(most), clock()) for name, most in PER_SECOND.items()}
        self.noted: list[Noted] = []

    def take(self, service: str, quota: str) -> bool:
        """Note a call; False where it is to be throttled."""
        with self._lock:
            now = self._clock()
            throttled = bool(quota) and not self._draw(quota, now)
            self.noted.append(Noted(now, service, quota, throttled))
        return not throttled

    def _draw(self, quota: str, now: float) -> bool:
        most = PER_SECOND[quota]
        level, filled = self._levels[quota]
        level = min(most, level + (now - filled) * most)
        self._levels[quota] = (level - (level >= 1), now)
        return level >= 1


def running() -> Quotas:
    """The quotas of the cloud that runs with them."""
    return RUNNING["quotas"]


def find_quota(method: str, path: str) -> str:
    """The quota that a call of Lambda counts against; empty for invocations."""
    if path.endswith(UNLIMITED):
        return ""
    if method == "GET" and FUNCTION.fullmatch(path):
        return "GetFunction"
    if method == "GET" and path.endswith("/policy"):
        return "GetPolicy"
    return "calls"


def install(cloud: LocalCloud) -> None:
    """Look at every request before it is answered."""
    quotas = RUNNING["quotas"] = Quotas()
    server = cloud.server
    answer = server.app

    def look(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        found = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        service = found["service"] if found else ""
        path = environ.get("PATH_INFO", "")
        limited = service == "lambda" and USER_AGENT not in environ.get("HTTP_USER_AGENT", "")
        quota = find_quota(environ["REQUEST_METHOD"], path) if limited else ""
        if quotas.take(service, quota):
            parts: Iterable[bytes] = answer(environ, start_response)
            return parts
        body = json.dumps(REFUSAL).encode()
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", "TooManyRequestsException")]
        start_response("429 Too Many Requests", headers)
        return [body]

    cloud.patch(server, "app", look)
