"""What a template needs that the local cloud has not, what it keeps as a record, and other accounts' layers."""

from __future__ import annotations

import json

import pytest

from tidegate.local.availability import look_at
from tidegate.local.public_layers import find_public

ACCOUNT = "123456789012"
POWERTOOLS = "arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python312-x86_64:7"
STRANGE = "arn:aws:lambda:${AWS::Region}:177933569100:layer:AWS-Parameters-and-Secrets-Lambda-Extension:4"
OWN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:own:1"


def function(**properties):
    return {"Type": "AWS::Lambda::Function", "Properties": properties}


def look(**resources):
    return look_at({"Resources": resources}, ACCOUNT)


def test_every_obstacle_is_named_at_once():
    seen = look(
        Broker={"Type": "AWS::AmazonMQ::Broker"},
        Long=function(DurableConfig={"ExecutionTimeout": 10}),
        Secret=function(Layers=[{"Fn::Sub": STRANGE}, POWERTOOLS, OWN, {"Ref": "Layer"}]),
        Plain=function(),
        Made={"Type": "Custom::Thing"},
    )
    assert seen.absent == (
        "Broker (AWS::AmazonMQ::Broker)",
        "Long (AWS::Lambda::Function) with DurableConfig",
        f"Secret (AWS::Lambda::Function) with the layer {STRANGE}",
    )


def test_what_is_kept_as_a_record_is_named():
    seen = look(Acl={"Type": "AWS::WAFv2::WebACL"}, Queue={"Type": "AWS::SQS::Queue"})
    assert seen == ((), ("Acl (AWS::WAFv2::WebACL)",))


@pytest.mark.parametrize(
    ("arn", "requirement"),
    [
        (POWERTOOLS, "aws-lambda-powertools[all]>=3,<4"),
        (
            "arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV2-Arm64:79",
            "aws-lambda-powertools[all]>=2,<3",
        ),
        ("arn:aws:lambda:aws:580247275435:layer:LambdaInsightsExtension:38", ""),
        (OWN, None),
    ],
)
def test_public_layers_are_known_by_account_and_name(arn, requirement):
    known = find_public(arn)
    assert (known and known.requirement) == requirement


def test_records_have_the_attributes_that_templates_read_and_keep_their_id(stack):
    resources = {
        "Acl": {"Type": "AWS::WAFv2::WebACL", "Properties": {"Name": "wall", "Scope": "REGIONAL"}},
        "Use": {
            "Type": "AWS::WAFv2::WebACLAssociation",
            "Properties": {"WebACLArn": {"Fn::GetAtt": ["Acl", "Arn"]}, "ResourceArn": "arn:x"},
        },
        "Group": {"Type": "AWS::ResourceGroups::Group", "Properties": {"Name": {"Ref": "AWS::StackName"}}},
    }
    assert stack.create(resources) == "CREATE_COMPLETE", stack.reasons()
    made = {name: stack.physical(name) for name in resources}
    assert made["Acl"].startswith("wall|")
    assert made["Use"].startswith("arn:aws:wafv2:us-east-1:123456789012:regional/webacl/wall/")
    assert made["Group"] == stack.name
    resources["Acl"]["Properties"]["Description"] = "other"
    assert stack.update(resources) == "UPDATE_COMPLETE", stack.reasons()
    assert {name: stack.physical(name) for name in resources} == made
    assert stack.delete() == "DELETE_COMPLETE"


def test_parameters_without_a_value_get_the_one_that_the_cloud_was_told(stack, monkeypatch):
    monkeypatch.setattr(stack.cloud, "parameters", {"Name": "told", "Other": "never"})
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${Name}-${AWS::StackName}"}}}
    body = {"Parameters": {"Name": {"Type": "String"}}, "Resources": {"Queue": queue}}
    assert stack.create({}, text=json.dumps(body)) == "CREATE_COMPLETE", stack.reasons()
    assert stack.physical("Queue").endswith(f"/told-{stack.name}")


def test_documents_and_access_points_are_made_and_go(stack):
    content = {"schemaVersion": "2.2", "description": "x", "mainSteps": []}
    resources = {
        "Document": {"Type": "AWS::SSM::Document", "Properties": {"Content": content}},
        "Files": {"Type": "AWS::EFS::FileSystem", "Properties": {}},
        "Point": {"Type": "AWS::EFS::AccessPoint", "Properties": {"FileSystemId": {"Ref": "Files"}}},
        "Check": {
            "Type": "AWS::Route53::HealthCheck",
            "Properties": {"HealthCheckConfig": {"Type": "HTTP", "IPAddress": "192.0.2.1"}},
        },
    }
    outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Point", "Arn"]}}}
    assert stack.create(resources, Outputs=outputs) == "CREATE_COMPLETE", stack.reasons()
    assert stack.outputs()["Arn"].endswith(stack.physical("Point"))
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_source_that_is_no_arn_is_refused_in_words(stack):
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
    }
    code = {"ZipFile": "def handler(event, context): ..."}
    made = function(
        Code=code, Handler="index.handler", Runtime="python3.11", Role={"Fn::GetAtt": ["Role", "Arn"]}
    )
    mapping = {"FunctionName": {"Ref": "Made"}, "EventSourceArn": "cluster"}
    resources = {
        "Role": role,
        "Made": made,
        "Poll": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping},
    }
    assert stack.create(resources) == "ROLLBACK_COMPLETE"
    assert "does not poll a source that is no ARN (cluster)" in stack.reasons()


def test_a_function_runs_with_a_layer_that_only_watches(stack):
    insights = "arn:aws:lambda:us-east-1:580247275435:layer:LambdaInsightsExtension:38"
    trust = {"Version": "2012-10-17", "Statement": []}
    code = {"ZipFile": "def handler(event, context): return 7"}
    made = function(
        Code=code,
        Handler="index.handler",
        Runtime="python3.11",
        Layers=[insights],
        Role={"Fn::GetAtt": ["Role", "Arn"]},
    )
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}
    assert stack.create({"Role": role, "Made": made}) == "CREATE_COMPLETE", stack.reasons()
    answer = stack.cloud.client("lambda").invoke(FunctionName=stack.physical("Made"))
    assert answer["Payload"].read() == b"7"


def test_a_global_table_of_one_region_is_a_table(stack):
    table = {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
        "Replicas": [
            {"Region": "us-east-1", "DeletionProtectionEnabled": False, "Tags": [{"Key": "a", "Value": "b"}]}
        ],
    }
    resources = {"Table": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": table}}
    outputs = {name: {"Value": {"Fn::GetAtt": ["Table", name]}} for name in ("Arn", "StreamArn")}
    assert stack.create(resources, Outputs=outputs) == "CREATE_COMPLETE", stack.reasons()
    assert stack.outputs()["StreamArn"].startswith(stack.outputs()["Arn"])
    name = stack.physical("Table")
    table["Replicas"][0]["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": True}
    assert stack.update(resources, Outputs=outputs) == "UPDATE_COMPLETE", stack.reasons()
    assert stack.physical("Table") == name
    table["Replicas"].append({"Region": "eu-west-1"})
    assert stack.update(resources, Outputs=outputs) == "UPDATE_ROLLBACK_COMPLETE"
    assert "replicas in eu-west-1 are not available" in stack.reasons()
    assert stack.delete() == "DELETE_COMPLETE"
