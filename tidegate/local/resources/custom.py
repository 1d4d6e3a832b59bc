"""Custom resources: a function is asked to make the resource and answers to a presigned address.

The protocol of https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html over an S3 object
of the local cloud. A function that fails without an answer fails the resource at once (AWS waits for the
timeout); a topic as ServiceToken is not available.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, Final

from botocore.exceptions import ClientError

from tidegate.local.resources.kinds import Kind, Request
from tidegate.local.stack_errors import ResourceFailure

TIMEOUT: Final = 3600
PAUSE: Final = 0.05


class CustomResource(Kind):
    """A resource that a function makes; GetAtt reads the Data of its answer."""

    type = "AWS::CloudFormation::CustomResource"
    create_only = frozenset({"ServiceToken"})
    leaves_old = True

    def create(self, request: Request) -> None:
        """RequestType Create."""
        self._take(request, self._ask(request, "Create", {}))

    def update(self, request: Request) -> None:
        """RequestType Update; another physical id is a replacement, whose old one goes at cleanup."""
        extra = {"PhysicalResourceId": request.physical_id, "OldResourceProperties": _write(request.previous)}
        self._take(request, self._ask(request, "Update", extra))

    def delete(self, request: Request) -> None:
        """RequestType Delete."""
        self._ask(request, "Delete", {"PhysicalResourceId": request.physical_id})

    @staticmethod
    def _take(request: Request, answer: dict[str, Any]) -> None:
        identity = answer.get("PhysicalResourceId")
        if not identity:
            raise ResourceFailure("Invalid PhysicalResourceId in the custom resource's response")
        request.attributes = {}
        request.settle(str(identity), **(answer.get("Data") or {}))

    @staticmethod
    def _ask(request: Request, kind: str, extra: dict[str, Any]) -> dict[str, Any]:
        bucket, key = _open_box(request), str(uuid.uuid4())
        token = request.properties["ServiceToken"]
        event = {
            "RequestType": kind,
            "ServiceToken": token,
            "ResponseURL": _sign(request, bucket, key),
            "StackId": request.stack_id,
            "RequestId": str(uuid.uuid4()),
            "ResourceType": request.type,
            "LogicalResourceId": request.logical_id,
            "ResourceProperties": _write(request.properties),
            **extra,
        }
        _invoke(request, token, event)
        answer = _await(request, bucket, key)
        if answer.get("Status") != "SUCCESS":
            reason = answer.get("Reason", "no reason given")
            raise ResourceFailure(
                f"Received response status [FAILED] from custom resource. Message returned: {reason}"
            )
        return answer


def _open_box(request: Request) -> str:
    bucket = f"cloudformation-custom-resource-{request.account}-{request.region}"
    place = {} if request.region == "us-east-1" else {"LocationConstraint": request.region}
    own: dict[str, Any] = {"CreateBucketConfiguration": place} if place else {}
    try:
        request.client("s3").create_bucket(Bucket=bucket, **own)
    except ClientError as error:
        if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
            raise ResourceFailure(str(error)) from error
    return bucket


def _sign(request: Request, bucket: str, key: str) -> str:
    return str(
        request.client("s3").generate_presigned_url(
            "put_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=TIMEOUT
        )
    )


def _invoke(request: Request, token: str, event: dict[str, Any]) -> None:
    if ":lambda:" not in token and ":" in token:
        raise ResourceFailure(
            f"A custom resource with the ServiceToken {token} is not available in the local cloud"
        )
    answer = request.call("lambda", "invoke", FunctionName=token, Payload=json.dumps(event))
    if answer.get("FunctionError"):
        message = answer["Payload"].read().decode()
        raise ResourceFailure(f"The custom resource's function failed without a response: {message}")


def _await(request: Request, bucket: str, key: str) -> dict[str, Any]:
    deadline = time.monotonic() + float(request.properties.get("ServiceTimeout", TIMEOUT))
    while time.monotonic() < deadline:
        try:
            found = request.client("s3").get_object(Bucket=bucket, Key=key)
            return json.loads(found["Body"].read())  # type: ignore[no-any-return]
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"NoSuchKey", "404"}:
                raise ResourceFailure(str(error)) from error
        if request.platform.stopping.wait(PAUSE):
            break
    raise ResourceFailure("CloudFormation did not receive a response from your Custom Resource.")


def _write(properties: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(properties, default=str), parse_int=str, parse_float=str)  # type: ignore[no-any-return]


KINDS: Final = (CustomResource,)
