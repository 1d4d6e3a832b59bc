"""Events put on a bus reach the targets of the rules they match, in the right shape, once or more."""

from __future__ import annotations

import datetime as dt
import io
import json
import time
import zipfile

import pytest
from botocore.exceptions import ClientError

from tidegate.local import cron, inputs, patterns, schedules, targets
from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.local.paths import path

ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/machine"
HERE = f"{REGION}:{ACCOUNT_ID}"


@pytest.fixture
def events(cloud):
    return cloud.client("events")


@pytest.fixture
def queue(cloud, unique):
    return Queue(cloud.client("sqs"), unique)


class Queue:
    def __init__(self, client, name, **attributes):
        self.client = client
        self.url = client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self.arn = f"arn:aws:sqs:{HERE}:{name}"

    def receive(self, seconds=5.0):
        found = self.client.receive_message(
            QueueUrl=self.url,
            WaitTimeSeconds=int(seconds),
            MessageAttributeNames=["All"],
            AttributeNames=["All"],
        )
        message = found["Messages"][0]
        self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return message

    def document(self, seconds=5.0):
        return json.loads(self.receive(seconds)["Body"])

    def is_empty(self):
        return "Messages" not in self.client.receive_message(QueueUrl=self.url, WaitTimeSeconds=0)


@pytest.fixture
def rule(events, unique):
    made = []

    def make(target, bus="default", pattern=None, **more):
        name = f"{unique}-{len(made)}"
        made.append((name, bus))
        given = pattern or {"source": [unique]}
        events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(given), **more)
        target = {"Arn": target} if isinstance(target, str) else target
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "t", **target}])
        return name

    yield make
    for name, bus in made:
        if "Targets" in events.list_targets_by_rule(Rule=name, EventBusName=bus):
            events.remove_targets(Rule=name, EventBusName=bus, Ids=["t"])
        events.delete_rule(Name=name, EventBusName=bus)


def put(events, source, detail=None, bus="default", **more):
    entry = {
        "Source": source,
        "DetailType": "Pushed",
        "Detail": json.dumps(detail or {}),
        "EventBusName": bus,
        **more,
    }
    return events.put_events(Entries=[entry])["Entries"][0]


def test_an_event_arrives_whole(events, queue, rule, unique):
    rule(queue.arn)
    given = put(
        events, unique, {"a": {"b": [1]}}, Resources=["arn:x"], Time=dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    )
    assert queue.document() == {
        "version": "0",
        "id": given["EventId"],
        "detail-type": "Pushed",
        "source": unique,
        "account": ACCOUNT_ID,
        "time": "2026-01-02T00:00:00Z",
        "region": REGION,
        "resources": ["arn:x"],
        "detail": {"a": {"b": [1]}},
    }


def test_a_disabled_rule_and_one_that_does_not_match_deliver_nothing(events, queue, rule, unique):
    rule(queue.arn, State="DISABLED")
    rule(queue.arn, pattern={"source": [unique], "detail": {"n": [2]}})
    rule(queue.arn, pattern={"source": [unique], "detail": {"last": [True]}})
    put(events, unique, {"n": 1})
    put(events, unique, {"last": True})
    assert queue.document()["detail"] == {"last": True}
    assert queue.is_empty()


def test_a_custom_bus_forwards_to_another(events, queue, rule, unique):
    other = events.create_event_bus(Name=f"{unique}-bus")["EventBusArn"]
    rule(other)
    rule(queue.arn, bus=f"{unique}-bus")
    put(events, unique, {"n": 1})
    assert queue.document()["detail"] == {"n": 1}


def test_a_state_machine_starts_once_per_event_with_the_input_that_the_target_asks_for(
    cloud, events, rule, unique
):
    sfn = cloud.client("stepfunctions")
    definition = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
    arn = sfn.create_state_machine(name=unique, definition=json.dumps(definition), roleArn=ROLE)[
        "stateMachineArn"
    ]
    transformer = {
        "InputPathsMap": {"n": "$.detail.n"},
        "InputTemplate": '{"number": <n>, "text": "n is <n>"}',
    }
    rule({"Arn": arn, "RoleArn": ROLE, "InputTransformer": transformer})
    given = put(events, unique, {"n": 7})
    found = until(lambda: sfn.list_executions(stateMachineArn=arn)["executions"])
    assert found[0]["name"].startswith(given["EventId"])
    shown = until(lambda: ended(sfn, found[0]["executionArn"]))
    assert json.loads(shown["input"]) == {"number": 7, "text": "n is 7"}
    assert path(sfn, shown["executionArn"]) == ["A"]


def ended(sfn, arn):
    found = sfn.describe_execution(executionArn=arn)
    return found if found["status"] != "RUNNING" else None


def until(look, seconds=5.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("nothing came in time")


def test_status_changes_of_executions_are_events(cloud, queue, rule, unique):
    sfn = cloud.client("stepfunctions")
    definition = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 3000, "End": True}}}
    arn = sfn.create_state_machine(name=unique, definition=json.dumps(definition), roleArn=ROLE)[
        "stateMachineArn"
    ]
    wanted = {"source": ["aws.states"], "detail": {"stateMachineArn": [arn]}}
    rule(queue.arn, pattern=wanted)
    execution = sfn.start_execution(stateMachineArn=arn, input='{"a":1}')["executionArn"]
    assert queue.document()["detail"]["status"] == "RUNNING"
    sfn.stop_execution(executionArn=execution, error="E", cause="C")
    event = queue.document()
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert event["resources"] == [execution]
    detail = event["detail"]
    assert (detail["status"], detail["error"], detail["cause"]) == ("ABORTED", "E", "C")
    assert (detail["input"], detail["output"]) == ('{"a":1}', None)
    assert detail["stopDate"] >= detail["startDate"] > 1_700_000_000_000


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ({"Input": '{"fixed": true}'}, {"fixed": True}),
        ({"InputPath": "$.detail.items[1]"}, 6),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"d": "$.detail", "kind": "$.detail-type"},
                    "InputTemplate": '{"all": <d>, "kind": "a <kind>", "rule": "<aws.events.rule-name>", '
                    '"json": "<d>"}',
                }
            },
            None,
        ),
    ],
)
def test_inputs(events, queue, rule, unique, target, body):
    name = rule({"Arn": queue.arn, **target})
    put(events, unique, {"items": [5, 6]})
    filled = {"all": {"items": [5, 6]}, "kind": "a Pushed", "rule": name, "json": '{"items": [5, 6]}'}
    assert queue.document() == (filled if body is None else body)


def test_a_fifo_queue_gets_its_group(cloud, events, rule, unique):
    queue = Queue(cloud.client("sqs"), f"{unique}.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    rule({"Arn": queue.arn, "SqsParameters": {"MessageGroupId": "g"}})
    put(events, unique)
    assert queue.receive()["Attributes"]["MessageGroupId"] == "g"


def test_a_topic_and_a_log_group_are_targets(cloud, events, queue, rule, unique):
    sns, logs = cloud.client("sns"), cloud.client("logs")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    logs.create_log_group(logGroupName=f"/aws/events/{unique}")
    rule(topic)
    rule(f"arn:aws:logs:{HERE}:log-group:/aws/events/{unique}")
    put(events, unique, {"n": 1})
    assert json.loads(queue.document()["Message"])["detail"] == {"n": 1}
    found = until(lambda: logs.filter_log_events(logGroupName=f"/aws/events/{unique}")["events"])
    assert json.loads(found[0]["message"])["detail"] == {"n": 1}


CODE = """
import json, os, boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
    return {"version": context.function_version}
"""


@pytest.fixture
def function(cloud, queue, unique):
    client = cloud.client("lambda")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", CODE)
    cloud.client("iam").create_role(RoleName=unique, AssumeRolePolicyDocument="{}")
    made = client.create_function(
        FunctionName=unique,
        Runtime="python3.11",
        Handler="app.handler",
        Role=f"arn:aws:iam::{ACCOUNT_ID}:role/{unique}",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"QUEUE": queue.url}},
        Timeout=20,
        Publish=True,
    )
    client.create_alias(FunctionName=unique, Name="live", FunctionVersion="1")
    yield f"{made['FunctionArn'].removesuffix(':1')}:live"
    client.delete_function(FunctionName=unique)


def test_functions_are_called_by_rules_topics_buckets_and_machines(
    cloud, events, queue, rule, function, unique
):
    rule(function)
    put(events, unique, {"n": 1})
    assert queue.document(20)["detail"] == {"n": 1}
    sns = cloud.client("sns")
    topic = sns.create_topic(Name=unique)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    sns.publish(TopicArn=topic, Message="told", Subject="s")
    record = queue.document(20)["Records"][0]
    assert (record["EventSource"], record["Sns"]["Message"], record["Sns"]["TopicArn"]) == (
        "aws:sns",
        "told",
        topic,
    )
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=unique)
    wanted = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=unique, NotificationConfiguration={"LambdaFunctionConfigurations": [wanted]}
    )
    s3.put_object(Bucket=unique, Key="a b", Body=b"1")
    assert queue.document(20)["Records"][0]["s3"]["object"]["key"] == "a+b"
    sfn = cloud.client("stepfunctions")
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    task["Arguments"] = {"FunctionName": function, "Payload": {"n": "{% $states.input.n %}"}}
    definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": task}})
    arn = sfn.create_state_machine(name=unique, definition=definition, roleArn=ROLE)["stateMachineArn"]
    started = sfn.start_execution(stateMachineArn=arn, input='{"n": 2}')["executionArn"]
    assert queue.document(20) == {"n": 2}
    shown = until(lambda: ended(sfn, started), 20)
    assert json.loads(shown["output"])["Payload"] == {"version": "1"}
    assert json.loads(shown["output"])["ExecutedVersion"] == "1"


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(events, queue, rule, unique):
    gone = f"arn:aws:states:{HERE}:stateMachine:{unique}"
    name = rule(
        {"Arn": gone, "DeadLetterConfig": {"Arn": queue.arn}, "RetryPolicy": {"MaximumRetryAttempts": 2}}
    )
    put(events, unique, {"n": 1})
    message = queue.receive()
    attributes = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert json.loads(message["Body"])["detail"] == {"n": 1}
    assert attributes["RULE_ARN"] == f"arn:aws:events:{HERE}:rule/{name}"
    assert attributes["TARGET_ARN"] == gone
    assert attributes["ERROR_CODE"] == "StateMachineDoesNotExist"
    assert unique in attributes["ERROR_MESSAGE"]


def test_a_delivery_is_retried_as_often_as_the_target_allows(events, queue, rule, unique, monkeypatch):
    tried = []

    def busy(target, *_):
        tried.append(target["Arn"])
        raise ConnectionError("busy")

    monkeypatch.setitem(targets.KINDS, "sns", busy)
    target = {"Arn": f"arn:aws:sns:{HERE}:{unique}", "DeadLetterConfig": {"Arn": queue.arn}}
    rule({**target, "RetryPolicy": {"MaximumRetryAttempts": 2}})
    put(events, unique)
    assert queue.receive()["MessageAttributes"]["RETRY_ATTEMPTS"]["StringValue"] == "2"
    assert len(tried) == 3


def test_a_target_that_cannot_be_delivered_to_is_refused_by_name(rule, unique):
    arn = f"arn:aws:ecs:{HERE}:cluster/{unique}"
    with pytest.raises(ClientError, match=arn):
        rule(arn)


def test_faulty_entries_are_answered_each(events):
    good = {"Source": "s", "DetailType": "d", "Detail": "{}"}
    entries = [good, {**good, "Detail": "[1"}, {"DetailType": "d", "Detail": "{}"}, {**good, "Detail": "[1]"}]
    answers = events.put_events(Entries=entries)["Entries"]
    codes = [answer.get("ErrorCode") for answer in answers]
    assert codes == [None, "MalformedDetail", "InvalidArgument", "MalformedDetail"]


def test_objects_are_announced_in_the_shape_of_s3(cloud, queue, rule, unique):
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=unique)
    s3.put_bucket_versioning(Bucket=unique, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket=unique, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    rule(queue.arn, pattern={"source": ["aws.s3"], "detail": {"bucket": {"name": [unique]}}})
    version = s3.put_object(Bucket=unique, Key="a b/ü+.txt", Body=b"12345")["VersionId"]
    event = queue.document()
    assert (event["detail-type"], event["resources"]) == ("Object Created", [f"arn:aws:s3:::{unique}"])
    found = event["detail"]["object"]
    assert (found["key"], found["size"], found["version-id"]) == ("a b/ü+.txt", 5, version)
    assert found["etag"] == "827ccb0eea8a706c4c34a16891f84e7b"
    assert event["detail"]["reason"] == "PutObject"
    s3.put_object(Bucket=unique, Key="second", Body=b"")
    assert queue.document()["detail"]["object"]["sequencer"] > found["sequencer"]
    s3.delete_object(Bucket=unique, Key="second")
    gone = queue.document()
    assert (gone["detail-type"], gone["detail"]["deletion-type"]) == (
        "Object Deleted",
        "Delete Marker Created",
    )


@pytest.mark.parametrize(
    ("pattern", "detail", "verdict"),
    [
        ({"a": ["x", "y"]}, {"a": "y"}, True),
        ({"a": ["x"]}, {"a": ["z", "x"]}, True),
        ({"a": [True]}, {"a": 1}, False),
        ({"a": [None]}, {"a": None}, True),
        ({"a": [None]}, {}, False),
        ({"a": [{"prefix": "re"}]}, {"a": "release"}, True),
        ({"a": [{"prefix": {"equals-ignore-case": "RE"}}]}, {"a": "release"}, True),
        ({"a": [{"suffix": ".zip"}]}, {"a": "b.zip"}, True),
        ({"a": [{"anything-but": ["x", 1]}]}, {"a": "x"}, False),
        ({"a": [{"anything-but": ["x", 1]}]}, {"a": "y"}, True),
        ({"a": [{"anything-but": "x"}]}, {}, False),
        ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "xy"}, False),
        ({"a": [{"anything-but": {"wildcard": "*/x"}}]}, {"a": "y/x"}, False),
        ({"a": [{"exists": False}]}, {}, True),
        ({"a": {"b": [{"exists": False}]}}, {"a": {"c": 1}}, True),
        ({"a": {"b": [{"exists": True}]}}, {"a": {"b": None}}, True),
        ({"a": [{"numeric": [">", 1, "<=", 5]}]}, {"a": 5}, True),
        ({"a": [{"numeric": [">", 1, "<=", 5]}]}, {"a": 5.5}, False),
        ({"a": [{"numeric": [">", 0]}]}, {"a": True}, False),
        ({"a": [{"equals-ignore-case": "ALARM"}]}, {"a": "alarm"}, True),
        ({"a": [{"wildcard": "a/*/c*"}]}, {"a": "a/b/b/cd"}, True),
        ({"a": [{"wildcard": "a\\*c"}]}, {"a": "abc"}, False),
        ({"a": [{"cidr": "10.0.0.0/8"}]}, {"a": "10.1.2.3"}, True),
        ({"$or": [{"a": [1]}, {"b": {"c": [2]}}]}, {"b": {"c": 2}}, True),
        ({"$or": [{"a": [1]}, {"b": [2]}], "c": [3]}, {"a": 1, "c": 4}, False),
        ({"a": {"b": ["x"]}}, {"a": [{"b": "y"}, {"b": "x"}]}, True),
    ],
)
def test_content_filters(pattern, detail, verdict):
    assert list(patterns.check(pattern)) == []
    assert patterns.match({"detail": pattern}, {"detail": detail}) is verdict


@pytest.mark.parametrize(
    "pattern", [{"a": "x"}, {"a": []}, {"a": [{"regex": "x"}]}, {"a": [{"numeric": ["~", 1]}]}, {}]
)
def test_patterns_that_aws_refuses(pattern):
    assert list(patterns.check(pattern))


def test_put_rule_refuses_them_too(events, unique):
    with pytest.raises(events.exceptions.InvalidEventPatternException, match="regex"):
        events.put_rule(Name=unique, EventPattern='{"a": [{"regex": "x"}]}')


def test_a_missing_variable_is_empty():
    assert inputs.fill('{"a": "<x>", "b": <x>}', {}) == '{"a": "", "b": ""}'


AT = dt.datetime(2026, 2, 27, 23, 59, 30, tzinfo=dt.UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("cron(* * * * ? *)", "2026-02-28 00:00"),
        ("cron(0/15 8-10 * * ? *)", "2026-02-28 08:00"),
        ("cron(30 12 ? * MON-FRI *)", "2026-03-02 12:30"),
        ("cron(0 0 L * ? *)", "2026-02-28 00:00"),
        ("cron(0 9 LW * ? *)", "2026-03-31 09:00"),
        ("cron(0 9 1W * ? *)", "2026-03-02 09:00"),
        ("cron(0 9 ? * 6L *)", "2026-03-27 09:00"),
        ("cron(0 9 ? * TUE#2 *)", "2026-03-10 09:00"),
        ("cron(0 0 29 2 ? *)", "2028-02-29 00:00"),
        ("cron(5,10 0 1 JAN ? 2027-2028)", "2027-01-01 00:05"),
        ("at(2026-03-01T10:00:00)", "2026-03-01 10:00"),
    ],
)
def test_when_an_expression_is_due(expression, due):
    assert cron.next_due(expression, AT, AT).strftime("%Y-%m-%d %H:%M") == due


def test_rates_count_from_their_creation_and_zones_are_kept():
    created = AT - dt.timedelta(minutes=7)
    assert cron.next_due("rate(5 minutes)", AT, created) == created + dt.timedelta(minutes=10)
    local = cron.next_due("cron(0 12 * * ? *)", AT, AT, "Europe/Berlin")
    assert local.astimezone(dt.UTC).hour == 11
    assert cron.next_due("at(2020-01-01T00:00:00)", AT, AT) is None


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minutes)",
        "rate(0 minutes)",
        "cron(* * * * * *)",
        "cron(61 * * * ? *)",
        "cron(0 0 ? * XYZ *)",
        "daily",
    ],
)
def test_expressions_that_aws_refuses(expression):
    with pytest.raises(cron.ExpressionError):
        cron.read(expression)


def test_a_scheduled_rule_and_a_schedule_fire_when_they_are_due(cloud, events, queue, unique):
    scheduler = cloud.client("scheduler")
    arn = events.put_rule(Name=unique, ScheduleExpression="rate(1 hour)")["RuleArn"]
    events.put_targets(Rule=unique, Targets=[{"Id": "t", "Arn": queue.arn}])
    target = {"Arn": queue.arn, "RoleArn": ROLE, "Input": '{"from": "schedule"}'}
    window = {"Mode": "OFF"}
    scheduler.create_schedule(
        Name=unique, ScheduleExpression="rate(2 hours)", Target=target, FlexibleTimeWindow=window
    )
    clock = schedules.Clock()
    now = dt.datetime.now(tz=dt.UTC)
    clock.tick(now)
    clock.tick(now + dt.timedelta(minutes=61))
    event = queue.document()
    assert (event["detail-type"], event["resources"], event["detail"]) == ("Scheduled Event", [arn], {})
    events.disable_rule(Name=unique)
    clock.tick(now + dt.timedelta(minutes=121))
    assert queue.document() == {"from": "schedule"}
    clock.tick(now + dt.timedelta(minutes=122))
    assert queue.is_empty()
    scheduler.delete_schedule(Name=unique)


def test_schedules_are_checked_when_they_are_made(cloud, events, unique):
    scheduler = cloud.client("scheduler")
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "RoleArn": ROLE}
    with pytest.raises(ClientError, match="aws-sdk:sqs"):
        scheduler.create_schedule(
            Name=unique, ScheduleExpression="rate(1 hour)", Target=target, FlexibleTimeWindow={"Mode": "OFF"}
        )
    with pytest.raises(ClientError, match="does not agree"):
        events.put_rule(Name=unique, ScheduleExpression="rate(1 hours)")
