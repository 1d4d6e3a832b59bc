"""What a template says of images, and where they are placed."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.domain.errors import InvalidTemplate, TidegateError, UnsupportedTemplate
from tidegate.domain.templates.functions import read_functions
from tidegate.domain.templates.images import ImageSource
from tidegate.domain.templates.placement import ImageObject, place
from tidegate.domain.templates.refusals import refuse_unsupported
from tidegate.domain.templates.template import Template

URI = "123456789012.dkr.ecr.us-east-1.amazonaws.com/tidegate-images-staging@sha256:" + "a" * 64


def template(
    metadata: dict[str, Any] | None = None,
    kind: str = "AWS::Serverless::Function",
    sections: dict[str, Any] | None = None,
    **properties: Any,
) -> Template:
    resource = {
        "Type": kind,
        "Properties": {"PackageType": "Image", **properties},
        **({"Metadata": metadata} if metadata else {}),
    }
    data = {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"F": resource}, **(sections or {})}
    return Template(data=data, lines={"F": 7}, file="t.yaml")


def read(found: Template, **parameters: str) -> ImageSource | None:
    (function,) = read_functions(found, parameters)
    assert (function.code_uri, function.is_built) == (None, True)
    return function.image


def test_metadata_as_sam_build_reads_it() -> None:
    metadata = {
        "Dockerfile": "Dockerfile.prod",
        "DockerContext": "./api",
        "DockerTag": "v1",
        "DockerBuildArgs": {"LEVEL": {"Ref": "Level"}, "COUNT": 3},
        "DockerBuildTarget": "last",
    }
    config = {"Command": ["app.handler"], "EntryPoint": ["/e"]}
    declared = {"Parameters": {"Level": {"Type": "String", "Default": "INFO"}}}
    assert read(template(metadata, sections=declared, ImageConfig=config)) == ImageSource(
        dockerfile="Dockerfile.prod",
        context="./api",
        arguments={"LEVEL": "INFO", "COUNT": "3"},
        target="last",
        command=("app.handler",),
        entrypoint=("/e",),
    )


def test_a_dockerfile_is_called_so_by_default_and_goes_before_an_address() -> None:
    assert read(template({"DockerContext": "api"}, ImageUri=URI)) == ImageSource(
        dockerfile="Dockerfile", context="api"
    )


@pytest.mark.parametrize(
    "found",
    [
        template(ImageUri=URI),
        template(kind="AWS::Lambda::Function", Code={"ImageUri": URI}),
        template(sections={"Globals": {"Function": {"ImageUri": URI}}}),
    ],
)
def test_an_image_that_stands(found: Template) -> None:
    assert read(found) == ImageSource(uri=URI)


@pytest.mark.parametrize(
    ("found", "error", "said"),
    [
        (template(), InvalidTemplate, "neither Metadata with a Dockerfile nor an ImageUri"),
        (
            template({"DockerBuildExtraParams": ["--x"]}),
            UnsupportedTemplate,
            "DockerBuildExtraParams of F is not",
        ),
        (template({"Dockerfile": "D", "DockerBuildArgs": ["A"]}), InvalidTemplate, "must be a mapping"),
        (
            template(ImageUri={"Fn::Sub": "${AWS::AccountId}.x/y"}),
            UnsupportedTemplate,
            "ImageUri of F must be known",
        ),
        (template({"Dockerfile": "D"}, Architectures=["mips"]), InvalidTemplate, "unknown architecture"),
    ],
)
def test_what_does_not_say_how_or_where(found: Template, error: type[TidegateError], said: str) -> None:
    with pytest.raises(error, match=said) as raised:
        read_functions(found)
    assert (raised.value.file, raised.value.line) == ("t.yaml", 7)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("AWS::Serverless::Function", {"PackageType": "Image", "ImageUri": URI}),
        ("AWS::Lambda::Function", {"PackageType": "Image", "Code": {"ImageUri": URI}}),
    ],
)
def test_an_image_is_placed_by_its_digest(kind: str, expected: dict[str, Any]) -> None:
    found = template({"Dockerfile": "D"}, kind=kind)
    refuse_unsupported(found)
    placed = place(found, {"F": ImageObject(uri=URI)}, {})
    assert placed.data["Resources"]["F"]["Properties"] == expected
    assert "Code" not in found.data["Resources"]["F"]["Properties"]
