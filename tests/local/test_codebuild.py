"""CodeBuild in the local cloud: a buildspec is run for real, and its end is an event."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tidegate.local.buildspecs import UnsupportedBuildspec, read_buildspec

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

SPEC = "version: 0.2\nenv: {{shell: bash}}\nphases:\n  build:\n    commands:\n      - {command}\n"


class Project:
    def __init__(self, cloud: LocalCloud, spec: str) -> None:
        self.client = cloud.client("codebuild")
        self.logs = cloud.client("logs")
        self.name = f"p{uuid.uuid4().hex[:8]}"
        self.client.create_project(
            name=self.name,
            source={"type": "NO_SOURCE", "buildspec": spec},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "ARM_CONTAINER", "image": "any", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole="arn:aws:iam::123456789012:role/builds",
            timeoutInMinutes=5,
        )

    def start(self, **given: Any) -> str:
        return str(self.client.start_build(projectName=self.name, **given)["build"]["id"])

    def find(self, build: str) -> Any:
        return self.client.batch_get_builds(ids=[build])["builds"][0]

    def end(self, build: str) -> Any:
        until = time.monotonic() + 60
        while (found := self.find(build))["buildStatus"] == "IN_PROGRESS":
            assert time.monotonic() < until
            time.sleep(0.05)
        return found

    def printed(self, build: str) -> list[str]:
        logs = self.find(build)["logs"]
        events = self.logs.get_log_events(
            logGroupName=logs["groupName"], logStreamName=logs["streamName"], startFromHead=True
        )["events"]
        return [event["message"] for event in events if not event["message"].startswith("[Container]")]


def test_a_build_runs_in_its_own_folder_without_credentials(cloud: LocalCloud) -> None:
    script = '"pwd; test $PWD = $CODEBUILD_SRC_DIR; env | grep -c AWS_; echo $OWN; python3 -m pip --version"'
    project = Project(cloud, SPEC.format(command=script))
    build = project.start(environmentVariablesOverride=[{"name": "OWN", "value": "mine"}])
    found = project.end(build)
    said = project.printed(build)
    assert (found["buildStatus"], said[1:3]) == ("SUCCEEDED", ["0", "mine"]), said
    assert [phase["phaseType"] for phase in found["phases"]] == ["SUBMITTED", "BUILD", "COMPLETED"]


def test_the_first_command_that_fails_ends_its_phase(cloud: LocalCloud) -> None:
    spec = SPEC.format(command='"echo one; (exit 3)"') + "      - echo two\n"
    spec += '  post_build:\n    commands: ["echo after $CODEBUILD_BUILD_SUCCEEDING"]\n'
    project = Project(cloud, spec)
    build = project.start()
    assert project.end(build)["buildStatus"] == "FAILED"
    assert project.printed(build) == ["one", "after 0"]


def test_a_build_is_stopped_with_all_that_it_started(cloud: LocalCloud) -> None:
    project = Project(cloud, SPEC.format(command='"sleep 300 & sleep 300"'))
    build = project.start()
    time.sleep(0.2)
    project.client.stop_build(id=build)
    assert project.end(build)["buildStatus"] == "STOPPED"


def test_a_build_that_cannot_be_run_here_ends_and_says_why(cloud: LocalCloud) -> None:
    project = Project(cloud, SPEC.format(command="echo one"))
    build = project.start(environmentVariablesOverride=[{"name": "OWN", "value": "no\0thing"}])
    assert project.end(build)["buildStatus"] == "FAULT"
    assert project.printed(build) == ["the build could not be run: embedded null byte"]


def test_a_token_starts_one_build_and_no_other(cloud: LocalCloud) -> None:
    project = Project(cloud, SPEC.format(command="echo one"))
    assert project.start(idempotencyToken="t") == project.start(idempotencyToken="t")
    with pytest.raises(ClientError, match="other parameters"):
        project.start(idempotencyToken="t", imageOverride="other")


def test_the_end_is_an_event(cloud: LocalCloud) -> None:
    project = Project(cloud, SPEC.format(command="echo one"))
    queue = cloud.client("sqs").create_queue(QueueName=project.name)["QueueUrl"]
    events = cloud.client("events")
    pattern = {"source": ["aws.codebuild"], "detail": {"project-name": [project.name]}}
    events.put_rule(Name=project.name, EventPattern=json.dumps(pattern))
    arn = f"arn:aws:sqs:us-east-1:123456789012:{project.name}"
    events.put_targets(Rule=project.name, Targets=[{"Id": "q", "Arn": arn}])
    build = project.start(environmentVariablesOverride=[{"name": "OWN", "value": "mine"}])
    project.end(build)
    told: list[Any] = []
    until = time.monotonic() + 20
    while len(told) < 2 and time.monotonic() < until:
        answer = cloud.client("sqs").receive_message(
            QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10
        )
        told += [json.loads(one["Body"])["detail"] for one in answer.get("Messages", ())]
    assert {one["build-status"] for one in told} == {"IN_PROGRESS", "SUCCEEDED"}
    variables = told[0]["additional-information"]["environment"]["environment-variables"]
    assert [(one["name"], one["value"]) for one in variables] == [("OWN", "mine")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 0.1\n", "version 0.2"),
        ("version: 0.2\nreports: {}\n", "reports in the buildspec"),
        ("version: 0.2\nenv: {secrets-manager: {}}\n", "secrets-manager in env"),
        ("version: 0.2\nphases: {build: {commands: [], finally: []}}\n", "finally in phases/build"),
        ("version: 0.2\nphases: {deploy: {commands: []}}\n", "deploy in phases"),
        ("version: 0.2\nenv: {shell: powershell.exe}\n", "powershell"),
    ],
)
def test_what_is_not_run_here_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(UnsupportedBuildspec, match=words):
        read_buildspec(text)


def test_a_build_that_asks_for_more_is_refused_by_name(cloud: LocalCloud) -> None:
    project = Project(cloud, SPEC.format(command="echo one"))
    with pytest.raises(ClientError, match="sourceVersion of StartBuild is not available"):
        project.start(sourceVersion="main")
    with pytest.raises(ClientError, match="type PARAMETER_STORE are not available"):
        project.start(environmentVariablesOverride=[{"name": "A", "value": "b", "type": "PARAMETER_STORE"}])


def test_our_buildspec_names_the_tool_that_an_image_lacks(cloud: LocalCloud) -> None:
    spec = Path(__file__).parents[2] / "infra" / "buildspec.yaml"
    project = Project(cloud, spec.read_text())
    nowhere = {"PATH": "/nonexistent", "TIDEGATE_METHOD": "sam"}
    build = project.start(
        environmentVariablesOverride=[{"name": name, "value": value} for name, value in nowhere.items()]
    )
    found = project.end(build)
    assert found["buildStatus"] == "FAILED"
    assert [one["phaseType"] for one in found["phases"]] == ["SUBMITTED", "INSTALL", "COMPLETED"]
    assert project.printed(build) == ["this image has no curl, which the build needs"]
