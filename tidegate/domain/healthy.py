"""What stages ran when they were last known to be well: the chain that a rollback can go back along.

Every stage has a chain of its own, the newest state first; each names the document of the one before. A
release that was taken back is no part of it, and one that was gone back to stands in it once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tidegate.domain.concurrency import Provided
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.rollouts import RollingFunction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class HealthyFunction(Frozen):
    """A function's alias, and the version that it pointed at; named as Lambda knows them."""

    name: str
    alias: str
    version: str
    log_group: str


class Healthy(Frozen):
    """What a stage runs when it is left: each function's artifact, and its alias with the version.

    `release_id` is whose document this is; `restores` the release that was gone back to, where it was.
    `stack` is the key of the stack as it was then, a PreviousStack. `unproven` functions run a version that
    the stack's own template does not describe, since the stack could not go back with them. `provided` is the
    provisioned concurrency of those functions that have any.
    """

    stage: str
    previous: str | None = None
    release_id: str
    restores: str = ""
    artifacts: dict[str, str]
    functions: dict[str, HealthyFunction]
    stack: str = ""
    unproven: tuple[str, ...] = ()
    provided: dict[str, Provided] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """The id of the release whose versions these are."""
        return self.restores or self.release_id

    @property
    def versions(self) -> dict[str, str]:
        """The version of each function by its logical id."""
        return {logical_id: function.version for logical_id, function in self.functions.items()}

    @property
    def proven(self) -> dict[str, str]:
        """The artifacts of those functions that run what the stack's template describes."""
        return {key: artifact for key, artifact in self.artifacts.items() if key not in self.unproven}


class GoingBack(Frozen):
    """An order to go back, written before the claim is taken: how far, in which stages, and from where.

    `over` is the release that is left; while it is `unfinished`, what it changed is undone first. `healthy`
    has the document of the state gone back to, by stage.
    """

    target: ReleaseRef
    reason: str
    healthy: dict[str, str]
    over: ReleaseRef | None = None
    unfinished: bool = False


class StackReturn(Frozen):
    """What became of a stage's stack: back, or left as it is, for these reasons."""

    stack_name: str
    left: tuple[str, ...] = Field((), description="why it was left; empty where it went back")


def list_distinct(chain: Iterable[tuple[str, Healthy]]) -> Iterator[tuple[str, Healthy]]:
    """Each release of a chain once, at the place where it was last live; keys come along."""
    seen: set[str] = set()
    for key, healthy in chain:
        if healthy.label not in seen:
            seen.add(healthy.label)
            yield key, healthy


def plan_moves(
    target: Healthy, now: Mapping[str, HealthyFunction], over: Iterable[RollingFunction]
) -> tuple[RollingFunction, ...]:
    """Every alias that has a version to go to: that of the target; else the one that `over` found stable.

    `now` is what is known to run, `over` what an unfinished release moves. A function that came after the
    target, and that no unfinished release moves, stays as it is.
    """
    moving = {function.logical_id: function for function in over}
    back = [
        RollingFunction(
            logical_id=logical_id,
            name=function.name,
            alias=function.alias,
            stable=function.version,
            canary=moving[logical_id].canary if logical_id in moving else _version(now, logical_id, function),
            log_group=function.log_group,
        )
        for logical_id, function in target.functions.items()
    ]
    return (*back, *(function for key, function in moving.items() if key not in target.functions))


def _version(now: Mapping[str, HealthyFunction], logical_id: str, target: HealthyFunction) -> str:
    return now[logical_id].version if logical_id in now else target.version
