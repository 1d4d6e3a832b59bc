"""How AppConfig brings a configuration to those who read it, by the clock: strategies, deployments, reverts.

Nothing runs in the background: what a deployment is, and who reads it, follows from the times at which it was
started and stopped. Durations go at the cloud's pace. Validators, extensions and an environment's alarms are
not looked at. Source: AWS AppConfig User Guide, "Working with deployment strategies" and "Reverting a
configuration"; where they do not say what is answered, the refusals here are the stricter ones.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from moto.core.exceptions import JsonRESTError

REVERTIBLE: Final = 72 * 60.0  # minutes after its completion in which a deployment can be reverted
GOING: Final = frozenset({"DEPLOYING", "BAKING"})
TAKEN_BACK: Final = frozenset({"ROLLED_BACK", "REVERTED"})
WHOLE: Final = 100.0


class BadRequestException(JsonRESTError):  # type: ignore[misc]
    """What is asked cannot be done as things are."""

    def __init__(self, message: str) -> None:
        super().__init__("BadRequestException", message)


class ConflictException(JsonRESTError):  # type: ignore[misc]
    """Something else is going on in the environment."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ConflictException", message)


class ResourceNotFoundException(JsonRESTError):  # type: ignore[misc]
    """There is no such thing."""

    code = 404

    def __init__(self, what: str) -> None:
        super().__init__("ResourceNotFoundException", f"{what} could not be found")


@dataclass
class Strategy:
    """How fast a deployment grows; durations are in minutes, `factor` in percent."""

    id: str
    name: str
    duration: float = 0
    bake: float = 0
    factor: float = WHOLE
    growth: str = "LINEAR"
    description: str = ""
    replicate_to: str = "NONE"

    def describe(self) -> dict[str, Any]:
        """What the API shows."""
        return {
            "Id": self.id,
            "Name": self.name,
            "Description": self.description,
            "DeploymentDurationInMinutes": int(self.duration),
            "GrowthType": self.growth,
            "GrowthFactor": self.factor,
            "FinalBakeTimeInMinutes": int(self.bake),
            "ReplicateTo": self.replicate_to,
        }

    def share(self, elapsed: float) -> float:
        """The percentage of the readers that have it after so many minutes."""
        if elapsed >= self.duration:
            return WHOLE
        linear = self.growth == "LINEAR"
        steps = math.ceil(WHOLE / self.factor if linear else math.log2(WHOLE / self.factor))
        step = int(elapsed / (self.duration / max(1, steps)))
        return min(WHOLE, self.factor * (step + 1) if linear else self.factor * 2**step)


PREDEFINED: Final = (
    Strategy("AppConfig.AllAtOnce", "AppConfig.AllAtOnce", 0, 10),
    Strategy("AppConfig.Linear50PercentEvery30Seconds", "AppConfig.Linear50PercentEvery30Seconds", 1, 1, 50),
    Strategy("AppConfig.Linear20PercentEvery6Minutes", "AppConfig.Linear20PercentEvery6Minutes", 30, 30, 20),
    Strategy(
        "AppConfig.Canary10Percent20Minutes", "AppConfig.Canary10Percent20Minutes", 20, 10, 10, "EXPONENTIAL"
    ),
)


@dataclass
class Deployment:
    """One configuration on its way, with a copy of its content; `pace` is the factor on its times."""

    number: int
    profile: Any
    version: Any
    content: bytes
    strategy: Strategy
    description: str
    pace: float
    started: float = field(default_factory=time.time)
    stopped: tuple[str, float] | None = None

    def _minutes(self, now: float) -> float:
        return (now - self.started) / 60 / self.pace

    @property
    def state(self) -> str:
        """As AppConfig calls it."""
        if self.stopped:
            return self.stopped[0]
        minutes = self._minutes(time.time())
        if minutes < self.strategy.duration:
            return "DEPLOYING"
        return "BAKING" if minutes < self.strategy.duration + self.strategy.bake else "COMPLETE"

    @property
    def share(self) -> float:
        """The percentage of the readers that have it."""
        return 0.0 if self.stopped else self.strategy.share(self._minutes(time.time()))

    @property
    def completed(self) -> float:
        """When it was, or will be, over."""
        end = self.started + (self.strategy.duration + self.strategy.bake) * 60 * self.pace
        return self.stopped[1] if self.stopped else end

    @property
    def is_old(self) -> bool:
        """Whether it was completed too long ago to be reverted."""
        return time.time() - self.completed > REVERTIBLE * 60 * self.pace

    def summarize(self) -> dict[str, Any]:
        """What a list shows of it."""
        plan = self.strategy.describe()
        kept = ("DeploymentDurationInMinutes", "GrowthType", "GrowthFactor", "FinalBakeTimeInMinutes")
        going = self.state in GOING
        return {
            "DeploymentNumber": self.number,
            "ConfigurationName": self.profile.name,
            "ConfigurationProfileId": self.profile.id,
            "ConfigurationVersion": str(self.version.version),
            **{name: plan[name] for name in kept},
            "State": self.state,
            "PercentageComplete": self.share,
            "StartedAt": _write(self.started),
            **({} if going else {"CompletedAt": _write(self.completed)}),
            **({"VersionLabel": self.version.version_label} if self.version.version_label else {}),
        }


def _write(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


@dataclass
class Environment:
    """One environment of an application, with its deployments in their order."""

    id: str
    application: str
    name: str
    description: str
    monitors: list[dict[str, str]]
    deployments: list[Deployment] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """What the API shows; an environment whose last deployment goes on says so."""
        state = self.deployments[-1].state if self.deployments else ""
        return {
            "ApplicationId": self.application,
            "Id": self.id,
            "Name": self.name,
            "Description": self.description,
            "State": {"": "READY_FOR_DEPLOYMENT", "COMPLETE": "READY_FOR_DEPLOYMENT"}.get(state, state),
            "Monitors": self.monitors,
        }

    def find(self, number: int) -> Deployment:
        """The deployment of that number."""
        if not 1 <= number <= len(self.deployments):
            raise ResourceNotFoundException(f"Deployment {number}")
        return self.deployments[number - 1]

    def start(self, deployment: Deployment) -> None:
        """Take it up, unless another one goes on: an environment has one at a time."""
        going = next((one for one in self.deployments if one.state in GOING), None)
        if going is not None:
            raise ConflictException(
                f"Deployment number {going.number} is in progress; only one can be at a time"
            )
        self.deployments.append(deployment)

    def stop(self, number: int, *, revert: bool) -> Deployment:
        """End one that goes on, or take back the last completed one of its profile."""
        found = self.find(number)
        if found.state in GOING:
            found.stopped = ("ROLLED_BACK", time.time())
            return found
        if found.state in TAKEN_BACK or not revert:
            raise BadRequestException(f"Deployment {number} cannot be stopped: it is {found.state}")
        if found.is_old:
            raise BadRequestException(
                f"Deployment {number} was completed more than 72 hours ago and cannot be reverted"
            )
        standing = [one for one in self._of(found.profile.id) if one.state not in TAKEN_BACK]
        if standing[-1] is not found:
            raise BadRequestException(f"Deployment {number} is not the latest of its configuration")
        if len(standing) == 1:
            raise BadRequestException(f"Deployment {number} has no previous configuration to revert to")
        found.stopped = ("REVERTED", time.time())
        return found

    def _of(self, profile: str) -> list[Deployment]:
        return [one for one in self.deployments if one.profile.id == profile]

    def read(self, profile: str, position: float) -> Deployment:
        """The deployment whose configuration a reader has, `position` percent up in the line of readers."""
        for one in reversed(self._of(profile)):
            if one.share > position:
                return one
        raise ResourceNotFoundException("The deployed configuration")
