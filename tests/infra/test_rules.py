"""Which event starts what, and what people read."""

from __future__ import annotations

import re
from typing import Any

from tests.infra.conftest import ROOT, Assembly
from tests.infra.test_templates import flat
from tidegate.domain import pipeline as names


def rules(assembly: Assembly) -> dict[str, dict[str, Any]]:
    found = assembly.resources("AWS::Events::Rule").values()
    return {rule["Properties"]["Name"]: rule["Properties"] for rule in found}


def target_type(assembly: Assembly, rule: dict[str, Any]) -> str:
    (target,) = rule["Targets"]
    return str(assembly.template("Pipeline")["Resources"][target["Arn"]["Ref"]]["Type"])


def test_every_rule_and_its_target(assembly: Assembly) -> None:
    found = {name: target_type(assembly, rule) for name, rule in rules(assembly).items()}
    assert found == {
        "tidegate-source-uploaded": "AWS::Lambda::Version",
        "tidegate-repository-pushed": "AWS::Lambda::Version",
        "tidegate-commit-pushed": "AWS::Lambda::Version",
        "tidegate-build-ended": "AWS::Lambda::Version",
        "tidegate-alarm-raised": "AWS::StepFunctions::StateMachine",
        "tidegate-release-ended": "AWS::StepFunctions::StateMachine",
        "tidegate-release-reported": "AWS::SNS::Topic",
        "tidegate-rollback-failed": "AWS::SNS::Topic",
        "tidegate-versions-pruned": "AWS::Lambda::Version",
    }


def test_own_events_come_by_the_own_bus(assembly: Assembly) -> None:
    on_bus = {name for name, rule in rules(assembly).items() if "EventBusName" in rule}
    assert on_bus == {"tidegate-commit-pushed", "tidegate-alarm-raised", "tidegate-release-reported"}


def test_a_release_that_ended_badly_is_repaired(assembly: Assembly) -> None:
    detail = rules(assembly)["tidegate-release-ended"]["EventPattern"]["detail"]
    assert detail["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    assert flat(detail["stateMachineArn"][0]).endswith(":stateMachine:tidegate-release")


def test_only_alarms_that_are_raised_start_a_rollback(assembly: Assembly) -> None:
    detail = rules(assembly)["tidegate-alarm-raised"]["EventPattern"]["detail"]
    assert detail == {"alarmName": [{"prefix": "tidegate/"}], "state": {"value": ["ALARM"]}}


def test_people_read_sentences(assembly: Assembly) -> None:
    (target,) = rules(assembly)["tidegate-release-reported"]["Targets"]
    transformer = target["InputTransformer"]
    assert transformer["InputPathsMap"] == {"detail-message": "$.detail.message"}
    assert transformer["InputTemplate"] == '"<detail-message>"'


def test_every_event_that_a_handler_publishes_is_told() -> None:
    text = "".join(path.read_text() for path in (ROOT / "functions").rglob("*.py"))
    published = set(re.findall(r"\.publish\(\s*\"([^\"]+)\"", text))
    assert published
    assert published <= set(names.NOTIFIED_EVENTS)


def test_the_source_bucket_tells_of_its_objects_without_a_custom_resource(assembly: Assembly) -> None:
    buckets = assembly.resources("AWS::S3::Bucket").values()
    told = [b["Properties"]["BucketName"] for b in buckets if "NotificationConfiguration" in b["Properties"]]
    assert [flat(name) for name in told] == ["tidegate-source-<AWS::AccountId>-<AWS::Region>"]
    kinds = {resource["Type"] for resource in assembly.template("Pipeline")["Resources"].values()}
    assert not [kind for kind in kinds if kind.startswith(("Custom::", "AWS::CloudFormation::Custom"))]


def test_the_janitor_comes_once_a_day_for_all_services(assembly: Assembly) -> None:
    rule = rules(assembly)["tidegate-versions-pruned"]
    assert rule["ScheduleExpression"] == "rate(1 day)"
    assert rule["Targets"][0]["Input"] == "{}"
