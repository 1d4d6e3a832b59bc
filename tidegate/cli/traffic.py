"""A traffic generator: requests to a service's production aliases at a steady rate, each answer counted.

It knows no service: what to send and what counts as failed are given to it.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from botocore.exceptions import BotoCoreError, ClientError

from tidegate.cli.report_series import TrafficSample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_lambda import LambdaClient

SENDERS: Final = 4


class Target(NamedTuple):
    """An alias to send to, as Lambda names it."""

    function: str
    alias: str


class Request(NamedTuple):
    """What is sent to which function of the template."""

    function: str
    payload: Any


class Traffic:
    """Sends while it is entered; `targets` may change at any time, requests for others are left out."""

    def __init__(
        self,
        client: LambdaClient,
        requests: Iterator[Request],
        failed: Callable[[Any, str | None], bool],
        rate: float,
    ) -> None:
        self._client = client
        self._requests = requests
        self._failed = failed
        self._rate = rate
        self.targets: dict[str, Target] = {}
        self._counts: dict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._pace, name="traffic", daemon=True)
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="sender")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._senders.shutdown(cancel_futures=True)

    def _pace(self) -> None:
        """One request each 1/rate seconds; a sender that is late does not make the next ones late."""
        due = time.monotonic()
        waiting = threading.BoundedSemaphore(SENDERS * 2)
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / self._rate, time.monotonic() - 1)
            target = self.targets.get((request := next(self._requests)).function)
            if target is not None and waiting.acquire(timeout=1):
                future = self._senders.submit(self._send, target, request)
                future.add_done_callback(lambda _: waiting.release())

    def _send(self, target: Target, request: Request) -> None:
        second = int(time.time())
        version, failed = "?", True
        try:
            answer = self._client.invoke(
                FunctionName=target.function, Qualifier=target.alias, Payload=json.dumps(request.payload)
            )
            version = answer.get("ExecutedVersion", "?")
            body = json.loads(answer["Payload"].read() or b"null")
            failed = self._failed(body, answer.get("FunctionError"))
        except (BotoCoreError, ClientError):
            failed = True
        with self._lock:
            counts = self._counts[second, request.function, version]
            counts[0] += 1
            counts[1] += failed

    def samples(self, stage: str, since: datetime, until: datetime) -> tuple[TrafficSample, ...]:
        """What was sent from `since` to `until`, by second, function and version."""
        first, last = int(since.timestamp()), int(until.timestamp())
        with self._lock:
            found = sorted((key, tuple(value)) for key, value in self._counts.items())
        return tuple(
            TrafficSample(
                at=datetime.fromtimestamp(second, UTC),
                stage=stage,
                function=function,
                version=version,
                requests=requests,
                failed=failed,
            )
            for (second, function, version), (requests, failed) in found
            if first <= second <= last
        )
