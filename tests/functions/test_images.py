"""Images from the commit to the repository: what is built, what is not built again, and what is refused."""

from __future__ import annotations

import io
import json
import tarfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from functions.build_function.handler import Request, Response, handle
from functions.check_out_source.handler import Request as CheckOut
from functions.check_out_source.handler import handle as check_out
from tests.functions.conftest import ENVIRONMENT, Pipeline
from tests.images import HERE, NAME, REPOSITORY, push_base
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.image_registries import Repository as Registry
from tidegate.domain.artifacts import Method, manifest_key, record_key
from tidegate.domain.errors import ArtifactAltered, BuildFailed, InvalidTemplate, UnsupportedTemplate
from tidegate.domain.images.documents import digest_of, read_config, read_manifest
from tidegate.domain.pipeline import IMAGE_REPOSITORY
from tidegate.domain.snapshots import Artifact, Snapshot
from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.settings import Settings
from tidegate.task import Tools

if TYPE_CHECKING:
    from tests.conftest import Repository
    from tests.package_index import PackageIndex
    from tidegate.domain.identity import Commit
    from tidegate.domain.snapshots import FunctionSnapshot
    from tidegate.local.cloud import LocalCloud

TEMPLATE: dict[str, Any] = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Only": {
            "Type": "AWS::Serverless::Function",
            "Properties": {"PackageType": "Image"},
            "Metadata": {"Dockerfile": "Dockerfile", "DockerContext": "src", "DockerTag": "v1"},
        }
    },
}
DOCKERFILE = f"""FROM {NAME}:3
COPY . ${{LAMBDA_TASK_ROOT}}
CMD ["app.handler"]
"""
INSTALLING = DOCKERFILE.replace("CMD", "RUN pip install -r requirements.txt -t .\nCMD")


class Images(Pipeline):
    """A pipeline in the local cloud that knows a base image."""

    def __init__(self, cloud: LocalCloud, unique: str) -> None:
        bases = [{"name": NAME, "repository": f"{unique}-{REPOSITORY}"}]
        images = {"account": ACCOUNT_ID, "region": REGION, "bases": bases}
        names = {"ARTIFACT_BUCKET": f"{unique}-a", "SOURCE_BUCKET": "sources", "LEDGER_TABLE": unique}
        told = {f"TIDEGATE_{key}": value for key, value in {**names, "IMAGES": json.dumps(images)}.items()}
        environment = {**ENVIRONMENT, **told, "TIDEGATE_BUILD_RUNTIME": f"python{HERE}"}
        self.tools = Tools(Settings(environment))
        self.unique, self.cloud = unique, cloud
        self.ecr = cloud.client("ecr")
        self.base = push_base(self.ecr, "3", repository=f"{unique}-{REPOSITORY}")
        with suppress(self.ecr.exceptions.RepositoryAlreadyExistsException):
            self.ecr.create_repository(repositoryName=IMAGE_REPOSITORY, imageTagMutability="IMMUTABLE")
        for bucket in (f"{unique}-a", "sources"):
            cloud.client("s3").create_bucket(Bucket=bucket)
        keys = [("pk", "HASH"), ("sk", "RANGE")]
        cloud.client("dynamodb").create_table(
            TableName=unique,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        self.registry = Registry(self.ecr, IMAGE_REPOSITORY)

    def files(self, **files: str) -> dict[str, str | bytes]:
        """The service's files, no two services' alike; `app__py=...` is src/app.py."""
        code = f"def handler(event, context):\n    return '{self.unique}'\n"
        standing = {"src/app.py": code, "src/Dockerfile": DOCKERFILE, "template.yaml": json.dumps(TEMPLATE)}
        return {**standing, **{f"src/{name.replace('__', '.')}": text for name, text in files.items()}}

    def snapshot(self, repository: Repository) -> tuple[Commit, FunctionSnapshot, Snapshot]:
        commit = self.push(repository, "orders")
        ref = self.ref(commit)
        check_out(CheckOut(release=ref, commit=commit), self.tools)
        snapshot = self.tools.documents.read(f"{release_prefix(ref)}snapshot.json", Snapshot)
        return commit, snapshot.functions[0], snapshot

    def release(self, repository: Repository) -> tuple[FunctionSnapshot, Artifact, Response]:
        """Check out and build; the function, the record of its artifact, and what was built."""
        commit, function, snapshot = self.snapshot(repository)
        built = Response(artifacts=0, built=0)
        if snapshot.to_build:
            built = handle(Request(release=self.ref(commit), index=0), self.tools)
        return function, self.tools.documents.read(record_key(function.artifact), Artifact), built

    def open(self, digest: str) -> tuple[Any, list[dict[str, bytes]]]:
        """The configuration of an image and the files of each of its layers."""
        found = self.registry.find(f"sha256:{digest}")
        assert found is not None
        manifest = read_manifest(found.body, found.digest, "it")
        config = b"".join(self.registry.read_blob(manifest.config))
        layers = []
        for one in manifest.layers:
            body = io.BytesIO(b"".join(self.registry.read_blob(one)))
            with tarfile.open(fileobj=body) as tar:
                layers.append(
                    {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]
                )
        return read_config(config, manifest.config.digest, "it"), layers


@pytest.fixture
def images(cloud: LocalCloud, unique: str, monkeypatch: pytest.MonkeyPatch) -> Images:
    for key, value in cloud.environment().items():
        monkeypatch.setenv(key, value)
    return Images(cloud, unique)


def test_an_image_has_its_bases_layers_below_its_own(images: Images, repository: Repository) -> None:
    repository.commit(images.files(data__txt="data"))
    function, record, built = images.release(repository)
    assert built == Response(artifacts=1, built=1)
    assert (function.method, function.handler, function.code_uri) == (Method.IMAGE, "app.handler", "src")
    config, layers = images.open(record.sha256)
    assert [sorted(one) for one in layers] == [
        ["lambda-entrypoint.sh", "opt/base.txt"],
        ["var/task/Dockerfile", "var/task/app.py", "var/task/data.txt"],
    ]
    assert (config.command, config.entrypoint) == (("app.handler",), ("/lambda-entrypoint.sh",))
    stored = images.tools.documents.find_bytes(manifest_key(function.artifact)) or b""
    assert digest_of(stored) == f"sha256:{record.sha256}"
    assert images.registry.find(function.artifact) == images.registry.find(digest_of(stored))


def test_a_second_release_of_the_same_builds_nothing(images: Images, repository: Repository) -> None:
    repository.commit(images.files())
    function, record, _ = images.release(repository)
    changed = DOCKERFILE.replace("CMD", "# another word for the same\nCMD")
    repository.commit(images.files(Dockerfile=changed, __dockerignore="Dockerfile\n.dockerignore\n"))
    other, ignoring, built = images.release(repository)
    assert (built.built, other.artifact == function.artifact) == (1, False), (
        "the Dockerfile itself was copied"
    )
    changed = changed.replace("another", "one more")
    repository.commit(images.files(Dockerfile=changed, __dockerignore="Dockerfile\n.dockerignore\n"))
    third, again, built = images.release(repository)
    assert (third.artifact, again, built.built) == (other.artifact, ignoring, 0)
    assert record.sha256 != ignoring.sha256


def test_wheels_have_a_layer_of_their_own_which_stays(
    images: Images, repository: Repository, index: PackageIndex
) -> None:
    sha256 = index.add(images.unique, {f"{images.unique}.py": "", "data/x.so": "native"})
    files = images.files(Dockerfile=INSTALLING, requirements__txt=f"{images.unique}\n")
    repository.commit(files)
    _, first, _ = images.release(repository)
    _, layers = images.open(first.sha256)
    assert f"var/task/{images.unique}.py" in layers[1]
    assert "var/task/data/x.so" in layers[1]
    assert "var/task/app.py" in layers[2]
    assert first.lock == (f"{images.unique}==1.0",)
    asked = len(index.asked)
    repository.commit({**files, "src/app.py": f"def handler(e, c):\n    return '{images.unique}2'\n"})
    _, second, _ = images.release(repository)
    assert second.sha256 != first.sha256
    assert index.asked[asked:] == [], "neither the lock nor the wheel is fetched again"
    before, after = (images.registry.find(f"sha256:{one.sha256}") for one in (first, second))
    assert before
    assert after
    assert json.loads(before.body)["layers"][:2] == json.loads(after.body)["layers"][:2]
    bill = json.loads(images.tools.documents.find_bytes(second.bill) or b"")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    base, wheel = bill["components"]
    assert (base["type"], base["name"], base["version"]) == ("container", NAME, images.base)
    assert (wheel["name"], wheel["hashes"][0]["content"]) == (images.unique, sha256)
    assert bill["metadata"]["component"]["hashes"][0]["content"] == second.sha256
    assert second.components == len(bill["components"])
    assert {"ref": "artifact", "dependsOn": sorted([base["bom-ref"], wheel["bom-ref"]])} in bill[
        "dependencies"
    ]


def test_pip_without_a_target_installs_where_the_interpreter_looks(
    images: Images, repository: Repository, index: PackageIndex
) -> None:
    index.add("one", {"one.py": ""})
    installing = INSTALLING.replace(" -t .", "")
    repository.commit(images.files(Dockerfile=installing, requirements__txt="one\n"))
    _, record, _ = images.release(repository)
    _, layers = images.open(record.sha256)
    assert f"var/lang/lib/python{HERE}/site-packages/one.py" in layers[1]


def test_an_image_that_stands_is_taken_by_its_digest(images: Images, repository: Repository) -> None:
    own = f"{ACCOUNT_ID}.dkr.ecr.{REGION}.amazonaws.com/{images.unique}-{REPOSITORY}"
    template = json.loads(json.dumps(TEMPLATE))
    template["Resources"]["Only"] = {
        "Type": "AWS::Serverless::Function",
        "Properties": {"PackageType": "Image", "ImageUri": f"{own}:3", "ImageConfig": {"Command": ["a.b"]}},
    }
    repository.commit({**images.files(), "template.yaml": json.dumps(template)})
    function, record, built = images.release(repository)
    assert (built.built, function.handler) == (1, "a.b")
    assert f"sha256:{record.sha256}" == images.base
    assert images.registry.find(images.base)
    push_base(images.ecr, "4", repository=f"{images.unique}-{REPOSITORY}", Cmd=["x.y"])
    template["Resources"]["Only"]["Properties"]["ImageUri"] = f"{own}:4"
    repository.commit({"template.yaml": json.dumps(template)})
    _, other, _ = images.release(repository)
    assert other.sha256 != record.sha256


def test_an_artifact_that_another_builder_made_first_is_kept(images: Images, repository: Repository) -> None:
    repository.commit(images.files())
    function, record, _ = images.release(repository)
    images.cloud.client("s3").delete_object(
        Bucket=images.tools.documents.bucket, Key=record_key(function.artifact)
    )
    _, again, built = images.release(repository)
    assert (built.built, again) == (1, record)


def test_a_manifest_of_another_image_whose_layers_are_gone_is_not_believed(
    images: Images, repository: Repository
) -> None:
    repository.commit(images.files())
    commit, function, _ = images.snapshot(repository)
    found = images.registry.find(function.artifact)
    assert found is None
    body = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "x", "digest": f"sha256:{'1' * 64}", "size": 1},
        "layers": [],
    })  # fmt: skip
    images.tools.documents.write_bytes(manifest_key(function.artifact), body.encode())
    with pytest.raises(BuildFailed, match="is of another image, whose layers are gone"):
        handle(Request(release=images.ref(commit), index=0), images.tools)


def test_a_tag_that_names_another_image_is_altered(images: Images, repository: Repository) -> None:
    repository.commit(images.files())
    commit, function, _ = images.snapshot(repository)
    push_base(images.ecr, function.artifact, repository=IMAGE_REPOSITORY)
    with pytest.raises(ArtifactAltered, match="was built"):
        handle(Request(release=images.ref(commit), index=0), images.tools)


@pytest.mark.parametrize(
    ("files", "error", "said"),
    [
        ({"Dockerfile": "FROM other:1\n"}, UnsupportedTemplate, "src/Dockerfile:1: no repository stands for"),
        (
            {"Dockerfile": f"FROM {NAME}:9\n"},
            BuildFailed,
            "src/Dockerfile:1: the repository .* has no image 9",
        ),
        (
            {"Dockerfile": DOCKERFILE + "RUN make\n"},
            UnsupportedTemplate,
            "src/Dockerfile:4: RUN make is not run",
        ),
        (
            {"Dockerfile": INSTALLING},
            UnsupportedTemplate,
            "requirements.txt is installed, but no COPY puts it",
        ),
        (
            {
                "requirements.txt": "",
                "Dockerfile": f"FROM {NAME}:3\nRUN pip install -r requirements.txt\nCOPY . ./\n",
            },
            UnsupportedTemplate,
            "src/Dockerfile:2: /var/task/requirements.txt is installed, but no COPY puts it there before",
        ),
        (
            {
                "requirements.txt": "",
                "pip.conf": "",
                "Dockerfile": INSTALLING.replace("RUN", "COPY pip.conf /etc/pip.conf\nRUN"),
            },
            UnsupportedTemplate,
            "src/Dockerfile:4: /etc/pip.conf changes what pip installs",
        ),
        (
            {"Dockerfile": DOCKERFILE.replace(" . ", " nothing ")},
            UnsupportedTemplate,
            "COPY nothing: nothing of",
        ),
    ],
)
def test_what_cannot_be_built_ends_the_checkout_by_name(
    images: Images, repository: Repository, files: dict[str, str], error: type[Exception], said: str
) -> None:
    repository.commit({**images.files(), **{f"src/{name}": text for name, text in files.items()}})
    with pytest.raises(error, match=said):
        images.snapshot(repository)


def test_a_dockerfile_that_is_not_there(images: Images, repository: Repository) -> None:
    files = images.files()
    del files["src/Dockerfile"]
    repository.commit(files)
    with pytest.raises(
        InvalidTemplate, match=r"template.yaml:.*the Dockerfile src/Dockerfile does not exist"
    ):
        images.snapshot(repository)


def test_a_handler_that_nothing_copies_ends_the_build(images: Images, repository: Repository) -> None:
    repository.commit(images.files(Dockerfile=DOCKERFILE.replace("app.handler", "other.handler")))
    with pytest.raises(
        BuildFailed, match=r"Only in src/Dockerfile: the handler 'other.handler' has no module"
    ):
        images.release(repository)


def test_an_image_for_another_architecture_is_refused(images: Images, repository: Repository) -> None:
    push_base(images.ecr, "arm", repository=f"{images.unique}-{REPOSITORY}", architecture="arm64")
    repository.commit(images.files(Dockerfile=DOCKERFILE.replace(":3", ":arm")))
    with pytest.raises(
        UnsupportedTemplate, match="is for linux on arm64, and the function for linux on x86_64"
    ):
        images.snapshot(repository)
