"""What each resource type makes in its service, how it updates, and that it goes again."""

from __future__ import annotations

import json

import pytest
from moto.s3.models import s3_backends

from tests.local.test_stacks import NOWHERE, TRUST, anchored, function, parameter, queue, topic, zipped

ACCOUNT = "123456789012"


def typed(kind, /, **properties):
    return {"Type": f"AWS::{kind}", "Properties": properties}


def arn(logical_id):
    return {"Fn::GetAtt": [logical_id, "Arn"]}


def ref(logical_id):
    return {"Ref": logical_id}


def test_a_function_takes_all_its_settings_and_updates_in_place(stack):
    settings = {
        "Architectures": ["arm64"],
        "Environment": {"Variables": {"NUMBER": 1, "FLAG": True}},
        "TracingConfig": {"Mode": "Active"},
        "LoggingConfig": {"LogFormat": "JSON"},
        "ReservedConcurrentExecutions": "5",
        "DeadLetterConfig": {"TargetArn": arn("Dead")},
        "Layers": [ref("Layer")],
        "MemorySize": "256",
    }
    s3, api = stack.cloud.client("s3"), stack.cloud.client("lambda")
    s3.create_bucket(Bucket=stack.name)
    s3.put_object(Bucket=stack.name, Key="layer.zip", Body=zipped("x = 1"))
    s3.put_object(Bucket=stack.name, Key="code.zip", Body=zipped("def handler(e, c): return 3"))
    layer = typed("Lambda::LayerVersion", Content={"S3Bucket": stack.name, "S3Key": "layer.zip"})
    rest = {"Dead": queue(), "Layer": layer}
    assert stack.create({**function(**settings), **rest}) == "CREATE_COMPLETE", stack.reasons()
    name = stack.physical("Function")
    made = api.get_function_configuration(FunctionName=name)
    assert made["Environment"]["Variables"] == {"NUMBER": "1", "FLAG": "true"}
    assert (made["MemorySize"], made["Architectures"]) == (256, ["arm64"])
    assert made["Layers"][0]["Arn"] == stack.physical("Layer")
    assert api.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 5
    second = function(code="", Code={"S3Bucket": stack.name, "S3Key": "code.zip"})
    assert stack.update({**second, **rest}) == "UPDATE_COMPLETE", stack.reasons()
    assert stack.physical("Function") == name
    after = api.get_function_configuration(FunctionName=name)
    assert after["CodeSha256"] != made["CodeSha256"]
    assert after["MemorySize"] == 128
    assert not after.get("Environment", {}).get("Variables")
    assert "ReservedConcurrentExecutions" not in api.get_function_concurrency(FunctionName=name)


def test_versions_and_aliases_give_their_attributes(stack):
    outputs = {
        "Number": {"Value": {"Fn::GetAtt": ["Anchor", "Version"]}},
        "Version": {"Value": ref("Anchor")},
        "Alias": {"Value": ref("Live")},
    }
    stack.create(anchored(), Outputs=outputs)
    name = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{stack.physical('Function')}"
    assert stack.outputs() == {"Number": "1", "Version": f"{name}:1", "Alias": f"{name}:live"}


def test_an_alias_is_replaced_by_its_name_and_moved_in_place(stack):
    resources = anchored()
    stack.create(resources)
    first = resources["Live"]["Properties"]
    changed = {**resources, "Live": {**resources["Live"], "Properties": {**first, "Name": "next"}}}
    assert stack.update(changed) == "UPDATE_COMPLETE"
    assert stack.physical("Live").endswith(":next")
    routed = {**first, "Name": "next", "Description": "here"}
    changed["Live"] = {**resources["Live"], "Properties": routed}
    assert stack.update(changed) == "UPDATE_COMPLETE", stack.reasons()
    api = stack.cloud.client("lambda")
    aliases = api.list_aliases(FunctionName=stack.physical("Function"))["Aliases"]
    assert [(alias["Name"], alias["Description"]) for alias in aliases] == [("next", "here")]


def test_a_second_version_of_unchanged_code_is_refused(stack):
    resources = anchored()
    resources["Again"] = typed("Lambda::Version", FunctionName=ref("Function"), Description="")
    assert stack.create(resources) == "ROLLBACK_COMPLETE"
    assert "A version for this Lambda function exists ( 1 )" in stack.reasons()


def test_provisioned_concurrency_of_an_alias_comes_and_goes_with_its_property(stack):
    resources = anchored()
    plain = resources["Live"]["Properties"]
    settings = {"ProvisionedConcurrentExecutions": 1}
    resources["Live"]["Properties"] = {**plain, "ProvisionedConcurrencyConfig": settings}
    assert stack.create(resources) == "CREATE_COMPLETE", stack.reasons()
    api = stack.cloud.client("lambda")

    def listed():
        found = api.list_provisioned_concurrency_configs(FunctionName=stack.physical("Function"))
        return [item["FunctionArn"].rpartition(":")[2] for item in found["ProvisionedConcurrencyConfigs"]]

    assert listed() == [plain["Name"]]
    resources["Live"] = {**resources["Live"], "Properties": plain}
    assert stack.update(resources) == "UPDATE_COMPLETE", stack.reasons()
    assert listed() == []


def test_permissions_urls_and_invoke_settings_stand_on_a_qualifier(stack):
    resources = anchored() | {
        "Allow": typed(
            "Lambda::Permission",
            FunctionName=ref("Live"),
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
        ),
        "Url": typed("Lambda::Url", TargetFunctionArn=ref("Live"), AuthType="AWS_IAM"),
        "Retries": typed(
            "Lambda::EventInvokeConfig",
            FunctionName=ref("Function"),
            Qualifier="live",
            MaximumRetryAttempts=1,
        ),
    }
    resources["Retries"]["DependsOn"] = "Live"
    outputs = {"Url": {"Value": {"Fn::GetAtt": ["Url", "FunctionUrl"]}}}
    assert stack.create(resources, Outputs=outputs) == "CREATE_COMPLETE", stack.reasons()
    api, name = stack.cloud.client("lambda"), stack.physical("Function")
    policy = json.loads(api.get_policy(FunctionName=name, Qualifier="live")["Policy"])
    assert policy["Statement"][0]["Resource"].endswith(":live")
    assert stack.outputs()["Url"].startswith(f"{stack.cloud.endpoint_url}/function-urls/")
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_mapping_follows_another_function_in_place(stack):
    mapping = {"EventSourceArn": arn("Jobs"), "BatchSize": 5}
    resources = anchored() | {"Jobs": queue()}
    resources["Feed"] = typed("Lambda::EventSourceMapping", FunctionName=ref("Function"), **mapping)
    resources["Role"]["Properties"]["ManagedPolicyArns"] = [
        "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
    ]
    assert stack.create(resources) == "CREATE_COMPLETE", stack.reasons()
    identity = stack.physical("Feed")
    resources["Feed"] = typed("Lambda::EventSourceMapping", FunctionName=ref("Live"), **mapping)
    assert stack.update(resources) == "UPDATE_COMPLETE", stack.reasons()
    assert stack.physical("Feed") == identity
    found = stack.cloud.client("lambda").get_event_source_mapping(UUID=identity)
    assert found["FunctionArn"].endswith(":live")


def test_a_bucket_takes_its_settings(stack):
    settings = {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
            ]
        },
        "VersioningConfiguration": {"Status": "Enabled"},
        "LifecycleConfiguration": {
            "Rules": [{"Id": "old", "Status": "Enabled", "Prefix": "tmp/", "ExpirationInDays": 7}]
        },
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "RestrictPublicBuckets": "true"},
        "NotificationConfiguration": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}},
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": arn("Store"),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [denied]}
    resources = {
        "Store": typed("S3::Bucket", **settings),
        "Policy": typed("S3::BucketPolicy", Bucket=ref("Store"), PolicyDocument=policy),
    }
    assert stack.create(resources) == "CREATE_COMPLETE", stack.reasons()
    s3, bucket = stack.cloud.client("s3"), stack.physical("Store")
    assert bucket == bucket.lower()
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["Expiration"] == {"Days": 7}
    # moto keeps this and does not show it.
    notified = s3_backends[ACCOUNT]["aws"].get_bucket(bucket).notification_configuration
    assert notified.event_bridge is not None
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == {
        **policy,
        "Statement": [{**denied, "Resource": f"arn:aws:s3:::{bucket}"}],
    }
    assert stack.update({"Store": typed("S3::Bucket", Tags=[])}) == "UPDATE_COMPLETE", stack.reasons()
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_table_changes_its_indexes_in_place(stack):
    def key(name, kind="HASH"):
        return {"AttributeName": name, "KeyType": kind}

    def table(*indexes):
        attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", *indexes)]
        return typed(
            "DynamoDB::Table",
            KeySchema=[key("pk")],
            AttributeDefinitions=attributes,
            BillingMode="PAY_PER_REQUEST",
            GlobalSecondaryIndexes=[
                {"IndexName": name, "KeySchema": [key(name)], "Projection": {"ProjectionType": "ALL"}}
                for name in indexes
            ],
            StreamSpecification={"StreamViewType": "NEW_IMAGE"},
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            TimeToLiveSpecification={"AttributeName": "ttl", "Enabled": True},
            SSESpecification={"SSEEnabled": True},
        )

    outputs = {"Stream": {"Value": {"Fn::GetAtt": ["Ledger", "StreamArn"]}}}
    assert stack.create({"Ledger": table("first")}, Outputs=outputs) == "CREATE_COMPLETE", stack.reasons()
    assert "/stream/" in stack.outputs()["Stream"]
    name = stack.physical("Ledger")
    assert stack.update({"Ledger": table("second")}, Outputs=outputs) == "UPDATE_COMPLETE", stack.reasons()
    assert stack.physical("Ledger") == name
    dynamodb = stack.cloud.client("dynamodb")
    described = dynamodb.describe_table(TableName=name)["Table"]
    assert [index["IndexName"] for index in described["GlobalSecondaryIndexes"]] == ["second"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_roles_and_policies_change_in_place(stack):
    def document(action):
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        return {"Version": "2012-10-17", "Statement": [statement]}

    def resources(action, attached):
        return {
            "Role": typed(
                "IAM::Role",
                AssumeRolePolicyDocument=TRUST,
                Policies=[{"PolicyName": "own", "PolicyDocument": document(action)}],
                ManagedPolicyArns=[f"arn:aws:iam::aws:policy/{attached}"],
            ),
            "Policy": typed(
                "IAM::Policy", PolicyName="shared", PolicyDocument=document(action), Roles=[ref("Role")]
            ),
            "Managed": typed("IAM::ManagedPolicy", PolicyDocument=document(action), Roles=[ref("Role")]),
            "Held": typed(
                "IAM::RolePolicy", RoleName=ref("Role"), PolicyName="held", PolicyDocument=document(action)
            ),
            "Profile": typed("IAM::InstanceProfile", Roles=[ref("Role")]),
        }

    assert stack.create(resources("s3:GetObject", "ReadOnlyAccess")) == "CREATE_COMPLETE", stack.reasons()
    before = {name: resource["PhysicalResourceId"] for name, resource in stack.resources().items()}
    assert stack.update(resources("s3:PutObject", "PowerUserAccess")) == "UPDATE_COMPLETE", stack.reasons()
    assert {name: resource["PhysicalResourceId"] for name, resource in stack.resources().items()} == before
    iam, role = stack.cloud.client("iam"), before["Role"]
    assert sorted(iam.list_role_policies(RoleName=role)["PolicyNames"]) == ["held", "own", "shared"]
    for name in ("held", "own", "shared"):
        found = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        assert found["Statement"][0]["Action"] == "s3:PutObject"
    attached = {
        policy["PolicyArn"] for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    }
    assert attached == {"arn:aws:iam::aws:policy/PowerUserAccess", before["Managed"]}
    assert stack.delete() == "DELETE_COMPLETE", stack.reasons()


def test_rules_stand_on_a_bus_of_their_own(stack):
    def rule(*targets):
        return typed(
            "Events::Rule",
            EventBusName=ref("Bus"),
            EventPattern={"source": ["tidegate"]},
            Targets=[{"Id": name, "Arn": arn(name)} for name in targets],
        )

    rest = {"Bus": typed("Events::EventBus", Name=stack.name), "One": queue(), "Two": queue()}
    assert stack.create({**rest, "Rule": rule("One")}) == "CREATE_COMPLETE", stack.reasons()
    bus, _, name = stack.physical("Rule").partition("|")
    assert bus == stack.name
    assert stack.update({**rest, "Rule": rule("Two")}) == "UPDATE_COMPLETE", stack.reasons()
    targets = stack.cloud.client("events").list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]
    assert [target["Id"] for target in targets] == ["Two"]
    assert stack.delete() == "DELETE_COMPLETE", stack.reasons()


@pytest.mark.parametrize("source", ["Definition", "DefinitionString", "DefinitionS3Location"])
def test_a_state_machine_runs_whatever_its_source(stack, source):
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Pass", "Result": "${Word}", "End": True}}}
    value = {"Definition": definition, "DefinitionString": json.dumps(definition)}.get(source)
    if value is None:
        s3 = stack.cloud.client("s3")
        s3.create_bucket(Bucket=stack.name)
        s3.put_object(Bucket=stack.name, Key="m.asl.json", Body=json.dumps(definition))
        value = {"Bucket": stack.name, "Key": "m.asl.json"}
    settings = {source: value, "DefinitionSubstitutions": {"Word": 'a "word"'}, "RoleArn": arn("Role")}
    resources = {"Role": function()["Role"], "Machine": typed("StepFunctions::StateMachine", **settings)}
    assert stack.create(resources) == "CREATE_COMPLETE", stack.reasons()
    api, machine = stack.cloud.client("stepfunctions"), stack.physical("Machine")
    execution = api.start_execution(stateMachineArn=machine)["executionArn"]
    for _ in range(200):
        found = api.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            break
    assert json.loads(found["output"]) == 'a "word"'


def test_a_rest_api_is_made_from_its_body(stack):
    uri = {
        "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:"
        "path/2015-03-31/functions/${Function.Arn}/invocations"
    }
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": uri}

    def resources(path):
        method = {"x-amazon-apigateway-integration": integration, "responses": {"200": {"description": "ok"}}}
        body = {"swagger": "2.0", "info": {"title": "orders"}, "paths": {path: {"post": method}}}
        return function() | {
            "Api": typed("ApiGateway::RestApi", Body=body),
            "Snapshot": typed("ApiGateway::Deployment", RestApiId=ref("Api")),
            "Stage": typed(
                "ApiGateway::Stage", RestApiId=ref("Api"), DeploymentId=ref("Snapshot"), StageName="live"
            ),
        }

    assert stack.create(resources("/orders/{id}")) == "CREATE_COMPLETE", stack.reasons()
    api = stack.cloud.client("apigateway")
    assert stack.update(resources("/carts/{id}")) == "UPDATE_COMPLETE", stack.reasons()
    paths = {item["path"] for item in api.get_resources(restApiId=stack.physical("Api"))["items"]}
    assert paths == {"/", "/carts", "/carts/{id}"}
    assert stack.delete() == "DELETE_COMPLETE", stack.reasons()


def test_an_http_api_is_made_from_its_body(stack):
    integration = {
        "type": "http_proxy",
        "httpMethod": "GET",
        "uri": "https://example.com",
        "payloadFormatVersion": "1.0",
    }
    paths = {
        "/a": {"get": {"x-amazon-apigateway-integration": integration}},
        "/$default": {"x-amazon-apigateway-any-method": {}},
    }
    body = {"openapi": "3.0.1", "info": {"title": "orders", "version": "1"}, "paths": paths}
    resources = {
        "Api": typed("ApiGatewayV2::Api", Body=body),
        "Stage": typed("ApiGatewayV2::Stage", ApiId=ref("Api"), StageName="$default", AutoDeploy=True),
    }
    assert stack.create(resources) == "CREATE_COMPLETE", stack.reasons()
    routes = stack.cloud.client("apigatewayv2").get_routes(ApiId=stack.physical("Api"))["Items"]
    assert {route["RouteKey"] for route in routes} == {"GET /a", "$default"}
    assert stack.delete() == "DELETE_COMPLETE", stack.reasons()


def assorted(name, number):
    """One of each kind that no other test makes."""
    metric = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": "f"}],
    }
    query = {"Id": "e", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False}
    limits = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold"}
    policy = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn("Jobs")}
    statement = {"Version": "2012-10-17", "Statement": [policy]}
    math = [query, {"Id": "m", "Expression": f"e * {number}"}]
    return {
        "Key": typed("KMS::Key", KeyPolicy=statement, Description=str(number), EnableKeyRotation=True),
        "KeyAlias": typed("KMS::Alias", AliasName=f"alias/{name}", TargetKeyId=ref("Key")),
        "Alarm": typed("CloudWatch::Alarm", Threshold=number, Metrics=math, **limits),
        "Secret": typed(
            "SecretsManager::Secret",
            Description=str(number),
            GenerateSecretString={
                "SecretStringTemplate": '{"user": "a"}',
                "GenerateStringKey": "password",
            },
        ),
        "Jobs": queue(VisibilityTimeout=30 + number),
        "JobsPolicy": typed("SQS::QueuePolicy", Queues=[ref("Jobs")], PolicyDocument=statement),
        "News": topic(DisplayName=str(number)),
        "Subscription": typed(
            "SNS::Subscription",
            TopicArn=ref("News"),
            Protocol="sqs",
            Endpoint=arn("Jobs"),
            RawMessageDelivery=number == 2,
        ),
        "NewsPolicy": typed("SNS::TopicPolicy", Topics=[ref("News")], PolicyDocument=statement),
        "Logs": typed("Logs::LogGroup", RetentionInDays=number * 7 if number == 1 else 30),
        "Marks": typed(
            "Logs::MetricFilter",
            LogGroupName=ref("Logs"),
            FilterPattern="ERROR",
            MetricTransformations=[{"MetricName": "m", "MetricNamespace": "n", "MetricValue": str(number)}],
        ),
        "Plan": typed(
            "Scheduler::Schedule",
            ScheduleExpression=f"rate({number + 1} hours)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn("Jobs"), "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/r"},
        ),
        "Archive": typed(
            "Events::Archive", SourceArn=f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
        ),
        "Setting": parameter(str(number)),
        "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "Metadata": {"Type": "AWS::CDK::Metadata", "Properties": {"Analytics": str(number)}},
    }


def test_a_key_an_alarm_a_secret_and_the_rest_are_made_updated_and_deleted(stack):
    assert stack.create(assorted(stack.name, 1)) == "CREATE_COMPLETE", stack.reasons()
    before = {name: resource["PhysicalResourceId"] for name, resource in stack.resources().items()}
    secrets = stack.cloud.client("secretsmanager")
    first = secrets.get_secret_value(SecretId=before["Secret"])["SecretString"]
    assert set(json.loads(first)) == {"user", "password"}
    assert stack.update(assorted(stack.name, 2)) == "UPDATE_COMPLETE", stack.reasons()
    assert {name: resource["PhysicalResourceId"] for name, resource in stack.resources().items()} == before
    assert secrets.get_secret_value(SecretId=before["Secret"])["SecretString"] == first
    alarm = stack.cloud.client("cloudwatch").describe_alarms(AlarmNames=[before["Alarm"]])["MetricAlarms"][0]
    assert (alarm["Threshold"], len(alarm["Metrics"])) == (2.0, 2)
    assert stack.delete() == "DELETE_COMPLETE", stack.reasons()


def test_a_failed_create_leaves_nothing_half_made(stack):
    bad = typed("SNS::Topic", Subscription=[{"Protocol": "nonsense", "Endpoint": "x"}])
    bad["Properties"]["TopicName"] = f"{stack.name}-news"
    assert stack.create(
        {"News": bad, "Sub": typed("SNS::Subscription", TopicArn=NOWHERE, Protocol="sqs", Endpoint="x")}
    ) == ("ROLLBACK_COMPLETE")
    topics = stack.cloud.client("sns").list_topics()["Topics"]
    assert not [item for item in topics if stack.name in item["TopicArn"]]


def test_what_only_moto_has_stays_available(stack):
    resources = {
        "Network": typed("EC2::VPC", CidrBlock="10.0.0.0/16"),
        "Part": typed("EC2::Subnet", VpcId=ref("Network"), CidrBlock="10.0.1.0/24"),
    }
    assert stack.create(resources) == "CREATE_COMPLETE", stack.reasons()
    assert stack.physical("Part").startswith("subnet-")
    assert stack.delete() == "DELETE_COMPLETE", stack.reasons()


def test_a_custom_resource_is_made_by_its_function(stack):
    code = (
        "import cfnresponse\n"
        "def handler(event, context):\n"
        "    data = {'Echo': event['RequestType'] + event['ResourceProperties'].get('Word', '')}\n"
        "    cfnresponse.send(event, context, cfnresponse.SUCCESS, data, 'one')\n"
    )

    def resources(word):
        return function(code=code, timeout=20) | {
            "Own": {"Type": "Custom::Own", "Properties": {"ServiceToken": arn("Function"), "Word": word}},
            "Where": parameter({"Fn::GetAtt": ["Own", "Echo"]}),
        }

    assert stack.create(resources("a")) == "CREATE_COMPLETE", stack.reasons()
    assert stack.physical("Own") == "one"
    assert stack.update(resources("b")) == "UPDATE_COMPLETE", stack.reasons()
    found = stack.cloud.client("ssm").get_parameter(Name=stack.physical("Where"))["Parameter"]["Value"]
    assert found == "Updateb"


def test_a_custom_resource_may_replace_itself_and_come_back(stack):
    code = (
        "import cfnresponse\n"
        "def handler(event, context):\n"
        "    word = event['ResourceProperties']['Word']\n"
        "    kind = event['RequestType']\n"
        "    identity = event['PhysicalResourceId'] if kind == 'Delete' else word\n"
        "    cfnresponse.send(event, context, cfnresponse.SUCCESS, {}, identity)\n"
    )

    def resources(word, **rest):
        own = {"ServiceToken": arn("Function"), "Word": word}
        return function(code=code, timeout=20) | {"Own": {"Type": "Custom::Own", "Properties": own}, **rest}

    assert stack.create(resources("one")) == "CREATE_COMPLETE", stack.reasons()
    bad = typed("SNS::Subscription", TopicArn=NOWHERE, Protocol="sqs", Endpoint="x")
    assert stack.update(resources("two", Bad={**bad, "DependsOn": "Own"})) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.physical("Own") == "one"
    deleted = [e["PhysicalResourceId"] for e in stack.events() if e["ResourceStatus"] == "DELETE_COMPLETE"]
    assert "two" in deleted
    assert "one" not in deleted
    assert stack.update(resources("three")) == "UPDATE_COMPLETE", stack.reasons()
    assert stack.physical("Own") == "three"
