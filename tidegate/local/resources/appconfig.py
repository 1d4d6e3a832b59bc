"""AWS::AppConfig: applications, environments, profiles, hosted versions, strategies and deployments.

A deployment's physical id has the three parts of its identifier, `application|environment|number`. Deleting
one stops it where it still goes on, and leaves readers with what they have where it is complete: that is
all that CloudFormation's handler may do, and why a failed update does not take a configuration back.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from tidegate.local.resources.api import ALL, ApiKind
from tidegate.local.resources.kinds import CallFailure, Kind, Request
from tidegate.local.stack_errors import ResourceFailure

PAUSE: Final = 0.02  # seconds between two looks at a deployment
GOING: Final = frozenset({"DEPLOYING", "BAKING", "VALIDATING", "ROLLING_BACK"})


class _Mapped(ApiKind):
    """One of AppConfig's types: its tags are a map, and its id is in the answer."""

    service, identity = "appconfig", "Id"

    def parameters(self, request: Request) -> dict[str, Any]:
        """All properties, the tags as a map."""
        return super().parameters(request) | ({"Tags": request.tags} if request.tags else {})


class Application(_Mapped):
    """An application; Ref is its id."""

    type = "AWS::AppConfig::Application"
    creates, updates, deletes = "create_application", "update_application", "delete_application"
    key = "ApplicationId"
    returned: ClassVar[dict[str, str]] = {"ApplicationId": "Id"}


class Environment(_Mapped):
    """An environment; Ref is its id."""

    type = "AWS::AppConfig::Environment"
    create_only = frozenset({"ApplicationId"})
    creates, updates, deletes = "create_environment", "update_environment", "delete_environment"
    key, constant = "EnvironmentId", ("ApplicationId",)
    ignored = ("DeletionProtectionCheck",)
    returned: ClassVar[dict[str, str]] = {"EnvironmentId": "Id"}


class ConfigurationProfile(_Mapped):
    """A profile; Ref is its id."""

    type = "AWS::AppConfig::ConfigurationProfile"
    create_only = frozenset({"ApplicationId", "LocationUri", "Type"})
    creates = "create_configuration_profile"
    updates, deletes = "update_configuration_profile", "delete_configuration_profile"
    key, constant = "ConfigurationProfileId", ("ApplicationId",)
    ignored = ("DeletionProtectionCheck",)
    returned: ClassVar[dict[str, str]] = {"ConfigurationProfileId": "Id"}


class DeploymentStrategy(_Mapped):
    """A strategy; Ref is its id."""

    type = "AWS::AppConfig::DeploymentStrategy"
    create_only = frozenset({"Name", "ReplicateTo"})
    creates = "create_deployment_strategy"
    updates, deletes = "update_deployment_strategy", "delete_deployment_strategy"
    key = "DeploymentStrategyId"
    returned: ClassVar[dict[str, str]] = {"Id": "Id"}


class HostedConfigurationVersion(ApiKind):
    """A version of a configuration; every change makes another one. Ref is its number."""

    type = "AWS::AppConfig::HostedConfigurationVersion"
    create_only = ALL
    service = "appconfig"
    creates = "create_hosted_configuration_version"
    deletes = "delete_hosted_configuration_version"
    key, identity = "VersionNumber", "VersionNumber"
    constant = ("ApplicationId", "ConfigurationProfileId")
    returned: ClassVar[dict[str, str]] = {"VersionNumber": "VersionNumber"}


class Deployment(Kind):
    """A deployment, waited for until it is complete; every change makes another one."""

    type = "AWS::AppConfig::Deployment"

    def replaced_by(self, changed: set[str]) -> set[str]:
        """All of them."""
        return changed

    def create(self, request: Request) -> None:
        """StartDeployment, with CloudFormation's own tags."""
        own = {
            "aws:cloudformation:stack-name": request.stack_name,
            "aws:cloudformation:stack-id": request.stack_id,
            "aws:cloudformation:logical-id": request.logical_id,
        }
        started = request.call(
            "appconfig", "start_deployment", **request.rest("Tags"), Tags=request.tags | own
        )
        names = {name: started[name] for name in ("ApplicationId", "EnvironmentId", "DeploymentNumber")}
        request.settle("|".join(map(str, names.values())), DeploymentNumber=str(names["DeploymentNumber"]))
        while (state := request.call("appconfig", "get_deployment", **names)["State"]) in GOING:
            if request.platform.stopping.wait(PAUSE):
                raise ResourceFailure("the local cloud went down")
        if state != "COMPLETE":
            raise ResourceFailure(f"Deployment {names['DeploymentNumber']} is {state}")

    def delete(self, request: Request) -> None:
        """StopDeployment; one that has ended is left as it is."""
        application, environment, number = request.physical_id.split("|")
        names = {"ApplicationId": application, "EnvironmentId": environment, "DeploymentNumber": number}
        try:
            request.discard("appconfig", "stop_deployment", **names)
        except CallFailure as failure:
            if failure.code != "BadRequestException":
                raise


KINDS: Final = (
    Application,
    Environment,
    ConfigurationProfile,
    DeploymentStrategy,
    HostedConfigurationVersion,
    Deployment,
)
