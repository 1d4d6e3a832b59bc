"""From a push to a repository at GitHub to the promotion, and back to the commit's status.

GitHub is a small server on this machine with git's own HTTP backend; the pipeline is told its address as it is
told that of a GitHub Enterprise Server.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_releases import ENTER, LEAVE, OPEN
from tests.git_host import TOKEN, GitHost
from tests.pipelines.clouds import Cloud
from tests.pipelines.services import Service, compress
from tidegate.cli.push import Pushed
from tidegate.domain import pipeline as names
from tidegate.domain.identity import Commit, release_id
from tidegate.domain.ledger import Outcome
from tidegate.domain.webhooks import sign

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "acme/orders"
LONG = 180.0


class Sourced(Service):
    """A service whose repository is at the small GitHub."""

    def __init__(self, cloud: Cloud, host: GitHost, folder: Any) -> None:
        super().__init__(cloud, folder)
        self.name, self.host = "orders", host
        self.secrets = self.client("secretsmanager")
        self.secrets.put_secret_value(SecretId=names.TOKEN_SECRET, SecretString=TOKEN)
        host.hooks[NAME] = [{"id": 1, "config": {"url": self.url}}]

    @property
    def url(self) -> str:
        stack = self.client("cloudformation").describe_stacks(StackName=names.PIPELINE_STACK)["Stacks"][0]
        outputs: dict[str, str] = {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}
        return outputs["WebhookUrl"]

    @property
    def secret(self) -> str:
        found = self.secrets.get_secret_value(SecretId=names.WEBHOOK_SECRET, VersionStage="AWSCURRENT")
        return str(found["SecretString"])

    def publish(self) -> Pushed:
        """What a developer's `git push` does; the release that must come of it."""
        self.host.publish(NAME, self.repository.folder)
        commit = Commit(service=self.name, id=self.repository.git("rev-parse", "HEAD"), branch="main")
        return Pushed(commit, release_id(commit, 1))

    def deliver(self, pushed: Pushed, event: str = "push", secret: str | None = None) -> tuple[int, Any]:
        """What GitHub then posts."""
        payload = {
            "ref": "refs/heads/main",
            "after": pushed.commit.id,
            "deleted": False,
            "repository": {"full_name": NAME},
        }
        body = json.dumps(payload).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-Hub-Signature-256": sign(body, secret or self.secret),
        }
        request = urllib.request.Request(self.url, data=body, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def invoke(self, function: str) -> Any:
        answer = self.client("lambda").invoke(FunctionName=function, Payload=b"{}")
        return json.loads(answer["Payload"].read())

    def await_status(self, pushed: Pushed, state: str) -> list[dict[str, Any]]:
        """The statuses of the commit, once the last one is this."""

        def find() -> list[dict[str, Any]]:
            found = [one for one in self.host.statuses if one["commit"] == pushed.commit.id]
            return found if found and found[-1]["state"] == state else []

        found: list[dict[str, Any]] = self.until(find, lambda: f"{self.host.statuses} {self.tell(pushed)}")
        return found


@pytest.fixture(scope="module")
def sourced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sourced]:
    folder = tmp_path_factory.mktemp("sources")
    with GitHost(folder / "host") as host:
        github = {"url": host.url, "repositories": [{"name": NAME}]}
        cloud = Cloud(folder, {"github": github})
        try:
            yield Sourced(cloud, host, folder)
        finally:
            cloud.close()


def test_a_signed_push_is_cloned_released_and_told_back(sourced: Sourced) -> None:
    sourced.live = sourced.change()
    pushed = sourced.publish()
    assert sourced.deliver(pushed, "ping") == (200, {"ignored": "ping: the webhook is set up"})
    assert sourced.deliver(pushed, secret="wrong")[0] == 401
    told = {"service": "orders", "commit": pushed.commit.id, "branch": "main"}
    assert sourced.deliver(pushed) == (202, told)
    sourced.await_end(pushed, LONG)
    assert sourced.outcome(pushed) is Outcome.PROMOTED, sourced.tell(pushed)
    assert compress(sourced.path(pushed)) == [*OPEN, *ENTER, *LEAVE, *ENTER, *LEAVE, "CompleteRelease"]
    sourced.check_settled()
    statuses = sourced.await_status(pushed, "success")
    assert statuses[0]["state"] == "pending"
    assert {(one["repository"], one["context"]) for one in statuses} == {(NAME, "tidegate/orders")}
    assert statuses[-1]["target_url"].endswith(f"/details/{sourced.arn(pushed)}")
    assert sourced.pipeline.sources.list_folders("") == []


def test_a_push_that_github_never_told_of_is_found_once(sourced: Sourced) -> None:
    sourced.config["stages"]["production"]["strategy"] = "AllAtOnce"
    sourced.live = sourced.change()
    pushed = sourced.publish()
    assert sourced.invoke("tidegate-compare-branches") == {"compared": 1, "pushed": 1}
    assert sourced.deliver(pushed)[0] == 202
    sourced.await_end(pushed, LONG)
    assert sourced.outcome(pushed) is Outcome.PROMOTED, sourced.tell(pushed)
    assert sourced.invoke("tidegate-compare-branches") == {"compared": 1, "pushed": 0}
    machine = sourced.pipeline.resources.release_machine
    found = sourced.pipeline.machines.list_executions(stateMachineArn=machine)["executions"]
    assert len([one for one in found if pushed.release_id in one["name"]]) == 1
    sourced.await_status(pushed, "success")
    sourced.check_settled()


def test_a_commit_that_is_gone_is_rejected_and_its_status_says_so(sourced: Sourced) -> None:
    sourced.change()
    sourced.publish()
    commit = Commit(service="orders", id="f" * 40, branch="main")
    pushed = Pushed(commit, release_id(commit, 1))
    assert sourced.deliver(pushed)[0] == 202
    sourced.await_end(pushed, LONG)
    assert sourced.outcome(pushed) is Outcome.REJECTED, sourced.tell(pushed)
    (last,) = {one["description"] for one in sourced.await_status(pushed, "failure")[-1:]}
    assert last.startswith("rejected before any traffic moved: CheckOutSource: InvalidSource: commit f")
    sourced.check_settled()


def test_the_webhooks_secret_is_rotated_and_both_are_valid(sourced: Sourced) -> None:
    before = sourced.secret
    found = sourced.client("lambda").get_function(FunctionName="tidegate-rotate-secret")
    function = found["Configuration"]["FunctionArn"]
    sourced.secrets.rotate_secret(SecretId=names.WEBHOOK_SECRET, RotationLambdaARN=function)
    after = sourced.secret
    assert after != before
    assert sourced.host.hooks[NAME][0]["config"]["secret"] == after
    sourced.change()
    pushed = sourced.publish()
    for secret in (after, before):
        assert sourced.deliver(pushed, "ping", secret)[0] == 200
