"""The stage stacks: who may come in, what can be done there, and how alarms come back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest
from botocore import xform_name

from infra.tasks import DEPLOYERS
from tests.infra.conftest import ROOT
from tests.infra.test_templates import flat, listed, statements
from tidegate.domain.telemetry_names import table_of

if TYPE_CHECKING:
    from tests.infra.conftest import Assembly


STAGE_SERVICES = (
    "appconfig",
    "application-autoscaling",
    "cloudformation",
    "cloudwatch",
    "iam",
    "lambda",
    "logs",
)

# Application Auto Scaling tries them with the rights of whoever registers a target or puts a policy (its User
# Guide, "Permissions validation for Application Auto Scaling API calls on target resources").
CHECKED_BY_SCALING = {
    "lambda:DeleteProvisionedConcurrencyConfig",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:PutProvisionedConcurrencyConfig",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:PutMetricAlarm",
}


def role(assembly: Assembly, stack: str, name: str) -> dict[str, Any]:
    roles = assembly.resources("AWS::IAM::Role", stack).values()
    return next(role["Properties"] for role in roles if role["Properties"].get("RoleName") == name)


def trust(properties: dict[str, Any]) -> dict[str, Any]:
    (statement,) = properties["AssumeRolePolicyDocument"]["Statement"]
    return dict(statement)


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_exactly_the_tasks_that_deploy_are_trusted(assembly: Assembly, stage: str) -> None:
    trusted = trust(role(assembly, f"Stage-{stage}", f"tidegate-deploy-{stage}"))
    callers = {flat(arn).split(":role/")[1] for arn in trusted["Condition"]["ArnEquals"]["aws:PrincipalArn"]}
    assert callers == set(DEPLOYERS)


def test_a_stage_elsewhere_trusts_the_account_of_the_pipeline(abroad: Assembly) -> None:
    trusted = trust(role(abroad, "Stage-production", "tidegate-deploy-production"))
    assert flat(trusted["Principal"]["AWS"]).endswith(":iam::111111111111:root")
    callers = [flat(arn) for arn in trusted["Condition"]["ArnEquals"]["aws:PrincipalArn"]]
    assert all("::111111111111:role/tidegate-" in caller for caller in callers)


def test_the_deploy_role_may_do_what_the_code_calls_and_no_more(assembly: Assembly) -> None:
    deploy = role(assembly, "Stage-staging", "tidegate-deploy-staging")
    allowed = [s for s in statements({"Properties": deploy}) if s["Effect"] == "Allow"]
    granted = {action for s in allowed for action in listed(s["Action"])}
    assert {action for action in granted if action.startswith(STAGE_SERVICES)} == called_actions()
    others = {action for action in granted if not action.startswith(STAGE_SERVICES)}
    telemetry = {"dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query"}
    assert others == telemetry | {"s3:GetObject", "s3:ListBucket", "s3:PutObject"}


def called_actions() -> set[str]:
    """The IAM actions of the calls in the adapters and handlers, to the services of a stage."""
    files = [*(ROOT / "tidegate" / "adapters").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]
    text = "".join(path.read_text() for path in files)
    calls = set(re.findall(r"client\.(?:get_paginator\(\"|get_waiter\(\")?(\w+)", text))
    session = botocore.session.get_session()
    found = set()
    for service in STAGE_SERVICES:
        operations = session.get_service_model(service).operation_names
        found |= {f"{service}:{name}" for name in operations if xform_name(name) in calls}
    # Lambda's Invoke is authorized by another name, and tags on a new stack by an action of their own.
    found = {action.replace("lambda:Invoke", "lambda:InvokeFunction") for action in found}
    # The first target of scaling in an account has AWS make the role that scales.
    found |= {"cloudformation:TagResource", "iam:CreateServiceLinkedRole", "iam:PassRole"}
    found |= CHECKED_BY_SCALING
    # Others have calls of those names, too: what is called is Lambda's, and AppConfig's.
    tagged = {f"{service}:ListTagsForResource" for service in STAGE_SERVICES if service != "appconfig"}
    # The pipeline's own logs: what builds at CodeBuild print.
    return found - {"iam:GetPolicy", "appconfig:GetAccountSettings", "logs:GetLogEvents"} - tagged


def test_alarms_are_written_for_scaling_alone_and_all_kinds_of_them_are_read(assembly: Assembly) -> None:
    """CloudWatch gives composite alarms to those alone who may describe `*` (API Reference, DescribeAlarms)."""
    deploy = role(assembly, "Stage-staging", "tidegate-deploy-staging")
    allowed = [s for s in statements({"Properties": deploy}) if s["Effect"] == "Allow"]
    of = {action: listed(s["Resource"]) for s in allowed for action in listed(s["Action"])}
    assert of["cloudwatch:DescribeAlarms"] == ["*"]
    for action in ("cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"):
        assert [flat(one).rpartition(":alarm:")[2] for one in of[action]] == ["TargetTracking-*"]


def test_a_stage_passes_only_its_own_role_and_only_to_cloudformation(assembly: Assembly) -> None:
    deploy = role(assembly, "Stage-staging", "tidegate-deploy-staging")
    passed = [s for s in statements({"Properties": deploy}) if "iam:PassRole" in listed(s["Action"])]
    (statement,) = passed
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
    (resource,) = listed(statement["Resource"])
    key = resource["Fn::GetAtt"][0]
    own = assembly.template("Stage-staging")["Resources"][key]["Properties"]["RoleName"]
    assert own == "tidegate-cloudformation-staging"


@pytest.mark.parametrize("stage", ["staging", "production"])
def test_cloudformation_is_bounded(abroad: Assembly, stage: str) -> None:
    stack = f"Stage-{stage}"
    bounded = role(abroad, stack, f"tidegate-cloudformation-{stage}")
    (boundary,) = abroad.resources("AWS::IAM::ManagedPolicy", stack)
    assert bounded["PermissionsBoundary"] == {"Ref": boundary}
    changes = [s for s in statements({"Properties": bounded}) if "iam:CreateRole" in listed(s["Action"])]
    (statement,) = changes
    assert ("Condition" in statement) == (stage == "production")


def test_cloudformation_makes_nested_stacks_and_no_other_ones(assembly: Assembly) -> None:
    """Their change sets come with their parent's, and are made and executed with the same role."""
    own = role(assembly, "Stage-staging", "tidegate-cloudformation-staging")
    services = next(one for one in own["Policies"] if one["PolicyName"] == "services")
    (statement,) = [
        one
        for one in services["PolicyDocument"]["Statement"]
        if any(action.startswith("cloudformation:") for action in listed(one["Action"]))
    ]
    (resource,) = listed(statement["Resource"])
    assert flat(resource).endswith(":stack/*-*-*/*")
    assert {action.partition(":")[2] for action in listed(statement["Action"])} == {
        *("CreateStack", "UpdateStack", "DeleteStack", "TagResource", "UntagResource"),
        *("CreateChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "DescribeChangeSet"),
        *("DescribeStacks", "DescribeStackEvents", "DescribeStackResources"),
    }


def test_the_boundary_keeps_tidegate_and_the_account_out_of_reach(assembly: Assembly) -> None:
    (boundary,) = assembly.resources("AWS::IAM::ManagedPolicy", "Stage-staging").values()
    denied = {
        statement["Sid"]: statement
        for statement in boundary["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
    }
    assert set(denied) == {
        "TidegatesOwnRights",
        "TidegatesOwnParts",
        "TidegatesOwnObjects",
        "TidegatesOwnImages",
        "TidegatesOwnKeys",
        "PeopleAndFederation",
        "TheAccountItself",
    }
    parts = [flat(arn) for arn in denied["TidegatesOwnParts"]["Resource"]]
    assert any(part.endswith(":function:tidegate-*") for part in parts)
    assert any(part.endswith(":table/tidegate-*") for part in parts)
    # The side stacks that hold a service's alarms are CloudFormation's to make.
    assert not any("guard" in part or part.endswith("stack/tidegate-*") for part in parts)


def test_each_stage_forwards_its_own_alarms(assembly: Assembly) -> None:
    for stage in ("staging", "production"):
        (rule,) = assembly.resources("AWS::Events::Rule", f"Stage-{stage}").values()
        properties = rule["Properties"]
        assert properties["EventPattern"]["detail"] == {"alarmName": [{"wildcard": f"tidegate/*/{stage}/*"}]}
        (target,) = properties["Targets"]
        assert flat(target["Arn"]).endswith(":event-bus/tidegate")
        assert target["RoleArn"]


def test_a_stage_elsewhere_may_put_its_alarms_on_the_bus_and_copy_artifacts(abroad: Assembly) -> None:
    (policy,) = abroad.resources("AWS::Events::EventBusPolicy").values()
    statement = policy["Properties"]["Statement"]
    rule = "arn:<AWS::Partition>:events:eu-central-1:222222222222:rule/tidegate-forward-production"
    assert flat(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == rule
    (forwarding,) = abroad.resources("AWS::Events::Rule", "Stage-production").values()
    bus = flat(forwarding["Properties"]["Targets"][0]["Arn"])
    assert bus == "arn:<AWS::Partition>:events:eu-west-1:111111111111:event-bus/tidegate"
    policies = abroad.resources("AWS::S3::BucketPolicy").values()
    copied = [
        s
        for policy in policies
        for s in policy["Properties"]["PolicyDocument"]["Statement"]
        if s["Effect"] == "Allow"
    ]
    (read,) = copied
    assert read["Action"] == "s3:GetObject"
    assert flat(read["Condition"]["ArnEquals"]["aws:PrincipalArn"]).endswith(
        ":role/tidegate-deploy-production"
    )


def test_names_are_those_that_the_tasks_use(assembly: Assembly) -> None:
    """tidegate.settings derives a stage's roles and bucket; the stage stack must make the same."""
    from tidegate.settings import StageTarget

    target = StageTarget(name="staging", account="123456789012", region="us-east-1")
    roles = {
        r["Properties"]["RoleName"] for r in assembly.resources("AWS::IAM::Role", "Stage-staging").values()
    }
    assert target.deploy_role.split("/")[1] in roles
    assert target.cloudformation_role.split("/")[1] in roles
    (bucket,) = assembly.resources("AWS::S3::Bucket", "Stage-staging").values()
    assert (
        flat(bucket["Properties"]["BucketName"])
        == "tidegate-artifacts-staging-<AWS::AccountId>-<AWS::Region>"
    )
    assert target.bucket == "tidegate-artifacts-staging-123456789012-us-east-1"


def only(assembly: Assembly, kind: str) -> dict[str, Any]:
    (resource,) = assembly.resources(kind, "Stage-staging").values()
    found: dict[str, Any] = resource["Properties"]
    return found


def test_telemetry_is_collected_within_bounds(assembly: Assembly) -> None:
    function = only(assembly, "AWS::Lambda::Function")
    assert function["FunctionName"] == "tidegate-collect-telemetry-staging"
    assert function["Handler"] == "functions.collect_telemetry.handler.handler"
    assert function["ReservedConcurrentExecutions"] == 10
    assert function["LoggingConfig"]["SystemLogLevel"] == "WARN"
    invocations = only(assembly, "AWS::Lambda::EventInvokeConfig")
    assert (invocations["MaximumEventAgeInSeconds"], invocations["MaximumRetryAttempts"]) == (240, 2)
    table = only(assembly, "AWS::DynamoDB::Table")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["TableName"] == table_of(function["FunctionName"])


def test_only_logs_of_the_account_call_what_collects(assembly: Assembly) -> None:
    permission = only(assembly, "AWS::Lambda::Permission")
    assert permission["Principal"] == "logs.amazonaws.com"
    assert flat(permission["SourceAccount"]) == "<AWS::AccountId>"
    assert flat(permission["SourceArn"]).endswith(":log-group:*:*")


def test_what_collects_may_write_its_table_and_no_more(assembly: Assembly) -> None:
    own = role(assembly, "Stage-staging", "tidegate-collect-telemetry-staging")
    granted = {
        (action, flat(name).rpartition(":")[2])
        for statement in statements({"Properties": own})
        for action in listed(statement["Action"])
        for name in listed(statement["Resource"])
    }
    assert granted == {
        ("dynamodb:Query", "table/tidegate-telemetry-staging"),
        ("dynamodb:UpdateItem", "table/tidegate-telemetry-staging"),
        ("logs:CreateLogStream", "*"),
        ("logs:PutLogEvents", "*"),
        ("xray:PutTelemetryRecords", "*"),
        ("xray:PutTraceSegments", "*"),
    }
