"""What a template says of a function that is packaged as a container image: how it is built, or where it is.

Metadata means what it means to `sam build`; what would need Docker itself is refused by its name. May not
look at files. https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-build.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate
from tidegate.domain.identity import Frozen

from .sam_globals import function_properties
from .template import SERVERLESS_FUNCTION, Template

if TYPE_CHECKING:
    from .literals import Literals

IMAGE: Final = "Image"
DOCKERFILE: Final = "Dockerfile"
# What `sam build` reads; the tag is Docker's own, and Tidegate names images by their content.
READ: Final = frozenset({"Dockerfile", "DockerContext", "DockerTag", "DockerBuildArgs", "DockerBuildTarget"})


class ImageSource(Frozen):
    """How an image is made, or, without a Dockerfile, where it is.

    `dockerfile` is relative to `context`, and that to the template, as in the SAM CLI. `command` and
    `entrypoint` are ImageConfig's; None where it has none, or where only the deployment knows.
    """

    dockerfile: str = ""
    context: str = "."
    arguments: dict[str, str] = Field(default_factory=dict)
    target: str = ""
    uri: str = Field("", description="of the image, where there is no Dockerfile")
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None


def read_image(template: Template, logical_id: str, literals: Literals) -> ImageSource | None:
    """The image of a function; None where it is a zip. Raises where the template says not how nor where."""
    properties = function_properties(template, logical_id)
    if literals.read_if_known(properties.get("PackageType")) != IMAGE:
        return None
    resource = template.data["Resources"][logical_id]
    metadata = resource.get("Metadata") or {}
    settings = literals.read_if_known(properties.get("ImageConfig"))
    config = settings if isinstance(settings, dict) else {}
    told = {"command": _read_list(config.get("Command")), "entrypoint": _read_list(config.get("EntryPoint"))}
    place = template.place_of(logical_id)
    for name in sorted(metadata):
        if name.startswith("Docker") and name not in READ:
            raise UnsupportedTemplate(f"Metadata {name} of {logical_id} is not supported", **place)
    if any(metadata.get(name) for name in ("Dockerfile", "DockerContext")):
        arguments = literals.read(metadata.get("DockerBuildArgs") or {}, logical_id, "DockerBuildArgs")
        if not isinstance(arguments, dict):
            raise InvalidTemplate(f"DockerBuildArgs of {logical_id} must be a mapping", **place)
        return ImageSource(
            dockerfile=_text(metadata.get("Dockerfile") or DOCKERFILE, logical_id, "Dockerfile", literals),
            context=_text(metadata.get("DockerContext") or ".", logical_id, "DockerContext", literals),
            arguments={str(key): str(value) for key, value in arguments.items()},
            target=_text(metadata.get("DockerBuildTarget") or "", logical_id, "DockerBuildTarget", literals),
            **told,
        )
    uri = properties.get("ImageUri")
    if resource.get("Type") != SERVERLESS_FUNCTION:
        uri = (literals.read_if_known(properties.get("Code")) or {}).get("ImageUri")
    if not uri:
        message = (
            f"{logical_id} has PackageType Image, and neither Metadata with a Dockerfile nor an ImageUri"
        )
        raise InvalidTemplate(message, **place)
    return ImageSource(uri=_text(uri, logical_id, "ImageUri", literals), **told)


def _read_list(value: Any) -> tuple[str, ...] | None:  # noqa: ANN401
    known = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return tuple(value) if known and value else None


def _text(value: Any, logical_id: str, name: str, literals: Literals) -> str:  # noqa: ANN401
    return str(literals.read(value, logical_id, name))
