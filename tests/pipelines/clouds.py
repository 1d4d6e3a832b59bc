"""A local cloud with the pipeline in it, in a process of its own.

moto's backends are globals of the process, and many tests reset them: a cloud that lives as long as the
session cannot live beside those. The process serves orders of faults, one JSON document a line; it ends with
its input.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from tidegate.cli.embedded import PACE
from tidegate.cli.pipeline import Pipeline
from tidegate.local import assembly
from tidegate.local.cloud import REGION, LocalCloud
from tidegate.local.functions import compute

if TYPE_CHECKING:
    from tests.pipelines.faults import Fault

# One for each function of the pipeline, and some for the services: every version leaves one behind.
SANDBOXES = 31


def synthesize(more: dict[str, Any] | None = None) -> Path:
    """The pipeline's assembly; of several workers one makes it."""
    assembly.BUILD.mkdir(parents=True, exist_ok=True)
    with (assembly.BUILD / ".tests-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return assembly.synthesize(PACE, more=more)


class Cloud:
    """The process, as tests see it."""

    def __init__(self, home: Path, more: dict[str, Any] | None = None) -> None:
        made = synthesize(more)
        self.log = home / "cloud.log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.pipelines.clouds", str(made), str(home / "cloud")],
                cwd=assembly.ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.endpoint_url: str = self._read()["endpoint_url"]
        session = boto3.Session(
            aws_access_key_id="nobody", aws_secret_access_key="nobody", region_name=REGION
        )
        self.pipeline = Pipeline.find(session, endpoint_url=self.endpoint_url)

    def close(self) -> None:
        """End the process, which ends with its input."""
        self._process.communicate(timeout=30)

    def order(self, *faults: Fault) -> None:
        """Replace the orders of faults."""
        self._ask({"order": [vars(fault) for fault in faults]})

    def struck(self) -> list[int]:
        """How often each fault has struck."""
        return self._ask({})["struck"]

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the local cloud has ended: {self.log.read_text()[-3000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def serve(made: Path, home: Path) -> None:
    """Run a cloud with the pipeline until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from tests.pipelines.faults import Faults

    with LocalCloud(home, pace=PACE) as cloud:
        compute().pool.cap = SANDBOXES
        assembly.deploy(cloud, made, lambda _: None)
        faults = Faults(cloud)
        print(json.dumps({"endpoint_url": cloud.endpoint_url}), file=answers, flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            if "order" in order:
                faults.order(order["order"])
            print(json.dumps({"struck": faults.struck()}), file=answers, flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]))
