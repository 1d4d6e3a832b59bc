"""Which deployments of flags a rollback takes back, and what the plan says of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.flags import (
    DEPLOYMENT,
    LEFT,
    REVERTED,
    TAKEN_BACK,
    FlagDeployment,
    FlagEnvironment,
    decide,
    describe,
    list_places,
)
from tidegate.domain.preflight import Severity
from tidegate.domain.templates.changes import ChangedResource, diff_notices
from tidegate.domain.templates.values import Values

PLACE = {"ApplicationId": {"Ref": "App"}, "EnvironmentId": {"Ref": "Env"}}
STANDING = {"App": "abcd123", "Env": "abcd123|wxyz987"}


def deployed(number: int, **changes: str) -> FlagDeployment:
    values = {"profile": "p1", "name": "main", "version": str(number), "state": "COMPLETE", "stack": "orders"}
    return FlagDeployment(number=number, **(values | changes))


def kept(*found: FlagDeployment) -> dict[int, bool]:
    """Whether each of the stack's own deployments stays as it is, by its number."""
    return {one.deployment.number: bool(one.keeps) for one in decide(found, {"orders"})}


def places(changes: list[ChangedResource], fresh: frozenset[str] = frozenset(), **properties: object):
    app, env = ({"Type": f"AWS::AppConfig::{kind}"} for kind in ("Application", "Environment"))
    flags = {"Type": DEPLOYMENT, "Properties": {**PLACE, **properties}}
    template = {
        "Parameters": {"Id": {"Type": "String"}},
        "Resources": {"App": app, "Env": env, "Flags": flags},
    }
    return list_places(template, changes, Values(template, {"Id": "pppp111"}, STANDING, {}, fresh))


def change(action: str = "Modify", logical_id: str = "Flags") -> ChangedResource:
    found: ChangedResource = ChangedResource.model_validate(
        {"action": action, "logical_id": logical_id, "type": DEPLOYMENT, "replacement": action == "Modify"}
    )
    return found


def test_the_newest_of_the_stack_goes_back_first() -> None:
    found = (deployed(4), deployed(5), deployed(3, stack="payments"))
    assert [one.deployment.number for one in decide(found, {"orders"})] == [5, 4]


def test_what_somebody_else_has_deployed_over_stays() -> None:
    assert kept(deployed(3), deployed(4, stack="")) == {3: True}
    assert kept(deployed(3), deployed(4, stack="payments"), deployed(5)) == {3: True, 5: False}
    assert kept(deployed(3), deployed(4, stack="", profile="p2")) == {3: False}
    assert kept(deployed(3), deployed(4, stack="", state="REVERTED")) == {3: False}


@given(
    st.lists(
        st.builds(
            deployed,
            st.integers(1, 99),
            stack=st.sampled_from(["orders", "payments", ""]),
            state=st.sampled_from(["COMPLETE", "DEPLOYING", "BAKING", *sorted(TAKEN_BACK)]),
            profile=st.sampled_from(["p1", "p2"]),
        ),
        unique_by=lambda one: one.number,
        max_size=6,
    )
)
def test_nobody_elses_is_ever_reverted_and_none_that_stands_over_it(found: list[FlagDeployment]) -> None:
    for one in decide(found, {"orders"}):
        assert one.deployment.stack == "orders"
        standing = [
            other
            for other in found
            if other.profile == one.deployment.profile
            and other.number > one.deployment.number
            and other.stack != "orders"
            and other.state not in TAKEN_BACK
        ]
        assert bool(one.keeps) == (bool(standing) and one.deployment.state not in TAKEN_BACK)


@pytest.mark.parametrize(
    ("properties", "found"),
    [
        ({}, ("abcd123", "wxyz987")),
        ({"EnvironmentId": {"Fn::GetAtt": ["Env", "EnvironmentId"]}}, ("abcd123", "wxyz987")),
        ({"EnvironmentId": "live123"}, ("abcd123", "live123")),
        ({"EnvironmentId": {"Ref": "Id"}}, ("abcd123", "pppp111")),
        ({"EnvironmentId": {"Fn::ImportValue": "env"}}, None),
        ({"EnvironmentId": "/a/path"}, None),
    ],
)
def test_an_environment_is_found_as_far_as_it_is_known(properties, found) -> None:
    assert places([change()], **properties) == {"Flags": found}


def test_an_environment_that_comes_with_the_release_is_not_known() -> None:
    assert places([change("Add")], frozenset({"Env"})) == {"Flags": None}
    assert places([change("Remove")]) == {}
    assert places([change(logical_id="Elsewhere")]) == {}


def test_the_plan_says_that_flags_are_not_canaried_and_how_they_go_back() -> None:
    known = (FlagEnvironment(application="a", environment="e", last=3),)
    known += (FlagEnvironment(application="a", environment="first"),)
    found = describe({"Flags": ("a", "e"), "First": ("a", "first"), "New": None}, known)
    told = {one.logical_id: (one.kind, one.severity, one.action) for one in found}
    assert told == {
        "Flags": ("flags", Severity.AT_ONCE, REVERTED),
        "First": ("flags", Severity.AT_ONCE, LEFT),
        "New": ("flags", Severity.AT_ONCE, LEFT),
    }
    assert not diff_notices([change()], ())  # once is enough
