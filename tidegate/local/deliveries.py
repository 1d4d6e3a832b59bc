"""Deliveries of events: asynchronous, by a small pool, retried, and at the end put on the dead-letter queue.

At least once, in no order, as EventBridge. Which event goes where is decided before; how it is handed over is
`targets`. A delivery whose target does not exist is not retried.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tidegate.local import targets

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Json: TypeAlias = dict[str, Any]
LOG: Final = logging.getLogger(__name__)
WORKERS: Final = 4
ATTEMPTS: Final = 185
FIRST_PAUSE: Final = 0.05
LONGEST_PAUSE: Final = 2.0
LOST: Final = (
    "NotFound",
    "DoesNotExist",
    "NonExistent",
    "AccessDenied",
    "ValidationException",
    "ImportError",
)


@dataclasses.dataclass
class Delivery:
    """One event on its way to one target."""

    target: Json
    text: str
    token: str
    event: Json
    source_arn: str
    attempts: int = 0

    def limit(self) -> int:
        """How many attempts after the first one the target allows."""
        policy = self.target.get("RetryPolicy") or {}
        return int(policy.get("MaximumRetryAttempts", ATTEMPTS))


class Post:
    """The pool: what is due is handed over, what failed comes again after a pause that doubles."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Delivery]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._open = True
        self._workers = [
            threading.Thread(target=self._work, name=f"tidegate-post-{number}", daemon=True)
            for number in range(WORKERS)
        ]
        for worker in self._workers:
            worker.start()

    def send(self, delivery: Delivery, pause: float = 0.0) -> None:
        """Take a delivery; it is handed over when the pause is over."""
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + pause, next(self._order), delivery))
            self._changed.notify()

    def close(self) -> None:
        """Hand nothing over any more."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        for worker in self._workers:
            worker.join(timeout=2)

    def _take(self) -> Delivery | None:
        with self._changed:
            while self._open:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
            return None

    def _work(self) -> None:
        while (delivery := self._take()) is not None:
            try:
                self._attempt(delivery)
            except Exception:
                LOG.exception("a delivery to %s was lost", delivery.target["Arn"])

    def _attempt(self, delivery: Delivery) -> None:
        delivery.attempts += 1
        try:
            targets.deliver(delivery.target, delivery.text, delivery.token, delivery.event)
        except Exception as error:  # noqa: BLE001
            self._fail(delivery, error)

    def _fail(self, delivery: Delivery, error: Exception) -> None:
        code, message = targets.explain(error)
        if code == "ExecutionAlreadyExists":
            return
        lost = any(word in code for word in LOST)
        if not lost and delivery.attempts <= delivery.limit():
            self.send(delivery, min(FIRST_PAUSE * 2 ** (delivery.attempts - 1), LONGEST_PAUSE))
            return
        LOG.warning("%s could not be delivered to: %s: %s", delivery.target["Arn"], code, message)
        queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
        if queue:
            targets.bury(queue, delivery.text, _reasons(delivery, code, message))


def _reasons(delivery: Delivery, code: str, message: str) -> dict[str, str]:
    return {
        "RULE_ARN": delivery.source_arn,
        "TARGET_ARN": delivery.target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message or code,
        "RETRY_ATTEMPTS": str(delivery.attempts - 1),
    }


_posts: list[Post] = []


def send(delivery: Delivery) -> None:
    """Give a delivery to the running cloud's pool; without a running cloud nothing is delivered."""
    for post in _posts:
        post.send(delivery)


def install(cloud: LocalCloud) -> None:
    """Open the pool until the cloud stops."""
    post = Post()
    _posts.append(post)

    def close() -> None:
        _posts.remove(post)
        post.close()

    cloud.on_stop(close)
