"""Alarms are evaluated as AWS's tables have it, change their state, and tell of it."""

from __future__ import annotations

import datetime as dt
import json
import time

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from tidegate.local import expressions, thresholds
from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.local.thresholds import Rule, judge

HERE = f"{REGION}:{ACCOUNT_ID}"
SHORT = {"ALARM": "A", "OK": "O", "INSUFFICIENT_DATA": "I", "present": "P"}

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
# The newest datapoint is on the right; the columns are missing, ignore, breaching, notBreaching.
THREE_OF_THREE = [
    ("0 - X - X", "OOOO"),
    ("0 - - - -", "OOOO"),
    ("- - - - -", "IPAO"),
    ("0 X X - X", "AAAA"),
    ("- - X - -", "APAO"),
]
TWO_OF_THREE = [
    ("0 - X - X", "AAAA"),
    ("0 0 X 0 X", "AAAA"),
    ("0 - X - -", "OOAO"),
    ("- - - - 0", "OOAO"),
    ("- - - X -", "APAO"),
]


@pytest.mark.parametrize(
    ("points", "expected", "needed"),
    [(*row, 3) for row in THREE_OF_THREE] + [(*row, 2) for row in TWO_OF_THREE],
)
def test_missing_data_as_in_the_tables_of_aws(points, expected, needed):
    values = [{"X": 10.0, "0": 0.0, "-": None}[point] for point in reversed(points.split())]
    found = ""
    for treatment in ("missing", "ignore", "breaching", "notBreaching"):
        rule = Rule("GreaterThanThreshold", 5, 3, needed, treatment)
        found += SHORT[judge(rule, values, "present").state]
    assert found == expected


def test_the_reason_is_worded_as_aws_does():
    rule = Rule("GreaterThanThreshold", 50, 1, 1, "missing")
    assert judge(rule, [99.5], "OK").reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [99.5] was greater than the threshold (50.0) "
        "(minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert "was not greater than" in judge(rule, [1.0], "ALARM").reason
    assert judge(rule, [None], "OK").reason == "Insufficient Data: 1 datapoint was unknown."
    quiet = Rule("GreaterThanThreshold", 50, 2, 2, "notBreaching")
    assert "2 missing datapoints were treated as [NonBreaching]" in judge(quiet, [None], "ALARM").reason


@given(st.lists(st.one_of(st.none(), st.integers(0, 9).map(float)), max_size=8), st.integers(1, 4))
def test_all_breaching_alarms_and_none_breaching_does_not(points, periods):
    for treatment in thresholds.TREATMENTS:
        rule = Rule("GreaterThanOrEqualToThreshold", 5, periods, periods, treatment)
        used = [point for point in points if point is not None][:periods]
        state = judge(rule, points, "OK").state
        if len(used) == periods and all(point >= 5 for point in used):
            assert state == "ALARM"
        if used and all(point < 5 for point in used):
            assert state == "OK"


SERIES = {"a": {0: 6.0, 1: 8.0, 2: 1.0}, "b": {0: 2.0, 1: 0.0}}


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("a / b", {0: 3.0}),
        ("100 * (a - b) / 2", {0: 200.0, 1: 400.0}),
        ("-a", {0: -6.0, 1: -8.0, 2: -1.0}),
        ("a ^ 2", {0: 36.0, 1: 64.0, 2: 1.0}),
        ("MAX([a, b])", {0: 6.0, 1: 8.0, 2: 1.0}),
        ("MIN([a, b, 5])", {0: 2.0, 1: 0.0, 2: 1.0}),
        ("SUM([a, b])", {0: 8.0, 1: 8.0, 2: 1.0}),
        ("AVG([a, b])", {0: 4.0, 1: 4.0, 2: 1.0}),
        ("MAX(a)", {0: 8.0, 1: 8.0, 2: 8.0}),
        ("IF(a > 5, a, 0)", {0: 6.0, 1: 8.0, 2: 0.0}),
        ("IF(a > 5 AND b == 0, 1, 0)", {0: 0.0, 1: 1.0}),
        ("IF(a > 5 && b == 0 || a < 7, 1, 0)", {0: 1.0, 1: 1.0}),
        ("FILL(b, 0) + a", {0: 8.0, 1: 8.0, 2: 1.0}),
        ("FILL(b, REPEAT)", {0: 2.0, 1: 0.0}),
        ("a + FILL(b, REPEAT)", {0: 8.0, 1: 8.0, 2: 1.0}),
        ("ABS(a - 7)", {0: 1.0, 1: 1.0, 2: 6.0}),
    ],
)
def test_metric_math(expression, values):
    assert expressions.read(expression).over(SERIES) == values


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("RATE(a)", "RATE"),
        ("SEARCH('x', 'Sum')", "SEARCH"),
        ("a if b else a", "a if b else a"),
        ("a.__class__", "a.__class__"),
        ("IF(a, b)", "IF takes 3"),
        ("a +", "not valid"),
        ("[a]", "[a]"),
        ("FILL(a + b, 0)", "FILL"),
    ],
)
def test_what_is_not_supported_is_named(expression, named):
    with pytest.raises(expressions.FormulaError) as error:
        expressions.read(expression)
    assert named in str(error.value)


@pytest.fixture
def watch(cloud):
    return cloud.client("cloudwatch")


@pytest.fixture
def alarm(watch, unique):
    def put(**more):
        given = {
            "AlarmName": unique,
            "Namespace": unique,
            "MetricName": "Errors",
            "Statistic": "Sum",
            "Period": 1,
            "EvaluationPeriods": 1,
            "Threshold": 2,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }
        given.update(more)
        watch.put_metric_alarm(**{key: value for key, value in given.items() if value is not None})

    yield put
    watch.delete_alarms(AlarmNames=[unique])


def until(watch, name, state, seconds=6.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = watch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        if found["StateValue"] == state:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{name} is {found['StateValue']}: {found['StateReason']}")


def put(watch, namespace, value, name="Errors", **more):
    datum = {"MetricName": name, "Value": value, "Timestamp": dt.datetime.now(tz=dt.UTC), **more}
    watch.put_metric_data(Namespace=namespace, MetricData=[datum])


def receive(sqs, url, seconds=6):
    found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=seconds)["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=found["ReceiptHandle"])
    return json.loads(found["Body"])


def test_an_alarm_goes_off_tells_of_it_and_recovers(cloud, watch, alarm, unique):
    sqs, sns, events = cloud.client("sqs"), cloud.client("sns"), cloud.client("events")
    urls = [sqs.create_queue(QueueName=f"{unique}-{use}")["QueueUrl"] for use in ("bus", "topic")]
    topic = sns.create_topic(Name=unique)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{HERE}:{unique}-topic")
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [unique]}}
    events.put_rule(Name=unique, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=unique, Targets=[{"Id": "t", "Arn": f"arn:aws:sqs:{HERE}:{unique}-bus"}])
    alarm(AlarmActions=[topic], AlarmDescription="too many", Dimensions=[{"Name": "F", "Value": "f"}])
    first = receive(sqs, urls[0])["detail"]
    assert (first["previousState"]["value"], first["state"]["value"]) == ("INSUFFICIENT_DATA", "OK")
    put(watch, unique, 3.0, Dimensions=[{"Name": "F", "Value": "f"}])
    put(watch, unique, 9.0, Dimensions=[{"Name": "F", "Value": "other"}])
    event = receive(sqs, urls[0])
    detail = event["detail"]
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["resources"] == [f"arn:aws:cloudwatch:{HERE}:alarm:{unique}"]
    assert (detail["state"]["value"], detail["previousState"]["value"]) == ("ALARM", "OK")
    assert json.loads(detail["state"]["reasonData"])["recentDatapoints"] == [3.0]
    assert detail["configuration"]["description"] == "too many"
    metric = detail["configuration"]["metrics"][0]
    assert metric["metricStat"]["metric"] == {"namespace": unique, "name": "Errors", "dimensions": {"F": "f"}}
    assert (metric["metricStat"]["stat"], metric["returnData"]) == ("Sum", True)
    notice = json.loads(receive(sqs, urls[1])["Message"])
    assert (notice["AlarmName"], notice["NewStateValue"], notice["OldStateValue"]) == (unique, "ALARM", "OK")
    assert receive(sqs, urls[0])["detail"]["state"]["value"] == "OK"
    history = watch.describe_alarm_history(AlarmName=unique)["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in history][:2] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from OK to ALARM",
    ]
    events.remove_targets(Rule=unique, Ids=["t"])
    events.delete_rule(Name=unique)


def query(namespace, name):
    metric = {"Namespace": namespace, "MetricName": name}
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    return {"Id": name.lower(), "ReturnData": False, "MetricStat": stat}


def test_an_alarm_on_a_ratio_needs_m_of_n(watch, alarm, unique):
    ratio = {"Id": "ratio", "Expression": "100 * errors / MAX([invocations, 1])", "ReturnData": True}
    alarm(
        Namespace=None,
        MetricName=None,
        Statistic=None,
        Period=None,
        Metrics=[query(unique, "Errors"), query(unique, "Invocations"), ratio],
        EvaluationPeriods=3,
        DatapointsToAlarm=2,
        Threshold=10,
    )
    now = dt.datetime.now(tz=dt.UTC)
    for back in (1, 3):
        moment = now - dt.timedelta(minutes=back)
        put(watch, unique, 10.0, "Invocations", Timestamp=moment)
        put(watch, unique, 2.0 if back == 1 else 0.0, "Errors", Timestamp=moment)
    assert until(watch, unique, "OK")
    put(watch, unique, 10.0, "Invocations", Timestamp=now - dt.timedelta(minutes=2))
    put(watch, unique, 5.0, "Errors", Timestamp=now - dt.timedelta(minutes=2))
    found = until(watch, unique, "ALARM")
    assert sorted(json.loads(found["StateReasonData"])["recentDatapoints"]) == [0.0, 20.0, 50.0]


def test_a_percentile_alarm(watch, alarm, unique):
    alarm(Statistic=None, ExtendedStatistic="p99", Period=60, Threshold=100, MetricName="Duration")
    for value in (50.0, 60.0, 400.0):
        put(watch, unique, value, "Duration")
    assert until(watch, unique, "ALARM")["StateReasonData"]


def test_set_alarm_state_tells_of_it_and_an_update_keeps_the_state(watch, alarm, unique):
    alarm(TreatMissingData="ignore")
    watch.set_alarm_state(AlarmName=unique, StateValue="ALARM", StateReason="by hand")
    alarm(TreatMissingData="ignore", Threshold=5)
    found = until(watch, unique, "ALARM")
    assert (found["StateReason"], found["Threshold"]) == ("by hand", 5)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "ec2:stop"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"ComparisonOperator": "LessThanLowerThreshold"}, "LessThanLowerThreshold"),
        (
            {
                "Namespace": None,
                "MetricName": None,
                "Statistic": None,
                "Period": None,
                "Metrics": [
                    {
                        "Id": "m",
                        "ReturnData": False,
                        "MetricStat": {
                            "Metric": {"Namespace": "n", "MetricName": "m"},
                            "Period": 60,
                            "Stat": "Sum",
                        },
                    },
                    {"Id": "e", "Expression": "ANOMALY_DETECTION_BAND(m)", "ReturnData": True},
                ],
            },
            "ANOMALY_DETECTION_BAND",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused_by_name(watch, alarm, unique, more, named):
    with pytest.raises(ClientError, match=named):
        alarm(**more)
    assert watch.describe_alarms(AlarmNames=[unique])["MetricAlarms"] == []


def test_composite_alarms_are_refused_by_name(watch, unique):
    with pytest.raises(ClientError, match=unique):
        watch.put_composite_alarm(AlarmName=unique, AlarmRule="ALARM(x)")


def test_get_metric_data_computes_expressions(watch, unique):
    now = dt.datetime.now(tz=dt.UTC).replace(second=0, microsecond=0)
    for back, errors in ((3, 1.0), (2, 4.0)):
        moment = now - dt.timedelta(minutes=back)
        put(watch, unique, errors, Timestamp=moment)
        put(watch, unique, 10.0, "Invocations", Timestamp=moment)

    def ask(order, expression="errors / invocations"):
        queries = [
            query(unique, "Errors"),
            query(unique, "Invocations"),
            {"Id": "rate", "Expression": expression},
        ]
        return watch.get_metric_data(
            MetricDataQueries=queries, StartTime=now - dt.timedelta(minutes=9), EndTime=now, ScanBy=order
        )["MetricDataResults"]

    assert [(found["Id"], found["Values"]) for found in ask("TimestampAscending")] == [("rate", [0.1, 0.4])]
    assert ask("TimestampDescending")[0]["Values"] == [0.4, 0.1]
    with pytest.raises(ClientError, match="RATE"):
        ask("TimestampAscending", "RATE(errors)")
