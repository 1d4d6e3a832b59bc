"""Normalization over small templates of every kind: frozen aliases, triggers, permissions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.sample_templates import SAMPLES, load
from tidegate.adapters.templates import parse
from tidegate.adapters.translation import translate
from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate
from tidegate.domain.templates import (
    NoticeKind,
    S3Object,
    Template,
    adopt,
    normalize,
    place,
    prepare,
    read_functions,
    read_packages,
)
from tidegate.domain.templates.intrinsics import references
from tidegate.domain.templates.template import logical_ids


def placed(template, key="k"):
    functions = {
        source.logical_id: S3Object(bucket="b", key=key, version="v") for source in read_functions(template)
    }
    packages = {source.key: S3Object(bucket="b", key="p") for source in read_packages(template)}
    return place(template, functions, packages)


def run(template, deployed=None, key="k"):
    prepared = prepare(placed(template, key))
    return normalize(translate(prepared.template, {}, "us-east-1"), prepared, deployed)


def inline(**resources):
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"Code": {"ZipFile": "x"}, "Handler": "a.b", "Runtime": "python3.12", "Role": "r"},
    }
    return Template(data={"Resources": {"F": function, **resources}})


def dangling(template):
    known = {*template["Resources"], *template.get("Parameters", {})}
    waits = {name for item in template["Resources"].values() for name in logical_ids(item.get("DependsOn"))}
    named = {item.logical_id for item in references([template["Resources"], template.get("Outputs", {})])}
    return {name for name in named | waits if not name.startswith("AWS::")} - known


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
class TestEverySample:
    def test_aliases_are_frozen_on_anchors_that_never_change(self, path):
        normalized = run(parse(path.read_text(), path.name))
        resources = normalized.template["Resources"]
        for function in normalized.functions:
            alias, anchor = resources[function.alias_logical_id], resources[function.anchor_logical_id]
            version = {"Fn::GetAtt": [function.anchor_logical_id, "Version"]}
            assert alias["Properties"]["FunctionVersion"] == version
            assert set(alias["Properties"]) <= {"Name", "FunctionName", "FunctionVersion", "Description"}
            assert "UpdatePolicy" not in alias
            assert (anchor["DeletionPolicy"], anchor["UpdateReplacePolicy"]) == (
                "RetainExceptOnCreate",
                "Retain",
            )
            assert anchor["Properties"] == {"FunctionName": {"Ref": function.logical_id}}
            assert anchor.get("Condition") == resources[function.logical_id].get("Condition")
        versions = {key for key, item in resources.items() if item["Type"] == "AWS::Lambda::Version"}
        assert versions == {function.anchor_logical_id for function in normalized.functions}
        assert not [key for key, item in resources.items() if item["Type"].startswith("AWS::CodeDeploy")]

    def test_nothing_refers_to_what_is_gone(self, path):
        assert dangling(run(parse(path.read_text(), path.name)).template) == set()

    def test_normalizing_twice_is_normalizing_once(self, path):
        prepared = prepare(placed(parse(path.read_text(), path.name)))
        once = normalize(translate(prepared.template, {}, "us-east-1"), prepared)
        twice = normalize(once.template, prepared)
        assert json.dumps(twice.template) == json.dumps(once.template)
        ids = [(item.logical_id, item.alias_logical_id, item.alias_name) for item in once.functions]
        assert [(item.logical_id, item.alias_logical_id, item.alias_name) for item in twice.functions] == ids

    @settings(max_examples=10, deadline=None)
    @given(key=st.text("abcdef0123456789/", min_size=1, max_size=40))
    def test_another_code_key_changes_the_functions_code_only(self, path, key):
        template = parse(path.read_text(), path.name)
        first, second = (run(template, key=item) for item in ("k", key))
        for normalized in (first, second):
            for resource in normalized.template["Resources"].values():
                if resource["Type"] == "AWS::Lambda::Function":
                    del resource["Properties"]["Code"]
        assert first == second

    def test_a_second_release_over_the_first_is_the_same(self, path):
        template = parse(path.read_text(), path.name)
        first = run(template)
        assert run(template, first.template).template == first.template


def test_a_serverless_function_gets_the_alias_live():
    normalized = run(load("serverless_api"))
    orders = next(item for item in normalized.functions if item.logical_id == "Orders")
    assert (orders.alias_logical_id, orders.alias_name) == ("OrdersAliaslive", "live")
    assert orders.function_name == {"Ref": "Orders"}
    resources = normalized.template["Resources"]
    assert resources["WorkerJobs"]["Properties"]["FunctionName"] == {"Ref": "WorkerAliaslive"}
    assert resources["OrdersNight"]["Properties"]["Targets"][0]["Arn"] == {"Ref": "OrdersAliaslive"}
    assert resources["OrdersUrl"]["Properties"]["TargetFunctionArn"] == {"Ref": "OrdersAliaslive"}


def test_mentions_outside_of_triggers_are_left_alone_and_named():
    normalized = run(load("serverless_api"))
    texts = {item.logical_id: item.text for item in normalized.notices if item.kind == NoticeKind.AROUND}
    assert "Orders in Environment.Variables.ORDERS" in texts["Worker"]
    assert "Orders in Value" in texts["Outputs.OrdersArn"]
    assert normalized.template["Outputs"]["OrdersArn"]["Value"] == {"Fn::GetAtt": ["Orders", "Arn"]}


def test_statements_cover_qualified_arns_too():
    resources = run(load("serverless_api")).template["Resources"]
    statements = [
        statement
        for policy in resources["WorkerRole"]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    own = next(item for item in statements if item["Action"] == "lambda:InvokeFunction")
    assert own["Resource"] == [{"Fn::GetAtt": ["Orders", "Arn"]}, {"Fn::Sub": "${Orders.Arn}:*"}]


def test_deployment_preferences_are_recorded_and_taken_out():
    normalized = run(load("deployment_preference"))
    checkout, probe = normalized.functions
    assert checkout.alias_name == "prod"
    assert checkout.preference.kind == "Linear10PercentEvery1Minute"
    assert checkout.preference.alarms == ({"Ref": "Errors"},)
    assert checkout.provisioned_concurrency == {"ProvisionedConcurrentExecutions": 2}
    assert not probe.preference.enabled
    replaced = [item.text for item in normalized.notices if item.kind == NoticeKind.REPLACED]
    assert "the CodeDeploy hook PreTraffic (Probe) is replaced by SmokeTest" in replaced
    assert any("provisioned concurrency" in text for text in replaced)
    assert normalized.template["Outputs"]["Version"]["Value"] == {"Ref": "CheckoutTidegateAnchor"}


def test_a_plain_function_gets_alias_triggers_and_doubled_permissions():
    normalized = run(load("plain"))
    resources = normalized.template["Resources"]
    alias = {"Ref": "GreeterTidegateAlias"}
    assert resources["GreeterTidegateAlias"]["Properties"]["Name"] == "live"
    assert resources["Method"]["Properties"]["Integration"]["Uri"]["Fn::Join"][1][3] == alias
    assert resources["Mapping"]["Properties"]["FunctionName"] == alias
    assert resources["Address"]["Properties"]["TargetFunctionArn"] == alias
    assert resources["Permission"]["Properties"]["FunctionName"] == {"Ref": "Greeter"}
    assert resources["PermissionTidegateAlias"]["Properties"]["FunctionName"] == alias
    assert resources["Bucket"]["DependsOn"] == ["Permission", "PermissionTidegateAlias"]
    assert resources["Retries"]["Properties"]["Qualifier"] == "live"
    assert any(item.logical_id == "Name" for item in normalized.notices)


def test_a_changed_method_gives_the_deployment_another_logical_id():
    template = load("plain")
    before = run(template).template["Resources"]
    changed = json.loads(json.dumps(template.data))
    changed["Resources"]["Method"]["Properties"]["HttpMethod"] = "PUT"
    after = run(template.with_data(changed)).template["Resources"]
    names = [next(key for key in item if key.startswith("Deployment")) for item in (before, after)]
    assert names[0] != names[1]
    assert after["Stage"]["Properties"]["DeploymentId"] == {"Ref": names[1]}
    assert {key for key in before if "Deployment" not in key} == {
        key for key in after if "Deployment" not in key
    }


def test_a_body_that_is_repointed_renews_the_translators_deployment():
    resources = run(load("open_api")).template["Resources"]
    uri = resources["Api"]["Properties"]["Body"]["paths"]["/x"]["get"]["x-amazon-apigateway-integration"][
        "uri"
    ]
    assert uri["Fn::Sub"].endswith("functions/${FnAliaslive}/invocations")
    deployments = [key for key, item in resources.items() if item["Type"] == "AWS::ApiGateway::Deployment"]
    assert len(deployments) == 1
    assert "Tidegate" in deployments[0]
    assert resources["ApiprodStage"]["Properties"]["DeploymentId"] == {"Ref": deployments[0]}


def test_an_alias_of_the_template_keeps_name_and_id_and_loses_codedeploy():
    normalized = run(load("own_alias"))
    resources = normalized.template["Resources"]
    assert [(item.alias_logical_id, item.alias_name) for item in normalized.functions] == [("Prod", "prod")]
    assert set(resources) == {"Greeter", "Prod", "GreeterTidegateAnchor", "Rule"}
    assert [item["Arn"] for item in resources["Rule"]["Properties"]["Targets"]] == [{"Ref": "Prod"}] * 3
    assert resources["Rule"]["DependsOn"] == ["GreeterTidegateAnchor"]
    assert set(normalized.template["Outputs"]) == {"Pinned"}
    assert {"App", "DeployRole", "Group", "Outputs.Group"} <= {item.logical_id for item in normalized.notices}


def test_what_needs_codedeploy_is_refused_by_name():
    template = load("own_alias")
    data = {**template.data, "Outputs": {}}
    data["Resources"] = {
        **data["Resources"],
        "Name": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "Group"}}},
    }
    with pytest.raises(UnsupportedTemplate, match="Name needs Group, which Tidegate replaces"):
        run(template.with_data(data))


def test_every_kind_of_target_names_the_alias():
    resources = run(load("targets")).template["Resources"]
    alias = {"Ref": "FTidegateAlias"}
    machine = resources["Machine"]["Properties"]
    steps = json.loads(machine["DefinitionString"]["Fn::Sub"])["States"]
    assert steps == {
        "A": {"Resource": "${FTidegateAlias}"},
        "B": {"FunctionName": "${FTidegateAlias}"},
        "C": {"FunctionName": "${F}:live"},
        "D": {"FunctionName": "${F.Arn}:7"},
    }
    assert machine["DefinitionSubstitutions"] == {"Arn": alias, "Name": {"Fn::Sub": "${F}:live"}}
    assert resources["Joined"]["Properties"]["DefinitionString"]["Fn::Join"][1] == [
        '{"FunctionName": "',
        alias,
        '", "Other": "arn:aws:lambda:us-east-1:123456789012:function:',
        {"Fn::Sub": "${F}:live"},
        '"}',
    ]
    assert resources["Http"]["Properties"]["IntegrationUri"] == {"Fn::Sub": "${FTidegateAlias}/invocations"}
    pool = resources["Pool"]["Properties"]["LambdaConfig"]
    assert (pool["PreSignUp"], pool["CustomEmailSender"]["LambdaArn"]) == (alias, alias)
    assert resources["Filter"]["Properties"]["DestinationArn"] == alias
    assert resources["Topic"]["Properties"]["Subscription"][0]["Endpoint"]["Fn::If"][1] == alias
    caller = resources["Caller"]["Properties"]["ContainerDefinitions"][0]["Environment"][0]["Value"]
    assert caller == {"Fn::GetAtt": ["F", "Arn"]}


def test_a_custom_resources_function_is_not_rolled_out():
    normalized = run(load("custom_resource"))
    assert [item.logical_id for item in normalized.functions] == ["Worker"]
    assert normalized.template["Resources"]["Seed"]["Properties"]["ServiceToken"] == {
        "Fn::GetAtt": ["Seeder", "Arn"]
    }
    assert [item.logical_id for item in normalized.notices if item.kind == NoticeKind.AT_ONCE] == ["Seeder"]


def test_two_aliases_of_one_function_are_refused():
    aliases = {
        name: {
            "Type": "AWS::Lambda::Alias",
            "Properties": {"Name": name, "FunctionName": {"Ref": "F"}, "FunctionVersion": "1"},
        }
        for name in ("one", "two")
    }
    with pytest.raises(UnsupportedTemplate, match="F has 2 aliases"):
        run(inline(**aliases))


def test_a_deployed_version_url_and_permission_stay_as_they_stand():
    template = load("serverless_api")
    normalized = run(template)
    deployed = json.loads(json.dumps(normalized.template))
    resources = deployed["Resources"]
    resources["OrdersVersion123"] = resources.pop("OrdersTidegateAnchor")
    resources["OrdersAliaslive"]["Properties"]["FunctionVersion"]["Fn::GetAtt"][0] = "OrdersVersion123"
    resources["OrdersUrl"]["Properties"]["TargetFunctionArn"] = {"Ref": "Orders"}
    resources["OrdersNightPermission"]["Properties"]["FunctionName"] = {"Ref": "Orders"}
    again = run(template, deployed)
    after = again.template["Resources"]
    assert (
        next(item.anchor_logical_id for item in again.functions if item.logical_id == "Orders")
        == "OrdersVersion123"
    )
    assert "OrdersTidegateAnchor" not in after
    assert after["OrdersUrl"]["Properties"]["TargetFunctionArn"] == {"Ref": "Orders"}
    assert after["OrdersNightPermission"]["Properties"]["FunctionName"] == {"Ref": "Orders"}
    assert after["OrdersNightPermissionTidegateAlias"]["Properties"]["FunctionName"] == {
        "Ref": "OrdersAliaslive"
    }
    assert any(item.logical_id == "OrdersUrl" and item.kind == NoticeKind.AROUND for item in again.notices)


def test_an_existing_stack_is_adopted_with_the_code_that_runs():
    template = load("plain")
    deployed = translate(placed(template, "old"), {}, "us-east-1")
    normalized = run(template, deployed, key="new")
    adopted = adopt(deployed, normalized).adopted
    resources = adopted["Resources"]
    assert resources["Greeter"]["Properties"]["Code"]["S3Key"] == "old"
    assert set(resources) - set(deployed["Resources"]) == {
        "GreeterTidegateAlias",
        "GreeterTidegateAnchor",
        "PermissionTidegateAlias",
    }
    assert resources["Mapping"] == deployed["Resources"]["Mapping"]
    second = run(template, adopted, key="new")
    assert adopt(adopted, second).adopted is None
    assert second.template["Resources"]["GreeterTidegateAnchor"] == resources["GreeterTidegateAnchor"]
    assert second.template["Resources"]["Address"]["Properties"]["TargetFunctionArn"] == {
        "Fn::GetAtt": ["Greeter", "Arn"]
    }


@pytest.mark.parametrize(
    ("data", "figure"),
    [
        (
            {"Resources": {f"T{number}": {"Type": "AWS::SNS::Topic"} for number in range(501)}},
            "501 resources",
        ),
        ({"Resources": {"T": {"Type": "AWS::SNS::Topic", "Metadata": "x" * 1_000_000}}}, "bytes"),
        (
            {
                "Resources": {"T": {"Type": "AWS::SNS::Topic"}},
                "Parameters": dict.fromkeys(map(str, range(201))),
            },
            "201",
        ),
    ],
)
def test_limits_are_checked_with_the_figures(data, figure):
    with pytest.raises(InvalidTemplate, match=figure):
        normalize(data, prepare(Template(data=data)))


def test_scaling_of_provisioned_concurrency_is_taken_out():
    target = {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {
            "ScalableDimension": "lambda:function:ProvisionedConcurrency",
            "ResourceId": {"Fn::Sub": "function:${F}:live"},
        },
    }
    policy = {
        "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Properties": {"ScalingTargetId": {"Ref": "Target"}},
    }
    normalized = run(inline(Target=target, Policy=policy))
    assert set(normalized.template["Resources"]) == {"F", "FTidegateAlias", "FTidegateAnchor"}
    assert [item.logical_id for item in normalized.notices] == ["Policy", "Target"]


def test_a_template_macros_function_is_not_rolled_out():
    macro = {"Type": "AWS::CloudFormation::Macro", "Properties": {"Name": "m", "FunctionName": {"Ref": "F"}}}
    assert run(inline(Macro=macro)).functions == ()


def test_an_alias_of_the_template_gives_its_provisioned_concurrency():
    (function,) = run(load("own_alias")).functions
    assert function.provisioned_concurrency == {"ProvisionedConcurrentExecutions": 1}


def test_a_stack_that_sam_deployed_without_aliases_keeps_all_it_has():
    template = load("serverless_api")
    deployed = translate(placed(template, "old"), {}, "us-east-1")
    normalized = run(template, deployed, key="new")
    adopted = adopt(deployed, normalized).adopted
    assert {
        key: adopted["Resources"][key]["Type"] for key in adopted["Resources"].keys() - deployed["Resources"]
    } == {
        "OrdersAliaslive": "AWS::Lambda::Alias",
        "OrdersTidegateAnchor": "AWS::Lambda::Version",
        "WorkerAliaslive": "AWS::Lambda::Alias",
        "WorkerTidegateAnchor": "AWS::Lambda::Version",
        **{
            f"{key}TidegateAlias": PERMISSION
            for key, item in deployed["Resources"].items()
            if item["Type"] == PERMISSION
        },
    }
    after = normalized.template["Resources"]
    for key, item in deployed["Resources"].items():
        if item["Type"] in {PERMISSION, "AWS::Lambda::Url"}:
            assert after[key] == item
    for key in adopted["Resources"].keys() - deployed["Resources"]:
        assert after[key] == adopted["Resources"][key]


PERMISSION = "AWS::Lambda::Permission"
