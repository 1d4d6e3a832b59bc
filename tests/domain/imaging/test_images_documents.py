"""Manifests and configurations: what is refused, and what an image over a base consists of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidegate.domain.errors import BuildFailed, UnsupportedTemplate
from tidegate.domain.images.documents import (
    DOCKER_MANIFEST,
    LAYER_TYPES,
    OCI_MANIFEST,
    Layer,
    Runtime,
    choose_manifest,
    digest_of,
    make_image,
    read_config,
    read_document,
    read_manifest,
    write_document,
)
from tidegate.domain.images.recipes import Recipe
from tidegate.domain.images.references import (
    BaseImage,
    find_python,
    find_repository,
    image_uri,
    read_reference,
)

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-01-01T10:00:00Z",
    "container": "c0ffee",
    "config": {"Env": ["A=1", "B=x=y"], "Cmd": ["old"], "Entrypoint": ["/e"], "Labels": {"l": "1"}},
    "rootfs": {"type": "layers", "diff_ids": [A]},
    "history": [{"created_by": "FROM scratch"}],
}
LAYER = Layer(digest=B, size=7, diff_id=A, unpacked=9, holds="source")


def manifest(kind: str = DOCKER_MANIFEST, **changes: Any) -> bytes:
    config = write_document(CONFIG)
    return write_document(
        {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": "application/x", "digest": digest_of(config), "size": len(config)},
            "layers": [{"mediaType": LAYER_TYPES.get(kind, "x"), "digest": A, "size": 3}],
            **changes,
        }
    )


def read(body: bytes) -> Any:
    return read_manifest(body, digest_of(body), "base")


@pytest.mark.parametrize("kind", [DOCKER_MANIFEST, OCI_MANIFEST])
def test_an_image_over_its_base(kind: str) -> None:
    recipe = Recipe(
        file="Dockerfile",
        base="base",
        environment={"B": "2", "C": "3"},
        labels={"m": "2"},
        working_folder="/var/task",
        command=("app.handler",),
    )
    image = make_image(read(manifest(kind)), write_document(CONFIG), recipe, [LAYER], "base")
    config = json.loads(image.config)
    assert config["config"] == {
        "Env": ["A=1", "B=2", "C=3"],
        "Cmd": ["app.handler"],
        "Entrypoint": ["/e"],
        "Labels": {"l": "1", "m": "2"},
        "WorkingDir": "/var/task",
    }
    assert config["rootfs"]["diff_ids"] == [A, A]
    assert [one["created_by"] for one in config["history"]] == ["FROM scratch", "tidegate: source"]
    assert (config["created"], config["architecture"]) == ("1980-01-01T00:00:00Z", "amd64")
    assert "container" not in config
    assert [one.digest for one in image.manifest.layers] == [A, B]
    assert image.manifest.layers[1].media_type == LAYER_TYPES[kind]
    assert image.manifest.config.digest == digest_of(image.config)
    assert json.loads(image.body)["mediaType"] == image.manifest.media_type == kind
    assert [one.digest for one in image.manifest.blobs] == [A, B, digest_of(image.config)]


def test_an_entrypoint_of_its_own_drops_the_bases_command() -> None:
    recipe = Recipe(file="Dockerfile", base="base", entrypoint=("/own",))
    image = make_image(read(manifest()), write_document(CONFIG), recipe, [], "base")
    config = json.loads(image.config)["config"]
    assert config["Entrypoint"] == ["/own"]
    assert "Cmd" not in config


def test_equal_content_gives_equal_bytes() -> None:
    recipe = Recipe(file="Dockerfile", base="base")
    made = [make_image(read(manifest()), write_document(CONFIG), recipe, [LAYER], "base") for _ in range(2)]
    assert made[0] == made[1]


def test_bytes_that_are_not_their_digests_are_refused() -> None:
    with pytest.raises(BuildFailed, match="has not the bytes of its digest"):
        read_document(b"{}", A, "base")
    with pytest.raises(BuildFailed, match="has not the bytes of its digest"):
        read_config(write_document(CONFIG) + b" ", digest_of(write_document(CONFIG)), "base")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[]", "is no document"),
        (b"{", "is not JSON"),
        (manifest("application/vnd.docker.distribution.manifest.v1+json"), "which Lambda does not take"),
        (manifest(schemaVersion=1), "which Lambda does not take"),
        (manifest(config={}), "is no manifest"),
        (manifest(config={"mediaType": "x", "digest": "sha256:1", "size": 1}), "is no manifest"),
        (
            manifest(
                layers=[{"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd", "digest": A, "size": 1}]
            ),
            "which Lambda does not read",
        ),
    ],
)
def test_what_is_no_image_that_lambda_takes(body: bytes, said: str) -> None:
    with pytest.raises(BuildFailed, match=said):
        read(body)


def test_a_base_whose_documents_disagree() -> None:
    body = manifest(layers=[])
    with pytest.raises(BuildFailed, match="names 0 layers and tells of 1"):
        make_image(read(body), write_document(CONFIG), Recipe(file="D", base="b"), [], "base")


def test_an_index_is_read_for_the_architecture() -> None:
    def one(machine: str, digest: str) -> dict[str, Any]:
        return {"digest": digest, "platform": {"os": "linux", "architecture": machine}}

    attestation = {"digest": A, "platform": {"os": "unknown", "architecture": "unknown"}}
    index = {"manifests": [one("amd64", A), one("arm64", B), attestation]}
    assert choose_manifest(index, "arm64", "base") == B
    assert choose_manifest(index, "x86_64", "base") == A
    assert choose_manifest(CONFIG, "x86_64", "base") is None
    with pytest.raises(BuildFailed, match="has 0 images for linux on arm64"):
        choose_manifest({"manifests": [one("amd64", A)]}, "arm64", "base")


KNOWN = (
    BaseImage(name="public.ecr.aws/lambda/python", repository="ecr-public/lambda/python"),
    BaseImage(name="python", repository="base/python"),
    BaseImage(repository="own"),
)
OWN = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/own"


@pytest.mark.parametrize(
    ("text", "repository", "identifier"),
    [
        ("public.ecr.aws/lambda/python:3.13", "ecr-public/lambda/python", "3.13"),
        ("public.ecr.aws/lambda/python", "ecr-public/lambda/python", "latest"),
        (f"public.ecr.aws/lambda/python:3.13@{A}", "ecr-public/lambda/python", A),
        (f"{OWN}:v1", "own", "v1"),
        ("python:3", "base/python", "3"),
        ("python:5000/x", None, "latest"),
        ("public.ecr.aws/lambda/nodejs:24", None, "24"),
        (OWN.replace("1234", "9999"), None, "latest"),
        (OWN.replace("eu-west-1", "us-east-1"), None, "latest"),
    ],
)
def test_which_repository_stands_for_an_image(text: str, repository: str | None, identifier: str) -> None:
    reference = read_reference(text)
    assert reference is not None
    assert find_repository(reference, KNOWN, "123456789012", "eu-west-1") == repository
    assert reference.identifier == identifier


def test_what_is_no_name_of_an_image() -> None:
    assert read_reference("a b") is None
    assert read_reference("a@sha256:1") is None
    assert image_uri("1", "r", "x/y", A) == f"1.dkr.ecr.r.amazonaws.com/x/y@{A}"


@pytest.mark.parametrize(
    ("variables", "image", "runtime"),
    [
        (["AWS_EXECUTION_ENV=AWS_Lambda_python3.13"], "a:1", "python3.13"),
        (["PYTHON_VERSION=3.12.7"], "a:1", "python3.12"),
        ([], "a:3.11.2024.01.01-x86_64", "python3.11"),
        (["AWS_EXECUTION_ENV=AWS_Lambda_nodejs22.x"], "a:3.14", "python3.14"),
        ([], "a:latest", None),
        ([], "a:3", None),
        (["PYTHON_VERSION=3.12.7"], "a:3.12-alpine", None),
    ],
)
def test_the_version_of_python(variables: list[str], image: str, runtime: str | None) -> None:
    config = Runtime.model_validate({"config": {"Env": variables}})
    if runtime is None:
        with pytest.raises(UnsupportedTemplate, match=r"^f:3: "):
            find_python(config, image, "f", 3)
    else:
        assert find_python(config, image, "f", 3) == runtime
