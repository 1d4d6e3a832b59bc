"""Invariants of the synthesized templates, held like lint: names, logs, rights, paths of failure."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import ROOT, Assembly

SECRET = re.compile(r"SECRET|PASSWORD|PRIVATE|CREDENTIAL|API_?KEY|ACCESS_?KEY|TOKEN$")
STACKS = ("Pipeline", "Stage-staging", "Stage-production")
# Roles whose actions may hold a wildcard, and why.
WILD_ACTIONS = {"tidegate-cloudformation-staging", "tidegate-cloudformation-production"}


def flat(value: Any) -> str:
    """A value with its references, as one string."""
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return f"<{value['Ref']}>"
    if "Fn::GetAtt" in value:
        return f"<{'.'.join(value['Fn::GetAtt'])}>"
    if "Fn::Sub" in value:
        return str(value["Fn::Sub"])
    return "".join(flat(part) for part in value["Fn::Join"][1])


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    policies = role["Properties"].get("Policies", [])
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


@pytest.mark.parametrize("kind", ["assembly", "abroad", "sourced", "by_app"])
def test_cfn_lint_reports_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    chosen: Assembly = request.getfixturevalue(kind)
    command = [str(Path(sys.executable).with_name("cfn-lint")), *map(str, chosen.files)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stdout + ran.stderr


def test_what_cfn_lint_passes_over_has_a_reason_beside_it(assembly: Assembly) -> None:
    for stack in STACKS:
        for key, resource in assembly.template(stack)["Resources"].items():
            metadata = resource.get("Metadata", {})
            ignored = metadata.get("cfn-lint", {}).get("config", {}).get("ignore_checks", [])
            assert sorted(ignored) == sorted(metadata.get("accepted", {})), key
            assert all(len(reason) > 20 for reason in metadata.get("accepted", {}).values()), key


def test_every_function_has_its_own_role_logs_traces_and_timeout(assembly: Assembly) -> None:
    groups = assembly.resources("AWS::Logs::LogGroup")
    functions = assembly.resources("AWS::Lambda::Function")
    roles = [function["Properties"]["Role"]["Fn::GetAtt"][0] for function in functions.values()]
    assert len(set(roles)) == len(functions)
    for function in functions.values():
        properties = function["Properties"]
        name = properties["FunctionName"]
        assert 0 < properties["Timeout"] <= 900, name
        assert (
            assembly.template("Pipeline")["Resources"][properties["Role"]["Fn::GetAtt"][0]]["Properties"][
                "RoleName"
            ]
            == name
        )
        group = groups[properties["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        assert properties["LoggingConfig"]["LogFormat"] == "JSON"
        assert group == {**group, "LogGroupName": f"/aws/lambda/{name}", "RetentionInDays": 90}
        assert ("TracingConfig" in properties) == (name != "tidegate-test-sandbox"), name


def test_all_log_groups_are_kept_for_the_configured_time(assembly: Assembly) -> None:
    groups = assembly.resources("AWS::Logs::LogGroup").values()
    assert {group["Properties"]["RetentionInDays"] for group in groups} == {90}


def test_code_under_test_has_no_rights_and_shares_no_environment(assembly: Assembly) -> None:
    functions = assembly.resources("AWS::Lambda::Function").values()
    sandbox = next(f for f in functions if f["Properties"]["FunctionName"] == "tidegate-test-sandbox")
    role = assembly.template("Pipeline")["Resources"][sandbox["Properties"]["Role"]["Fn::GetAtt"][0]]
    assert "Policies" not in role["Properties"]
    assert "ManagedPolicyArns" not in role["Properties"]
    assert "Environment" not in sandbox["Properties"]
    assert "TracingConfig" not in sandbox["Properties"]
    assert sandbox["Properties"]["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}


def test_no_policy_grows_beside_the_table(assembly: Assembly) -> None:
    """Only the rules that start the rollback have a policy of their own; every other right is in a role."""
    policies = assembly.resources("AWS::IAM::Policy").values()
    actions = [s["Action"] for p in policies for s in p["Properties"]["PolicyDocument"]["Statement"]]
    assert actions == ["states:StartExecution"]
    for stack in STACKS:
        for role in assembly.resources("AWS::IAM::Role", stack).values():
            assert "ManagedPolicyArns" not in role["Properties"]


@pytest.mark.parametrize("stack", STACKS)
def test_no_action_holds_a_wildcard(assembly: Assembly, stack: str) -> None:
    for role in assembly.resources("AWS::IAM::Role", stack).values():
        if role["Properties"].get("RoleName") in WILD_ACTIONS:
            continue
        allowed = [s for s in statements(role) if s["Effect"] == "Allow"]
        assert not [action for s in allowed for action in listed(s["Action"]) if "*" in action]


def test_a_resource_that_is_everything_is_only_where_there_are_no_resources(assembly: Assembly) -> None:
    everything = set()
    for stack in STACKS:
        for role in assembly.resources("AWS::IAM::Role", stack).values():
            if role["Properties"].get("RoleName") in WILD_ACTIONS:
                continue
            for statement in statements(role):
                if statement["Effect"] == "Allow" and "*" in map(flat, listed(statement["Resource"])):
                    everything |= set(listed(statement["Action"]))
    prefixes = {action for action in everything if not action.startswith(("xray:", "logs:"))}
    assert prefixes == {
        "application-autoscaling:DescribeScalableTargets",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "inspector-scan:ScanSbom",
        "lambda:GetAccountSettings",
        "lambda:ListEventSourceMappings",
    }
    assert {action for action in everything if action.startswith("logs:")} == {
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
    }


def test_no_variable_looks_like_a_secret(assembly: Assembly) -> None:
    for function in assembly.resources("AWS::Lambda::Function").values():
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        assert not [name for name in variables if SECRET.search(name)]


def test_versions_layers_and_stores_outlive_the_stack(assembly: Assembly) -> None:
    kinds = (
        "AWS::Lambda::Version",
        "AWS::Lambda::LayerVersion",
        "AWS::S3::Bucket",
        "AWS::DynamoDB::Table",
        "AWS::KMS::Key",
    )
    for kind in kinds:
        for key, resource in assembly.resources(kind).items():
            assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain", key
    assert len(assembly.resources("AWS::Lambda::Version")) == len(assembly.resources("AWS::Lambda::Function"))


def test_machines_call_versions_and_may_invoke_no_other_function(assembly: Assembly) -> None:
    resources = assembly.template("Pipeline")["Resources"]
    for machine in assembly.resources("AWS::StepFunctions::StateMachine").values():
        properties = machine["Properties"]
        called = [resources[value["Ref"]] for value in properties["DefinitionSubstitutions"].values()]
        assert {resource["Type"] for resource in called} == {"AWS::Lambda::Version"}
        functions = [resources[version["Properties"]["FunctionName"]["Ref"]] for version in called]
        expected = {f["Properties"]["FunctionName"] for f in functions}
        role = resources[properties["RoleArn"]["Fn::GetAtt"][0]]
        invoke = next(s for s in statements(role) if s["Action"] == "lambda:InvokeFunction")
        allowed = {flat(arn).split(":function:")[1] for arn in listed(invoke["Resource"])}
        assert allowed == {f"{name}:*" for name in expected}
        assert properties["TracingConfiguration"] == {"Enabled": True}
        logging = properties["LoggingConfiguration"]
        assert (logging["Level"], logging["IncludeExecutionData"]) == ("ERROR", False)


def test_every_target_tries_again_and_has_a_dead_letter_queue(assembly: Assembly) -> None:
    for stack in STACKS:
        for key, rule in assembly.resources("AWS::Events::Rule", stack).items():
            for target in rule["Properties"]["Targets"]:
                assert target["DeadLetterConfig"], key
                assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 7200, key


def test_what_starts_from_an_event_has_a_dead_letter_queue(assembly: Assembly) -> None:
    functions = assembly.resources("AWS::Lambda::Function")
    versions = assembly.resources("AWS::Lambda::Version")
    started = {
        versions[permission["Properties"]["FunctionName"]["Ref"]]["Properties"]["FunctionName"]["Ref"]
        for permission in assembly.resources("AWS::Lambda::Permission").values()
    }
    named = {functions[key]["Properties"]["FunctionName"] for key in started}
    assert named == {"tidegate-intake", "tidegate-prune-versions", "tidegate-resume-release"}
    assert all("DeadLetterConfig" in functions[key]["Properties"] for key in started)


@pytest.mark.parametrize("stack", STACKS)
def test_queues_buckets_and_topics_are_closed_and_encrypted(assembly: Assembly, stack: str) -> None:
    for bucket in assembly.resources("AWS::S3::Bucket", stack).values():
        properties = bucket["Properties"]
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
        assert properties["BucketEncryption"]
        assert properties["LifecycleConfiguration"]["Rules"]
    for queue in assembly.resources("AWS::SQS::Queue", stack).values():
        assert queue["Properties"]["SqsManagedSseEnabled"] is True
    policies = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
    for kind, counted in zip(
        policies, ("AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SNS::Topic"), strict=True
    ):
        found = assembly.resources(kind, stack).values()
        assert len(found) == len(assembly.resources(counted, stack))
        for policy in found:
            denied = [s for s in policy["Properties"]["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
            assert any(
                s["Condition"]["Bool"].get("aws:SecureTransport") == "false"
                for s in denied
                if "Bool" in s["Condition"]
            )


def test_the_ledger_can_be_restored_and_not_be_deleted(assembly: Assembly) -> None:
    (table,) = assembly.resources("AWS::DynamoDB::Table").values()
    properties = table["Properties"]
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["DeletionProtectionEnabled"] is True
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_own_alarms_tell_the_topic_and_start_no_rollback(assembly: Assembly) -> None:
    (topic,) = assembly.resources("AWS::SNS::Topic")
    alarms = assembly.resources("AWS::CloudWatch::Alarm").values()
    assert {alarm["Properties"]["AlarmName"] for alarm in alarms} == {
        "tidegate-intake-fails",
        "tidegate-rollback-fails",
        "tidegate-rollback-times-out",
        "tidegate-rollback-throttled",
        "tidegate-release-times-out",
        "tidegate-events-undelivered",
        "tidegate-events-refused",
    }
    for alarm in alarms:
        assert not alarm["Properties"]["AlarmName"].startswith("tidegate/")
        assert alarm["Properties"]["AlarmActions"] == [{"Ref": topic}]
        assert alarm["Properties"]["TreatMissingData"] == "notBreaching"


def test_all_names_begin_with_the_product(assembly: Assembly) -> None:
    keys = (
        "FunctionName",
        "RoleName",
        "StateMachineName",
        "TableName",
        "QueueName",
        "TopicName",
        "BucketName",
    )
    for stack in STACKS:
        for resource in assembly.template(stack)["Resources"].values():
            if resource["Type"] in {
                "AWS::Lambda::Version",
                "AWS::Lambda::Permission",
                "AWS::Lambda::EventInvokeConfig",
            }:
                continue
            named = [resource.get("Properties", {}).get(key) for key in keys]
            assert all(flat(name).startswith("tidegate") for name in named if name), resource


def test_overrides_reach_the_functions(abroad: Assembly) -> None:
    functions = abroad.resources("AWS::Lambda::Function").values()
    by_name = {f["Properties"]["FunctionName"]: f["Properties"] for f in functions}
    checkout = by_name["tidegate-check-out-source"]["Environment"]["Variables"]
    assert (checkout["TIDEGATE_BUILD_RUNTIME"], checkout["TIDEGATE_BUILD_ARCHITECTURE"]) == (
        "python3.11",
        "x86_64",
    )
    assert checkout["TIDEGATE_OTHER_STAGES"] == "dev,load"
    shift = by_name["tidegate-shift-traffic"]["Environment"]["Variables"]
    assert shift["TIDEGATE_PACE"] == "0.05"
    stages = json.loads(flat(shift["TIDEGATE_STAGES"]))
    assert stages[1] == {
        "name": "production",
        "account": "222222222222",
        "region": "eu-central-1",
        "production": True,
    }


def test_the_stack_tells_the_commands_what_they_need(assembly: Assembly) -> None:
    outputs = assembly.template("Pipeline")["Outputs"]
    told = {name: output["Value"] for name, output in outputs.items()}
    assert told["Branches"] == "main"
    assert set(told) == {"Branches", "ReleaseMachine", "SourceBucket", "TrustedKeys"}


def test_the_asset_of_code_holds_what_functions_run_and_nothing_else(assembly: Assembly) -> None:
    assets = json.loads((assembly.folder / "Pipeline.assets.json").read_text())["files"].values()
    folders = [assembly.folder / asset["source"]["path"] for asset in assets]
    (code,) = [folder for folder in folders if (folder / "functions").is_dir()]
    assert {path.name for path in code.iterdir()} == {"functions", "tidegate"}
    assert not (code / "tidegate" / "cli").exists()
    assert not (code / "tidegate" / "local").exists()
    assert {path.suffix for path in code.rglob("*") if path.is_file()} <= {".py", ".json", ".pyc"}
