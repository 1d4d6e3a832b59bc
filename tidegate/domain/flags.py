"""Feature flags that a release deploys with AWS AppConfig: what is told of them, and what goes back first.

A deployment reaches both versions of a function alike, so no canary holds it back. A rollback takes back
what the release's own stack deployed since its plan, and nothing that anybody else did: who started one, its
tags say, which CloudFormation gives every deployment that it makes. Pure: decides, and calls nobody.
Sources: AWS AppConfig User Guide, "Reverting a configuration"; API Reference, StopDeployment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.identity import Frozen
from tidegate.domain.preflight import Finding, Severity
from tidegate.domain.templates.intrinsics import REF, direct_reference
from tidegate.domain.templates.template import properties_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from tidegate.domain.templates.changes import ChangedResource
    from tidegate.domain.templates.values import Values

DEPLOYMENT: Final = "AWS::AppConfig::Deployment"
STACK_TAG: Final = "aws:cloudformation:stack-name"
TAKEN_BACK: Final = frozenset({"ROLLED_BACK", "ROLLING_BACK", "REVERTED"})
IDENTITY: Final = re.compile(
    r"[a-z0-9]{4,7}"
)  # API Reference, the pattern of ApplicationId and EnvironmentId
WHAT: Final = "it deploys a configuration of AppConfig, which both versions read: it is not canaried"
REVERTED: Final = (
    "a rollback reverts it as soon as traffic is restored, which AppConfig does within 72 hours, and brings "
    "the stack back after that"
)
LEFT: Final = (
    "a rollback brings it back with the stack, minutes after traffic: its environment comes with this "
    "release, or only the deployment knows it"
)


class FlagEnvironment(Frozen):
    """An environment that the release deploys to, and the stacks of the service that do so, by their names.

    `last` is the newest deployment before the release, 0 for none.
    """

    application: str
    environment: str
    last: int = 0
    stacks: tuple[str, ...] = ()


class FlagDeployment(Frozen):
    """A deployment as it is; `stack` is the one that started it, empty where no stack did."""

    number: int
    profile: str
    name: str
    version: str
    state: str
    stack: str = ""

    @property
    def title(self) -> str:
        """What people call it."""
        return f"deployment {self.number} of {self.name} (version {self.version})"


class Decision(Frozen):
    """What becomes of one deployment: it is reverted, unless `keeps` says why it stays as it is."""

    deployment: FlagDeployment
    keeps: str = ""


def list_places(
    template: Mapping[str, Any], changes: Iterable[ChangedResource], values: Values
) -> dict[str, tuple[str, str] | None]:
    """(application, environment) of each deployment that the change set makes; None where it is not known."""
    resources = template["Resources"]
    made = (
        change.logical_id for change in changes if change.type == DEPLOYMENT and change.action != "Remove"
    )
    return {key: _find_place(properties_of(resources[key]), values) for key in made if key in resources}


def _find_place(properties: Mapping[str, Any], values: Values) -> tuple[str, str] | None:
    application = _identify(properties.get("ApplicationId"), values)
    environment = _identify(properties.get("EnvironmentId"), values)
    return (application, environment) if application and environment else None


def _identify(value: Any, values: Values) -> str:  # noqa: ANN401
    """An id, or "". Ref and GetAtt give the same; a physical id may begin with the ids of the wholes."""
    named = direct_reference(value)
    own = named is not None and named[1] in {"ApplicationId", "EnvironmentId"}
    found = values.resolve({REF: named[0]} if own and named else value)
    identity = str(found).rpartition("|")[2]
    return identity if IDENTITY.fullmatch(identity) else ""


def describe(
    places: Mapping[str, tuple[str, str] | None], known: Iterable[FlagEnvironment]
) -> Iterator[Finding]:
    """A finding for each deployment; one can go back at once where something was deployed before it."""
    before = {(one.application, one.environment) for one in known if one.last}
    for key, place in places.items():
        yield Finding(
            logical_id=key,
            kind="flags",
            severity=Severity.AT_ONCE,
            what=WHAT,
            action=REVERTED if place in before else LEFT,
        )


def decide(found: Iterable[FlagDeployment], stacks: Container[str]) -> Iterator[Decision]:
    """What becomes of the stacks' own of these deployments of one environment, the newest first.

    One that somebody else has deployed over stays: reverting it would take theirs away.
    """
    over: dict[str, FlagDeployment] = {}
    for one in sorted(found, key=lambda item: -item.number):
        if one.stack in stacks:
            foreign = over.get(one.profile)
            keeps = f"{foreign.title} is somebody else's and came after it" if foreign else ""
            yield Decision(deployment=one, keeps="" if one.state in TAKEN_BACK else keeps)
        elif one.state not in TAKEN_BACK:
            over.setdefault(one.profile, one)
