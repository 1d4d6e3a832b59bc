"""Roles read from IAM: what is left out, page by page, and a thousand of them."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from tidegate.adapters.pacing import TokenBucket
from tidegate.adapters.roles import read_live
from tidegate.domain.holds import POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator

READ = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
}
TRUST = {"Version": "2012-10-17", "Statement": []}


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("iam", region_name="us-east-1")


def make_role(iam: Any, name: str, *policies: str) -> None:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    for policy in policies:
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(READ))


def make_policy(iam: Any, name: str) -> str:
    first = json.dumps(READ).replace("GetObject", "PutObject")
    arn: str = iam.create_policy(PolicyName=name, PolicyDocument=first)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(READ), SetAsDefault=True)
    return arn


def test_a_role_is_read_without_what_is_held_in_it(iam: Any) -> None:
    make_role(iam, "orders", "own", POLICY)
    (found,) = read_live(iam, {"orders": frozenset(), "nobody": frozenset()}).values()
    assert found.inline == {"own": READ}
    assert found.attached == {}


def test_managed_policies_are_read_in_the_version_in_force_if_they_are_attached(iam: Any) -> None:
    make_role(iam, "orders")
    attached, other = make_policy(iam, "attached"), make_policy(iam, "other")
    iam.attach_role_policy(RoleName="orders", PolicyArn=attached)
    gone = "arn:aws:iam::123456789012:policy/gone"
    found = read_live(iam, {"orders": frozenset({attached, other, gone})})["orders"]
    assert found.attached == {attached: READ}


def test_a_role_with_very_many_policies_is_read_page_by_page(iam: Any) -> None:
    make_role(iam, "orders", *(f"p{n}" for n in range(230)))
    assert len(read_live(iam, {"orders": frozenset()})["orders"].inline) == 230


class ManyRoles:
    """IAM with as many roles as one asks for, each with one policy; it counts what it is asked."""

    exceptions = boto3.client("iam", region_name="us-east-1").exceptions

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def get_paginator(self, operation: str) -> Any:
        self.calls[operation] += 1
        return SimpleNamespace(paginate=lambda **_: [{"PolicyNames": ["own"]}])

    def get_role_policy(self, **_: str) -> Any:
        self.calls["get_role_policy"] += 1
        return {"PolicyDocument": READ}


def test_a_thousand_roles_take_a_thousand_times_the_calls_of_one_and_a_token_each() -> None:
    waits: list[float] = []
    bucket = TokenBucket(100, clock=lambda: 0.0, sleep=waits.append)
    iam: Any = ManyRoles()
    assert len(read_live(iam, {f"r{n}": frozenset() for n in range(1000)}, bucket)) == 1000
    assert iam.calls == {"list_role_policies": 1000, "get_role_policy": 1000}
    assert len(waits) == 900
