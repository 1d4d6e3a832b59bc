from __future__ import annotations

import hashlib
import io
import json
import zipfile
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from functions.build_function.handler import LONGEST, Request, Response, handle
from functions.check_out_source.handler import Request as CheckOut
from functions.check_out_source.handler import handle as check_out
from tidegate.adapters.builds import Builder
from tidegate.adapters.documents import release_prefix
from tidegate.domain.artifacts import archive_key, record_key
from tidegate.domain.bills import read_subject
from tidegate.domain.errors import BuildFailed, BuildsPending
from tidegate.domain.snapshots import Artifact, Snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Repository
    from tests.functions.conftest import Pipeline
    from tests.package_index import PackageIndex
    from tidegate.domain.identity import Commit

TEMPLATE = """Resources:
  Only:
    Type: AWS::Lambda::Function
    Properties: {Code: src, Handler: app.handler, Runtime: python3.14}
"""
FILES: dict[str, str | bytes] = {
    "template.yaml": TEMPLATE,
    "src/app.py": "def handler(event, context): ...\n",
    "src/pkg/data.txt": "data",
    "src/__pycache__/app.pyc": "junk",
}


def prepare(pipeline: Pipeline, repository: Repository, files: dict[str, str | bytes]) -> tuple[Commit, str]:
    repository.commit({**FILES, **files})
    commit = pipeline.push(repository)
    ref = pipeline.ref(commit)
    check_out(CheckOut(release=ref, commit=commit), pipeline.tools)
    snapshot = pipeline.tools.documents.read(f"{release_prefix(ref)}snapshot.json", Snapshot)
    return commit, snapshot.functions[0].artifact


def build(pipeline: Pipeline, commit: Commit) -> Response:
    return handle(Request(release=pipeline.ref(commit), index=0), pipeline.tools)


def contents(pipeline: Pipeline, key: str) -> dict[str, bytes]:
    body = pipeline.tools.documents.find_bytes(archive_key(key))
    with zipfile.ZipFile(io.BytesIO(body or b"")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def remove(pipeline: Pipeline, *keys: str) -> None:
    for key in keys:
        boto3.client("s3").delete_object(Bucket=pipeline.tools.documents.bucket, Key=key)


def test_code_without_requirements_is_zipped(pipeline: Pipeline, repository: Repository) -> None:
    commit, key = prepare(pipeline, repository, {})
    assert build(pipeline, commit) == Response(artifacts=1, built=1)
    assert sorted(contents(pipeline, key)) == ["app.py", "pkg/data.txt"]
    record = pipeline.tools.documents.read(record_key(key), Artifact)
    assert (record.runtime, record.architecture, record.lock) == ("python3.11", "x86_64", ())
    assert "built Only: " in pipeline.told(commit)[1]


def test_a_full_disk_leaves_nothing_that_a_later_build_would_use(
    pipeline: Pipeline, repository: Repository, tmp_path: Path
) -> None:
    commit, key = prepare(pipeline, repository, {})
    documents, prefix = pipeline.tools.documents, release_prefix(pipeline.ref(commit))
    snapshot = documents.read(f"{prefix}snapshot.json", Snapshot)
    (tmp_path / "source.zip").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        Builder(documents, f"{prefix}source.zip", snapshot, tmp_path).build(key)
    assert not documents.exists(archive_key(key))
    assert not documents.exists(record_key(key))
    assert build(pipeline, commit) == Response(artifacts=1, built=1)


def read_bill(pipeline: Pipeline, key: str) -> dict[str, Any]:
    """The bill of an artifact, whose record names it and its hash."""
    record = pipeline.tools.documents.read(record_key(key), Artifact)
    body = pipeline.tools.documents.find_bytes(record.bill) or b""
    assert hashlib.sha256(body).hexdigest() == record.bill_sha256
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(body.decode()) is None
    found: dict[str, Any] = json.loads(body)
    assert len(found["components"]) == record.components
    return found


def test_an_artifact_has_a_bill_of_exactly_what_is_in_it(
    pipeline: Pipeline, repository: Repository, index: PackageIndex
) -> None:
    sha256 = index.add("one", {"one.py": ""}, requires=("two>=1",))
    index.add("two", {"two.py": "", "two/_vendor/deep-3.dist-info/METADATA": "Name: deep\nVersion: 3\n\n"})
    files = {"src/requirements.txt": "one\n", "src/old-0.1.dist-info/METADATA": "Name: old\nVersion: 0.1\n\n"}
    commit, key = prepare(pipeline, repository, {**files})
    build(pipeline, commit)
    found = read_bill(pipeline, key)
    assert [one["bom-ref"] for one in found["components"]] == [
        "pkg:pypi/deep@3#two/_vendor/deep-3.dist-info",
        "pkg:pypi/old@0.1#old-0.1.dist-info",
        "pkg:pypi/one@1.0",
        "pkg:pypi/two@1.0",
    ]
    assert found["components"][2]["hashes"][0]["content"] == sha256
    assert {"ref": "pkg:pypi/one@1.0", "dependsOn": ["pkg:pypi/two@1.0"]} in found["dependencies"]
    record = pipeline.tools.documents.read(record_key(key), Artifact)
    assert record.lock == ("one==1.0", "two==1.0")
    assert found["metadata"]["component"]["hashes"][0]["content"] == record.sha256


def test_a_builder_that_dies_before_the_record_leaves_one_bill(
    pipeline: Pipeline, repository: Repository
) -> None:
    commit, key = prepare(pipeline, repository, {})
    build(pipeline, commit)
    before = read_bill(pipeline, key)
    remove(pipeline, record_key(key))
    assert build(pipeline, commit).built
    assert read_bill(pipeline, key) == before


def test_what_stands_already_is_not_built_again(pipeline: Pipeline, repository: Repository) -> None:
    commit, _ = prepare(pipeline, repository, {})
    assert build(pipeline, commit).built
    remove(pipeline, f"{release_prefix(pipeline.ref(commit))}source.zip")
    assert build(pipeline, commit) == Response(artifacts=1, built=0)


@pytest.mark.registry
def test_a_build_has_the_same_bytes_wherever_and_whenever(pipeline: Pipeline, repository: Repository) -> None:
    commit, key = prepare(pipeline, repository, {"src/requirements.txt": "markupsafe==3.0.2\nidna==3.10\n"})
    bodies = []
    for _ in range(2):
        assert build(pipeline, commit).built
        bodies.append(pipeline.tools.documents.find_bytes(archive_key(key)))
        remove(pipeline, archive_key(key), record_key(key))
    assert bodies[0] == bodies[1]


@pytest.mark.registry
def test_requirements_are_installed_without_the_installer_s_traces(
    pipeline: Pipeline, repository: Repository
) -> None:
    commit, key = prepare(pipeline, repository, {"src/requirements.txt": "idna\npyyaml==6.0.2\n"})
    build(pipeline, commit)
    found = contents(pipeline, key)
    assert {"idna/core.py", "yaml/__init__.py", "app.py", "requirements.txt"} <= set(found)
    assert "yaml/_yaml.cpython-311-x86_64-linux-gnu.so" in found
    traces = ("RECORD", "INSTALLER", "REQUESTED", ".lock", ".pyc")
    assert not [name for name in found if name.endswith(traces) or name.startswith("bin/")]
    lock = pipeline.tools.documents.read(record_key(key), Artifact).lock
    assert [line.split("==")[0] for line in lock] == ["idna", "pyyaml"]


@pytest.mark.usefixtures("index")
def test_a_requirement_that_cannot_be_had_is_named_in_one_line(
    pipeline: Pipeline, repository: Repository
) -> None:
    text = "tidegate-has-no-such-package==1\n"
    with pytest.raises(
        BuildFailed, match=r"^src/requirements\.txt: .*tidegate-has-no-such-package"
    ) as caught:
        prepare(pipeline, repository, {"src/requirements.txt": text})
    assert "\n" not in str(caught.value)
    assert not pipeline.keys("locks/")


@pytest.mark.usefixtures("index")
def test_code_is_never_run_to_install_it(pipeline: Pipeline, repository: Repository) -> None:
    files = {
        "src/requirements.txt": "./evil\n",
        "src/evil/setup.py": "open('/tmp/evil', 'w')",
        "src/evil/pyproject.toml": "[project]\nname = 'evil'\nversion = '1'\n",
        "uv.toml": "no-build = false\n",
    }
    with pytest.raises(BuildFailed, match=r"^src/requirements\.txt: .*evil"):
        prepare(pipeline, repository, files)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"src/app.py": "def handle(): ...\n"}, "template.yaml:2: Only in src: app.py defines no handler"),
        ({"src/app.py": "def handler(:\n"}, "app.py does not parse"),
        ({"template.yaml": TEMPLATE.replace("app.handler", "main.handler")}, "no module main.py in the code"),
    ],
)
def test_a_handler_that_cannot_exist_fails_the_build(
    files: dict, message: str, pipeline: Pipeline, repository: Repository
) -> None:
    commit, key = prepare(pipeline, repository, files)
    with pytest.raises(BuildFailed) as caught:
        build(pipeline, commit)
    assert message in str(caught.value)
    assert not pipeline.tools.documents.exists(record_key(key))


def test_a_layer_may_hold_the_handler(pipeline: Pipeline, repository: Repository) -> None:
    properties = "Handler: wrapper.handler, Layers: ['arn:aws:lambda:us-east-1:1:layer:x:1']"
    template = TEMPLATE.replace("Handler: app.handler", properties)
    commit, _ = prepare(pipeline, repository, {"template.yaml": template})
    assert build(pipeline, commit).built


def test_a_zip_and_a_single_file_are_code_too(pipeline: Pipeline, repository: Repository) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("app.py", "handler = print")
    template = TEMPLATE.replace("Code: src", "Code: code.zip")
    commit, key = prepare(pipeline, repository, {"template.yaml": template, "code.zip": body.getvalue()})
    build(pipeline, commit)
    assert pipeline.tools.documents.find_bytes(archive_key(key)) == body.getvalue()
    template = TEMPLATE.replace("Code: src", "Code: src/app.py")
    commit, key = prepare(pipeline, repository, {"template.yaml": template})
    build(pipeline, commit)
    assert list(contents(pipeline, key)) == ["app.py"]


def test_a_builder_that_died_before_its_record_leaves_no_wrong_record(
    pipeline: Pipeline, repository: Repository
) -> None:
    commit, key = prepare(pipeline, repository, {})
    build(pipeline, commit)
    first = pipeline.tools.documents.read(record_key(key), Artifact)
    # What another builder stored before it died; its bytes differ, as with requirements that moved on.
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("app.py", "def handler(): ...")
        archive.writestr("x-2.dist-info/METADATA", "")
    remove(pipeline, record_key(key))
    pipeline.tools.documents.write_bytes(archive_key(key), other.getvalue())
    with pytest.raises(BuildFailed, match="is of other bytes than those beside it"):
        build(pipeline, commit)
    remove(pipeline, first.bill)
    assert build(pipeline, commit).built
    second = pipeline.tools.documents.read(record_key(key), Artifact)
    assert pipeline.tools.documents.find_bytes(archive_key(key)) == other.getvalue()
    assert (second.size, second.components) == (len(other.getvalue()), 1)
    assert second.sha256 != first.sha256


def test_too_much_code_is_refused(
    pipeline: Pipeline, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.adapters.assembly.MAX_UNZIPPED", 10)
    commit, _ = prepare(pipeline, repository, {})
    with pytest.raises(BuildFailed, match="Only in src unpacks to"):
        build(pipeline, commit)


@pytest.mark.registry
def test_a_python_layer_is_built_once(pipeline: Pipeline, repository: Repository) -> None:
    template = TEMPLATE + (
        "  Layer:\n    Type: AWS::Serverless::LayerVersion\n    Metadata: {BuildMethod: python3.12}\n"
        "    Properties: {ContentUri: layer}\nTransform: AWS::Serverless-2016-10-31\n"
    )
    files = {"template.yaml": template, "layer/requirements.txt": "idna\n", "layer/own.py": "x = 1"}
    prepare(pipeline, repository, files)
    bill, key = pipeline.keys("packages/")
    assert bill == key.replace(".zip", ".cdx.json")
    body = pipeline.tools.documents.find_bytes(bill) or b""
    assert [one["name"] for one in json.loads(body)["components"]] == ["idna"]
    body = pipeline.tools.documents.find_bytes(key)
    with zipfile.ZipFile(io.BytesIO(body or b"")) as archive:
        assert {"python/idna/core.py", "python/own.py"} <= set(archive.namelist())
    prepare(pipeline, repository, {"README.md": "x"})
    assert pipeline.keys("packages/") == [bill, key]


def test_a_layer_s_bill_is_of_the_zip_that_stands(
    pipeline: Pipeline, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two build it at once, with zlibs that do not agree: the later one describes what the first has stored."""
    template = TEMPLATE + (
        "  Layer:\n    Type: AWS::Serverless::LayerVersion\n    Metadata: {BuildMethod: python3.12}\n"
        "    Properties: {ContentUri: layer}\nTransform: AWS::Serverless-2016-10-31\n"
    )
    documents, body = pipeline.tools.documents, io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("python/own.py", "x = 1")
    write = documents.write_once

    def write_later(key: str, file: Path) -> bool:
        if key.startswith("packages/") and key.endswith(".zip") and not documents.exists(key):
            documents.write_bytes(key, body.getvalue())
        return write(key, file)

    monkeypatch.setattr(documents, "write_once", write_later)
    prepare(pipeline, repository, {"template.yaml": template, "layer/own.py": "x = 1"})
    bill, key = pipeline.keys("packages/")
    assert documents.find_bytes(key) == body.getvalue()
    assert read_subject(documents.find_bytes(bill) or b"") == hashlib.sha256(body.getvalue()).hexdigest()


MANY = 25


def prepare_many(pipeline: Pipeline, repository: Repository) -> tuple[Commit, Snapshot]:
    names = [f"Only{number}" for number in range(MANY)]
    resources = "".join(
        f"  {name}: {{Type: AWS::Lambda::Function, "
        f"Properties: {{Code: {name}, Handler: app.handler, Runtime: python3.14}}}}\n"
        for name in names
    )
    sources: dict[str, str | bytes] = {
        f"{name}/app.py": f"def handler(event, context): return '{name}'\n" for name in names
    }
    commit, _ = prepare(pipeline, repository, {**sources, "template.yaml": f"Resources:\n{resources}"})
    key = f"{release_prefix(pipeline.ref(commit))}snapshot.json"
    return commit, pipeline.tools.documents.read(key, Snapshot)


def test_many_artifacts_are_shared_out_among_few_builds(pipeline: Pipeline, repository: Repository) -> None:
    """A build is a state of the machine: they do not become more with the functions."""
    commit, snapshot = prepare_many(pipeline, repository)
    assert snapshot.builds == 10
    ref = pipeline.ref(commit)
    responses = [handle(Request(release=ref, index=index), pipeline.tools) for index in range(10)]
    assert sum(response.built for response in responses) == MANY
    assert {response.artifacts for response in responses} == {2, 3}
    assert all(pipeline.tools.documents.exists(record_key(one.artifact)) for one in snapshot.functions)
    assert handle(Request(release=ref, index=0), pipeline.tools) == Response(artifacts=3, built=0)


def test_what_takes_too_long_is_gone_on_with(
    pipeline: Pipeline, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, _ = prepare_many(pipeline, repository)
    begun, looks = pipeline.tools.now(), count()
    with monkeypatch.context() as slow:
        slow.setattr(pipeline.tools, "now", lambda: begun + next(looks) * LONGEST * 0.4)
        with pytest.raises(BuildsPending, match="2 of 3 artifacts are still to be built"):
            handle(Request(release=pipeline.ref(commit), index=0), pipeline.tools)
    response = handle(Request(release=pipeline.ref(commit), index=0), pipeline.tools)
    assert response == Response(artifacts=3, built=2)
