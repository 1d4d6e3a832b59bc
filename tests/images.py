"""Base images for tests: a few files in a layer, pushed into the local registry as Docker would push them."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tarfile
from contextlib import suppress
from typing import Any

from tidegate.domain.images.documents import DOCKER_MANIFEST, LAYER_TYPES, digest_of, write_document

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
NAME = "public.ecr.aws/lambda/python"
REPOSITORY = "lambda-python"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
ENVIRONMENT = {
    "LANG": "en_US.UTF-8",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "PATH": "/var/lang/bin:/usr/bin",
    "AWS_EXECUTION_ENV": f"AWS_Lambda_python{HERE}",
}


def make_layer(files: dict[str, bytes]) -> tuple[bytes, str]:
    """A layer of these files, and the digest of its tar."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    unpacked = body.getvalue()
    return gzip.compress(unpacked, mtime=0), f"sha256:{hashlib.sha256(unpacked).hexdigest()}"


def push_blob(client: Any, repository: str, body: bytes) -> dict[str, Any]:
    """Upload a blob as it is; its size and digest."""
    upload = client.initiate_layer_upload(repositoryName=repository)["uploadId"]
    client.upload_layer_part(
        repositoryName=repository,
        uploadId=upload,
        partFirstByte=0,
        partLastByte=len(body) - 1,
        layerPartBlob=body,
    )
    digest = digest_of(body)
    with suppress(client.exceptions.LayerAlreadyExistsException):
        client.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[digest])
    return {"digest": digest, "size": len(body)}


def push_base(
    client: Any,
    tag: str,
    *,
    repository: str = REPOSITORY,
    architecture: str = "amd64",
    files: dict[str, bytes] | None = None,
    **settings: Any,
) -> str:
    """Push an image that stands for Lambda's own; its digest."""
    with suppress(client.exceptions.RepositoryAlreadyExistsException):
        client.create_repository(repositoryName=repository)
    layer, diff_id = make_layer(files or {"lambda-entrypoint.sh": b"#!/bin/sh\n", "opt/base.txt": b"base"})
    config = write_document(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Env": [f"{key}={value}" for key, value in ENVIRONMENT.items()],
                "WorkingDir": "/var/task",
                "Entrypoint": ["/lambda-entrypoint.sh"],
                **settings,
            },
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
            "history": [{"created_by": "base"}],
        }
    )
    manifest = write_document(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": CONFIG_TYPE, **push_blob(client, repository, config)},
            "layers": [
                {"mediaType": LAYER_TYPES[DOCKER_MANIFEST], **push_blob(client, repository, layer)},
            ],
        }
    )
    with suppress(client.exceptions.ImageAlreadyExistsException):
        client.put_image(repositoryName=repository, imageManifest=manifest.decode(), imageTag=tag)
    return digest_of(manifest)
