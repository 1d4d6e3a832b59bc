"""The local registry refuses what Amazon ECR refuses, and gives back the bytes that it took."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.images import push_base, push_blob
from tidegate.adapters.image_registries import Repository
from tidegate.domain.errors import ArtifactAltered, BuildFailed
from tidegate.domain.images.documents import Descriptor, digest_of, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud

MEGABYTE = 1024 * 1024


@pytest.fixture
def ecr(cloud: LocalCloud) -> Any:
    return cloud.client("ecr")


@pytest.fixture
def repository(ecr: Any, unique: str) -> Repository:
    ecr.create_repository(repositoryName=unique, imageTagMutability="IMMUTABLE")
    return Repository(ecr, unique)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


def blob(body: bytes) -> Descriptor:
    return Descriptor(media_type="x", digest=digest_of(body), size=len(body))


def test_a_blob_of_several_parts_comes_back_as_it_was(repository: Repository) -> None:
    body = bytes(range(256)) * (90 * 1024)  # three parts, the last one shorter
    repository.push(
        (body[first : first + MEGABYTE] for first in range(0, len(body), MEGABYTE)), digest_of(body)
    )
    assert repository.missing([blob(body), blob(b"other")]) == [blob(b"other")]
    assert b"".join(repository.read_blob(blob(body))) == body
    repository.push([body], digest_of(body))  # one that stands is no error


def test_uploads_that_are_not_what_they_say(ecr: Any, repository: Repository) -> None:
    name = repository.name

    def upload(*parts: bytes, digest: str = "", first: int = 0) -> Any:
        found = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
        for part in parts:
            place = {"partFirstByte": first, "partLastByte": first + len(part) - 1}
            ecr.upload_layer_part(repositoryName=name, uploadId=found, layerPartBlob=part, **place)
            first += len(part)
        digest = digest or digest_of(b"".join(parts))
        return ecr.complete_layer_upload(repositoryName=name, uploadId=found, layerDigests=[digest])

    assert refusal(lambda: upload(b"x", digest=digest_of(b"y"))) == "InvalidLayerException"
    assert refusal(upload) == "EmptyUploadException"
    assert refusal(lambda: upload(b"x", b"y")) == "LayerPartTooSmallException"
    assert refusal(lambda: upload(b"x", first=3)) == "InvalidLayerPartException"
    upload(b"x")
    assert refusal(lambda: upload(b"x")) == "LayerAlreadyExistsException"


def test_a_manifest_whose_layers_are_missing_is_refused(
    ecr: Any, repository: Repository, unique: str
) -> None:
    push_base(ecr, "v1", repository=f"{unique}-base")
    found = Repository(ecr, f"{unique}-base").find("v1")
    assert found is not None
    put = {"repositoryName": repository.name, "imageManifest": found.body.decode(), "imageTag": "v1"}
    assert refusal(lambda: ecr.put_image(**put)) == "LayersNotFoundException"
    source = Repository(ecr, f"{unique}-base")
    for one in read_manifest(found.body, found.digest, "it").blobs:
        repository.copy(source, one)
    other = f"sha256:{'0' * 64}"
    assert refusal(lambda: ecr.put_image(**put, imageDigest=other)) == "ImageDigestDoesNotMatchException"
    repository.put(found.body, json.loads(found.body)["mediaType"], "v1")
    repository.put(found.body, json.loads(found.body)["mediaType"], "v1")  # again
    assert refusal(lambda: ecr.put_image(**put)) == "ImageAlreadyExistsException"
    assert repository.find(found.digest) == repository.find("v1") == found
    assert repository.find("v2") is None
    assert repository.find_standing([found.digest, other]) == {found.digest}


def test_a_tag_does_not_move(ecr: Any, repository: Repository, unique: str) -> None:
    first = push_base(ecr, "v1", repository=repository.name)
    second = push_base(ecr, "v2", repository=repository.name, Cmd=["other"])
    assert first != second
    found = repository.find(second)
    assert found is not None
    put = {"repositoryName": repository.name, "imageManifest": found.body.decode(), "imageTag": "v1"}
    assert refusal(lambda: ecr.put_image(**put)) == "ImageTagAlreadyExistsException"
    with pytest.raises(ArtifactAltered, match=f"{unique}:v1 has {first}, and {second} was built"):
        repository.put(found.body, json.loads(found.body)["mediaType"], "v1")


def test_bytes_that_changed_in_the_registry_are_found_out(ecr: Any, repository: Repository) -> None:
    from moto.ecr.models import ecr_backends

    from tidegate.local.cloud import ACCOUNT_ID, REGION

    digest = push_blob(ecr, repository.name, b"layer")["digest"]
    push_base(ecr, "v1", repository=repository.name)
    stored = ecr_backends[ACCOUNT_ID][REGION].repositories[repository.name]
    stored.blobs[digest] = b"Layer"
    with pytest.raises(BuildFailed, match="gives other bytes for the blob"):
        list(repository.read_blob(blob(b"layer")))
    stored.blobs[digest] = b"layer and more"
    with pytest.raises(BuildFailed, match="gives other bytes for the blob"):
        list(repository.read_blob(blob(b"layer")))
    stored.images[0].image_manifest += " "
    digest = stored.images[0].image_digest
    for look in (lambda: repository.find("v1"), lambda: repository.find_standing([digest])):
        with pytest.raises(BuildFailed, match="is answered with the bytes of"):
            look()


def test_layers_are_served_to_whoever_has_the_address(ecr: Any, repository: Repository) -> None:
    digest = push_blob(ecr, repository.name, b"layer")["digest"]
    answer = ecr.get_download_url_for_layer(repositoryName=repository.name, layerDigest=digest)
    with urllib.request.urlopen(answer["downloadUrl"]) as body:  # noqa: S310 (our own server's)
        assert hashlib.sha256(body.read()).hexdigest() == digest.removeprefix("sha256:")
    missing = {"repositoryName": repository.name, "layerDigest": digest_of(b"nothing")}
    assert refusal(lambda: ecr.get_download_url_for_layer(**missing)) == "LayersNotFoundException"
