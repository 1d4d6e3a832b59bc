"""AppConfig's deployments of one stage: which there are since a release was planned, and their way back.

StopDeployment has no condition to give it: between the look at an environment and the call somebody may
deploy there. Only one deployment goes on at a time in an environment, which keeps that moment short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tidegate.domain.flags import STACK_TAG, TAKEN_BACK, FlagDeployment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.clients import Place
    from tidegate.domain.flags import FlagEnvironment

ABSENT: Final = "ResourceNotFoundException"
REFUSED: Final = "BadRequestException"


def find_last(client: Any, application: str, environment: str) -> int:  # noqa: ANN401
    """The number of the newest deployment of an environment, 0 before the first and where it is gone."""
    try:
        items = client.list_deployments(ApplicationId=application, EnvironmentId=environment, MaxResults=1)[
            "Items"
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == ABSENT:
            return 0
        raise
    return int(items[0]["DeploymentNumber"]) if items else 0


def list_since(client: Any, place: FlagEnvironment, target: Place) -> tuple[FlagDeployment, ...]:  # noqa: ANN401
    """The deployments of an environment after `place.last`, the newest first; none where it is gone."""
    try:
        return tuple(_read(client, place, target))
    except ClientError as error:
        if error.response["Error"]["Code"] == ABSENT:
            return ()
        raise


def _read(client: Any, place: FlagEnvironment, target: Place) -> Iterator[FlagDeployment]:  # noqa: ANN401
    named = {"ApplicationId": place.application, "EnvironmentId": place.environment}
    for page in client.get_paginator("list_deployments").paginate(**named):
        for item in page["Items"]:
            number = item["DeploymentNumber"]
            if number <= place.last:
                return
            tags = client.list_tags_for_resource(ResourceArn=_arn(place, number, target))["Tags"]
            yield FlagDeployment(
                number=number,
                profile=item["ConfigurationProfileId"],
                name=item["ConfigurationName"],
                version=item.get("VersionLabel") or item["ConfigurationVersion"],
                state=item["State"],
                stack=tags.get(STACK_TAG, ""),
            )


def _arn(place: FlagEnvironment, number: int, target: Place) -> str:
    begin = f"arn:aws:appconfig:{target.region}:{target.account}"
    return f"{begin}:application/{place.application}/environment/{place.environment}/deployment/{number}"


def revert(client: Any, place: FlagEnvironment, number: int) -> str:  # noqa: ANN401
    """Take a deployment back, whether it goes on or is complete; why not, where AppConfig refuses it.

    A second call is refused since the first one has done it, and so it is looked at what became of it.
    """
    named = {"ApplicationId": place.application, "EnvironmentId": place.environment}
    try:
        client.stop_deployment(**named, DeploymentNumber=number, AllowRevert=True)
    except ClientError as error:
        refused = error.response["Error"]
        if refused["Code"] not in {REFUSED, ABSENT}:
            raise
        return "" if _is_back(client, named, number) else refused["Message"]
    return ""


def _is_back(client: Any, named: dict[str, str], number: int) -> bool:  # noqa: ANN401
    try:
        state = client.get_deployment(**named, DeploymentNumber=number)["State"]
    except ClientError as error:
        if error.response["Error"]["Code"] == ABSENT:
            return False
        raise
    return state in TAKEN_BACK
