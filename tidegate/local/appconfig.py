"""AppConfig's environments, strategies and deployments, and AppConfigData, which moto has not.

Configurations are AppConfig's own, hosted ones: freeform, or feature flags without variants. One that lies
elsewhere (S3, Parameter Store, CodePipeline) is refused by name. What a deployment does is in
`flag_deployments`. https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/Welcome.html
"""

from __future__ import annotations

import json
import random
import threading
import uuid
from typing import TYPE_CHECKING, Any, Final

from moto.appconfig import urls
from moto.appconfig.exceptions import ConfigurationVersionNotFound
from moto.appconfig.models import appconfig_backends
from moto.appconfig.responses import AppConfigResponse
from moto.core.responses import BaseResponse

from tidegate.local.flag_deployments import (
    PREDEFINED,
    WHOLE,
    BadRequestException,
    Deployment,
    Environment,
    ResourceNotFoundException,
    Strategy,
)

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Answer = tuple[int, dict[str, Any], str]
LOCK: Final = threading.RLock()
STATE: dict[str, Any] = {}
FLAGS: Final = "AWS.AppConfig.FeatureFlags"
ENVIRONMENT: Final = "{0}/applications/(?P<app_id>[^/]+)/environments"
PATHS: Final = (
    ENVIRONMENT + "$",
    ENVIRONMENT + "/(?P<environment_id>[^/]+)$",
    ENVIRONMENT + "/(?P<environment_id>[^/]+)/deployments$",
    ENVIRONMENT + "/(?P<environment_id>[^/]+)/deployments/(?P<number>[^/]+)$",
    "{0}/deploymentstrategies$",
    "{0}/deploymentstrategies/(?P<strategy_id>[^/]+)$",
    "{0}/deployementstrategies/(?P<strategy_id>[^/]+)$",  # as the API itself spells it for a deletion
)
PAGE: Final = 50


def install(cloud: LocalCloud) -> None:
    """Add the calls."""
    STATE["pace"] = cloud.pace
    for method in (
        create_environment, get_environment, update_environment, delete_environment, list_environments,
        create_deployment_strategy, get_deployment_strategy, update_deployment_strategy,
        delete_deployment_strategy, list_deployment_strategies,
        start_deployment, get_deployment, list_deployments, stop_deployment,
    ):  # fmt: skip
        cloud.patch(AppConfigResponse, method.__name__, method)
    added = dict.fromkeys(PATHS, AppConfigResponse.dispatch)
    data = dict.fromkeys(("{0}/configurationsessions$", "{0}/configuration$"), Sessions.dispatch)
    cloud.patch(urls, "url_paths", {**urls.url_paths, **added, **data})


def _kept(backend: Any, what: str) -> dict[str, Any]:  # noqa: ANN401
    kept: dict[str, Any] = backend.__dict__.setdefault(what, {})
    return kept


def _answer(status: int, content: dict[str, Any]) -> Answer:
    return status, {"status": status}, json.dumps(content)


def _environment(self: Any) -> Environment:  # noqa: ANN401
    application = self.appconfig_backend.get_application(self._get_param("ApplicationId"))
    identity = self._get_param("EnvironmentId")
    found: Environment | None = _kept(application, "environments").get(identity)
    if found is None:
        raise ResourceNotFoundException(f"Environment {identity}")
    return found


def create_environment(self: Any) -> Answer:  # noqa: ANN401
    """Answer CreateEnvironment."""
    application = self.appconfig_backend.get_application(self._get_param("ApplicationId"))
    given = json.loads(self.body)
    made = Environment(
        id=uuid.uuid4().hex[:7],
        application=application.id,
        name=given["Name"],
        description=given.get("Description", ""),
        monitors=given.get("Monitors") or [],
    )
    _kept(application, "environments")[made.id] = made
    self.appconfig_backend.tag_resource(f"{application.arn}/environment/{made.id}", given.get("Tags") or {})
    return _answer(201, made.describe())


def get_environment(self: Any) -> Answer:  # noqa: ANN401
    """Answer GetEnvironment."""
    return _answer(200, _environment(self).describe())


def update_environment(self: Any) -> Answer:  # noqa: ANN401
    """Answer UpdateEnvironment."""
    found, given = _environment(self), json.loads(self.body or "{}")
    found.name = given.get("Name", found.name)
    found.description = given.get("Description", found.description)
    found.monitors = given.get("Monitors", found.monitors)
    return _answer(200, found.describe())


def delete_environment(self: Any) -> Answer:  # noqa: ANN401
    """Answer DeleteEnvironment."""
    found = _environment(self)
    del _kept(self.appconfig_backend.get_application(found.application), "environments")[found.id]
    return 204, {"status": 204}, ""


def list_environments(self: Any) -> Answer:  # noqa: ANN401
    """Answer ListEnvironments, on one page."""
    application = self.appconfig_backend.get_application(self._get_param("ApplicationId"))
    rows = [one.describe() for one in _kept(application, "environments").values()]
    return _answer(200, {"Items": rows})


def _strategies(self: Any) -> dict[str, Strategy]:  # noqa: ANN401
    return {one.id: one for one in PREDEFINED} | _kept(self.appconfig_backend, "strategies")


def _strategy(self: Any) -> Strategy:  # noqa: ANN401
    identity = self._get_param("DeploymentStrategyId")
    found = _strategies(self).get(identity)
    if found is None:
        raise ResourceNotFoundException(f"DeploymentStrategy {identity}")
    return found


def create_deployment_strategy(self: Any) -> Answer:  # noqa: ANN401
    """Answer CreateDeploymentStrategy."""
    given = json.loads(self.body)
    made = Strategy(uuid.uuid4().hex[:7], given["Name"], replicate_to=given.get("ReplicateTo", "NONE"))
    _set(made, given)
    _kept(self.appconfig_backend, "strategies")[made.id] = made
    return _answer(201, made.describe())


def _set(strategy: Strategy, given: dict[str, Any]) -> None:
    strategy.duration = given.get("DeploymentDurationInMinutes", strategy.duration)
    strategy.bake = given.get("FinalBakeTimeInMinutes", strategy.bake)
    strategy.factor = given.get("GrowthFactor", strategy.factor)
    strategy.growth = given.get("GrowthType", strategy.growth)
    strategy.description = given.get("Description", strategy.description)


def _own_strategy(self: Any) -> Strategy:  # noqa: ANN401
    found = _strategy(self)
    if found in PREDEFINED:
        raise BadRequestException(f"Cannot change predefined Deployment Strategy {found.name}.")
    return found


def get_deployment_strategy(self: Any) -> Answer:  # noqa: ANN401
    """Answer GetDeploymentStrategy."""
    return _answer(200, _strategy(self).describe())


def update_deployment_strategy(self: Any) -> Answer:  # noqa: ANN401
    """Answer UpdateDeploymentStrategy."""
    found = _own_strategy(self)
    _set(found, json.loads(self.body or "{}"))
    return _answer(200, found.describe())


def delete_deployment_strategy(self: Any) -> Answer:  # noqa: ANN401
    """Answer DeleteDeploymentStrategy."""
    del _kept(self.appconfig_backend, "strategies")[_own_strategy(self).id]
    return 204, {"status": 204}, ""


def list_deployment_strategies(self: Any) -> Answer:  # noqa: ANN401
    """Answer ListDeploymentStrategies, on one page."""
    return _answer(200, {"Items": [one.describe() for one in _strategies(self).values()]})


def start_deployment(self: Any) -> Answer:  # noqa: ANN401
    """Answer StartDeployment: the content is copied now, whatever becomes of the version."""
    given = json.loads(self.body)
    with LOCK:
        environment = _environment(self)
        profile = self.appconfig_backend.get_configuration_profile(
            environment.application, given["ConfigurationProfileId"]
        )
        version = _find_version(profile, str(given["ConfigurationVersion"]))
        deployment = Deployment(
            number=len(environment.deployments) + 1,
            profile=profile,
            version=version,
            content=_serve(profile, version),
            strategy=Strategy(**vars(_strategy(self))),
            description=given.get("Description", ""),
            pace=STATE["pace"],
        )
        environment.start(deployment)
        application = self.appconfig_backend.get_application(environment.application)
        arn = f"{application.arn}/environment/{environment.id}/deployment/{deployment.number}"
        self.appconfig_backend.tag_resource(arn, given.get("Tags") or {})
        return _answer(201, _show(environment, deployment))


def _find_version(profile: Any, name: str) -> Any:  # noqa: ANN401
    if profile.location_uri != "hosted":
        raise BadRequestException(
            f"a configuration at {profile.location_uri} is not available in the local cloud"
        )
    for version in profile.config_versions.values():
        if name in {str(version.version), version.version_label}:
            return version
    raise ConfigurationVersionNotFound


def _serve(profile: Any, version: Any) -> bytes:  # noqa: ANN401
    """The content as readers get it: of feature flags, the values of those that are on."""
    content = version.content.encode() if isinstance(version.content, str) else bytes(version.content)
    if profile._type != FLAGS:
        return content
    values = json.loads(content).get("values", {})
    if any("_variants" in flag for flag in values.values()):
        raise BadRequestException("variants of feature flags are not available in the local cloud")
    served = {key: flag if flag.get("enabled") else {"enabled": False} for key, flag in values.items()}
    return json.dumps(served).encode()


def _show(environment: Environment, deployment: Deployment) -> dict[str, Any]:
    return {
        "ApplicationId": environment.application,
        "EnvironmentId": environment.id,
        "DeploymentStrategyId": deployment.strategy.id,
        "ConfigurationLocationUri": deployment.profile.location_uri,
        "Description": deployment.description,
        **deployment.summarize(),
    }


def _number(self: Any) -> int:  # noqa: ANN401
    return int(self._get_param("DeploymentNumber"))


def get_deployment(self: Any) -> Answer:  # noqa: ANN401
    """Answer GetDeployment."""
    environment = _environment(self)
    return _answer(200, _show(environment, environment.find(_number(self))))


def list_deployments(self: Any) -> Answer:  # noqa: ANN401
    """Answer ListDeployments, the newest first."""
    rows = [one.summarize() for one in reversed(_environment(self).deployments)]
    start = int((self.querystring.get("next_token") or ["0"])[0])
    end = start + min(PAGE, int((self.querystring.get("max_results") or [PAGE])[0]))
    return _answer(200, {"Items": rows[start:end], **({"NextToken": str(end)} if end < len(rows) else {})})


def stop_deployment(self: Any) -> Answer:  # noqa: ANN401
    """Answer StopDeployment."""
    revert = str(self.headers.get("Allow-Revert", "")).lower() == "true"
    with LOCK:
        environment = _environment(self)
        return _answer(202, _show(environment, environment.stop(_number(self), revert=revert)))


class Sessions(BaseResponse):  # type: ignore[misc]
    """AppConfigData: a session is a place in the line of readers, and what it has read last."""

    def __init__(self) -> None:
        super().__init__(service_name="appconfigdata")

    def start_configuration_session(self) -> Answer:
        """Answer StartConfigurationSession; things go by id or name."""
        given = json.loads(self.body)
        backend = appconfig_backends[self.current_account][self.region]
        application = _pick(backend.applications, given["ApplicationIdentifier"], "Application")
        environments = _kept(application, "environments")
        environment = _pick(environments, given["EnvironmentIdentifier"], "Environment")
        named = given["ConfigurationProfileIdentifier"]
        profile = _pick(application.config_profiles, named, "ConfigurationProfile")
        interval = int(given.get("RequiredMinimumPollIntervalInSeconds") or 60)
        position = random.uniform(0, WHOLE)  # noqa: S311
        token = _keep_token(backend, (environment, profile.id, position, interval, 0))
        return _answer(201, {"InitialConfigurationToken": token})

    def get_latest_configuration(self) -> tuple[int, dict[str, Any], bytes]:
        """Answer GetLatestConfiguration: a token is good once, and what is known is not sent again."""
        backend = appconfig_backends[self.current_account][self.region]
        token = (self.querystring.get("configuration_token") or [""])[0]
        session = _kept(backend, "sessions").pop(token, None)
        if session is None:
            raise BadRequestException("The configuration token is not valid")
        environment, profile, position, interval, known = session
        found = environment.read(profile, position)
        headers = {
            "status": 200,
            "Next-Poll-Configuration-Token": _keep_token(
                backend, (environment, profile, position, interval, found.number)
            ),
            "Next-Poll-Interval-In-Seconds": str(interval),
            "Content-Type": found.version.content_type,
        }
        if found.version.version_label:
            headers["Version-Label"] = found.version.version_label
        return 200, headers, b"" if known == found.number else found.content


def _pick(kept: dict[str, Any], named: str, what: str) -> Any:  # noqa: ANN401
    found = kept.get(named) or next((one for one in kept.values() if one.name == named), None)
    if found is None:
        raise ResourceNotFoundException(f"{what} {named}")
    return found


def _keep_token(backend: Any, session: tuple[Any, ...]) -> str:  # noqa: ANN401
    token = uuid.uuid4().hex
    _kept(backend, "sessions")[token] = session
    return token
