"""Event source mappings poll: queues with partial failures and redrive, and streams in order."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.local.test_functions import archive, metric, wait_for

CODE = """
import json, time

def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    print("GOT", json.dumps({"bodies": bodies, "version": context.function_version}))
    if "all" in bodies:
        raise ValueError("all")
    return {"batchItemFailures": [
        {"itemIdentifier": record["messageId"]} for record in event["Records"] if record["body"] == "bad"]}

def stream(event, context):
    for record in event["Records"]:
        if record["eventSource"] == "aws:kinesis":
            print("GOT", json.dumps(record["kinesis"]["data"]))
            if record["kinesis"]["partitionKey"] == "bad":
                raise ValueError("bad record")
        else:
            print("GOT", json.dumps([record["eventName"], record["dynamodb"]["Keys"]["id"]["S"]]))
"""


@pytest.fixture
def function(cloud, unique):
    role = cloud.client("iam").create_role(RoleName=unique, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    api = cloud.client("lambda")

    def make(handler="index.handler"):
        code = {"ZipFile": archive(index=CODE)}
        api.create_function(
            FunctionName=unique, Runtime="python3.12", Role=role, Handler=handler, Code=code, Timeout=5
        )
        return unique

    yield make
    for mapping in api.list_event_source_mappings(FunctionName=unique)["EventSourceMappings"]:
        api.delete_event_source_mapping(UUID=mapping["UUID"])


def got(cloud, name):
    groups = cloud.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
    if not groups:
        return []
    events = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return [json.loads(event["message"][4:]) for event in events if event["message"].startswith("GOT ")]


def make_queue(cloud, name, **attributes):
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "30", **attributes})["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def left_in(cloud, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(value) for value in attributes.values())


def test_a_queue_is_polled_through_an_alias_and_its_bad_messages_are_redriven(cloud, function, unique):
    api, sqs = cloud.client("lambda"), cloud.client("sqs")
    name = function()
    api.publish_version(FunctionName=name)
    alias = api.create_alias(FunctionName=name, Name="live", FunctionVersion="1")["AliasArn"]
    dead_url, dead_arn = make_queue(cloud, f"{unique}-dead")
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = make_queue(cloud, unique, RedrivePolicy=redrive)
    made = api.create_event_source_mapping(
        EventSourceArn=arn, FunctionName=alias, BatchSize=5, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    assert made["FunctionArn"] == alias
    for body in ("good", "bad", "fine"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    dead = wait_for(lambda: sqs.receive_message(QueueUrl=dead_url).get("Messages"))
    assert [message["Body"] for message in dead] == ["bad"]
    wait_for(lambda: left_in(cloud, url) == 0)
    batches = got(cloud, name)
    assert sorted(body for batch in batches for body in batch["bodies"]) == ["bad", "bad", "fine", "good"]
    assert {batch["version"] for batch in batches} == {"1"}
    assert metric(cloud, name, "Errors", Resource=f"{name}:live") == [0]
    assert (
        api.list_event_source_mappings(FunctionName=alias)["EventSourceMappings"][0]["UUID"] == made["UUID"]
    )
    assert not api.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]


def test_a_failed_batch_comes_back_whole_and_filters_drop(cloud, function, unique):
    api, sqs = cloud.client("lambda"), cloud.client("sqs")
    name = function()
    url, arn = make_queue(cloud, unique)
    criteria = {
        "Filters": [{"Pattern": json.dumps({"body": {"kind": ["wanted"]}})}, {"Pattern": '{"body": ["all"]}'}]
    }
    api.create_event_source_mapping(
        EventSourceArn=arn, FunctionName=name, BatchSize=1, FilterCriteria=criteria
    )
    for body in ('{"kind": "other"}', '{"kind": "wanted"}', "all"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    wait_for(lambda: [batch["bodies"] for batch in got(cloud, name)].count(["all"]) >= 2)
    assert ['{"kind": "wanted"}'] in [batch["bodies"] for batch in got(cloud, name)]
    assert ['{"kind": "other"}'] not in [batch["bodies"] for batch in got(cloud, name)]
    wait_for(lambda: left_in(cloud, url) == 1)


def test_a_disabled_mapping_rests_and_mistakes_are_refused(cloud, function, unique):
    api, sqs = cloud.client("lambda"), cloud.client("sqs")
    name = function()
    url, arn = make_queue(cloud, unique)
    made = api.create_event_source_mapping(EventSourceArn=arn, FunctionName=name, Enabled=False)
    sqs.send_message(QueueUrl=url, MessageBody="later")
    time.sleep(0.3)
    assert not got(cloud, name)
    api.update_event_source_mapping(UUID=made["UUID"], Enabled=True)
    wait_for(lambda: got(cloud, name))
    _, short = make_queue(cloud, f"{unique}-short", VisibilityTimeout="1")
    refused = [
        ({"EventSourceArn": arn}, "ResourceConflictException"),
        ({"EventSourceArn": short}, "InvalidParameterValueException"),
        ({"EventSourceArn": f"{arn}-absent"}, "InvalidParameterValueException"),
        (
            {"EventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/c"},
            "InvalidParameterValueException",
        ),
    ]
    for options, code in refused:
        with pytest.raises(ClientError) as error:
            api.create_event_source_mapping(FunctionName=name, **options)
        assert error.value.response["Error"]["Code"] == code


def test_a_table_is_followed_in_order(cloud, function, unique):
    dynamodb = cloud.client("dynamodb")
    name = function("index.stream")
    table = dynamodb.create_table(
        TableName=unique, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]  # fmt: skip
    dynamodb.put_item(TableName=unique, Item={"id": {"S": "early"}})
    cloud.client("lambda").create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"], FunctionName=name, StartingPosition="TRIM_HORIZON"
    )
    dynamodb.put_item(TableName=unique, Item={"id": {"S": "late"}})
    dynamodb.delete_item(TableName=unique, Key={"id": {"S": "early"}})
    wait_for(lambda: len(got(cloud, name)) == 3)
    assert got(cloud, name) == [["INSERT", "early"], ["INSERT", "late"], ["REMOVE", "early"]]


def test_a_bad_record_of_a_stream_is_given_up_after_its_retries(cloud, function, unique):
    kinesis = cloud.client("kinesis")
    name = function("index.stream")
    kinesis.create_stream(StreamName=unique, ShardCount=1)
    stream = kinesis.describe_stream(StreamName=unique)["StreamDescription"]["StreamARN"]
    url, arn = make_queue(cloud, f"{unique}-failed")
    cloud.client("lambda").create_event_source_mapping(
        EventSourceArn=stream, FunctionName=name, StartingPosition="LATEST", BatchSize=1,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )  # fmt: skip
    for key in ("bad", "good"):
        kinesis.put_record(StreamName=unique, PartitionKey=key, Data=key.encode())
    message = wait_for(lambda: cloud.client("sqs").receive_message(QueueUrl=url).get("Messages"))[0]
    assert json.loads(message["Body"])["KinesisBatchInfo"]["batchSize"] == 1
    wait_for(lambda: len(got(cloud, name)) == 3)
    assert [base64.b64decode(data) for data in got(cloud, name)] == [b"bad", b"bad", b"good"]
    (age,) = metric(cloud, name, "IteratorAge", "Maximum")
    assert 0 <= age < 60_000


def test_queues_tell_how_deep_they_are_and_how_old_their_oldest_message_is(cloud, unique):
    url, _ = make_queue(cloud, unique)
    told = lambda name: queue_metric(cloud, unique, name)  # noqa: E731
    wait_for(lambda: told("ApproximateNumberOfMessagesVisible") == [0])
    assert told("ApproximateAgeOfOldestMessage") == []
    for body in ("a", "b"):
        cloud.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    wait_for(lambda: told("ApproximateNumberOfMessagesVisible") == [2])
    (age,) = told("ApproximateAgeOfOldestMessage")
    assert 0 <= age < 60


def queue_metric(cloud, queue, name):
    now = datetime.now(UTC)
    wanted = {
        "Namespace": "AWS/SQS",
        "MetricName": name,
        "Dimensions": [{"Name": "QueueName", "Value": queue}],
    }
    query = {"Id": "q", "MetricStat": {"Metric": wanted, "Period": 3600, "Stat": "Maximum"}}
    span = {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=1)}
    answer = cloud.client("cloudwatch").get_metric_data(MetricDataQueries=[query], **span)
    return answer["MetricDataResults"][0]["Values"]
