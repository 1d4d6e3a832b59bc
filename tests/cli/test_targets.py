from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from click.testing import CliRunner, Result
from moto.server import ThreadedMotoServer

from tidegate.cli.local_state import LocalState, read_state
from tidegate.cli.main import VERBS, main
from tidegate.cli.pipeline import Pipeline, Resources
from tidegate.cli.troubles import explain
from tidegate.domain.errors import InvalidTemplate

if TYPE_CHECKING:
    from pathlib import Path

STACK = {
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    "Outputs": {"SourceBucket": {"Value": "elsewhere"}, "Branches": {"Value": "main,next"}},
}


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def gone() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        return process.pid


@pytest.mark.usefixtures("aws")
def test_names_come_from_the_stack_then_from_the_infrastructure() -> None:
    session = boto3.Session(region_name="eu-west-1")
    stacks = session.client("cloudformation")
    stacks.create_stack(StackName="tidegate", TemplateBody=json.dumps(STACK))
    stacks.get_waiter("stack_create_complete").wait(StackName="tidegate", WaiterConfig={"Delay": 1})
    found = Pipeline.find(session).resources
    assert found == Resources(
        account="123456789012",
        region="eu-west-1",
        ledger_table="tidegate-ledger",
        artifact_bucket="tidegate-artifacts-123456789012-eu-west-1",
        source_bucket="elsewhere",
        event_bus="tidegate",
        release_machine="arn:aws:states:eu-west-1:123456789012:stateMachine:tidegate-release",
        rollback_machine="arn:aws:states:eu-west-1:123456789012:stateMachine:tidegate-rollback",
        branches=("main", "next"),
    )


@pytest.mark.usefixtures("aws")
def test_pipeline_that_is_not_deployed_is_named() -> None:
    done = call("status", "--region", "eu-west-1")
    assert (done.exit_code, done.stderr) == (
        1,
        "error: no stack tidegate in eu-west-1: deploy the pipeline there, or name another region\n",
    )


@pytest.mark.usefixtures("aws")
def test_region_and_profile_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    done = call("status", "--profile", "nobody")
    assert "The config profile (nobody) could not be found; the profiles are" in done.stderr
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    done = call("status")
    assert done.stderr == "error: no AWS region; name it with --region or AWS_REGION, or use --local\n"


@pytest.mark.parametrize("state", [None, "{", "ended"])
def test_local_cloud_that_does_not_run_is_an_error_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str | None
) -> None:
    file = tmp_path / "cloud.json"
    monkeypatch.setenv("TIDEGATE_LOCAL_STATE", str(file))
    if state == "ended":
        LocalState(endpoint_url="http://127.0.0.1:1", account="1", region="us-east-1", pid=gone()).write()
    elif state is not None:
        file.write_text(state)
    for done in (
        call("status", "--local"),
        CliRunner().invoke(main, ["status"], env={"TIDEGATE_LOCAL": "1"}),
    ):
        assert done.exit_code == 1
        assert done.stderr.endswith("start one with `tidegate local up` and leave it running\n")
        assert len(done.stderr.splitlines()) == 1


def test_local_cloud_that_does_not_answer_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIDEGATE_LOCAL_STATE", str(tmp_path / "cloud.json"))
    state = LocalState(
        endpoint_url="http://127.0.0.1:1", account="123456789012", region="us-east-1", pid=os.getpid()
    )
    assert read_state(state.write()) == state
    done = call("status", "--local")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: AWS, or the local cloud, does not answer: ")
    assert len(done.stderr.splitlines()) == 1


def answer(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetItem")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (answer("AccessDeniedException"), "AWS denies GetItem: no"),
        (answer("ExpiredToken"), "AWS does not accept these credentials (GetItem: no)"),
        (answer("ResourceNotFoundException"), "a part of the pipeline is missing (GetItem: no)"),
        (answer("Throttling"), "AWS answered GetItem with Throttling: no"),
        (NoCredentialsError(), "no AWS credentials: Unable to locate credentials"),
        (InvalidTemplate("no", file="template.yaml", line=3), "template.yaml:3: no"),
        (LookupError("orders has no release"), "orders has no release"),
        (PermissionError(13, "Permission denied", "tidegate.yaml"), "[Errno 13] Permission denied"),
    ],
)
def test_what_a_user_can_cause_is_told_in_one_line(error: Exception, said: str) -> None:
    assert (explain(error) or "").startswith(said)


@pytest.mark.parametrize("error", [KeyError("body"), RuntimeError("a fault"), AssertionError()])
def test_faults_of_tidegate_keep_their_traceback(error: Exception) -> None:
    assert explain(error) is None


def test_help_imports_no_verb() -> None:
    code = (
        "import sys\nfrom tidegate.cli.main import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "heavy = {'boto3', 'botocore', 'pydantic', 'rich', 'yaml', 'moto'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in VERBS)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_its_help(name: str) -> None:
    done = call(name, "--help")
    assert done.exit_code == 0
    assert done.output.startswith(f"Usage: main {name}")
    assert call(name, "--no-such-option").exit_code == 2


def test_running_local_cloud_is_worked_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDEGATE_LOCAL_STATE", str(tmp_path / "cloud.json"))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        state = LocalState(
            endpoint_url=f"http://{host}:{port}", account="123456789012", region="us-east-1", pid=os.getpid()
        )
        state.write()
        stacks = state.session.client("cloudformation", endpoint_url=state.endpoint_url)
        stacks.create_stack(StackName="tidegate", TemplateBody=json.dumps(STACK))
        done = call("status", "--local")
        assert done.exit_code == 1
        assert done.stderr.startswith("error: a part of the pipeline is missing (Query: ")
    finally:
        server.stop()
