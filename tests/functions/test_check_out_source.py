from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import boto3
import pytest

from functions.check_out_source.handler import Request, Response, handle
from tidegate.adapters import checkouts
from tidegate.adapters.documents import release_prefix
from tidegate.domain.artifacts import record_key
from tidegate.domain.errors import (
    BuildFailed,
    InvalidConfiguration,
    InvalidSource,
    InvalidTemplate,
    SecretFound,
    TidegateError,
    UnsupportedTemplate,
)
from tidegate.domain.snapshots import Artifact, Snapshot

if TYPE_CHECKING:
    from tests.conftest import Repository
    from tests.functions.conftest import Pipeline
    from tidegate.domain.identity import Commit

TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: python3.14, Architectures: [arm64]}
Resources:
  First:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src/first/, Handler: app.handler}
  Second:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src/second, Handler: app.handler}
"""
FILES: dict[str, str | bytes] = {
    "template.yaml": TEMPLATE,
    "src/first/app.py": "def handler(event, context): ...\n",
    "src/second/app.py": "def handler(event, context): return 2\n",
}


def check_out(pipeline: Pipeline, commit: Commit) -> Response:
    return handle(Request(release=pipeline.ref(commit), commit=commit), pipeline.tools)


def snapshot_of(pipeline: Pipeline, commit: Commit) -> Snapshot:
    return pipeline.tools.documents.read(f"{release_prefix(pipeline.ref(commit))}snapshot.json", Snapshot)


def take(pipeline: Pipeline, repository: Repository, files: dict[str, str | bytes]) -> Snapshot:
    repository.commit(files)
    commit = pipeline.push(repository)
    check_out(pipeline, commit)
    return snapshot_of(pipeline, commit)


def test_a_commit_becomes_a_snapshot_and_its_source_a_zip(pipeline: Pipeline, repository: Repository) -> None:
    repository.commit({**FILES, "tests/test_a.py": "", "samconfig.toml": "version = 0.1\n"})
    commit = pipeline.push(repository)
    assert check_out(pipeline, commit) == Response(to_build=2, functions=2, has_tests=True)
    snapshot = snapshot_of(pipeline, commit)
    first = snapshot.functions[0]
    assert (first.logical_id, first.code_uri, first.handler, first.line) == (
        "First",
        "src/first",
        "app.handler",
        5,
    )
    assert (first.runtime, first.declared_runtime, first.architecture) == (
        "python3.11",
        "python3.14",
        "x86_64",
    )
    assert snapshot.notes == ("built for python3.11 on x86_64 instead of python3.14, by the local override",)
    assert snapshot.to_build == tuple(sorted(one.artifact for one in snapshot.functions))
    assert snapshot.tests is not None
    assert (snapshot.tests.command, snapshot.tests.requirements) == ("pytest -q tests", ())
    body = pipeline.tools.documents.find_bytes(f"{release_prefix(pipeline.ref(commit))}source.zip")
    with zipfile.ZipFile(io.BytesIO(body or b"")) as archive:
        assert "src/first/app.py" in archive.namelist()
    assert pipeline.told(commit) == [f"checked out {commit.id[:12]}: 2 functions, 2 artifacts to build"]


def test_a_second_run_writes_the_same(pipeline: Pipeline, repository: Repository) -> None:
    repository.commit(FILES)
    commit = pipeline.push(repository)
    answers, bodies = [], []
    for _ in range(2):
        answers.append(check_out(pipeline, commit))
        prefix = release_prefix(pipeline.ref(commit))
        bodies.append([pipeline.tools.documents.find_bytes(key) for key in pipeline.keys(prefix)])
    assert answers[0] == answers[1]
    assert bodies[0] == bodies[1]
    assert len(pipeline.told(commit)) == 1


def test_only_what_changed_has_another_key(pipeline: Pipeline, repository: Repository) -> None:
    before = take(pipeline, repository, FILES)
    after = take(pipeline, repository, {"src/second/app.py": "handler = print\n", "README.md": "new"})
    keys = [{one.logical_id: one.artifact for one in found.functions} for found in (before, after)]
    assert keys[0]["First"] == keys[1]["First"]
    assert keys[0]["Second"] != keys[1]["Second"]


def test_an_artifact_with_a_record_is_not_built_again(pipeline: Pipeline, repository: Repository) -> None:
    before = take(pipeline, repository, FILES)
    artifact = before.functions[0].artifact
    sizes = {"size": 1, "unzipped_size": 1}
    record = Artifact(
        key=artifact,
        sha256="0",
        runtime="python3.11",
        architecture="x86_64",
        lock=(),
        bill="",
        bill_sha256="",
        components=0,
        **sizes,
    )
    pipeline.tools.documents.write(record_key(artifact), record)
    after = take(pipeline, repository, {"README.md": "x"})
    assert after.to_build == (before.functions[1].artifact,)


def test_equal_code_is_one_artifact_whatever_the_handler(pipeline: Pipeline, repository: Repository) -> None:
    template = TEMPLATE.replace("src/second, Handler: app.handler", "src/first, Handler: app.other")
    snapshot = take(pipeline, repository, {**FILES, "template.yaml": template})
    assert len(snapshot.to_build) == 1
    assert [one.handler for one in snapshot.functions] == ["app.handler", "app.other"]


def test_requirements_outside_of_the_code_are_part_of_the_key(
    pipeline: Pipeline, repository: Repository
) -> None:
    files = {**FILES, "src/first/requirements.txt": "-r ../../common.txt\n", "common.txt": "idna==3.10\n"}
    before = take(pipeline, repository, files)
    after = take(pipeline, repository, {"common.txt": "idna==3.9\n"})
    assert before.functions[0].artifact != after.functions[0].artifact
    assert before.functions[0].requirements == ("src/first/requirements.txt",)
    assert before.functions[1].artifact == after.functions[1].artifact


def test_other_local_files_are_uploaded_under_their_hash(pipeline: Pipeline, repository: Repository) -> None:
    template = TEMPLATE + (
        "  Flow:\n    Type: AWS::Serverless::StateMachine\n    Properties: {DefinitionUri: flow.asl.json}\n"
        "  Layer:\n    Type: AWS::Serverless::LayerVersion\n    Properties: {ContentUri: layer}\n"
    )
    files = {**FILES, "template.yaml": template, "flow.asl.json": "{}", "layer/python/x.py": "1"}
    snapshot = take(pipeline, repository, files)
    places = {one.logical_id: (one.property_path, one.key) for one in snapshot.packages}
    assert places["Flow"][0] == "DefinitionUri"
    assert places["Flow"][1].endswith(".json")
    assert pipeline.tools.documents.find_bytes(places["Flow"][1]) == b"{}"
    with zipfile.ZipFile(
        io.BytesIO(pipeline.tools.documents.find_bytes(places["Layer"][1]) or b"")
    ) as archive:
        assert archive.namelist() == ["python/x.py"]


def test_samconfig_says_how_each_environment_is_deployed(pipeline: Pipeline, repository: Repository) -> None:
    text = '[prod.deploy.parameters]\nstack_name = "orders-prod"\ncapabilities = "CAPABILITY_IAM"\n'
    snapshot = take(pipeline, repository, {**FILES, "samconfig.toml": text})
    assert snapshot.deployments["prod"].stack_name == "orders-prod"


def test_a_zip_is_taken_as_it_is_and_no_tests_are_none(pipeline: Pipeline, repository: Repository) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("app.py", "handler = print")
    template = TEMPLATE.replace("src/second,", "second.zip,")
    files = {**FILES, "template.yaml": template, "second.zip": body.getvalue(), "tests/events/a.json": "{}"}
    snapshot = take(pipeline, repository, files)
    assert (snapshot.functions[1].method, snapshot.has_tests, snapshot.tests) == ("archive", False, None)


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({"tidegate.yaml": "servic: x\n"}, InvalidConfiguration, "tidegate.yaml:1: servic is unknown"),
        ({"tidegate.yaml": "service: other\n"}, InvalidConfiguration, "pushed as orders"),
        ({"tidegate.yaml": "template: no.yaml\n"}, InvalidConfiguration, "no.yaml does not exist"),
        (
            {"tidegate.yaml": "smoke: {staging: {First: [e.json]}}"},
            InvalidConfiguration,
            "e.json does not exist",
        ),
        (
            {"tidegate.yaml": "stages:\n  prod: {approval: required}\n"},
            InvalidConfiguration,
            "tidegate.yaml:2: stages.prod: the pipeline has no such stage; did you mean production?",
        ),
        (
            {"tidegate.yaml": "smoke:\n  canary: {}\n"},
            InvalidConfiguration,
            "tidegate.yaml:2: smoke.canary: the pipeline has no such stage; known are staging, production, eu",
        ),
        (
            {"tidegate.yaml": "smoke: {staging: {Frist: [e.json]}}", "e.json": "{}"},
            InvalidConfiguration,
            "smoke.staging.Frist: the template has no such function; did you mean First?",
        ),
        (
            {"tidegate.yaml": "smoke: {staging: {First: [e.json]}}", "e.json": "{"},
            InvalidConfiguration,
            "smoke.staging.First: e.json is no JSON",
        ),
        ({"tidegate.yaml": "tests: {requirements: [r.txt]}"}, InvalidConfiguration, "r.txt does not exist"),
        ({"samconfig.toml": "a ="}, InvalidConfiguration, "samconfig.toml:1: not valid TOML"),
        ({"template.yaml": "Resources: ["}, InvalidTemplate, "template.yaml:2: "),
        (
            {"template.yaml": TEMPLATE.replace("src/second", "src/third")},
            InvalidTemplate,
            "template.yaml:8: src/third",
        ),
        (
            {"template.yaml": TEMPLATE.replace("src/second", "../out")},
            InvalidTemplate,
            "../out is not in the source",
        ),
        ({"template.yaml": TEMPLATE.replace("python3.14", "ruby3.4")}, UnsupportedTemplate, "ruby3.4"),
        (
            {"template.yaml": TEMPLATE.replace("src/second", "src/Second")},
            InvalidTemplate,
            "but case matters",
        ),
        ({"src/first/requirements.txt": "-e .\n"}, BuildFailed, "src/first/requirements.txt:1"),
        ({"template.yaml": b"\xff"}, InvalidSource, "template.yaml: not UTF-8"),
    ],
)
def test_what_cannot_be_released_is_named(
    files: dict, error: type[TidegateError], message: str, pipeline: Pipeline, repository: Repository
) -> None:
    with pytest.raises(error) as caught:
        take(pipeline, repository, {**FILES, **files})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_are_for_stages_of_this_pipeline_or_of_others(
    pipeline: Pipeline, repository: Repository
) -> None:
    text = "stages: {production: {margin: 1}, eu: {margin: 2}}\nsmoke: {staging: {First: [e.json]}}\n"
    snapshot = take(pipeline, repository, {**FILES, "tidegate.yaml": text, "e.json": "{}"})
    assert list(snapshot.config.stages) == ["production", "eu"]


def test_without_a_template_the_remedy_is_told(pipeline: Pipeline, repository: Repository) -> None:
    with pytest.raises(InvalidTemplate, match=r"name it in tidegate\.yaml"):
        take(pipeline, repository, {"README.md": "x"})


def test_links_in_code_are_refused_and_elsewhere_noted(pipeline: Pipeline, repository: Repository) -> None:
    (repository.folder / "docs").symlink_to("src")
    assert "symbolic links are left out of the source: docs" in take(pipeline, repository, FILES).notes
    (repository.folder / "src/first/link.py").symlink_to("app.py")
    with pytest.raises(InvalidSource, match=r"src/first/link\.py is a link"):
        take(pipeline, repository, {})


def test_git_lfs_pointers_are_noted(pipeline: Pipeline, repository: Repository) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    snapshot = take(pipeline, repository, {**FILES, "src/first/model.bin": pointer})
    assert any("src/first/model.bin" in note for note in snapshot.notes)


def test_a_commit_without_a_bundle_is_looked_for_at_the_usual_place(
    pipeline: Pipeline, repository: Repository
) -> None:
    repository.commit(FILES)
    commit = pipeline.push(repository).model_copy(update={"bundle": None})
    assert check_out(pipeline, commit).functions == 2
    boto3.client("s3").delete_object(Bucket="sources", Key=f"orders/main/{commit.id}.bundle")
    with pytest.raises(InvalidSource, match=r"there is no bundle .*; write it with `tidegate push`"):
        check_out(pipeline, commit)


def test_a_large_bundle_is_not_downloaded(
    pipeline: Pipeline, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkouts, "MAX_BUNDLE", 100)
    repository.commit(FILES)
    with pytest.raises(InvalidSource, match="at most 100 are allowed"):
        check_out(pipeline, pipeline.push(repository))


# Put together, so that this file holds none.
KEY = "AKIA" + "QX7ZP2LW9V4TN8RB"


def test_a_secret_ends_the_release_before_anything_is_stored(
    pipeline: Pipeline, repository: Repository
) -> None:
    repository.commit({**FILES, "src/first/app.py": f"KEY = '{KEY}'\ndef handler(event, context): ...\n"})
    commit = pipeline.push(repository)
    with pytest.raises(SecretFound, match=r"src/first/app\.py:1: AWS Access Key") as caught:
        check_out(pipeline, commit)
    assert KEY not in str(caught.value)
    assert pipeline.keys("") == []


def test_a_secret_of_an_earlier_commit_is_not_this_one_s(pipeline: Pipeline, repository: Repository) -> None:
    repository.commit({**FILES, "old.txt": KEY})
    repository.git("rm", "--quiet", "old.txt")
    assert take(pipeline, repository, FILES).functions


def test_an_allowed_secret_is_told_in_the_notes(pipeline: Pipeline, repository: Repository) -> None:
    config = "secrets: {allow: [{path: 'samples/*', kind: AWS Access Key, reason: revoked in 2019}]}\n"
    snapshot = take(pipeline, repository, {**FILES, "tidegate.yaml": config, "samples/a.txt": KEY})
    assert "samples/a.txt:1: AWS Access Key is allowed: revoked in 2019" in snapshot.notes
