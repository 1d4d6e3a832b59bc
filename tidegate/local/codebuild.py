"""CodeBuild: StartBuild runs the project's very buildspec as processes; what becomes of a build is an event.

Projects are moto's. They have no source and no artifacts of their own, and their images stand for this
machine: what else a project or a build may ask for is refused by name. A token makes StartBuild idempotent,
as in AWS: for five minutes, and refused where the call is another one.
Sources: AWS CodeBuild API Reference, "StartBuild"; User Guide, "Build notifications input format reference".
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from moto.codebuild import responses
from moto.codebuild.exceptions import InvalidInputException, ResourceNotFoundException
from moto.codebuild.models import codebuild_backends
from moto.codebuild.responses import CodeBuildResponse
from moto.core.responses import ActionResult

from tidegate.local.build_runs import Log, Run, make_environment
from tidegate.local.buildspecs import UnsupportedBuildspec, read_buildspec
from tidegate.local.events import emit

if TYPE_CHECKING:
    from tidegate.local.buildspecs import Buildspec
    from tidegate.local.cloud import LocalCloud

Json: TypeAlias = dict[str, Any]
TOKEN_SECONDS: Final = 300
AT_ONCE: Final = 2
STATE_CHANGE: Final = "CodeBuild Build State Change"
OVERRIDES: Final = frozenset({
    "projectName", "idempotencyToken", "imageOverride", "environmentTypeOverride",
    "environmentVariablesOverride", "timeoutInMinutesOverride", "queuedTimeoutInMinutesOverride",
})  # fmt: skip
GOING: Final = "IN_PROGRESS"
FAULT: Final = "FAULT"
LOG: Final = logging.getLogger(__name__)


@dataclass
class Started:
    """A build, as the API shows it, and what runs it."""

    shown: Json
    place: tuple[str, str]
    spec: Buildspec
    variables: dict[str, str]
    run: Run | None = None
    stopped: bool = False
    at: float = field(default_factory=time.monotonic)


class Builds:
    """The builds of a cloud; some run at once, the others wait in CodeBuild's queue."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._lock = threading.RLock()
        self._machines = threading.Semaphore(AT_ONCE)
        self._tokens: dict[str, tuple[float, str, str]] = {}
        self.known: dict[str, Started] = {}

    def start(self, project: Json, given: Json, place: tuple[str, str]) -> Json:
        """Start a build, or find the one that its token started."""
        spec = _check(project, given)
        with self._lock:
            token, said = (
                str(given.get("idempotencyToken") or uuid.uuid4()),
                json.dumps(given, sort_keys=True),
            )
            at, before, build = self._tokens.get(token, (0.0, "", ""))
            if build and time.monotonic() - at < TOKEN_SECONDS:
                if before != said:
                    raise InvalidInputException("The idempotency token was used with other parameters")
                return self.known[build].shown
            started = Started(_show(project, given, place), place, spec, _variables(project, given))
            build = started.shown["id"]
            self.known[build] = started
            self._tokens[token] = (time.monotonic(), said, build)
        threading.Thread(target=self._work, args=(started,), name="tidegate-build", daemon=True).start()
        return started.shown

    def stop(self, build: str) -> Json:
        """Stop a build; one that has ended stays as it is."""
        with self._lock:
            if build not in self.known:
                raise ResourceNotFoundException(f"Build {build} does not exist")
            started = self.known[build]
            started.stopped = True
            if started.run:
                started.run.stop()
        return started.shown

    def close(self) -> None:
        """Stop all that runs."""
        for build in list(self.known):
            self.stop(build)

    def _work(self, started: Started) -> None:
        _announce(started)
        with self._machines:
            status = "STOPPED" if started.stopped else self._run(started)
        with self._lock:
            shown = started.shown
            ended = {
                "endTime": _now(),
                "buildStatus": status,
                "currentPhase": "COMPLETED",
                "buildComplete": True,
            }
            shown.update(ended)
            shown["phases"].append({"phaseType": "COMPLETED", "startTime": _now()})
        if not self._cloud.stopping.is_set():
            _announce(started)

    def _run(self, started: Started) -> str:
        logs = started.shown["logs"]
        log = Log(*started.place, logs["groupName"], logs["streamName"])
        try:
            return self._run_logged(started, log)
        except Exception as error:
            LOG.exception("%s could not be run", started.shown["id"])
            log.write(f"the build could not be run: {error}")
            return FAULT

    def _run_logged(self, started: Started, log: Log) -> str:
        shown = started.shown
        folder = self._cloud.home / "builds" / shown["id"].partition(":")[2]
        own = {**started.variables, "CODEBUILD_BUILD_ID": shown["id"]}
        environment = make_environment(self._cloud.home, folder, self._cloud.network_environment, own)
        started.run = Run(started.spec, folder, environment, log)
        if started.stopped:
            started.run.stop()

        def tell(phase: str, outcome: str, seconds: float) -> None:
            told = {"phaseType": phase, "phaseStatus": outcome, "durationInSeconds": round(seconds)}
            shown["phases"].append({**told, "startTime": _now() - seconds, "endTime": _now(), "contexts": []})

        return started.run.run(60.0 * shown["timeoutInMinutes"], tell)


def _check(project: Json, given: Json) -> Buildspec:
    for name in given:
        if name not in OVERRIDES:
            raise InvalidInputException(f"{name} of StartBuild is not available in the local cloud")
    if project["source"]["type"] != "NO_SOURCE" or project["artifacts"]["type"] != "NO_ARTIFACTS":
        raise InvalidInputException("sources and artifacts of projects are not available in the local cloud")
    for one in (*project["environment"].get("environmentVariables", ()), *_list_variables(given)):
        if one.get("type", "PLAINTEXT") != "PLAINTEXT":
            raise InvalidInputException(
                f"variables of type {one['type']} are not available in the local cloud"
            )
    try:
        return read_buildspec(project["source"].get("buildspec") or "")
    except UnsupportedBuildspec as error:
        raise InvalidInputException(str(error)) from error


def _list_variables(given: Json) -> list[Json]:
    return list(given.get("environmentVariablesOverride") or ())


def _variables(project: Json, given: Json) -> dict[str, str]:
    listed = (*project["environment"].get("environmentVariables", ()), *_list_variables(given))
    return {one["name"]: one["value"] for one in listed}


def _now() -> float:
    return time.time()


def _show(project: Json, given: Json, place: tuple[str, str]) -> Json:
    account, region = place
    number = uuid.uuid4()
    build = f"{project['name']}:{number}"
    logs = project.get("logsConfig", {}).get("cloudWatchLogs", {})
    group = logs.get("groupName") or f"/aws/codebuild/{project['name']}"
    own = project["environment"]
    console = f"https://console.aws.amazon.com/cloudwatch/home?region={region}"
    return {
        "id": build,
        "arn": f"arn:aws:codebuild:{region}:{account}:build/{build}",
        "startTime": _now(),
        "currentPhase": "QUEUED",
        "buildStatus": GOING,
        "buildComplete": False,
        "projectName": project["name"],
        "phases": [{"phaseType": "SUBMITTED", "phaseStatus": "SUCCEEDED", "durationInSeconds": 0}],
        "source": project["source"],
        "artifacts": {"location": ""},
        "environment": {
            "type": given.get("environmentTypeOverride") or own["type"],
            "image": given.get("imageOverride") or own["image"],
            "computeType": own["computeType"],
            "environmentVariables": _list_variables(given),
            "privilegedMode": False,
        },
        "serviceRole": project["serviceRole"],
        "logs": {
            "groupName": group,
            "streamName": str(number),
            "deepLink": f"{console}#logEvent:group={group};stream={number}",
        },
        "timeoutInMinutes": int(given.get("timeoutInMinutesOverride") or project["timeoutInMinutes"] or 60),
        "queuedTimeoutInMinutes": int(given.get("queuedTimeoutInMinutesOverride") or 480),
        "initiator": "tidegate-local",
    }


def _announce(started: Started) -> None:
    shown, (account, region) = started.shown, started.place
    environment = shown["environment"]
    begun = dt.datetime.fromtimestamp(shown["startTime"], tz=dt.UTC)
    detail = {
        "build-status": shown["buildStatus"],
        "project-name": shown["projectName"],
        "build-id": shown["arn"],
        "additional-information": {
            "environment": {
                "image": environment["image"],
                "privileged-mode": False,
                "compute-type": environment["computeType"],
                "type": environment["type"],
                "environment-variables": environment["environmentVariables"],
            },
            "timeout-in-minutes": shown["timeoutInMinutes"],
            "build-complete": shown["buildComplete"],
            "initiator": shown["initiator"],
            "build-start-time": begun.strftime("%b %d, %Y %I:%M:%S %p"),
            "logs": {
                "group-name": shown["logs"]["groupName"],
                "stream-name": shown["logs"]["streamName"],
                "deep-link": shown["logs"]["deepLink"],
            },
        },
        "current-phase": shown["currentPhase"],
        "version": "1",
    }
    emit(
        source="aws.codebuild",
        detail_type=STATE_CHANGE,
        detail=detail,
        resources=[shown["arn"]],
        account=account,
        region=region,
    )


def install(cloud: LocalCloud) -> None:
    """Replace what moto makes up."""
    builds = Builds(cloud)
    cloud.on_stop(builds.close)

    def find_project(self: Any) -> Json:  # noqa: ANN401
        backend = codebuild_backends[self.current_account][self.region]
        name = self._get_param("projectName") or self._get_param("name")
        if name not in backend.codebuild_projects:
            raise ResourceNotFoundException(f"Project cannot be found: {name}")
        found: Json = backend.codebuild_projects[name].project_metadata
        return found

    def start_build(self: Any) -> ActionResult:  # noqa: ANN401
        given = json.loads(self.body)
        place = (self.current_account, self.region)
        return ActionResult({"build": builds.start(find_project(self), given, place)})

    def batch_get_builds(self: Any) -> ActionResult:  # noqa: ANN401
        ids = self._get_param("ids")
        found = [builds.known[one].shown for one in ids if one in builds.known]
        return ActionResult(
            {"builds": found, "buildsNotFound": [one for one in ids if one not in builds.known]}
        )

    def stop_build(self: Any) -> ActionResult:  # noqa: ANN401
        return ActionResult({"build": builds.stop(self._get_param("id"))})

    def update_project(self: Any) -> ActionResult:  # noqa: ANN401
        project = find_project(self)
        project.update({name: value for name, value in json.loads(self.body).items() if name != "name"})
        return ActionResult({"project": project})

    for method in (start_build, batch_get_builds, stop_build, update_project):
        cloud.patch(CodeBuildResponse, method.__name__, method)
    check = responses._validate_required_params_source

    def check_source(source: Json) -> None:
        """A project without a source has no location either."""
        if source.get("type") != "NO_SOURCE":
            check(source)

    cloud.patch(responses, "_validate_required_params_source", check_source)
