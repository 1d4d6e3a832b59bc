"""What CodeBuild makes: asked for by BuildFunction, started by AwaitBuilds, told by an event, taken in at last."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from functions.await_builds import handler as awaiting
from functions.build_function import handler as building
from functions.check_out_source.handler import Request as CheckOut
from functions.check_out_source.handler import handle as check_out
from functions.resume_release import handler as resuming
from functions.undo_release.builds import stop_builds
from tests.code_build import FakeCodeBuild
from tests.functions.conftest import Pipeline
from tests.package_index import make_wheel
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.errands import read_waiting
from tidegate.domain.artifacts import archive_key, record_key
from tidegate.domain.errands import errand_prefix
from tidegate.domain.errors import BuildFailed, BuildsElsewhere, BuildsPending, ClaimLost, UnsupportedTemplate
from tidegate.domain.ledger import Claim, ClaimState
from tidegate.domain.snapshots import Artifact, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Repository
    from tidegate.domain.identity import Commit

MAKE = """  {name}:
    Type: AWS::Serverless::Function
    Metadata: {{BuildMethod: makefile}}
    Properties: {{CodeUri: src, Handler: app.handler, Runtime: python3.13}}
"""
HEAD = "Transform: AWS::Serverless-2016-10-31\nResources:\n"
FILES: dict[str, str | bytes] = {
    "template.yaml": HEAD + MAKE.format(name="Make"),
    "src/Makefile": "build-Make:\n\tcp app.py $(ARTIFACTS_DIR)\n",
    "src/app.py": "def handler(event, context): ...\n",
}


@pytest.fixture
def pipeline(aws_environment: None) -> Iterator[Pipeline]:  # noqa: ARG001
    from moto import mock_aws

    with mock_aws():
        yield Pipeline(TIDEGATE_BUILD_IMAGES="1.2.3")


@pytest.fixture
def code_build(pipeline: Pipeline) -> FakeCodeBuild:
    fake = FakeCodeBuild()
    pipeline.tools.__dict__["builds"] = fake
    return fake


class Release:
    """One release of the fixture's service, whose first share of builds is tried out."""

    def __init__(self, pipeline: Pipeline, repository: Repository, files: dict[str, str | bytes]) -> None:
        self.pipeline = pipeline
        repository.commit({**FILES, **files})
        self.commit: Commit = pipeline.push(repository)
        self.ref = pipeline.ref(self.commit)
        claim = Claim(
            service="orders", holder="arn:execution", release=self.ref, epoch=1, state=ClaimState.HELD
        )
        assert pipeline.tools.ledger.write_claim(claim, over=None)
        check_out(CheckOut(release=self.ref, commit=self.commit), pipeline.tools)
        documents = pipeline.tools.documents
        self.snapshot = documents.read(f"{release_prefix(self.ref)}snapshot.json", Snapshot)
        self.key = self.snapshot.functions[0].artifact

    def build(self) -> Any:
        return building.handle(building.Request(release=self.ref, index=0), self.pipeline.tools)

    def wait(self, token: str = "token") -> Any:  # noqa: S107
        request = awaiting.Request(release=self.ref, index=0, token=token)
        return awaiting.handle(request, self.pipeline.tools)

    def leave(self, key: str, files: dict[str, bytes]) -> None:
        """What a build would have put."""
        body = io.BytesIO()
        with tarfile.open(fileobj=body, mode="w:gz") as archive:
            for path, content in files.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        self.pipeline.tools.documents.write_bytes(
            f"{errand_prefix(self.ref, key)}output.tar.gz", body.getvalue()
        )

    def key_of(self, code_build: FakeCodeBuild, number: int) -> str:
        """The content key of what a build makes, which succeeds."""
        build = f"tidegate-builds:{number}"
        code_build.status[build] = "SUCCEEDED"
        return next(key for key, builds in self.waiting.builds.items() if build in builds)

    def event(self) -> dict[str, Any]:
        named = {"TIDEGATE_SERVICE": "orders", "TIDEGATE_RELEASE": self.ref.id, "TIDEGATE_BUILD": "0"}
        listed = [{"name": name, "value": value} for name, value in named.items()]
        return {"detail": {"additional-information": {"environment": {"environment-variables": listed}}}}

    def tell(self) -> str:
        return resuming.handle(resuming.Request(self.event()), self.pipeline.tools).outcome

    @property
    def waiting(self) -> Any:
        return read_waiting(self.pipeline.tools.ledger, "orders", self.ref.id, 0)


def contents(pipeline: Pipeline, key: str) -> dict[str, bytes]:
    body = pipeline.tools.documents.find_bytes(archive_key(key))
    with zipfile.ZipFile(io.BytesIO(body or b"")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


class Machine:
    """Step Functions, as far as a token is answered."""

    class exceptions:  # noqa: N801 (as botocore has it)
        class TaskTimedOut(Exception): ...

        class TaskDoesNotExist(Exception): ...

        class InvalidToken(Exception): ...

    def __init__(self) -> None:
        self.answered: list[str] = []

    def send_task_success(self, taskToken: str, output: str) -> None:  # noqa: N803
        assert output == "{}"
        if taskToken in self.answered:
            raise self.exceptions.TaskTimedOut
        self.answered.append(taskToken)


@pytest.fixture
def machine(pipeline: Pipeline) -> Machine:
    fake = Machine()
    pipeline.tools.__dict__["machines"] = fake
    return fake


@pytest.fixture
def release(pipeline: Pipeline, repository: Repository, code_build: FakeCodeBuild) -> Release:  # noqa: ARG001
    return Release(pipeline, repository, {})


def test_from_a_makefile_to_an_artifact(
    pipeline: Pipeline, release: Release, code_build: FakeCodeBuild, machine: Machine
) -> None:
    with pytest.raises(BuildsElsewhere, match="1 of 1 artifacts are made by CodeBuild"):
        release.build()
    assert release.wait().builds == 1
    (start,) = code_build.starts
    assert start["imageOverride"] == "public.ecr.aws/sam/build-python3.11:1.2.3-x86_64"
    assert start["environmentTypeOverride"] == "LINUX_CONTAINER"
    assert "token" not in json.dumps(start["environmentVariablesOverride"])
    body = (
        pipeline.tools.documents.find_bytes(f"{errand_prefix(release.ref, release.key)}input.tar.gz") or b""
    )
    assert code_build.variables(0)["TIDEGATE_INPUT_SHA256"] == hashlib.sha256(body).hexdigest()
    assert release.tell() == "waiting"
    assert machine.answered == []
    code_build.status["tidegate-builds:0"] = "SUCCEEDED"
    release.leave(release.key, {"./app.py": b"def handler(event, context): ...\n"})
    assert [release.tell(), release.tell()] == ["resumed", "late"]
    assert machine.answered == ["token"]
    assert release.build().built == 1
    assert list(contents(pipeline, release.key)) == ["app.py"]
    record = pipeline.tools.documents.read(record_key(release.key), Artifact)
    assert record.built_in == start["imageOverride"]
    text = (pipeline.tools.documents.find_bytes(record.bill) or b"").decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    assert bill["compositions"][0]["aggregate"] == "incomplete"
    assert release.build().built == 0


def test_an_event_that_came_before_the_build_was_recorded_is_not_missed(
    release: Release, code_build: FakeCodeBuild, machine: Machine
) -> None:
    with pytest.raises(BuildsElsewhere):
        release.build()
    assert release.tell() == "ignored"
    code_build.status["tidegate-builds:0"] = "FAILED"
    release.wait()
    assert machine.answered == ["token"]


def test_a_lost_event_is_found_by_the_next_attempt(
    release: Release, code_build: FakeCodeBuild, machine: Machine
) -> None:
    with pytest.raises(BuildsElsewhere):
        release.build()
    release.wait("first")
    code_build.status["tidegate-builds:0"] = "SUCCEEDED"
    release.wait("second")
    assert machine.answered == ["second"]
    assert len(code_build.starts) == 1


def test_a_death_after_the_start_gives_the_same_build(
    pipeline: Pipeline, release: Release, code_build: FakeCodeBuild
) -> None:
    with pytest.raises(BuildsElsewhere):
        release.build()
    release.wait("first")
    # As if it had died before the build was recorded.
    pipeline.tools.ledger.put_document("orders", f"builds#{release.ref.id}#0", '{"token": "first"}')
    release.wait("second")
    assert len(code_build.starts) == 1
    assert release.waiting.last == ("tidegate-builds:0",)


def test_a_failed_build_names_the_function_and_what_was_printed(
    release: Release, code_build: FakeCodeBuild, machine: Machine
) -> None:
    with pytest.raises(BuildsElsewhere):
        release.build()
    release.wait()
    code_build.status["tidegate-builds:0"] = "FAILED"
    code_build.phases["tidegate-builds:0"] = [{"phaseType": "BUILD", "phaseStatus": "FAILED"}]
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="builds")
    logs.create_log_stream(logGroupName="builds", logStreamName="0")
    now = int(datetime.now(UTC).timestamp() * 1000)
    lines = ["[Container] Entering phase BUILD", "cc a.c", "a.c:1: no such type"]
    events = [{"timestamp": now + n, "message": line} for n, line in enumerate(lines)]
    logs.put_log_events(logGroupName="builds", logStreamName="0", logEvents=events)
    assert release.tell() == "resumed"
    words = r"^Make: the build failed in BUILD: cc a\.c \| a\.c:1: no such type; its log: log/"
    with pytest.raises(BuildFailed, match=words):
        release.build()
    assert machine.answered == ["token"]


def test_a_build_that_was_lost_is_started_once_more(
    release: Release, code_build: FakeCodeBuild, machine: Machine
) -> None:
    with pytest.raises(BuildsElsewhere):
        release.build()
    for number in range(2):
        release.wait(f"token-{number}")
        code_build.status[f"tidegate-builds:{number}"] = "FAULT"
        assert release.tell() == "resumed"
        with pytest.raises(BuildsElsewhere if number == 0 else BuildFailed):
            release.build()
    assert len(code_build.starts) == 2
    assert machine.answered == ["token-0", "token-1"]


def test_some_builds_of_a_share_go_side_by_side_until_all_are_made(
    pipeline: Pipeline, repository: Repository, code_build: FakeCodeBuild, machine: Machine
) -> None:
    text = HEAD + "".join(MAKE.format(name=f"Make{number}") for number in range(71))
    release = Release(pipeline, repository, {"template.yaml": text})
    assert len(set(release.snapshot.to_build)) == 71  # each has a target of its own
    share = release.snapshot.share(0)
    assert len(share) == 8
    for turn, begun in enumerate((5, 8)):
        with pytest.raises(BuildsElsewhere):
            release.build()
        release.wait(f"token-{turn}")
        assert len(code_build.starts) == begun
        for build in code_build.status:
            code_build.status[build] = "SUCCEEDED"
        for key in release.waiting.builds:
            release.leave(key, {"app.py": b"def handler(event, context): ...\n"})
        assert release.tell() == "resumed"
    assert release.build().artifacts == 8
    assert machine.answered == ["token-0", "token-1"]
    assert all(pipeline.tools.documents.exists(record_key(key)) for key in share)


def test_what_has_ended_by_a_next_attempt_is_taken_in_before_more_is_waited_for(
    pipeline: Pipeline, repository: Repository, code_build: FakeCodeBuild, machine: Machine
) -> None:
    """The state is tried again a limited number of times: a long row of slow builds must not use them up."""
    text = HEAD + "".join(MAKE.format(name=f"Make{number}") for number in range(71))
    release = Release(pipeline, repository, {"template.yaml": text})
    with pytest.raises(BuildsElsewhere, match="8 of 8"):
        release.build()
    release.wait("first")
    ended = release.key_of(code_build, 0)
    release.leave(ended, {"app.py": b"def handler(event, context): ...\n"})
    assert release.tell() == "waiting"
    assert release.wait("second").builds == 6
    assert machine.answered == ["second"]
    with pytest.raises(BuildsElsewhere, match="7 of 8"):
        release.build()
    assert release.wait("third").builds == 5
    assert machine.answered == ["second"]
    assert len(code_build.starts) == 6
    assert ended not in release.waiting.builds


def test_a_build_that_failed_is_no_matter_once_its_artifact_stands(
    pipeline: Pipeline, repository: Repository, code_build: FakeCodeBuild, machine: Machine
) -> None:
    """Another release of the service may have made it; otherwise the states would go round without a rest."""
    text = HEAD + "".join(MAKE.format(name=f"Make{number}") for number in range(11))
    release = Release(pipeline, repository, {"template.yaml": text})
    with pytest.raises(BuildsElsewhere, match="2 of 2"):
        release.build()
    release.wait("first")
    ended = release.key_of(code_build, 0)
    release.leave(ended, {"app.py": b"def handler(event, context): ...\n"})
    with pytest.raises(BuildsElsewhere, match="1 of 2"):
        release.build()
    code_build.status["tidegate-builds:0"] = "FAILED"
    assert release.wait("second").builds == 1
    assert machine.answered == []


def test_a_crowded_account_is_asked_again_later(
    release: Release, code_build: FakeCodeBuild, machine: Machine
) -> None:
    with pytest.raises(BuildsElsewhere):
        release.build()
    code_build.room = 0
    with pytest.raises(BuildsPending, match="queues no further build"):
        release.wait()
    assert machine.answered == []


def test_who_lost_the_claim_starts_nothing(
    pipeline: Pipeline, release: Release, code_build: FakeCodeBuild
) -> None:
    standing = pipeline.tools.ledger.read_claim("orders")
    assert standing
    pipeline.tools.ledger.write_claim(standing.model_copy(update={"epoch": 2}), over=standing)
    with pytest.raises(ClaimLost):
        release.wait()
    assert code_build.starts == []


def test_a_release_that_is_undone_leaves_no_build_running(
    pipeline: Pipeline, release: Release, code_build: FakeCodeBuild
) -> None:
    with pytest.raises(BuildsElsewhere):
        release.build()
    release.wait()
    for _ in range(2):
        stop_builds(release.ref, pipeline.tools)
    assert code_build.stopped == ["tidegate-builds:0"]
    assert "stopped the build" in pipeline.told(release.commit)[-1]


LOCK = """lock-version = "1.0"
[[packages]]
name = "one"
version = "1.0"
sdist = {{url = "https://x/one-1.0.tar.gz", hashes = {{sha256 = "{sha256}"}}}}
"""
PLAIN = HEAD + "  Plain:\n    Type: AWS::Serverless::Function\n    Properties: "
PLAIN += "{CodeUri: src, Handler: app.handler, Runtime: python3.13}\n"


def test_wheels_out_of_sources_are_put_together_with_the_code(
    pipeline: Pipeline, repository: Repository, code_build: FakeCodeBuild, machine: Machine
) -> None:
    sha256 = "ab" * 32
    files: dict[str, str | bytes] = {"template.yaml": PLAIN, "src/pylock.toml": LOCK.format(sha256=sha256)}
    release = Release(pipeline, repository, files)
    with pytest.raises(BuildsElsewhere):
        release.build()
    release.wait()
    assert code_build.variables(0)["TIDEGATE_METHOD"] == "sources"
    code_build.status["tidegate-builds:0"] = "SUCCEEDED"
    release.leave(release.key, {"one-1.0-py3-none-any.whl": make_wheel("one", {"one.py": "x = 1\n"})})
    assert release.tell() == "resumed"
    assert release.build().built == 1
    assert {"app.py", "one.py", "Makefile"} <= set(contents(pipeline, release.key))
    record = pipeline.tools.documents.read(record_key(release.key), Artifact)
    assert record.lock == ("one==1.0",)
    bill = json.loads(pipeline.tools.documents.find_bytes(record.bill) or b"")
    told = {"name": "tidegate:built-from", "value": f"sha256:{sha256}"}
    assert bill["components"][0]["properties"] == [told]
    assert machine.answered == ["token"]


def test_what_is_compiled_for_a_custom_runtime_is_built_with_its_languages_tools(
    pipeline: Pipeline, repository: Repository, code_build: FakeCodeBuild
) -> None:
    text = MAKE.format(name="Make").replace("makefile", "dotnet8").replace("python3.13", "provided.al2023")
    release = Release(pipeline, repository, {"template.yaml": HEAD + text})
    with pytest.raises(BuildsElsewhere):
        release.build()
    release.wait()
    assert code_build.starts[0]["imageOverride"] == "public.ecr.aws/sam/build-dotnet8:1.2.3-x86_64"


def test_a_pipeline_without_codebuild_refuses_by_name(
    aws_environment: None,  # noqa: ARG001
    repository: Repository,
) -> None:
    from moto import mock_aws

    with mock_aws():
        pipeline = Pipeline()
        with pytest.raises(
            UnsupportedTemplate, match=r"template\.yaml:3: Make is built by makefile, and this"
        ):
            Release(pipeline, repository, {})


def test_without_codebuild_what_has_no_wheel_is_refused(
    aws_environment: None,  # noqa: ARG001
    repository: Repository,
) -> None:
    from moto import mock_aws

    files: dict[str, str | bytes] = {"template.yaml": PLAIN, "src/pylock.toml": LOCK.format(sha256="ab" * 32)}
    with mock_aws(), pytest.raises(BuildFailed, match=r"one==1\.0 has no wheel"):
        Release(Pipeline(), repository, files)
