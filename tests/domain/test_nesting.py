"""Names of what lies in nested stacks, and what is made of them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.config import AlarmConfig
from tidegate.domain.guards import GuardedAlias, alarm_name, build_guards, parse_alarm_name
from tidegate.domain.holds import Holds, RoleHold, build_holds
from tidegate.domain.nesting import make_logical_id, qualify, shorten, split

ids = st.text("ABCabc012", min_size=1, max_size=12)
names = st.lists(ids, min_size=1, max_size=5).map("/".join)


@given(names)
def test_a_name_is_its_path_and_its_logical_id(name: str) -> None:
    assert qualify(*split(name)) == name


def test_what_lies_in_the_root_has_its_plain_name() -> None:
    assert qualify("", "Worker") == "Worker"
    assert split("Worker") == ("", "Worker")
    assert make_logical_id("Worker", "Errors") == "WorkerErrors"


@given(st.lists(names, unique=True))
def test_logical_ids_of_our_own_are_different_and_allowed(found: list[str]) -> None:
    made = [make_logical_id(name, "Hold") for name in found]
    assert len(set(made)) == len(found)
    assert all(re.fullmatch("[A-Za-z0-9]{1,255}", one) for one in made)


@given(names)
def test_an_alarm_tells_its_function_wherever_it_lies(name: str) -> None:
    assert parse_alarm_name(alarm_name("shop", "production", name, "errors")) == (
        "shop", "production", name, "errors",
    )  # fmt: skip


def test_an_alarm_of_a_function_that_lies_deep_has_a_name_that_cloudwatch_takes() -> None:
    """The CDK gives nested stacks names of 60 characters and more."""
    path = "/".join(f"Part{number}NestedStackPart{number}NestedStackResource0A1B2C3D" for number in range(4))
    found = [f"{path}/{name}" for name in ("Worker", "Walker", "Part" * 60)]
    made = [alarm_name("s" * 40, "t" * 20, name, "throttles") for name in found]
    assert max(map(len, made)) <= 255
    assert len(set(made)) == len(made)
    assert [parse_alarm_name(name) for name in made] == [
        ("s" * 40, "t" * 20, shorten(name), "throttles") for name in found
    ]
    assert shorten(found[0]).endswith("/Worker")
    assert len({shorten(name) for name in found}) == len(found)


def test_equal_logical_ids_of_two_children_have_alarms_of_their_own() -> None:
    aliases = [
        GuardedAlias(logical_id=name, function_name=name.replace("/", "-"), alias="live")
        for name in ("Worker", "Orders/Worker", "Bills/Worker", "OrdersWorker")
    ]
    (stack,) = build_guards("shop", "production", aliases, AlarmConfig(), 60)
    assert len(stack.template["Resources"]) == 2 * len(aliases)
    assert all(key.isalnum() for key in stack.template["Resources"])


def test_equal_roles_of_two_children_have_holds_of_their_own() -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    roles = tuple(
        RoleHold(logical_id=name, role=name.replace("/", "-"), statements=(statement,), sources=())
        for name in ("Role", "Orders/Role", "Bills/Role")
    )
    (stack,) = build_holds("shop", "production", Holds(roles=roles))
    assert len(stack.template["Resources"]) == len(roles)
