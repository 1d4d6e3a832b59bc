"""What PlanRelease finds out about functions that stand, and what PublishVersions puts right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.plan_release.handler import Request, handle
from functions.plan_release.preflight import read_facts
from functions.plan_release.stages import request_change
from functions.publish_versions.handler import Request as Publish
from functions.publish_versions.handler import handle as publish
from tests.functions.test_plan_release import first_release, plan, provision_all
from tests.scene import eventually
from tidegate.adapters.aliases import parse_alias
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.plans import find_rollout, read_plan, read_snapshot
from tidegate.adapters.stack_trees import list_resources
from tidegate.domain.errors import ForeignChange, PreflightPending, PreflightRefused
from tidegate.domain.plans import AlarmLimit
from tidegate.domain.preflight import Finding, Severity
from tidegate.domain.rollouts import Pointing

if TYPE_CHECKING:
    from tests.scene import Scene

NEW = "def handler(event, context):\n    return 'new'\n"


def standing(scene: Scene) -> tuple[str, str]:
    """(function, alias) in production, after a first release and with the next one open."""
    found = first_release(scene).stage(scene.production)
    resources = list_resources(scene.tools.stage(scene.production).cloudformation, found.stack_name)
    scene.next_release()
    scene.sam(2)
    return parse_alias(resources[found.functions[0].alias_logical_id])


def findings(scene: Scene) -> dict[str, Finding]:
    return {finding.kind: finding for finding in plan(scene).stage(scene.production).findings}


def test_an_ordinary_release_has_no_finding(scene: Scene) -> None:
    standing(scene)
    assert findings(scene) == {}
    assert not any(text.startswith("preflight") for text in scene.told())


ALARM = (
    "ComparisonOperator: LessThanThreshold, EvaluationPeriods: 1, Threshold: 1, Namespace: N, MetricName: M"
)
WITH_LIMITS = f"""
Transform: AWS::Serverless-2016-10-31
Parameters:
  Outside: {{Type: String, Default: from-outside}}
Conditions:
  Never: !Equals [a, b]
Resources:
  Place:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: index.handler
      Runtime: python3.12
      DeploymentPreference:
        Alarms: [by-hand, own-name, !Ref Outside, !Ref Errors, !Ref Left, !Ref Place]
  Errors: {{Type: AWS::CloudWatch::Alarm, Properties: {{{ALARM}, Period: 60, Statistic: Sum}}}}
  Named:
    Type: AWS::CloudWatch::Alarm
    Properties: {{AlarmName: own-name, {ALARM}, Period: 60, Statistic: Sum}}
  Left:
    Type: AWS::CloudWatch::Alarm
    Condition: Never
    Properties: {{{ALARM}, Period: 60, Statistic: Sum}}
"""


def test_a_limit_that_neither_stands_nor_comes_rejects_the_release(scene: Scene) -> None:
    standing(scene)
    text = WITH_LIMITS.replace("by-hand", f"{scene.unique}-by-hand").replace(
        "own-name", f"{scene.unique}-own"
    )
    scene.sam(2, template_text=text.replace("from-outside", f"{scene.unique}-outside"))
    with pytest.raises(PreflightRefused, match=f"{scene.unique}-by-hand: a DeploymentPreference names it as"):
        plan(scene)
    stage = read_plan(scene.tools.documents, scene.ref).stage(scene.production)
    assert {one.logical_id for one in stage.findings if one.kind == "limit"} == {
        "Left",
        "Place",
        f"{scene.unique}-by-hand",
        f"{scene.unique}-outside",
    }
    assert AlarmLimit(name=f"{scene.unique}-outside") in stage.limits
    assert stage.findings[0].text.endswith("has such an alarm: create it, or take it out of the Alarms")


def test_limits_that_stand_are_no_finding(scene: Scene) -> None:
    standing(scene)
    own = f"{scene.unique}-own"
    text = WITH_LIMITS.replace("own-name", own).replace(", !Ref Left, !Ref Place", "")
    names = [f"{scene.unique}-by-hand", f"{scene.unique}-outside"]
    scene.sam(2, template_text=text.replace("by-hand", names[0]).replace("from-outside", names[1]))
    metric = {"Namespace": "N", "MetricName": "M", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
    compared: Any = {"Threshold": 1, "ComparisonOperator": "LessThanThreshold", **metric}
    for name in names:
        scene.cloud.client("cloudwatch").put_metric_alarm(AlarmName=name, **compared)
    assert "limit" not in findings(scene)


def test_a_stopped_function_rejects_the_release_by_name_and_the_plan_says_so(scene: Scene) -> None:
    name, _ = standing(scene)
    scene.lambdas.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(PreflightRefused, match=f"{scene.production}: Place: it is stopped: its reserved"):
        plan(scene)
    with pytest.raises(PreflightRefused):
        handle(Request(release=scene.ref), scene.tools)
    stage = read_plan(scene.tools.documents, scene.ref).stage(scene.production)
    assert [finding.severity for finding in stage.findings] == [Severity.REFUSE]
    text = scene.tools.documents.find_bytes(f"releases/{scene.service}/{scene.ref.id}/plan.md") or b""
    assert b"- **refuse** Place: it is stopped" in text
    told = [what for what in scene.told() if what.startswith("preflight")]
    assert len(told) == 1
    assert told[0].startswith("preflight, 1 refused: Place: it is stopped")


def test_what_goes_around_the_alias_is_named_and_what_the_stack_has_is_not(scene: Scene) -> None:
    name, _ = standing(scene)
    scene.lambdas.add_permission(
        FunctionName=name, StatementId="by-hand", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    scene.lambdas.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    found = findings(scene)
    assert {kind: finding.severity for kind, finding in found.items()} == {
        "permissions": Severity.AT_ONCE,
        "invoke_config": Severity.INFO,
    }
    assert "s3.amazonaws.com (by-hand)" in found["permissions"].what


def test_another_role_is_foretold_and_still_checked_at_publishing(scene: Scene) -> None:
    name, _ = standing(scene)
    role = scene.tools.settings.stages[0].cloudformation_role
    scene.lambdas.update_function_configuration(FunctionName=name, Role=role)
    assert findings(scene)["undivided"].severity is Severity.AT_ONCE
    provision_all(scene, scene.production)
    assert publish(Publish(release=scene.ref, stage=scene.production), scene.tools).first_weight == 100


def leave_split(scene: Scene) -> tuple[str, str]:
    name, alias = standing(scene)
    scene.change(name, NEW)
    version = scene.lambdas.publish_version(FunctionName=name)["Version"]
    routing = {"AdditionalVersionWeights": {version: 0.25}}
    scene.lambdas.update_alias(FunctionName=name, Name=alias, RoutingConfig=routing)
    return name, alias


def where(scene: Scene, name: str, alias: str) -> Pointing:
    answer = scene.lambdas.get_alias(FunctionName=name, Name=alias)
    weights = answer.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    return Pointing(version=answer["FunctionVersion"], weights=weights)


def test_weights_that_somebody_left_are_taken_off_before_publishing(scene: Scene) -> None:
    name, alias = leave_split(scene)
    assert findings(scene)["left_weights"].severity is Severity.REPAIR
    provision_all(scene, scene.production)
    assert where(scene, name, alias) == Pointing(version="1", weights={"2": 0.25})
    for _ in range(2):
        assert publish(Publish(release=scene.ref, stage=scene.production), scene.tools).rolling == 1
    assert where(scene, name, alias) == Pointing(version="1")
    rollout = find_rollout(scene.tools.documents, scene.ref, scene.production)
    assert rollout is not None
    assert (rollout.functions[0].stable, rollout.functions[0].canary) == ("1", "3")
    assert [w for w in scene.told() if "taken off" in w] == [
        "weights that somebody else left are taken off: Place (version 1)"
    ]


def test_weights_that_move_after_the_plan_are_somebodys_rollout(scene: Scene) -> None:
    name, alias = leave_split(scene)
    findings(scene)
    provision_all(scene, scene.production)
    routing: Any = {"AdditionalVersionWeights": {"2": 0.5}}
    scene.lambdas.update_alias(FunctionName=name, Name=alias, RoutingConfig=routing)
    with pytest.raises(ForeignChange, match="has moved since it was planned"):
        publish(Publish(release=scene.ref, stage=scene.production), scene.tools)
    assert where(scene, name, alias) == Pointing(version="1", weights={"2": 0.5})


def test_left_weights_reject_the_release_where_the_stage_says_so(scene: Scene) -> None:
    name, alias = leave_split(scene)
    scene.sam(2, config={"stages": {scene.production: {"left_weights": "refuse"}}})
    with pytest.raises(PreflightRefused, match="was left with two versions by somebody else"):
        plan(scene)
    assert where(scene, name, alias).weights == {"2": 0.25}


def test_an_alias_that_somebody_deleted_rejects_the_release(scene: Scene) -> None:
    name, alias = standing(scene)
    scene.lambdas.delete_alias(FunctionName=name, Name=alias)
    with pytest.raises(PreflightRefused, match="is gone, though the stack has it"):
        plan(scene)


def test_very_many_functions_are_read_in_parts(scene: Scene) -> None:
    """The facts so far are kept, and the next attempt goes on with them."""
    standing(scene)
    snapshot = read_snapshot(scene.tools.documents, scene.ref)

    def requested() -> Any:
        return request_change(scene.ref, snapshot, scene.production, scene.tools)

    change = eventually(requested)
    functions = change.functions * 3
    ids = [f"F{index}" for index in range(3)]
    many = tuple(f.model_copy(update={"logical_id": i}) for f, i in zip(functions, ids, strict=True))
    change.standing |= dict.fromkeys(ids, "any")
    with pytest.raises(PreflightPending, match=r"1 functions of .+ are still to be"):
        read_facts(change, many, scene.tools, part=2)
    key = f"{stage_prefix(scene.ref, scene.production)}facts.json"
    assert scene.tools.documents.exists(key)
    found = read_facts(change, many, scene.tools, part=2)
    assert set(found) == set(ids)
