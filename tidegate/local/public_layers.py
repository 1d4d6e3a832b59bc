"""Layers of other accounts that many services use, made here from the distribution that they carry.

Powertools for AWS Lambda (Python) is a package of the registry as well; a layer's number does not name the
package's version, so the newest of the layer's major version is taken. Extensions that only watch a function
are empty here. Any other layer of another account is refused by name.
https://docs.powertools.aws.dev/lambda/python/latest/getting-started/install/
"""

from __future__ import annotations

import base64
import re
import sys
import threading
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from moto.awslambda import models
from moto.awslambda.exceptions import InvalidParameterValueException

from tidegate.adapters.archives import Member, write_zip
from tidegate.adapters.assembly import assemble, move, read_part
from tidegate.adapters.installs import RegistryUnreachable
from tidegate.adapters.lock_files import parse_lock
from tidegate.adapters.locks import make_lock
from tidegate.adapters.shelves import Shelf
from tidegate.domain.artifacts import REQUIREMENTS
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import LockRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.adapters.assembly import Part
    from tidegate.local.cloud import LocalCloud


class Known(NamedTuple):
    """A layer by its account and name; `requirement` is what it carries, empty for one that only watches."""

    layer: str
    requirement: str


LAYERS: Final = (
    Known(r"017000801446:layer:AWSLambdaPowertoolsPythonV3-.*", "aws-lambda-powertools[all]>=3,<4"),
    Known(r"017000801446:layer:AWSLambdaPowertoolsPythonV2(-Arm64)?", "aws-lambda-powertools[all]>=2,<3"),
    Known(r"017000801446:layer:AWSLambdaPowertoolsPython(-Arm64)?", "aws-lambda-powertools[all]>=1,<2"),
    Known(r"580247275435:layer:LambdaInsightsExtension(-Arm64)?", ""),
)
ARN: Final = re.compile(r"arn:aws[\w-]*:lambda:([\w-]+):(\d{12}:layer:[\w-]+):(\d+)")
MADE: Final[dict[str, bytes]] = {}
MAKING: Final = threading.Lock()
HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


def install(cloud: LocalCloud) -> None:
    """Let functions name these layers."""
    backend = models.LambdaBackend
    original = backend.layers_versions_by_arn
    cloud.patch(backend, "layers_versions_by_arn", _with_public(original))


def find_public(arn: str) -> Known | None:
    """The layer that an ARN names; None for one that is not in the table."""
    named = ARN.fullmatch(arn)
    return next((one for one in LAYERS if named and re.fullmatch(one.layer, named[2])), None)


def _with_public(original: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def find(backend: Any, arn: str) -> Any:  # noqa: ANN401
        own = original(backend, arn)
        named, known = ARN.fullmatch(arn), find_public(arn)
        if own is not None or named is None or known is None:
            return own
        account, _, name = named[2].split(":")
        return _make_version(account, named[1], name, int(named[3]), _content(known))

    return find


def _make_version(account: str, region: str, name: str, number: int, content: bytes) -> models.LayerVersion:
    encoded = {"ZipFile": base64.b64encode(content)}
    version = models.LayerVersion({"LayerName": name, "Content": encoded}, account, region)
    version.version = number
    return version


def _content(known: Known) -> bytes:
    with MAKING:
        if known.layer not in MADE:
            MADE[known.layer] = _build(known.requirement)
        return MADE[known.layer]


def _build(requirement: str) -> bytes:
    with TemporaryDirectory(prefix="tidegate-") as name:
        folder, archive, note = Path(name), Path(name) / "layer.zip", Path(name) / "note.zip"
        write_zip(
            note,
            [Member("tidegate.txt", executable=False, read=partial(bytes, b"made by the local cloud\n"))],
        )
        try:
            wheels = _wheels(requirement, folder) if requirement else []
            assemble(archive, wheels, read_part(note, "the note"), f"the layer of {requirement}")
        except (BuildFailed, RegistryUnreachable) as error:
            message = f"The layer of {requirement} cannot be made: {error}"
            raise InvalidParameterValueException(message) from error
        return archive.read_bytes()


def _wheels(requirement: str, folder: Path) -> list[Part]:
    request = LockRequest({REQUIREMENTS: f"{requirement}\n"}, HERE, None)
    lock = parse_lock(make_lock(request, folder).read_text(), request.main, request.target)
    return [move(part, "python/{}".format) for part in Shelf(folder / "shelf").parts(lock)]
