"""Functions run as on AWS: invocation, environment, failures, versions, aliases, concurrency and tenants."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import time
import urllib.request
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tidegate.local import functions

ROLE = "arn:aws:iam::123456789012:role/runner"
CODE = """
import json, os, sys, time, logging

COUNT = 0
BOOT = time.time()

def handler(event, context):
    global COUNT
    COUNT += 1
    do = event.get("do")
    if do == "fail":
        raise ValueError("no luck")
    if do == "sleep":
        time.sleep(event["seconds"])
    if do == "exit":
        os._exit(3)
    if do == "say":
        print(event["text"])
        logging.getLogger().error("logged\\nin two lines")
    if do == "large":
        return "x" * 7_000_000
    return {"count": COUNT, "pid": os.getpid(), "tenant": context.tenant_id,
            "mark": os.environ.get("MARK"), "arn": context.invoked_function_arn}

def environment(event, context):
    return {"environ": dict(os.environ), "path": sys.path, "cwd": os.getcwd(),
            "left": context.get_remaining_time_in_millis()}
"""


def archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, text in files.items():
            bundle.writestr(name.replace("__", "/") + ".py", text)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def api(cloud):
    cloud.client("iam").create_role(RoleName="runner", AssumeRolePolicyDocument="{}")
    return cloud.client("lambda")


@pytest.fixture
def name(request):
    return re.sub(r"[^\w-]", "-", request.node.name)[:60]


@pytest.fixture
def make(api, name):
    def create(code: str = CODE, **options):
        parameters = {"Runtime": "python3.12", "Role": ROLE, "Handler": "index.handler", **options}
        return api.create_function(FunctionName=name, Code={"ZipFile": archive(index=code)}, **parameters)

    yield create
    api.delete_function(FunctionName=name)


def call(api, name, event=None, **options):
    answer = api.invoke(FunctionName=name, Payload=json.dumps(event or {}), **options)
    return json.loads(answer["Payload"].read() or "null"), answer


def code_of(error) -> str:
    return error.value.response["Error"]["Code"]


def metric(cloud, name, metric_name, stat="Sum", **dimensions):
    now = datetime.now(UTC)
    wanted = [{"Name": key, "Value": value} for key, value in {"FunctionName": name, **dimensions}.items()]
    query = {
        "Id": "q",
        "MetricStat": {
            "Metric": {"Namespace": "AWS/Lambda", "MetricName": metric_name, "Dimensions": wanted},
            "Period": 3600,
            "Stat": stat,
        },
    }
    answer = cloud.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=now - timedelta(minutes=5), EndTime=now + timedelta(minutes=1)
    )
    return answer["MetricDataResults"][0]["Values"]


def messages(cloud, name, group=None):
    events = cloud.client("logs").filter_log_events(logGroupName=group or f"/aws/lambda/{name}")["events"]
    return [event["message"] for event in events]


def test_a_sandbox_is_reused_and_keeps_its_state(make, api, name):
    make()
    first, answer = call(api, name)
    second, _ = call(api, name)
    assert (first["count"], second["count"]) == (1, 2)
    assert first["pid"] == second["pid"]
    assert answer["ExecutedVersion"] == "$LATEST"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"].count("-") == 4


def test_the_environment_is_lambdas_and_nothing_else(cloud, make, api, name, monkeypatch):
    monkeypatch.setenv("OUR_OWN", "secret")
    make(Handler="index.environment", Timeout=7, MemorySize=256, Environment={"Variables": {"MARK": "1"}})
    seen, _ = call(api, name)
    environ = seen["environ"]
    assert "OUR_OWN" not in environ
    assert environ["MARK"] == "1"
    assert environ["AWS_ENDPOINT_URL"] == cloud.endpoint_url
    assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environ["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.12"
    assert environ["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{name}"
    assert environ["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert seen["cwd"] == environ["LAMBDA_TASK_ROOT"]
    assert not [entry for entry in seen["path"] if "site-packages" in entry and "/opt/" not in entry]
    assert 5000 < seen["left"] <= 7000


@pytest.mark.parametrize(
    ("module", "handler", "error_type"),
    [
        ("import pydantic", "index.handler", "Runtime.ImportModuleError"),
        ("x = 1", "index.handler", "Runtime.HandlerNotFound"),
        ("raise RuntimeError('boot')", "index.handler", "RuntimeError"),
        ("import os; os._exit(1)", "index.handler", "Runtime.ExitError"),
        ("def handler(:", "index.handler", "Runtime.UserCodeSyntaxError"),
    ],
)
def test_a_function_that_cannot_start_says_why(make, api, name, module, handler, error_type):
    make(module, Handler=handler)
    body, answer = call(api, name)
    assert answer["FunctionError"] == "Unhandled"
    assert body["errorType"] == error_type


def test_failures_answer_as_lambda_does(make, api, name):
    make(Timeout=1)
    body, answer = call(api, name, {"do": "fail"})
    assert (answer["FunctionError"], body["errorType"], body["errorMessage"]) == (
        "Unhandled",
        "ValueError",
        "no luck",
    )
    assert body["stackTrace"]
    body, _ = call(api, name, {"do": "exit"})
    assert body["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in body["errorMessage"]
    body, _ = call(api, name, {"do": "sleep", "seconds": 5})
    assert body["errorType"] == "Sandbox.Timedout"
    assert body["errorMessage"].endswith("Task timed out after 1.00 seconds")
    body, _ = call(api, name, {"do": "large"})
    assert body["errorType"] == "Function.ResponseSizeTooLarge"
    assert call(api, name)[0]["count"] == 2


def test_what_is_refused_before_it_runs(make, api, name):
    make()
    with pytest.raises(ClientError) as error:
        api.invoke(FunctionName=name, Payload=b"{no json")
    assert code_of(error) == "InvalidRequestContentException"
    with pytest.raises(ClientError) as error:
        api.invoke(FunctionName=name, Payload=b'"' + b"x" * 6_300_000 + b'"')
    assert code_of(error) == "RequestTooLargeException"
    with pytest.raises(ClientError) as error:
        api.invoke(FunctionName=f"{name}:9")
    assert code_of(error) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as error:
        api.invoke(FunctionName=name, TenantId="somebody")
    assert code_of(error) == "InvalidParameterValueException"
    assert api.invoke(FunctionName=name, InvocationType="DryRun")["StatusCode"] == 204


def test_runtimes_that_cannot_run_are_named(make, api, name):
    make(Runtime="ruby3.4")
    with pytest.raises(ClientError, match=r"ruby3\.4"):
        api.invoke(FunctionName=name)


def test_layers_lie_under_the_import_path(make, api, name):
    layer = api.publish_layer_version(
        LayerName="shared", Content={"ZipFile": archive(python__shared="WORD = 'layer'")}
    )
    make("import shared\ndef handler(e, c): return shared.WORD", Layers=[layer["LayerVersionArn"]])
    assert call(api, name)[0] == "layer"


def test_logs_have_a_stream_per_sandbox_with_lambdas_lines(cloud, make, api, name):
    make()
    _, answer = call(api, name, {"do": "say", "text": "spoken"}, LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert tail.startswith("START RequestId: ")
    assert tail.rstrip().split("\t")[0].startswith("spoken") or "REPORT RequestId: " in tail
    lines = messages(cloud, name)
    assert lines[1].startswith("START RequestId: ")
    assert "spoken\n" in lines
    assert any("logged\nin two lines" in line for line in lines)
    assert "Init Duration: " in lines[-1]
    stream = cloud.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"][0]
    assert stream["logStreamName"].startswith(datetime.now(UTC).strftime("%Y/%m/%d/[$LATEST]"))


def test_json_logs_have_platform_records(cloud, make, api, name):
    make(LoggingConfig={"LogFormat": "JSON", "LogGroup": "shared-group"})
    call(api, name, {"do": "say", "text": "plain"})
    records = [json.loads(line) for line in messages(cloud, name, "shared-group") if line.startswith("{")]
    kinds = [record["type"] for record in records if "type" in record]
    assert kinds == ["platform.initStart", "platform.start", "platform.report"]
    assert [record["message"] for record in records if record.get("level") == "ERROR"] == [
        "logged\nin two lines"
    ]
    assert "initDurationMs" in records[-1]["record"]["metrics"]


def test_versions_are_fixed_and_numbered_once(make, api, name):
    make(Environment={"Variables": {"MARK": "1"}})
    first = api.publish_version(FunctionName=name)
    assert api.publish_version(FunctionName=name)["Version"] == first["Version"] == "1"
    api.update_function_configuration(FunctionName=name, Environment={"Variables": {"MARK": "2"}})
    second = api.publish_version(FunctionName=name, Description="second")
    assert second["Version"] == "2"
    assert first["RevisionId"] != second["RevisionId"]
    assert [call(api, name, Qualifier=version)[0]["mark"] for version in ("1", "2")] == ["1", "2"]
    api.delete_function(FunctionName=name, Qualifier="2")
    assert api.publish_version(FunctionName=name)["Version"] == "3"
    listed = api.list_versions_by_function(FunctionName=name, MaxItems=2)
    assert [version["Version"] for version in listed["Versions"]] == ["$LATEST", "1"]
    assert (
        api.list_versions_by_function(FunctionName=name, Marker=listed["NextMarker"])["Versions"][0][
            "Version"
        ]
        == "3"
    )


def test_guards_of_publish_and_update(make, api, name):
    made = make()
    for call_it in (
        lambda: api.publish_version(FunctionName=name, RevisionId="other"),
        lambda: api.update_function_configuration(FunctionName=name, Timeout=9, RevisionId="other"),
        lambda: api.update_function_code(FunctionName=name, ZipFile=archive(index="x=1"), RevisionId="other"),
    ):
        with pytest.raises(ClientError) as error:
            call_it()
        assert code_of(error) == "PreconditionFailedException"
    with pytest.raises(ClientError) as error:
        api.publish_version(FunctionName=name, CodeSha256="other")
    assert code_of(error) == "InvalidParameterValueException"
    assert api.publish_version(
        FunctionName=name, CodeSha256=made["CodeSha256"], RevisionId=made["RevisionId"]
    )
    assert api.get_function_configuration(FunctionName=name)["RevisionId"] != made["RevisionId"]
    with pytest.raises(ClientError, match="AWS_REGION"):
        api.update_function_configuration(
            FunctionName=name, Environment={"Variables": {"AWS_REGION": "mars"}}
        )


def test_new_code_of_latest_ends_its_sandboxes(make, api, name):
    make()
    before, _ = call(api, name)
    api.update_function_code(FunctionName=name, ZipFile=archive(index=CODE + "\n# changed"))
    after, _ = call(api, name)
    assert before["pid"] != after["pid"]


def two_versions(api, name, make):
    make(Environment={"Variables": {"MARK": "1"}})
    api.publish_version(FunctionName=name)
    api.update_function_configuration(FunctionName=name, Environment={"Variables": {"MARK": "2"}})
    api.publish_version(FunctionName=name)


def test_an_alias_splits_requests_by_weight_and_metrics_tell_versions_apart(cloud, make, api, name):
    two_versions(api, name, make)
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    api.create_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights)
    served = Counter(call(api, f"{name}:live")[1]["ExecutedVersion"] for _ in range(40))
    assert set(served) == {"1", "2"}
    resource = f"{name}:live"
    for version, count in served.items():
        assert metric(cloud, name, "Invocations", Resource=resource, ExecutedVersion=version) == [count]
    assert metric(cloud, name, "Invocations", Resource=resource) == [40]
    assert metric(cloud, name, "Invocations") == [40]
    assert metric(cloud, name, "Errors", Resource=resource) == [0]
    assert metric(cloud, name, "Duration", "SampleCount", Resource=resource) == [40]
    assert 0 < metric(cloud, name, "Duration", "p99", Resource=resource)[0] < 5000
    partial = f"123456789012:function:{name}:live"
    assert call(api, partial)[0]["arn"] == f"arn:aws:lambda:us-east-1:123456789012:function:{name}:live"


def test_update_alias_is_guarded_and_all_or_nothing(make, api, name):
    two_versions(api, name, make)
    alias = api.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    canary = api.update_alias(
        FunctionName=name, Name="live", RevisionId=alias["RevisionId"],
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
    )  # fmt: skip
    assert canary["RevisionId"] != alias["RevisionId"]
    refused = [
        ({"RevisionId": alias["RevisionId"], "FunctionVersion": "2"}, "PreconditionFailedException"),
        ({"FunctionVersion": "2"}, "InvalidParameterValueException"),
        ({"FunctionVersion": "7"}, "ResourceNotFoundException"),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}}, "InvalidParameterValueException"),
        (
            {"RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1, "1": 0.1}}},
            "InvalidParameterValueException",
        ),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"9": 0.1}}}, "ResourceNotFoundException"),
        ({"RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}}, "ValidationException"),
        ({"FunctionVersion": "$LATEST"}, "InvalidParameterValueException"),
    ]
    for change, code in refused:
        with pytest.raises(ClientError) as error:
            api.update_alias(FunctionName=name, Name="live", **change)
        assert code_of(error) == code, change
    assert api.get_alias(FunctionName=name, Name="live")["RevisionId"] == canary["RevisionId"]
    promoted = api.update_alias(
        FunctionName=name, Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {}}
    )
    assert (promoted["FunctionVersion"], promoted.get("RoutingConfig")) == ("2", None)
    with pytest.raises(ClientError) as error:
        api.delete_function(FunctionName=name, Qualifier="2")
    assert code_of(error) == "ResourceConflictException"


def test_parallel_invocations_get_parallel_sandboxes_up_to_the_reservation(cloud, make, api, name):
    make(Timeout=10)
    with ThreadPoolExecutor(3) as pool:
        pids = {
            body["pid"]
            for body, _ in pool.map(lambda _: call(api, name, {"do": "sleep", "seconds": 0.6}), range(3))
        }
    assert len(pids) == 3
    api.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(call, api, name, {"do": "sleep", "seconds": 0.6})
        wait_for(lambda: functions.compute().pool._busy)
        with pytest.raises(ClientError) as error:
            call(api, name)
        busy.result()
    assert code_of(error) == "TooManyRequestsException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert metric(cloud, name, "Throttles") == [1]
    assert metric(cloud, name, "ConcurrentExecutions", "Maximum") == [3]


def test_tenants_never_share_a_sandbox(make, api, name):
    make(TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    with pytest.raises(ClientError) as error:
        call(api, name)
    assert code_of(error) == "InvalidParameterValueException"
    one, two, again = (call(api, name, TenantId=tenant)[0] for tenant in ("one", "two", "one"))
    assert one["pid"] == again["pid"] != two["pid"]
    assert (one["tenant"], two["tenant"]) == ("one", "two")


def wait_for(condition):
    limit = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < limit, "not in time"
        time.sleep(0.05)
    return found


def test_two_who_publish_at_once_get_one_version(make, api, name):
    make()
    with ThreadPoolExecutor(4) as pool:
        numbers = set(pool.map(lambda _: api.publish_version(FunctionName=name)["Version"], range(8)))
    assert numbers == {"1"}


def test_event_configurations_are_kept_per_qualifier(make, api, name):
    make()
    api.publish_version(FunctionName=name)
    api.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=2)
    api.put_function_event_invoke_config(FunctionName=name, Qualifier="1", MaximumRetryAttempts=0)
    updated = api.update_function_event_invoke_config(FunctionName=name, MaximumEventAgeInSeconds=60)
    assert (updated["MaximumRetryAttempts"], updated["MaximumEventAgeInSeconds"]) == (2, 60)
    assert api.get_function_event_invoke_config(FunctionName=f"{name}:1")["MaximumRetryAttempts"] == 0
    assert len(api.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]) == 2
    api.delete_function_event_invoke_config(FunctionName=name)
    with pytest.raises(ClientError) as error:
        api.get_function_event_invoke_config(FunctionName=name)
    assert code_of(error) == "ResourceNotFoundException"


def test_events_are_retried_and_then_handed_on(cloud, make, api, name):
    sqs = cloud.client("sqs")
    queues = {
        kind: sqs.create_queue(QueueName=f"{name[:40]}-{kind}")["QueueUrl"] for kind in ("dead", "failed")
    }
    arns = {kind: f"arn:aws:sqs:us-east-1:123456789012:{name[:40]}-{kind}" for kind in queues}
    make(DeadLetterConfig={"TargetArn": arns["dead"]})
    api.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": arns["failed"]}},
    )
    answer = api.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"do": "fail"}')
    assert answer["StatusCode"] == 202
    dead = wait_for(
        lambda: sqs.receive_message(QueueUrl=queues["dead"], MessageAttributeNames=["All"]).get("Messages")
    )
    failed = wait_for(lambda: sqs.receive_message(QueueUrl=queues["failed"]).get("Messages"))
    assert json.loads(dead[0]["Body"]) == {"do": "fail"}
    assert dead[0]["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no luck"
    record = json.loads(failed[0]["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responsePayload"]["errorType"] == "ValueError"
    assert metric(cloud, name, "Errors") == [2]
    assert metric(cloud, name, "AsyncEventsDropped") == [1]


def test_topics_and_buckets_leave_events_with_functions(cloud, make, name):
    arn = make("import json\ndef handler(e, c): print('GOT', json.dumps(e))")["FunctionArn"]
    sns, s3 = cloud.client("sns"), cloud.client("s3")
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="hello")
    s3.create_bucket(Bucket="notified")
    configuration = {
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]
    }
    s3.put_bucket_notification_configuration(Bucket="notified", NotificationConfiguration=configuration)
    s3.put_object(Bucket="notified", Key="a/b", Body=b"1")

    def events():
        found = [json.loads(line[4:]) for line in messages(cloud, name) if line.startswith("GOT ")]
        return len(found) == 2 and [event["Records"][0] for event in found]

    wait_for(lambda: f"/aws/lambda/{name}" in str(cloud.client("logs").describe_log_groups()))
    records = wait_for(events)
    assert {record.get("EventSource") or record["eventSource"] for record in records} == {"aws:sns", "aws:s3"}


def test_what_runs_can_be_described_and_downloaded(make, api, name):
    made = make()
    api.publish_version(FunctionName=name)
    api.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    described = api.get_function(FunctionName=name, Qualifier="live")
    with urllib.request.urlopen(described["Code"]["Location"]) as answer:  # noqa: S310
        archived = answer.read()
    assert base64.b64encode(hashlib.sha256(archived).digest()).decode() == made["CodeSha256"]
    assert described["Configuration"]["FunctionArn"].endswith(f":{name}:live")
    assert described["Configuration"]["Version"] == "1"
    listed = api.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
    assert name in [function["FunctionName"] for page in listed for function in page["Functions"]]


def test_other_extensions_invoke_without_http(make, name):
    arn = make()["FunctionArn"]
    answer = functions.invoke(arn, b"{}")
    assert (json.loads(answer.payload)["count"], answer.executed_version) == (1, "$LATEST")
    assert functions.invoke(name, b"{}", invocation_type="Event").request_id


def test_absent_actions_are_named(make, api, name):
    make()
    with pytest.raises(ClientError, match="does not have the Lambda action PutFunctionRecursionConfig"):
        api.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")


def test_idle_sandboxes_end_and_few_are_kept(make, api, name, monkeypatch):
    make()
    pool = functions.compute().pool
    monkeypatch.setattr(pool, "cap", 2)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: call(api, name, {"do": "sleep", "seconds": 0.3}), range(3)))
    call(api, name)
    monkeypatch.setattr(pool, "idle_seconds", 0.0)
    wait_for(lambda: len(pool) == 0)
