"""Requests to the production aliases of a service at a steady rate, while it is entered."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from tests.pipelines.services import Service

SENDERS = 2


class Traffic:
    """`answers` counts what came back."""

    def __init__(self, service: Service, rate: float = 12) -> None:
        self._service = service
        self._rate = rate
        self._stop = threading.Event()
        self.payload: Any = {}
        self.answers: Counter[str] = Counter()

    def __enter__(self) -> Self:
        # A session makes clients in one thread only.
        client = self._service.client("lambda")
        targets = list(self._service.aliases("production").values())
        given = (client, targets)
        self._threads = [threading.Thread(target=self._send, args=given) for _ in range(SENDERS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, client: Any, targets: list[tuple[str, str]]) -> None:
        while not self._stop.wait(SENDERS / self._rate):
            for function, alias in targets:
                self.answers[self._ask(client, function, alias)] += 1

    def _ask(self, client: Any, function: str, alias: str) -> str:
        try:
            answer = client.invoke(FunctionName=function, Qualifier=alias, Payload=json.dumps(self.payload))
        except (BotoCoreError, ClientError) as error:
            return type(error).__name__
        return "error" if "FunctionError" in answer else "answer"
