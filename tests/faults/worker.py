"""One process with one cloud that tries points: lines of JSON in, lines of JSON out.

Most of a run is waiting, so that many services run side by side; each has its own plan.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import boto3

from tests.faults import network, processes
from tests.faults.acts import AT_ONCE, configure
from tests.faults.plans import Plan, Point
from tests.faults.proxy import Proxy
from tests.faults.scenarios import SCENARIOS, run
from tests.faults.subjects import Subject
from tests.pipelines.clouds import synthesize
from tidegate.adapters.pacing import Pacer, TokenBucket, set_pacer
from tidegate.cli.embedded import PACE
from tidegate.cli.pipeline import Pipeline
from tidegate.local import assembly
from tidegate.local.cloud import ACCOUNT_ID, REGION, LocalCloud

SIDE_BY_SIDE = 5
WORN = 25  # releases after which a service is left for a new one: its history costs time


class Worker:
    """The cloud and the services of this process."""

    def __init__(self, home: Path, out: IO[str]) -> None:
        self.home = home
        self.out = out
        self.lock = threading.Lock()
        self.cloud = LocalCloud(home / "cloud", pace=PACE)
        self.cloud.start()
        os.environ.update(self.cloud.environment())
        network.install(self.cloud)
        self.proxy = Proxy(self.cloud)
        processes.install(self.cloud)
        # Many services share this account, at a time that runs sixty times as fast.
        set_pacer(ACCOUNT_ID, REGION, Pacer(lambda _: TokenBucket(10_000)))
        assembly.deploy(self.cloud, synthesize(), lambda _: None)
        session = boto3.Session(
            aws_access_key_id="nobody", aws_secret_access_key="nobody", region_name=REGION
        )
        self.pipeline = Pipeline.find(session, endpoint_url=self.cloud.endpoint_url)

    def tell(self, **what: Any) -> None:
        with self.lock:
            print(json.dumps(what), file=self.out, flush=True)

    def make_fresh(self) -> Subject:
        """A service that nothing is known of, made one at a time."""
        with self.lock:
            return Subject(self.pipeline, self.home)

    def make_subject(self) -> Subject:
        """A service with a healthy release in both stages."""
        subject = self.make_fresh()
        configure(subject, AT_ONCE)
        subject.release_clean()
        return subject

    def work(self, points: queue.Queue[Point | None]) -> None:
        """Try points until there are none."""
        subject: Subject | None = None
        while (point := points.get()) is not None:
            if SCENARIOS[point.scenario].fresh:
                self.attempt(point, self.make_fresh())
                continue
            if subject is None or subject.count > WORN:
                subject = self.make_subject()
            if not self.attempt(point, subject):
                subject = None

    def attempt(self, point: Point, subject: Subject) -> bool:
        """Try one point; a service that a violation was found on is not used again."""
        plan, begun = Plan(point.kind, point.k, point.seed, point.at), time.monotonic()
        violation = told = outcome = ""
        try:
            outcome = run(SCENARIOS[point.scenario], subject, self.proxy, plan).value
        except Exception as error:  # noqa: BLE001
            violation = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            told = self.explain(subject)
        self.tell(
            point=asdict(point),
            calls=len(plan.calls),
            recorded=plan.record() if not point.kind else {},
            struck=str(plan.struck) if plan.struck else "",
            outcome=outcome,
            violation=violation,
            told=told,
            seconds=time.monotonic() - begun,
        )
        return not violation

    def explain(self, subject: Subject) -> str:
        """Everything about the service's releases."""
        lines = []
        for record in list(subject.pipeline.ledger.releases(subject.name))[:2]:
            lines.append(f"{record.ref.id} {record.outcome} {record.reason}")
            lines += [
                f"  {e.at:%S.%f} {e.stage:10} {e.step:16} {e.what[:300]}"
                for e in subject.pipeline.ledger.entries(subject.name, record.ref.id)
            ]
        for one in subject.executions():
            lines.append(f"{one.exec_arn} {one.status} {one.error} {str(one.cause)[:1000]}")
        lines += [f"claim {subject.claim()}", f"stacks {subject.stacks()}"]
        return "\n".join(lines)


def main() -> None:
    """Serve points from the input until it ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    side_by_side = int(sys.argv[1]) if len(sys.argv) > 1 else SIDE_BY_SIDE
    home = Path(tempfile.mkdtemp(prefix="tidegate-faults-"))
    worker = Worker(home, out)
    points: queue.Queue[Point | None] = queue.Queue()
    threads = [threading.Thread(target=worker.work, args=(points,), daemon=True) for _ in range(side_by_side)]
    for thread in threads:
        thread.start()
    for line in sys.stdin:
        points.put(Point(**json.loads(line)))
    for _ in threads:
        points.put(None)
    for thread in threads:
        thread.join()
    out.flush()
    shutil.rmtree(home, ignore_errors=True)
    os._exit(0)  # threads of killed functions may still wait for an answer


if __name__ == "__main__":
    main()
