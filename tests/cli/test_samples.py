"""The event that stands for a function's trigger, whatever its template holds."""

from __future__ import annotations

import pytest

from tidegate.cli.samples import KINDS, trigger_event


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_event_with_no_properties_at_all(kind):
    assert trigger_event({"Events": {"One": {"Type": kind}}})


@pytest.mark.parametrize(
    "events", [None, {}, {"Ref": "x"}, {"Fn::If": ["a", {}, {}]}, {"One": {"Type": "Cognito"}}]
)
def test_no_known_trigger_gives_an_empty_event(events):
    assert trigger_event({"Events": events}) == {}


@pytest.mark.parametrize(
    ("pattern", "source"),
    [
        ({"source": ["shop"]}, "shop"),
        ({"source": [{"prefix": "shop"}]}, "aws.events"),
        ({"source": {"Ref": "Source"}}, "aws.events"),
        ({"Fn::If": ["a", {}, {}]}, "aws.events"),
        ("text", "aws.events"),
    ],
)
def test_a_pattern_may_hold_what_only_the_deployment_knows(pattern, source):
    event = trigger_event(
        {"Events": {"One": {"Type": "EventBridgeRule", "Properties": {"Pattern": pattern}}}}
    )
    assert event["source"] == source
