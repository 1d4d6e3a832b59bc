"""A service of the harness: what it commits is built and tested in no time, and its end is seen at once.

What runs is looked up in the cloud itself, in this process: hundreds of polls by HTTP would cost more than the
release that they watch.
"""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from moto.awslambda.models import lambda_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from tests.faults import invariants
from tests.faults.processes import ACTIVE
from tests.pipelines.services import Service, template
from tidegate.adapters.stack_trees import list_resources
from tidegate.adapters.stacks import find_stack
from tidegate.domain.ledger import Outcome
from tidegate.local import deliveries
from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.local.functions import compute, invoke

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.plans import Plan
    from tidegate.cli.pipeline import Pipeline
    from tidegate.cli.push import Pushed

PATIENCE = 90.0
POLL = 0.03
QUIET = 0.2
STARTED = 10.0
BURST = 6
CLIENTS: dict[str, Any] = {}
LOCK = threading.Lock()


class Stuck(AssertionError):
    """Something never ended."""


class Subject(Service):
    """`plan` is what befalls it now, if anything does."""

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        super().__init__(SimpleNamespace(pipeline=pipeline), folder)
        self.plan: Plan | None = None
        self.is_late = self.is_closing = False
        self.statuses: dict[str, str] = {}  # of executions that were forgotten
        self.earlier = ""
        self.answers: dict[str, str] = {}
        self.last: Pushed | None = None
        self._newest = ""
        self._names: dict[str, tuple[str, str]] = {}

    def client(self, service: str) -> Any:
        """One client of each service, for all subjects."""
        with LOCK:
            if service not in CLIENTS:
                CLIENTS[service] = super().client(service)
            return CLIENTS[service]

    def commit(self, files: dict[str, str] | None = None) -> str:
        """The service without tests of its own: they would run in a process."""
        config = {key: value for key, value in self.config.items() if key != "tests"}
        standing = {
            **self.code,
            "tidegate.yaml": json.dumps(config),
            "template.yaml": json.dumps(template(self.functions, self.properties, self.resources)),
        }
        return self.repository.commit({**standing, **(files or {})})

    # Waiting

    def executions(self) -> list[Any]:
        """The executions of both machines that speak of the service."""
        backend = stepfunctions_parser_backends[ACCOUNT_ID][REGION]
        found = [run for machine in list(backend.state_machines) for run in list(machine.executions)]
        return [run for run in found if self.name in run.name or self.name in str(run.execution_input)]

    def busy(self) -> str:
        """What still goes on for the service; empty where nothing does."""
        running = [
            run.exec_arn.rpartition("tidegate-")[2] for run in self.executions() if run.status == "RUNNING"
        ]
        if running:
            return f"running: {running}"
        if ACTIVE[self.name]:
            return "a function runs"
        if self.plan is not None and self.plan.pending:
            return "a late call is on its way"
        for post in deliveries._posts:
            if any(self.name in item[2].text for item in list(post._due)):
                return "an event is on its way"
        if any(self.name in item[2].call.payload.decode() for item in list(compute().deliveries._waiting)):
            return "an invocation waits"
        return ""

    def settle(self, patience: float = PATIENCE) -> None:
        """Until nothing goes on for the service, and stays so."""
        deadline, quiet_since = time.monotonic() + patience, 0.0
        while True:
            now, busy = time.monotonic(), self.busy()
            quiet_since = 0.0 if busy else quiet_since or now
            if quiet_since and now - quiet_since > QUIET:
                return
            if now > deadline:
                message = f"not settled after {patience:g} s: {busy}"
                raise Stuck(message)
            time.sleep(POLL)

    def until(
        self, done: Callable[[], Any], tell: Callable[[], str] = str, patience: float = PATIENCE
    ) -> Any:
        deadline = time.monotonic() + patience
        while not (found := done()):
            if time.monotonic() > deadline:
                message = f"still waiting after {patience:g} s: {tell()}"
                raise Stuck(message)
            time.sleep(POLL)
        return found

    def change(self, body: str = "pass", **files: str) -> str:
        self._newest = super().change(body, **files)
        return self._newest

    def push(self, commit: str = "HEAD") -> Pushed:
        pushed = super().push(commit)
        self.answers[pushed.release_id] = self._newest
        return pushed

    def start(self) -> Pushed:
        """Push, and wait until the release's execution is there; a fault may keep it from ever being."""
        pushed = self.push()
        arn, deadline = self.arn(pushed), time.monotonic() + STARTED
        while time.monotonic() < deadline and not any(run.exec_arn == arn for run in self.executions()):
            time.sleep(POLL)
        return pushed

    def is_running(self, pushed: Pushed) -> bool:
        """Whether the release's execution runs."""
        arn = self.arn(pushed)
        return any(run.exec_arn == arn and run.status == "RUNNING" for run in self.executions())

    def status(self, pushed: Pushed) -> str:
        """How the release's execution stands, or ended; ABSENT where there never was one."""
        arn = self.arn(pushed)
        standing = {run.exec_arn: run.status for run in self.executions()}
        return standing.get(arn) or self.statuses.get(arn, "ABSENT")

    def stop_execution(self, machine: str) -> None:
        """Somebody stops what runs of one machine by hand."""
        client = self.client("stepfunctions")
        for run in self.executions():
            if run.status == "RUNNING" and f":tidegate-{machine}:" in run.exec_arn:
                client.stop_execution(executionArn=run.exec_arn, error="Stopped", cause="by hand")

    def ask(self, stage: str = "production") -> list[str]:
        """What the stage answers; a stack that was not adopted yet has no aliases, and answers as it is."""
        told = super().ask(stage)
        return told or [self.answer("$LATEST", stage)] if self.stage_resources(stage) else []

    def answer(self, version: str, stage: str = "production") -> str:
        """What a version of the first function answers."""
        function = self.stage_resources(stage)[self.functions[0]]
        answer = self.client("lambda").invoke(FunctionName=function, Qualifier=version, Payload=b"{}")
        return str(json.loads(answer["Payload"].read())["body"])

    def stage_resources(self, stage: str) -> dict[str, str]:
        """The physical ids of a stage's resources; empty where there is no stack."""
        client, stack = self.client("cloudformation"), f"{self.name}-{stage}"
        return list_resources(client, stack) if find_stack(client, stack) is not None else {}

    # Traffic

    def place(self, stage: str = "production") -> tuple[str, str] | None:
        """(function, alias) of the stage; asked of the cloud once."""
        if stage not in self._names:
            found = list(self.aliases(stage).values())
            if not found:
                return None
            self._names[stage] = found[0]
        return self._names[stage]

    def alias(self, stage: str = "production") -> Any:
        """moto's own record of the stage's alias."""
        place = self.place(stage)
        if place is None:
            return None
        storage = lambda_backends[ACCOUNT_ID][REGION]._lambdas
        return storage._get_function_aliases(place[0]).get(place[1])

    def is_split(self) -> bool:
        alias = self.alias()
        return bool(alias and (alias.routing_config or {}).get("AdditionalVersionWeights"))

    def send_traffic(self, stop: threading.Event) -> None:
        """Requests while production's alias is split: only then does anybody look at them."""
        while not stop.wait(0.1):
            if self.is_split():
                function, alias = self.place() or ("", "")
                for _ in range(BURST):
                    invoke(f"{function}:{alias}", b"{}")

    # Releases that nothing befalls

    def release_clean(self) -> None:
        """A release that must be promoted."""
        before, answer = self.live, self.change()
        pushed = self.start()
        self.settle()
        outcome = invariants.check(self, pushed, before, answer)
        record = self.record(pushed)
        told = record.reason if record else [(run.status, run.cause) for run in self.executions()]
        assert outcome is Outcome.PROMOTED, f"the next release ended as {outcome.value}: {told}"
        self.live, self.last = answer, pushed
        self.forget()

    def forget(self) -> None:
        """Drop what has ended: every look at the running ones goes through all of them."""
        backend = stepfunctions_parser_backends[ACCOUNT_ID][REGION]
        runs = [run for run in self.executions() if run.status != "RUNNING"]
        self.statuses |= {run.exec_arn: run.status for run in runs}
        ended = {id(run) for run in runs}
        for machine in list(backend.state_machines):
            machine.executions[:] = [run for run in machine.executions if id(run) not in ended]
