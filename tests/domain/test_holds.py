from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.test_rights import allows, documents, requests
from tidegate.domain.holds import (
    MOST_CHARACTERS,
    POLICY,
    STACK_BYTES,
    Holds,
    LiveRole,
    RoleHold,
    build_holds,
    decide,
    find_loss,
    hold_name,
    keep_standing,
    list_sources,
)
from tidegate.domain.rights import list_rights
from tidegate.domain.templates.roles import RolePolicies

READ = {"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Query"], "Resource": "arn:table"}
SEND = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:queue"}
DENY = {"Effect": "Deny", "Action": "sqs:*", "Resource": "arn:queue"}


def document(*statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def role(*statements: Any, **changes: Any) -> RolePolicies:
    return RolePolicies.model_validate({"inline": {"p": document(*statements)}, **changes})


def live(*statements: Any, **attached: Any) -> LiveRole:
    return LiveRole(inline={"p": document(*statements)}, attached=attached)


@settings(deadline=None)
@given(documents, documents, requests)
def test_held_and_new_give_what_was_there_and_no_more(old: Any, new: Any, request: Any) -> None:
    before, after = RolePolicies(inline={"p": old}), RolePolicies(inline={"p": new})
    decision = decide(before, after, LiveRole(inline={"p": old}))
    held = {"Statement": decision.statements}
    assert decision.sentences == ()
    assert not allows(old, request) or allows(held, request) or allows(new, request)
    assert not allows(held, request) or allows(old, request)
    assert decide(before, after, LiveRole(inline={"p": old, POLICY: held})).statements == decision.statements


@settings(deadline=None)
@given(documents, documents, documents, requests)
def test_nothing_is_held_that_the_role_does_not_have(old: Any, new: Any, standing: Any, request: Any) -> None:
    """Somebody has changed the role by hand since its template was applied."""
    decision = decide(
        RolePolicies(inline={"p": old}), RolePolicies(inline={"p": new}), LiveRole(inline={"p": standing})
    )
    assert not allows({"Statement": decision.statements}, request) or allows(standing, request)


def test_a_statement_that_goes_is_held_and_one_that_stays_is_not() -> None:
    decision = decide(role(READ, SEND), role(READ), live(READ, SEND))
    assert decision.statements == ({**SEND, "Action": "sqs:sendmessage"},)
    assert decision.sentences == ()
    assert decide(role(READ), role(READ, SEND), live(READ)).statements == ()


def test_values_that_are_known_only_after_the_update_hold_the_old_right() -> None:
    old, new = {**SEND, "Resource": "\0old\0"}, {**SEND, "Resource": "\0new\0"}
    assert decide(role(READ, old), role(READ, new), live(READ, SEND)).statements == (
        {**SEND, "Action": "sqs:sendmessage"},
    )
    assert decide(role(old), role(old), live(SEND)).statements == ()


def test_a_detached_policy_is_held_by_its_document() -> None:
    arn = "arn:aws:iam::aws:policy/Queues"
    before, after = role(READ, attached=(arn,)), role(READ)
    assert find_loss(before, after).arns == (arn,)
    found = decide(before, after, live(READ, **{arn: document(SEND, READ)}))
    assert found.statements == ({**SEND, "Action": "sqs:sendmessage"},)


def test_a_new_denial_cannot_be_held_and_is_named() -> None:
    decision = decide(role(SEND), role(SEND, DENY), live(SEND))
    assert decision.statements == ()
    assert decision.sentences == ("it denies sqs:* on arn:queue",)


def test_a_right_is_not_held_when_the_denial_that_limits_it_goes_too() -> None:
    decision = decide(role(READ, SEND, DENY), role(), live(READ, SEND, DENY))
    assert [one["Resource"] for one in decision.statements] == ["arn:table"]
    assert decision.sentences == (
        "it loses sqs:sendmessage on arn:queue: a denial that limits it goes too, so it is not held",
    )


def test_nothing_is_held_where_trust_or_boundary_change() -> None:
    decision = decide(role(SEND, limits="[]"), role(limits="[1]"), live(SEND))
    assert decision.statements == ()
    assert "trust or permissions boundary change too" in decision.sentences[0]


def test_what_does_not_fit_is_named() -> None:
    big = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": [f"arn:{n:0>40}" for n in range(100)]}
    bigger = {**big, "Action": "s3:PutObject", "Resource": [f"arn:{n:0>40}" for n in range(150)]}
    decision = decide(role(big, bigger), role(READ), live(big, bigger))
    # The inline policy that goes takes most of the room until the update has ended.
    assert decision.statements == ()
    assert decision.sentences[0].endswith("the role has no room for more inline policies")
    small = decide(role(big, SEND), role(), live(big, SEND))
    size = len(json.dumps(document(big, SEND), separators=(",", ":")))
    held = len(json.dumps(document(*small.statements), separators=(",", ":")))
    assert size + held <= MOST_CHARACTERS
    assert small.statements


def test_a_role_without_a_policy_in_the_account_holds_nothing() -> None:
    assert decide(role(SEND), role(), LiveRole()).statements == ()


def hold(number: int, *statements: Any) -> RoleHold:
    return RoleHold(
        logical_id=f"Role{number}", role=f"orders-{number}", statements=statements, sources=("arn:x",)
    )


def test_what_somebody_took_from_the_role_since_the_plan_stays_taken() -> None:
    planned = hold(
        1, {**READ, "Action": ["dynamodb:getitem", "dynamodb:query"]}, {**SEND, "Action": "sqs:sendmessage"}
    )
    kept = keep_standing(planned, live({**READ, "Action": "dynamodb:*"}))
    assert kept is not None
    assert [one["Resource"] for one in kept.statements] == ["arn:table"]
    assert keep_standing(planned, live()) is None
    assert keep_standing(planned, None) is None
    assert list_sources(Holds(roles=(planned,))) == {"orders-1": frozenset({"arn:x"})}


@settings(deadline=None)
@given(st.integers(0, 1200))
def test_side_stacks_stay_within_the_platforms_limits(count: int) -> None:
    stacks = build_holds("orders", "production", Holds(roles=tuple(hold(n, SEND) for n in range(count))))
    assert [stack.name for stack in stacks] == [
        hold_name("orders", "production", n) for n in range(len(stacks))
    ]
    names = [key for stack in stacks for key in stack.template["Resources"]]
    assert names == [f"Role{n}Hold" for n in range(count)]
    assert all(len(stack.template["Resources"]) <= 450 for stack in stacks)


def test_large_holds_of_a_thousand_roles_are_split_by_size() -> None:
    big = {**SEND, "Resource": [f"arn:aws:sqs:us-east-1:123456789012:queue-{n}" for n in range(150)]}
    stacks = build_holds("orders", "production", Holds(roles=tuple(hold(n, big) for n in range(1000))))
    assert len(stacks) > 1
    for stack in stacks:
        assert len(json.dumps(stack.template)) < STACK_BYTES + 1000
    properties = stacks[0].template["Resources"]["Role0Hold"]["Properties"]
    assert (properties["RoleName"], properties["PolicyName"]) == ("orders-0", "tidegate-hold")
    assert list(list_rights(properties["PolicyDocument"])) == list(list_rights(document(big)))
