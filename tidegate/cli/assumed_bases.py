"""Base images as `tidegate check` takes them, which asks no registry: what is known of Lambda's own by name.

What a pipeline has besides is not known at a desk, so that every image is taken for one of Lambda's.
"""

from __future__ import annotations

from typing import Final

from tidegate.adapters.bases import Base, Bases
from tidegate.domain.errors import UnsupportedTemplate
from tidegate.domain.images.documents import (
    DOCKER_MANIFEST,
    MACHINES,
    Descriptor,
    ImageManifest,
    Runtime,
    digest_of,
    write_document,
)
from tidegate.domain.images.references import Images, read_reference

VARIABLES: Final = {"LAMBDA_TASK_ROOT": "/var/task", "LAMBDA_RUNTIME_DIR": "/var/runtime"}
ASSUMED: Final = "3.13"


class AssumedBases(Bases):
    """Every image that is named is there, and is like Lambda's for Python."""

    def __init__(self) -> None:
        super().__init__(dict, Images(account="", region=""))

    def find(self, name: str, architecture: str, file: str, line: int) -> Base:
        """What an image of that name would be; UnsupportedTemplate where it is no name."""
        reference = read_reference(name)
        if reference is None:
            raise UnsupportedTemplate(f"{name} is no name of an image", file=file, line=line)
        variables = dict(VARIABLES)
        if not reference.tag.startswith("3."):
            variables["AWS_EXECUTION_ENV"] = f"AWS_Lambda_python{ASSUMED}"
        data = {
            "os": "linux",
            "architecture": next(key for key, value in MACHINES.items() if value == architecture),
            "config": {
                "Env": [f"{key}={value}" for key, value in variables.items()],
                "WorkingDir": VARIABLES["LAMBDA_TASK_ROOT"],
                "Entrypoint": ["/lambda-entrypoint.sh"],
            },
            "rootfs": {"type": "layers", "diff_ids": []},
        }
        body = write_document(data)
        config = Descriptor(media_type="", digest=digest_of(body), size=len(body))
        manifest = ImageManifest(
            digest=digest_of(name.encode()), media_type=DOCKER_MANIFEST, config=config, layers=()
        )
        return Base(reference.name, manifest, b"", Runtime.model_validate(data), body)
