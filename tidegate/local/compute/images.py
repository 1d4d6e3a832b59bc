"""Container images of functions: found in the local registry, unpacked, and what in them says how they run.

An image is unpacked into a folder and its handler run by the interpreter at hand, as code out of a zip is.
What is in the image besides the function's files (programs, libraries of the system) is not what runs.
https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
"""

from __future__ import annotations

import io
import os
import posixpath
import re
import shutil
import stat
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moto.awslambda.exceptions import InvalidParameterValueException
from moto.ecr.models import ecr_backends

from tidegate.domain.errors import TidegateError
from tidegate.domain.images.documents import Runtime, read_config, read_manifest
from tidegate.domain.images.references import find_python, image_uri, packages_folder
from tidegate.domain.images.starts import starts_python
from tidegate.local.registries import find_blob

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tidegate.local.compute.code_store import CodeStore

URI: Final = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<name>[^:@]+)"
    r"(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
# What a process is given by the sandbox itself, whatever the image says.
OWN: Final = frozenset({
    "PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "HOME", "TMPDIR", "TZ", "LANG", "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR", "AWS_EXECUTION_ENV", "PYTHON_VERSION",
})  # fmt: skip
WHITEOUT: Final = ".wh."
OPAQUE: Final = ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image of the local registry: its digest, its configuration, and its layers' bytes, lowest first."""

    digest: str
    runtime: Runtime
    layers: tuple[bytes, ...]
    uri: str


@dataclass(frozen=True, slots=True)
class Start:
    """How an image's function runs; folders are those that it is unpacked to."""

    runtime: str
    handler: str
    task_root: Path
    layers_root: Path
    runtime_root: Path
    variables: Mapping[str, str]


def find_image(uri: str, region: str) -> LocalImage:
    """The image of an address; raises InvalidParameterValueException as Lambda does where there is none."""
    found = URI.fullmatch(uri)
    if found is None or not (found["tag"] or found["digest"]):
        raise InvalidParameterValueException(
            f"Source image {uri} is not valid. Provide a valid source image."
        )
    if found["region"] != region:
        raise InvalidParameterValueException(f"Source image {uri} is not in the region {region}.")
    account, name = found["account"], found["name"]
    repository = ecr_backends[account][region].repositories.get(name)
    asked = found["digest"] or found["tag"]
    image = next(
        (
            one
            for one in (repository.images if repository else ())
            if asked == one.get_image_digest() or asked in one.image_tags
        ),
        None,
    )
    if image is None:
        raise InvalidParameterValueException(
            f"Source image {uri} does not exist. Provide a valid source image."
        )
    digest = image.get_image_digest()
    try:
        manifest = read_manifest(image.image_manifest.encode(), digest, uri)
        blobs = [_read(account, region, name, one.digest) for one in (manifest.config, *manifest.layers)]
        runtime = read_config(blobs[0], manifest.config.digest, uri)
    except TidegateError as error:
        raise InvalidParameterValueException(f"The image is not supported: {error}") from error
    resolved = image_uri(account, region, name, digest)
    return LocalImage(digest, runtime, tuple(blobs[1:]), resolved)


def _read(account: str, region: str, name: str, digest: str) -> bytes:
    body = find_blob(account, region, name, digest)
    if body is None:
        raise InvalidParameterValueException(f"The layer {digest} of {name} does not exist.")
    return body


def open_image(function: Any, store: CodeStore) -> Start:  # noqa: ANN401
    """Unpack a function's image; LookupError says why the local cloud cannot run it."""
    image = find_image(function.code["ResolvedImageUri"], function.region)
    runtime = image.runtime
    config = function.image_config
    entrypoint = tuple(config.entry_point or runtime.entrypoint)
    command = tuple(config.cmd or runtime.command)
    if not starts_python(entrypoint) or len(command) != 1:
        raise LookupError(f"the entrypoint {list(entrypoint)} with {list(command)} starts no Python handler")
    try:
        python = find_python(runtime, image.uri, "", 0)
    except TidegateError as error:
        raise LookupError(str(error)) from error
    root = store.image(image.digest, image.layers)
    variables = runtime.environment
    task_root = variables.get("LAMBDA_TASK_ROOT") or config.working_directory or runtime.working_folder
    return Start(
        runtime=python,
        handler=command[0],
        task_root=_under(root, task_root),
        layers_root=root / "opt",
        runtime_root=store.runtime,
        variables={name: value for name, value in variables.items() if name not in OWN}
        | {"PYTHONPATH": _search_path(root, runtime, python)},
    )


def _search_path(root: Path, runtime: Runtime, python: str) -> str:
    """Where an image's interpreter looks for modules besides the function's folder, by the paths here."""
    declared = runtime.environment.get("PYTHONPATH", "").split(os.pathsep)
    paths = [*declared, packages_folder(runtime, python)]
    return os.pathsep.join(str(_under(root, path)) for path in paths if path)


def _under(root: Path, path: str) -> Path:
    return root / posixpath.normpath(f"/{path}").lstrip("/")


def unpack_layers(layers: Iterable[bytes], folder: Path) -> None:
    """Put the files of layers over one another, and take away what an upper layer does; links are left out.

    https://github.com/opencontainers/image-spec/blob/main/layer.md
    """
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(layer), mode="r:*") as tar:
            for member in tar:
                _put(tar, member, folder)


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    name = posixpath.normpath(f"/{member.name}").lstrip("/")
    path = root / name
    if path.name == OPAQUE:
        _remove(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        return
    if path.name.startswith(WHITEOUT):
        _remove(path.with_name(path.name.removeprefix(WHITEOUT)))
        return
    if name and not member.isdir():
        _remove(path)
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
    elif member.isfile():
        path.parent.mkdir(parents=True, exist_ok=True)
        body = tar.extractfile(member)
        path.write_bytes(body.read() if body else b"")
        path.chmod(member.mode & 0o777 | stat.S_IRUSR)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
