"""CodeBuild, as adapters see it: builds stand as a test says, and calls are kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError


class FakeCodeBuild:
    """`status` is what each build becomes once it is looked at; `starts` and `stopped` keep the calls."""

    def __init__(self) -> None:
        self.status: dict[str, str] = {}
        self.phases: dict[str, list[dict[str, Any]]] = {}
        self.starts: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.room = 100

    def start_build(self, **given: Any) -> dict[str, Any]:
        tokens = [one["idempotencyToken"] for one in self.starts]
        if given["idempotencyToken"] in tokens:
            assert self.starts[tokens.index(given["idempotencyToken"])] == given, "a token for another call"
        elif len(self.starts) >= self.room:
            raise ClientError({"Error": {"Code": "AccountLimitExceededException"}}, "StartBuild")
        else:
            tokens.append(given["idempotencyToken"])
            self.starts.append(given)
        build = f"tidegate-builds:{tokens.index(given['idempotencyToken'])}"
        self.status.setdefault(build, "IN_PROGRESS")
        return {"build": {"id": build}}

    def batch_get_builds(self, ids: list[str]) -> dict[str, Any]:
        return {"builds": [self._describe(one) for one in ids if one in self.status]}

    def _describe(self, build: str) -> dict[str, Any]:
        return {
            "id": build,
            "buildStatus": self.status[build],
            "startTime": datetime.now(UTC),
            "phases": self.phases.get(build, []),
            "logs": {
                "groupName": "builds",
                "streamName": build.partition(":")[2],
                "deepLink": f"log/{build}",
            },
        }

    def stop_build(self, id: str) -> dict[str, Any]:  # noqa: A002 (CodeBuild's own name)
        self.stopped.append(id)
        self.status[id] = "STOPPED"
        return {}

    def variables(self, number: int) -> dict[str, str]:
        return {one["name"]: one["value"] for one in self.starts[number]["environmentVariablesOverride"]}
