"""A small service in a git repository of its own, released by the pipeline of a running cloud.

Its functions need no dependencies, so that a build takes no time; each change of the service is one method,
and what the production alias answers says which change is live.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from tests.conftest import Repository
from tests.scene import eventually
from tidegate.adapters.aliases import find_alias, parse_alias
from tidegate.adapters.provisioning import list_provisioned
from tidegate.adapters.stack_trees import list_resources
from tidegate.adapters.stacks import find_stack
from tidegate.cli.main import main
from tidegate.cli.outcomes import Exit
from tidegate.cli.push import Pushed, push_commit
from tidegate.domain.ledger import ClaimState, Outcome
from tidegate.local import paths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from tests.pipelines.clouds import Cloud
    from tests.pipelines.faults import Fault
    from tidegate.domain.ledger import Claim, Entry, Release

STAGES = ("staging", "production")
PATIENCE = 180.0
POLL = 0.1

HANDLER = """import json, os

def handler(event, context):
    {body}
    return {{"statusCode": 200, "body": "{answer}" + os.environ.get("SUFFIX", "")}}
"""
TESTS = """import unittest

class Case(unittest.TestCase):
    def test(self):
        {body}
"""
CONFIG: dict[str, Any] = {
    "tests": {"command": "python -m unittest -q"},
    "stages": {
        "production": {"strategy": "Canary50Percent1Minute", "bake": "0s", "minimum_invocations": 5},
    },
}
RETURNS_500 = 'print(json.dumps({"level": "ERROR", "message": "broken"})); return {"statusCode": 500}'
RAISES = 'raise RuntimeError("broken")'


def template(functions: tuple[str, ...], changes: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """The SAM template; `changes` are properties of the first function, `others` further resources."""
    resources: dict[str, Any] = {
        name: {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": f"{name.lower()}/",
                "Handler": "app.handler",
                "Runtime": "python3.13",
                "Timeout": 10,
                **(changes if name == functions[0] else {}),
            },
        }
        for name in functions
    }
    return {"Transform": "AWS::Serverless-2016-10-31", "Resources": {**resources, **others}}


class Service:
    """A service; `live` is what its first function answers in production, by what the tests know."""

    def __init__(self, cloud: Cloud, folder: Path, functions: tuple[str, ...] = ("Front",)) -> None:
        self.name = f"s{uuid.uuid4().hex[:8]}"
        self.cloud = cloud
        self.pipeline = cloud.pipeline
        self.functions = functions
        self.repository = Repository(folder / self.name)
        self.count = 0
        self.live = ""
        self.codes: dict[str, dict[str, str]] = {}
        self.reset()

    def client(self, service: str) -> Any:
        return self.pipeline.client(service)

    def reset(self) -> None:
        """Forget what a test has configured; the next commit holds none of it."""
        self.config: dict[str, Any] = json.loads(json.dumps(CONFIG))
        self.properties: dict[str, Any] = {}
        self.resources: dict[str, Any] = {}
        self.code = self.codes.get(self.live, {})

    # What can be committed

    def change(self, body: str = "pass", **files: str) -> str:
        """Commit a new version of all functions whose code begins with `body`; gives what it answers."""
        self.count += 1
        answer = f"{self.name}-{self.count}"  # no two services share an artifact
        code = HANDLER.format(body=body, answer=answer)
        self.code = self.codes[answer] = {f"{name.lower()}/app.py": code for name in self.functions}
        self.commit(files)
        return answer

    def commit(self, files: dict[str, str] | None = None) -> str:
        """Commit the service as it is configured, with `files` over it, and nothing else."""
        standing = {
            "test_it.py": TESTS.format(body="pass"),
            **self.code,
            "tidegate.yaml": json.dumps(self.config),
            "template.yaml": json.dumps(template(self.functions, self.properties, self.resources)),
        }
        self.repository.git("rm", "-r", "-f", "--quiet", "--ignore-unmatch", ".")
        return self.repository.commit({**standing, **(files or {})})

    # Releasing

    def push(self, commit: str = "HEAD") -> Pushed:
        return push_commit(self.pipeline, self.repository.folder, commit, "main", self.name)

    def arn(self, pushed: Pushed) -> str:
        return self.pipeline.execution(f"{self.name}-{pushed.release_id}")

    def release(self, commit: str = "HEAD") -> Pushed:
        """Push and wait until everything has ended."""
        pushed = self.push(commit)
        self.await_end(pushed)
        return pushed

    def release_good(self) -> Pushed:
        """A change that must be promoted."""
        answer = self.change()
        pushed = self.release()
        assert self.outcome(pushed) is Outcome.PROMOTED, self.tell(pushed)
        self.live = answer
        return pushed

    def await_end(self, pushed: Pushed, patience: float = PATIENCE) -> None:
        """Until the release and all rollbacks of the service have ended, and the ledger says how."""

        def ended() -> bool:
            found = self.record(pushed)
            if found is None or found.outcome is Outcome.OPEN or self.running():
                return False
            claim = self.claim()
            return claim is None or claim.state is not ClaimState.HELD

        self.until(ended, lambda: self.tell(pushed), patience)

    def until(self, done: Callable[[], Any], tell: Callable[[], str], patience: float = PATIENCE) -> Any:
        deadline = time.monotonic() + patience
        while not (found := done()):
            if time.monotonic() > deadline:
                raise AssertionError(f"still waiting after {patience} s: {tell()}")
            time.sleep(POLL)
        return found

    def running(self) -> list[str]:
        """The running executions that speak of the service."""
        found = []
        for machine in (self.pipeline.resources.release_machine, self.pipeline.resources.rollback_machine):
            for item in self.pipeline.machines.list_executions(
                stateMachineArn=machine, statusFilter="RUNNING"
            )["executions"]:  # fmt: skip
                arn = item["executionArn"]
                if self.name in arn or self.name in self.describe(arn)["input"]:
                    found.append(arn)
        return found

    def describe(self, arn: str) -> Any:
        return self.pipeline.machines.describe_execution(executionArn=arn)

    def await_entry(self, pushed: Pushed, step: str, stage: str = "") -> Entry:
        """The first entry of a step."""

        def find() -> Entry | None:
            return next((e for e in self.entries(pushed) if (e.step, e.stage) == (step, stage)), None)

        return self.until(find, lambda: self.tell(pushed), PATIENCE)

    # What is there

    def record(self, pushed: Pushed) -> Release | None:
        found = self.pipeline.ledger.releases(self.name)
        return next((one for one in found if one.ref.id == pushed.release_id), None)

    def outcome(self, pushed: Pushed) -> Outcome:
        found = self.record(pushed)
        assert found is not None, f"release {pushed.release_id} was never opened"
        return found.outcome

    def entries(self, pushed: Pushed) -> list[Entry]:
        return self.pipeline.ledger.entries(self.name, pushed.release_id)

    def claim(self) -> Claim | None:
        return self.pipeline.ledger.read_claim(self.name)

    def path(self, pushed: Pushed) -> list[str]:
        return paths.path(self.pipeline.machines, self.arn(pushed))

    def path_or_nothing(self, pushed: Pushed) -> list[str]:
        """The path so far; empty where the execution has not started yet."""
        try:
            return self.path(pushed)
        except self.pipeline.machines.exceptions.ExecutionDoesNotExist:
            return []

    def rollbacks(self) -> list[Any]:
        """The executions of the rollback machine that speak of the service, the first one first."""
        machine = self.pipeline.resources.rollback_machine
        found = self.pipeline.machines.list_executions(stateMachineArn=machine)["executions"]
        described = (self.describe(item["executionArn"]) for item in found)
        return sorted(
            (one for one in described if self.name in one["input"]), key=lambda one: one["startDate"]
        )

    def aliases(self, stage: str) -> dict[str, tuple[str, str]]:
        """(function, alias) by the alias's logical id; one that is being made has no ARN yet."""
        stack = f"{self.name}-{stage}"
        if find_stack(self.client("cloudformation"), stack) is None:
            return {}
        resources = list_resources(self.client("cloudformation"), stack)
        found = {key: arn for key, arn in resources.items() if key.endswith("Aliaslive") and ":" in arn}
        return {key: parse_alias(arn) for key, arn in found.items()}

    def ask(self, stage: str = "production") -> list[str]:
        """What the stage's functions answer behind their aliases, one after the other."""
        told = []
        for function, alias in self.aliases(stage).values():
            answer = self.client("lambda").invoke(FunctionName=function, Qualifier=alias, Payload=b"{}")
            body = json.loads(answer["Payload"].read())
            told.append(str(body.get("body", body)) if isinstance(body, dict) else str(body))
        return told

    def weights(self) -> dict[str, Any]:
        """The aliases that are split."""
        split = {}
        for stage in STAGES:
            for key, (function, alias) in self.aliases(stage).items():
                state = find_alias(self.client("lambda"), function, alias)
                if state is None or state.pointing.weights:
                    split[f"{stage}/{key}"] = state
        return split

    def provided(self) -> dict[str, dict[str, int]]:
        """By stage: the provisioned concurrency of its functions, by qualifier; stages without are left out."""
        found: dict[str, dict[str, int]] = {}
        for stage in STAGES:
            for function, _ in self.aliases(stage).values():
                standing = list_provisioned(self.client("lambda"), function)
                if standing:
                    found.setdefault(stage, {}).update({key: one.requested for key, one in standing.items()})
        return found

    def standing(self, stage: str = "production") -> dict[str, str]:
        """What a stage's stack holds: physical by logical id."""
        return list_resources(self.client("cloudformation"), f"{self.name}-{stage}")

    def stacks(self) -> dict[str, str]:
        """Every stack of the service with its status."""
        pages = self.client("cloudformation").get_paginator("describe_stacks").paginate()
        return {
            stack["StackName"]: stack["StackStatus"]
            for page in pages
            for stack in page["Stacks"]
            if self.name in stack["StackName"]
        }

    # What must hold

    def check_settled(self) -> None:
        """Aliases whole and on what is live, the claim free, no stack busy, nothing running.

        An alarm that fired for a release starts an execution, which ends as soon as it has found it repaired.
        """
        eventually(lambda: not self.running())
        claim = self.claim()
        assert claim is None or claim.state is ClaimState.FREE, claim
        assert not self.weights()
        if not self.properties:
            assert not self.provided()
        if self.live:
            assert set(self.ask()) == {self.live}
        busy = {name: status for name, status in self.stacks().items() if status.endswith("IN_PROGRESS")}
        assert not {name: s for name, s in busy.items() if s != "DELETE_IN_PROGRESS"}, busy

    def command(self, *arguments: str) -> Result:
        """What `tidegate` says to these arguments."""
        return CliRunner().invoke(main, list(arguments), obj=self.pipeline)

    def check_rejected(self, pushed: Pushed, state: str, error: str, words: str) -> None:
        """The release ended before any traffic moved, and says why in one line wherever one looks."""
        found = self.record(pushed)
        assert found is not None, self.tell(pushed)
        assert found.outcome is Outcome.REJECTED, self.tell(pushed)
        assert self.path(pushed)[-1] == "Rejected"
        assert found.reason.startswith(f"{state}: {error}: "), found.reason
        assert words in found.reason
        assert "\n" not in found.reason
        assert not [e for e in self.entries(pushed) if e.step == "ShiftTraffic"]
        assert found.reason in self.entries(pushed)[-1].what
        assert words in " ".join(self.command("status", self.name).output.split())
        assert self.command("watch", self.name, pushed.release_id).exit_code == Exit.REJECTED
        self.check_settled()

    def tell(self, pushed: Pushed) -> str:
        """Everything that explains a failed test."""
        arn = self.arn(pushed)
        try:
            found = self.describe(arn)
        except self.pipeline.machines.exceptions.ExecutionDoesNotExist:
            return f"{arn} was never started"
        lines = [f"{found['status']} {found.get('error')} {str(found.get('cause'))[:1500]}"]
        lines += [f"{e.at:%S.%f} {e.stage:10} {e.step:16} {e.what[:400]}" for e in self.entries(pushed)]
        lines += [f"path {self.path(pushed)}", f"claim {self.claim()}", f"stacks {self.stacks()}"]
        for one in self.rollbacks():
            steps = paths.path(self.pipeline.machines, one["executionArn"])
            lines.append(f"rollback {one['status']} {one.get('error')} {str(one.get('cause'))[:500]} {steps}")
        return "\n".join(lines)

    def order(self, *faults: Fault) -> None:
        """Faults that befall this service alone."""
        for fault in faults:
            fault.words = [self.name, *fault.words]
        self.cloud.order(*faults)


def compress(path: list[str]) -> list[str]:
    """A path without Choice states' repetitions: looping waits once."""
    text = " ".join(path)
    text = re.sub(r"(ObserveTraffic JudgeCanary IsJudged )+(?=ObserveTraffic)", "", text)
    text = re.sub(r"(UndoRelease VerifyRecovery IsRecovered WaitForRecovery )+(?=UndoRelease)", "", text)
    return text.split()
