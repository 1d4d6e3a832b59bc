"""Commits out of repositories, branches compared, statuses told, the webhook's secret rotated."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from functions.check_out_source import handler as check_out_source
from functions.compare_branches import handler as compare_branches
from functions.report_status import handler as report_status
from functions.rotate_secret import handler as rotate_secret
from tests.git_host import TOKEN, GitHost
from tidegate.domain.errors import HostRefused, InvalidSource, MalformedEvent
from tidegate.domain.identity import Commit, ReleaseRef, release_id
from tidegate.domain.ledger import Outcome, Release
from tidegate.domain.origins import Origin, Origins
from tidegate.domain.pipeline import TOKEN_SECRET, WEBHOOK_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Repository
    from tests.functions.conftest import Pipeline

URL = "https://hook.lambda-url.us-east-1.on.aws/"
TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Resources:
  First:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src, Handler: app.handler, Runtime: python3.11, Architectures: [x86_64]}
"""
FILES = {"template.yaml": TEMPLATE, "src/app.py": "def handler(event, context): ...\n"}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    with GitHost(tmp_path / "host") as serving:
        yield serving


class Sourced:
    """A pipeline with repositories at a GitHub of its own."""

    def __init__(self, pipeline: Pipeline, host: GitHost, folder: Path) -> None:
        self.pipeline, self.host, self.tools = pipeline, host, pipeline.tools
        self.file = folder / "origins.json"
        self.tools.settings._environment |= {
            "TIDEGATE_ORIGINS": str(self.file),
            "TIDEGATE_EVENT_BUS": "bus",
            "TIDEGATE_WEBHOOK_URL": URL,
        }
        boto3.client("secretsmanager").create_secret(Name=TOKEN_SECRET, SecretString=TOKEN)
        boto3.client("events").create_event_bus(Name="bus")
        self.place(("acme/orders", "orders"))
        self.told: list[dict[str, Any]] = []
        self.tools.__dict__["bus"] = self

    def place(self, *named: tuple[str, str]) -> None:
        repositories = tuple(
            Origin(host="github", name=name, service=service, branches=("main",)) for name, service in named
        )
        self.file.write_text(Origins(url=self.host.url, repositories=repositories).model_dump_json())
        self.tools.settings.__dict__.pop("origins", None)
        self.tools.__dict__.pop("hosts", None)

    def put(self, kind: str, detail: dict[str, Any]) -> None:
        """The bus, as CompareBranches sees it."""
        self.told.append({"kind": kind, **detail})

    def publish(self, *_: object, **__: object) -> None:
        """Nobody listens."""

    def open(self, commit_id: str, attempt: int = 1, outcome: Outcome = Outcome.OPEN) -> Release:
        """A release as OpenRelease records it, each a minute after the one before."""
        commit = Commit(service="orders", id=commit_id, branch="main")
        count = len(list(self.tools.ledger.releases("orders")))
        ref = ReleaseRef(
            service="orders",
            id=release_id(commit, attempt),
            execution=f"arn:aws:states:us-east-1:1:execution:tidegate-release:orders-{attempt}",
            epoch=1,
            opened_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=count),
        )
        self.tools.ledger.reserve("orders", f"opened#{ref.id}", ref.execution)
        release = Release(ref=ref, commit=commit, attempt=attempt, outcome=outcome)
        self.tools.ledger.open_release(release)
        return release

    def close(self, release: Release, outcome: Outcome, reason: str = "") -> None:
        self.tools.ledger.close_release(release.ref, outcome, reason, datetime.now(UTC), under=release.ref)

    def compare(self) -> compare_branches.Response:
        return compare_branches.handle(compare_branches.Request(), self.tools)

    def report(self, release: Release, kind: str = "Release Started") -> report_status.Response:
        detail = {"service": "orders", "release": release.ref.id, "execution": "arn", "message": "m"}
        event = {"source": "tidegate", "detail-type": kind, "detail": detail}
        return report_status.handle(report_status.Request(event), self.tools)

    @property
    def states(self) -> list[str]:
        return [one["state"] for one in self.host.statuses]


@pytest.fixture
def sourced(pipeline: Pipeline, host: GitHost, tmp_path: Path) -> Sourced:
    return Sourced(pipeline, host, tmp_path)


class TestCheckOut:
    def check_out(self, sourced: Sourced, commit: Commit) -> check_out_source.Response:
        request = check_out_source.Request(release=sourced.pipeline.ref(commit), commit=commit)
        return check_out_source.handle(request, sourced.tools)

    def test_a_commit_of_a_repository_is_cloned(self, sourced: Sourced, repository: Repository) -> None:
        repository.commit(FILES)
        sourced.host.publish("acme/orders", repository.folder)
        commit = Commit(service="orders", id=repository.git("rev-parse", "HEAD"), branch="main")
        answer = self.check_out(sourced, commit)
        assert (answer.functions, answer.to_build) == (1, 1)
        assert sourced.host.asked

    def test_what_came_as_a_bundle_is_taken_from_there(
        self, sourced: Sourced, repository: Repository
    ) -> None:
        repository.commit(FILES)
        assert self.check_out(sourced, sourced.pipeline.push(repository)).functions == 1
        assert sourced.host.asked == []

    def test_a_commit_that_the_branch_has_left_behind_is_released(
        self, sourced: Sourced, repository: Repository
    ) -> None:
        earlier = repository.commit(FILES)
        repository.commit({"README.md": "x"})
        sourced.host.publish("acme/orders", repository.folder)
        assert self.check_out(sourced, Commit(service="orders", id=earlier, branch="main")).functions == 1

    def test_a_commit_of_another_branch_or_of_a_fork_is_refused(
        self, sourced: Sourced, repository: Repository
    ) -> None:
        repository.commit(FILES)
        repository.git("checkout", "--quiet", "-b", "other")
        foreign = repository.commit({"src/app.py": "import evil"})
        sourced.host.publish("acme/orders", repository.folder)
        for commit_id in (foreign, "0" * 39 + "1"):
            commit = Commit(service="orders", id=commit_id, branch="main")
            with pytest.raises(InvalidSource, match=f"{commit_id} is not on the branch main of acme/orders"):
                self.check_out(sourced, commit)
        assert not [path for _, path in sourced.host.asked if ".git/" in path]

    def test_both_ways_give_the_same(self, sourced: Sourced, repository: Repository) -> None:
        repository.commit(FILES)
        sourced.host.publish("acme/orders", repository.folder)
        pushed = sourced.pipeline.push(repository)
        key = f"releases/orders/{sourced.pipeline.ref(pushed).id}/source.zip"
        bodies = []
        for commit in (pushed, pushed.model_copy(update={"bundle": None})):
            self.check_out(sourced, commit)
            bodies.append(sourced.tools.documents.find_bytes(key))
        assert bodies[0] == bodies[1]

    def test_a_service_without_a_repository_is_looked_for_in_the_bucket(self, sourced: Sourced) -> None:
        commit = Commit(service="other", id="0" * 39 + "1", branch="main")
        with pytest.raises(InvalidSource, match="or name the repository in the pipeline's configuration"):
            self.check_out(sourced, commit)


class TestComparison:
    def test_a_head_that_was_never_released_is_told_once(
        self, sourced: Sourced, repository: Repository
    ) -> None:
        head = repository.commit(FILES)
        sourced.host.publish("acme/orders", repository.folder)
        assert sourced.compare() == compare_branches.Response(compared=1, pushed=1)
        told = {"kind": "Commit Pushed", "service": "orders", "commit": head, "branch": "main"}
        assert sourced.told == [told]
        sourced.open(head)
        assert sourced.compare().pushed == 0
        later = repository.commit({"README.md": "x"})
        sourced.host.publish("acme/orders", repository.folder)
        assert sourced.compare().pushed == 1
        assert sourced.told[-1]["commit"] == later

    def test_the_history_of_another_branch_is_not_read_to_its_end(
        self, sourced: Sourced, repository: Repository
    ) -> None:
        repository.commit(FILES)
        sourced.host.publish("acme/orders", repository.folder)
        read: list[int] = []

        def releases(_: str) -> Iterator[Any]:
            for number in range(100_000):
                read.append(number)
                yield SimpleNamespace(commit=SimpleNamespace(branch="other", id="f" * 40))

        sourced.tools.ledger.releases = releases  # type: ignore[method-assign,assignment]
        assert sourced.compare().pushed == 1
        assert len(read) <= 100

    def test_a_branch_that_went_back_to_what_was_released_is_left_alone(
        self, sourced: Sourced, repository: Repository
    ) -> None:
        first, second = repository.commit(FILES), repository.commit({"README.md": "x"})
        for commit in (first, second):
            sourced.open(commit, outcome=Outcome.PROMOTED)
        repository.git("reset", "--quiet", "--hard", first)
        sourced.host.publish("acme/orders", repository.folder)
        assert sourced.compare().pushed == 0

    def test_a_repository_that_refuses_hides_no_other(self, sourced: Sourced, repository: Repository) -> None:
        repository.commit(FILES)
        sourced.host.publish("acme/orders", repository.folder)
        gone = [(f"acme/gone-{number}", f"gone-{number}") for number in range(7)]
        sourced.place(*gone, ("acme/orders", "orders"))
        with pytest.raises(HostRefused, match=r"acme/gone-0: .*\(and 2 more\)"):
            sourced.compare()
        assert [one["service"] for one in sourced.told] == ["orders"]

    def test_a_repository_that_github_fails_at_hides_no_other(
        self, sourced: Sourced, repository: Repository
    ) -> None:
        repository.commit(FILES)
        sourced.host.publish("acme/orders", repository.folder)
        sourced.place(("acme/orders", "orders"), ("acme/api", "api"))
        sourced.host.failing = {"acme/api": 502}
        with pytest.raises(HostRefused, match="acme/api: HTTPError: GitHub answers 502"):
            sourced.compare()
        assert [one["service"] for one in sourced.told] == ["orders"]

    def test_a_github_that_is_away_is_not_asked_for_all(self, sourced: Sourced) -> None:
        named = [(f"acme/r{number}", f"service-{number}") for number in range(200)]
        sourced.place(*named)
        sourced.host.failing = {name: 503 for name, _ in named}
        with pytest.raises(HostRefused, match="and 195 more"):
            sourced.compare()
        assert len(sourced.host.asked) < 40

    def test_it_is_one_call_for_each_branch(self, sourced: Sourced, repository: Repository) -> None:
        repository.commit(FILES)
        named = [(f"acme/r{number}", f"service-{number}") for number in range(30)]
        sourced.host.publish("acme/r0", repository.folder)
        for name, _ in named[1:]:
            sourced.host.path(name).symlink_to(sourced.host.path("acme/r0"))
        sourced.place(*named)
        assert sourced.compare() == compare_branches.Response(compared=30, pushed=30)
        assert len(sourced.host.asked) == 30


class TestStatuses:
    @pytest.mark.parametrize(
        ("outcome", "state"),
        [
            (Outcome.PROMOTED, "success"),
            (Outcome.ROLLED_BACK, "failure"),
            (Outcome.REJECTED, "failure"),
            (Outcome.SUPERSEDED, "error"),
            (Outcome.NEEDS_OPERATOR, "error"),
            (Outcome.RESTORED, "success"),
        ],
    )
    def test_a_commit_is_told_how_its_release_stands(
        self, sourced: Sourced, outcome: Outcome, state: str
    ) -> None:
        release = sourced.open("a" * 40)
        assert sourced.report(release).state == "pending"
        sourced.close(release, outcome, "for a reason")
        assert sourced.report(release).state == state
        first, last = sourced.host.statuses
        assert (first["repository"], first["commit"], first["context"]) == (
            "acme/orders",
            "a" * 40,
            "tidegate/orders",
        )
        assert last["target_url"].endswith("execution:tidegate-release:orders-1")

    def test_a_late_event_says_what_is_so_now(self, sourced: Sourced) -> None:
        release = sourced.open("a" * 40)
        sourced.close(release, Outcome.PROMOTED)
        sourced.report(release, "Release Completed")
        sourced.report(release, "Release Started")
        assert sourced.states == ["success", "success"]

    def test_a_retry_takes_the_place_of_what_failed(self, sourced: Sourced) -> None:
        failed = sourced.open("a" * 40)
        sourced.close(failed, Outcome.REJECTED)
        sourced.open("a" * 40, attempt=2)
        sourced.open("b" * 40)
        sourced.report(failed, "Release Rejected")
        assert sourced.states == ["pending"]

    def test_an_end_that_comes_while_it_is_told_is_told_too(self, sourced: Sourced) -> None:
        release = sourced.open("a" * 40)
        report, closed = sourced.tools.hosts.report, []

        def close_meanwhile(*given: Any) -> bool:
            if not closed:
                closed.append(sourced.close(release, Outcome.PROMOTED))
            return report(*given)

        sourced.tools.hosts.__dict__["report"] = close_meanwhile
        assert sourced.report(release).state == "success"
        assert sourced.states == ["pending", "success"]

    def test_what_has_nobody_to_be_told_to_is_named(self, sourced: Sourced) -> None:
        release = sourced.open("a" * 40)
        stranger = release.model_copy(update={"ref": release.ref.model_copy(update={"id": "f" * 12 + "-1"})})
        assert "the ledger has no release" in sourced.report(stranger).reason
        sourced.place(("acme/api", "api"))
        assert sourced.report(release).reason == "orders has no repository at GitHub"
        with pytest.raises(MalformedEvent):
            report_status.handle(report_status.Request({"detail": {}}), sourced.tools)

    def test_a_commit_that_github_does_not_have_is_no_fault(self, sourced: Sourced) -> None:
        release = sourced.open("a" * 40)
        sourced.host.failures = [422]
        assert sourced.report(release).reason == f"acme/orders has no commit {'a' * 40}"


class TestRotation:
    @pytest.fixture(autouse=True)
    def _hooked(self, sourced: Sourced) -> None:
        boto3.client("secretsmanager").create_secret(Name=WEBHOOK_SECRET, SecretString="first")
        sourced.host.hooks = {"acme/orders": [{"id": 1, "config": {"url": URL}}]}
        self.version = str(uuid.uuid4())

    def begin(self) -> None:
        """A version with nothing in it, as Secrets Manager makes it."""
        from moto.secretsmanager.models import secretsmanager_backends

        secret = secretsmanager_backends["123456789012"]["us-east-1"].secrets[WEBHOOK_SECRET]
        secret.versions[self.version] = {
            "version_id": self.version,
            "version_stages": ["AWSPENDING"],
            "createdate": 0,
        }

    def step(self, sourced: Sourced, name: str) -> None:
        body = {"Step": name, "SecretId": WEBHOOK_SECRET, "ClientRequestToken": self.version}
        rotate_secret.handle(rotate_secret.Request.model_validate(body), sourced.tools)

    def labels(self) -> dict[str, str]:
        client = boto3.client("secretsmanager")
        found = client.describe_secret(SecretId=WEBHOOK_SECRET)["VersionIdsToStages"]
        return {label: version for version, labels in found.items() for label in labels}

    def test_the_four_steps_each_done_twice(self, sourced: Sourced) -> None:
        self.begin()
        for name in ("createSecret", "setSecret", "testSecret", "finishSecret"):
            for _ in range(2):
                self.step(sourced, name)
        made = boto3.client("secretsmanager").get_secret_value(
            SecretId=WEBHOOK_SECRET, VersionStage="AWSCURRENT"
        )["SecretString"]
        assert sourced.host.hooks["acme/orders"][0]["config"]["secret"] == made
        assert len(made) == 48
        assert self.labels()["AWSCURRENT"] == self.version
        assert sourced.tools.secrets.read(WEBHOOK_SECRET, "AWSPREVIOUS") == "first"

    def test_what_github_refuses_leaves_the_old_secret_the_current_one(self, sourced: Sourced) -> None:
        self.begin()
        self.step(sourced, "createSecret")
        sourced.host.hooks["acme/orders"] = []
        with pytest.raises(HostRefused, match="acme/orders has no webhook"):
            self.step(sourced, "setSecret")
        assert sourced.tools.secrets.read(WEBHOOK_SECRET) == "first"

    def test_a_step_for_what_is_no_version_is_refused(self, sourced: Sourced) -> None:
        with pytest.raises(MalformedEvent, match="has no version"):
            self.step(sourced, "setSecret")
        self.begin()
        with pytest.raises(MalformedEvent, match="has no value"):
            self.step(sourced, "testSecret")


def test_no_secret_is_in_what_is_logged(sourced: Sourced, caplog: pytest.LogCaptureFixture) -> None:
    sourced.report(sourced.open("a" * 40))
    assert [record.__dict__["state"] for record in caplog.records if record.name == "tidegate"] == ["pending"]
    assert not [record for record in caplog.records if TOKEN in str(record.__dict__)]
