"""What a change takes away from the roles of the stable version, and the side stack that holds it meanwhile.

Held is never more than what the role has in the account, and never less than what it loses, but for what
cannot be held: that is named. May not call AWS. Source: AWS IAM User Guide, "IAM and AWS STS quotas", and
"Policy evaluation logic".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import Field

from tidegate.domain.guards import GuardStack
from tidegate.domain.identity import Frozen
from tidegate.domain.nesting import make_logical_id
from tidegate.domain.rights import (
    ALLOW,
    DENY,
    Right,
    is_known,
    list_rights,
    make_statements,
    may_be,
    overlap,
    shorten,
    subtract,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tidegate.domain.templates.roles import RolePolicies

POLICY: Final = "tidegate-hold"
MOST_CHARACTERS: Final = 10_240  # of all inline policies of a role, without white space
UNKNOWN_CHARACTERS: Final = 200  # that a value may have which is known only after the update
STACK_BYTES: Final = 800_000  # under CloudFormation's 1 MB
STACK_ROLES: Final = 450  # under CloudFormation's 500 resources
VERSION: Final = "2012-10-17"


class LiveRole(Frozen):
    """The policies that a role has in the account: inline by name, attached by ARN if they were read."""

    inline: dict[str, Any] = Field(default_factory=dict)
    attached: dict[str, Any] = Field(default_factory=dict)


class RoleHold(Frozen):
    """The statements that one role keeps until after the bake.

    role: its name. sources: the managed policies that some of them are from, by ARN.
    """

    logical_id: str
    role: str
    statements: tuple[dict[str, Any], ...]
    sources: tuple[str, ...] = ()


class Holds(Frozen):
    """What is held in a stage: it lies at stages/<stage>/holds.json, and as placed at holds-placed.json."""

    roles: tuple[RoleHold, ...] = ()
    held: tuple[str, ...] = Field(default=(), description="what is held, a sentence each")
    at_once: tuple[str, ...] = Field(default=(), description="what is not, a sentence each")


class Looks(Frozen):
    """How often LeaveStage has looked at what is going: it lies at stages/<stage>/leaving.json.

    `tries` counts the attempts that ended with something else left behind.
    """

    count: int = 0
    tries: int = 0


class Loss(NamedTuple):
    """What a role loses by an update, as far as the templates tell. `arns`: policies that are detached."""

    rights: tuple[Right, ...]
    denials: tuple[Right, ...]
    arns: tuple[str, ...]
    new_denials: tuple[Right, ...]


class Decision(NamedTuple):
    """What of a role is held, and what takes effect at once, a sentence each."""

    statements: tuple[dict[str, Any], ...]
    sentences: tuple[str, ...]


def find_loss(old: RolePolicies, new: RolePolicies) -> Loss:
    """What of the old policies of a role the new ones do not give."""
    before = [right for document in old.documents for right in list_rights(document)]
    after = [right for document in new.documents for right in list_rights(document)]
    return Loss(
        rights=subtract(_only(ALLOW, before), _only(ALLOW, after)),
        denials=subtract(_only(DENY, before), _only(DENY, after)),
        arns=tuple(arn for arn in old.attached if arn not in new.attached),
        new_denials=subtract(_only(DENY, after), _only(DENY, before)),
    )


def _only(effect: str, rights: Iterable[Right]) -> list[Right]:
    return [right for right in rights if right.effect == effect]


def decide(old: RolePolicies, new: RolePolicies, live: LiveRole) -> Decision:
    """What of a role is held.

    Nothing where trust or boundary change too, since what is held would then serve others, or reach further;
    and no right that a denial limits which goes as well.
    """
    loss = find_loss(old, new)
    told = [f"it denies {shorten([right])}" for right in loss.new_denials]
    lost = _list_lost(loss, new, live)
    if not lost:
        return Decision((), tuple(told))
    if old.limits != new.limits:
        reason = "trust or permissions boundary change too, so nothing is held"
        return Decision((), (*told, f"it loses {shorten(lost)}: {reason}"))
    denials = (*loss.denials, *_only(DENY, _read(live, loss.arns)))
    limited = tuple(right for right in lost if any(overlap(denial, right) for denial in denials))
    if limited:
        told.append(f"it loses {shorten(limited)}: a denial that limits it goes too, so it is not held")
    free = subtract(lost, limited)
    kept, left = _fit(make_statements(free), MOST_CHARACTERS - _size(live, new))
    if left:
        rights = shorten(list_rights(make_document(left)))
        told.append(f"it loses {rights}: the role has no room for more inline policies")
    return Decision(kept, tuple(told))


def _list_lost(loss: Loss, new: RolePolicies, live: LiveRole) -> tuple[Right, ...]:
    """The rights of the live role that go or may go."""
    after = [right for document in new.documents for right in list_rights(document) if is_known(right)]
    detached = _read(live, loss.arns)
    exact, unknown = frozenset(filter(is_known, loss.rights)), [r for r in loss.rights if not is_known(r)]
    standing = [
        right
        for document in (*live.inline.values(), *live.attached.values())
        for right in list_rights(document)
        if right in exact or any(may_be(one, right) for one in unknown)
    ]
    return subtract(_only(ALLOW, [*standing, *detached]), _only(ALLOW, after))


def _read(live: LiveRole, arns: Iterable[str]) -> list[Right]:
    return [right for arn in arns for right in list_rights(live.attached.get(arn, []))]


def _size(live: LiveRole, new: RolePolicies) -> int:
    """The characters that the role's inline policies may have while the update goes on."""
    names = {name for name in (*live.inline, *new.inline) if name != POLICY}
    return sum(max(_count(live.inline.get(name)), _count(new.inline.get(name))) for name in names)


def _count(document: object) -> int:
    if not document:
        return 0
    text = json.dumps(document, separators=(",", ":"))
    symbols = text.count("\\u0000") // 2
    return len("".join(text.split())) + symbols * UNKNOWN_CHARACTERS


def _fit(
    statements: Iterable[dict[str, Any]], room: int
) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    """The statements that the room has place for, and the others."""
    kept: list[dict[str, Any]] = []
    left: list[dict[str, Any]] = []
    for statement in statements:
        (kept if _count(make_document([*kept, statement])) <= room else left).append(statement)
    return tuple(kept), tuple(left)


def make_document(statements: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": VERSION, "Statement": list(statements)}


def list_sources(holds: Holds) -> dict[str, frozenset[str]]:
    """The managed policies to read of each role, by the role's name."""
    return {hold.role: frozenset(hold.sources) for hold in holds.roles}


def keep_standing(hold: RoleHold, live: LiveRole | None) -> RoleHold | None:
    """The hold without what somebody has taken from the role since the plan; None where nothing is left."""
    documents = (*live.inline.values(), *live.attached.values()) if live else ()
    standing = [right for document in documents for right in list_rights(document)]
    planned = list(list_rights(make_document(hold.statements)))
    gone = frozenset(subtract(planned, standing))
    statements = make_statements(right for right in planned if right not in gone)
    return hold.model_copy(update={"statements": statements}) if statements else None


def hold_name(service: str, stage: str, index: int = 0) -> str:
    """The name of a side stack that holds rights; a service with very many roles has several."""
    return f"tidegate-hold-{service}-{stage}" + (f"-{index}" if index else "")


def build_holds(service: str, stage: str, holds: Holds) -> tuple[GuardStack, ...]:
    """The side stacks that hold these rights."""
    stacks: list[dict[str, Any]] = []
    size = STACK_BYTES
    for hold in holds.roles:
        resource = _resource(hold)
        more = len(json.dumps(resource))
        if size + more > STACK_BYTES or len(stacks[-1]) == STACK_ROLES:
            stacks.append({})
            size = 0
        size += more
        stacks[-1][make_logical_id(hold.logical_id, "Hold")] = resource
    return tuple(
        GuardStack(
            name=hold_name(service, stage, index),
            template={"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources},
        )
        for index, resources in enumerate(stacks)
    )


def _resource(hold: RoleHold) -> Mapping[str, Any]:
    return {
        "Type": "AWS::IAM::RolePolicy",
        "Properties": {
            "RoleName": hold.role,
            "PolicyName": POLICY,
            "PolicyDocument": make_document(hold.statements),
        },
    }
