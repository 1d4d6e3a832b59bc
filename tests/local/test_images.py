"""Functions of container images run: their files unpacked, their variables set, their handler by CMD."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.images import HERE, push_base
from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.local.compute.images import unpack_layers

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.local.cloud import LocalCloud

CODE = b"""import os, one
def handler(event, context):
    return {"color": os.environ["COLOR"], "one": one.VALUE, "root": os.environ["LAMBDA_TASK_ROOT"][-8:]}
def other(event, context):
    return "other"
"""
FILES = {
    "var/task/app.py": CODE,
    f"var/lang/lib/python{HERE}/site-packages/one.py": b"VALUE = 1\n",
}


class Place:
    """A repository with images, and functions made of them."""

    def __init__(self, cloud: LocalCloud, name: str) -> None:
        self.ecr, self.lambdas, self.name = cloud.client("ecr"), cloud.client("lambda"), name
        role = cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        self.role = role["Role"]["Arn"]

    def push(self, tag: str, files: dict[str, bytes] | None = None, **settings: Any) -> str:
        variables = ["LAMBDA_TASK_ROOT=/var/task", f"AWS_EXECUTION_ENV=AWS_Lambda_python{HERE}", "COLOR=red"]
        told = {"Cmd": ["app.handler"], "Env": variables, **settings}
        digest = push_base(self.ecr, tag, repository=self.name, files=files or FILES, **told)
        return f"{ACCOUNT_ID}.dkr.ecr.{REGION}.amazonaws.com/{self.name}@{digest}"

    def create(self, uri: str, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.lambdas.create_function(
            FunctionName=self.name,
            PackageType="Image",
            Code={"ImageUri": uri},
            Role=self.role,
            Timeout=10,
            **more,
        )
        return answer

    def invoke(self, qualifier: str = "$LATEST") -> Any:
        answer = self.lambdas.invoke(FunctionName=self.name, Qualifier=qualifier)
        return json.loads(answer["Payload"].read())


@pytest.fixture
def place(cloud: LocalCloud, unique: str) -> Place:
    return Place(cloud, unique)


def test_an_image_runs_and_its_versions_stay(place: Place) -> None:
    first = place.push("v1")
    created = place.create(first)
    assert first.endswith(created["CodeSha256"])
    assert place.invoke() == {"color": "red", "one": 1, "root": "var/task"}
    place.lambdas.publish_version(FunctionName=place.name)
    second = place.push("v2", {**FILES, "var/task/app.py": b"def handler(e, c):\n    return 2\n"})
    place.lambdas.update_function_code(FunctionName=place.name, ImageUri=second)
    assert place.invoke() == 2
    assert place.invoke("1")["one"] == 1
    code = place.lambdas.get_function(FunctionName=place.name, Qualifier="1")["Code"]
    assert (code["ImageUri"], code["ResolvedImageUri"]) == (first, first)
    again = place.lambdas.publish_version(FunctionName=place.name)["Version"]
    assert again == "2"


def test_a_tag_is_resolved_and_image_config_goes_before_the_image(place: Place) -> None:
    first = place.push("v1")
    tagged = f"{first.partition('@')[0]}:v1"
    place.create(tagged, ImageConfig={"Command": ["app.other"]}, Environment={"Variables": {"COLOR": "blue"}})
    assert place.invoke() == "other"
    code = place.lambdas.get_function(FunctionName=place.name)["Code"]
    assert (code["ImageUri"], code["ResolvedImageUri"]) == (tagged, first)
    place.lambdas.update_function_configuration(FunctionName=place.name, ImageConfig={})
    assert place.invoke()["color"] == "blue"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("{place}@sha256:" + "0" * 64, "does not exist"),
        ("{place}:v9", "does not exist"),
        ("{place}", "is not valid"),
        ("public.ecr.aws/lambda/python:3.13", "is not valid"),
    ],
)
def test_an_image_that_is_not_there_is_refused(place: Place, uri: str, said: str) -> None:
    first = place.push("v1")
    with pytest.raises(ClientError, match=said):
        place.create(uri.format(place=first.partition("@")[0]))


def test_an_entrypoint_that_starts_no_python_handler_is_named(place: Place) -> None:
    place.create(place.push("v1", Entrypoint=["/bin/server"]))
    with pytest.raises(ClientError, match=r"the entrypoint \['/bin/server'\]"):
        place.invoke()


def test_layers_take_away_what_lower_ones_have(tmp_path: Path) -> None:
    def layer(*names: str) -> bytes:
        body = io.BytesIO()
        with tarfile.open(fileobj=body, mode="w:gz") as tar:
            for name in names:
                info = tarfile.TarInfo(name)
                info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
                tar.addfile(info, io.BytesIO())
        return body.getvalue()

    lower = layer("a/", "a/one", "a/two", "b/", "b/three", "../../outside")
    upper = layer("a/.wh.one", "b/.wh..wh..opq", "b/four")
    unpack_layers([lower, upper], tmp_path / "root")
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"root/a/two", "root/b/four", "root/outside"}
