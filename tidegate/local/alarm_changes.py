"""An alarm's change of state: kept with its history, announced as an event, and its actions run.

Whether the state changes is decided in `alarms`, or by SetAlarmState.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import uuid
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tidegate.local import targets

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud
    from tidegate.local.thresholds import Verdict

Json: TypeAlias = dict[str, Any]
Alarm: TypeAlias = Any
Backend: TypeAlias = Any
STATE_CHANGE: Final = "CloudWatch Alarm State Change"
NAMES: Final = uuid.UUID("3a6c9d52-0d2f-4f0e-9f0e-0d7f4b0f4f11")


def is_supported(action: str) -> bool:
    """Whether the local cloud can run an action: topics and functions."""
    return targets.find_kind(action) in {"sns", "lambda"}


def change(backend: Backend, alarm: Alarm, state: str, reason: str, data: str) -> None:
    """Give the alarm a state; the state that it has already is kept, but not announced or acted upon."""
    before = describe_state(alarm)
    alarm.update_state(reason, data, state)
    if before["value"] == state:
        return
    detail = {
        "alarmName": alarm.name,
        "state": describe_state(alarm),
        "previousState": before,
        "configuration": {"description": alarm.description, "metrics": describe_metrics(alarm)},
    }
    if not alarm.description:
        del detail["configuration"]["description"]
    _emit(backend, alarm, detail)
    _act(backend, alarm, detail)


def _emit(backend: Backend, alarm: Alarm, detail: Json) -> None:
    from tidegate.local.events import emit

    emit(
        source="aws.cloudwatch",
        detail_type=STATE_CHANGE,
        detail=detail,
        resources=[alarm.alarm_arn],
        account=backend.account_id,
        region=backend.region_name,
    )


def _act(backend: Backend, alarm: Alarm, detail: Json) -> None:
    """Run the state's actions, each on its own; delivery is asynchronous and retried."""
    from tidegate.local.deliveries import Delivery, send

    lists = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}
    actions = lists.get(alarm.state_value, alarm.insufficient_data_actions) if alarm.actions_enabled else []
    for action in actions:
        by_topic = targets.find_kind(action) == "sns"
        document = (
            describe_notice(backend, alarm, detail) if by_topic else describe_call(backend, alarm, detail)
        )
        token = str(uuid.uuid4())
        send(Delivery({"Arn": action}, json.dumps(document), token, {"id": token}, alarm.alarm_arn))


def describe_state(alarm: Alarm) -> Json:
    """`state` and `previousState` of the event."""
    found = {
        "value": alarm.state_value,
        "reason": alarm.state_reason,
        "timestamp": _stamp(alarm.state_updated_timestamp),
    }
    return (
        {**found, "reasonData": alarm.state_reason_data}
        if alarm.state_reason_data not in {None, "{}"}
        else found
    )


def _stamp(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def describe_metrics(alarm: Alarm) -> list[Json]:
    """`configuration.metrics` of the event."""
    if alarm.metric_data_queries:
        return [_describe_query(query, len(alarm.metric_data_queries)) for query in alarm.metric_data_queries]
    return [
        {
            "id": str(uuid.uuid5(NAMES, alarm.alarm_arn)),
            "metricStat": {
                "metric": _describe_metric(alarm.namespace, alarm.metric_name, alarm.dimensions),
                "period": int(alarm.period),
                "stat": alarm.extended_statistic or alarm.statistic,
            },
            "returnData": True,
        }
    ]


def _describe_query(query: Any, count: int) -> Json:  # noqa: ANN401
    from tidegate.local.alarms import is_returned

    found: Json = {"id": query.id, "returnData": is_returned(query, alone=count == 1)}
    if query.label:
        found["label"] = query.label
    if query.expression:
        return {"expression": query.expression, **found}
    stat = query.metric_stat
    metric = _describe_metric(stat.metric.namespace, stat.metric.metric_name, stat.metric.dimensions)
    return {**found, "metricStat": {"metric": metric, "period": int(stat.period), "stat": stat.stat}}


def _describe_metric(namespace: str, name: str, dimensions: list[Any]) -> Json:
    return {
        "namespace": namespace,
        "name": name,
        "dimensions": {found.name: found.value for found in dimensions},
    }


def reason_data(alarm: Alarm, verdict: Verdict, period: int, now: float) -> str:
    """StateReasonData as AWS writes it."""
    found = {
        "version": "1.0",
        "queryDate": _stamp(dt.datetime.fromtimestamp(now, dt.UTC)),
        "statistic": alarm.extended_statistic or alarm.statistic,
        "period": period,
        "recentDatapoints": list(verdict.used),
        "threshold": float(alarm.threshold),
    }
    return json.dumps({key: value for key, value in found.items() if value is not None})


def describe_notice(backend: Backend, alarm: Alarm, detail: Json) -> Json:
    """The message that a topic receives."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": backend.account_id,
        "AlarmConfigurationUpdatedTimestamp": _stamp(alarm.configuration_updated_timestamp),
        "NewStateValue": detail["state"]["value"],
        "NewStateReason": detail["state"]["reason"],
        "StateChangeTime": detail["state"]["timestamp"],
        "Region": backend.region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": detail["previousState"]["value"],
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": {
            "Metrics": detail["configuration"]["metrics"],
            "EvaluationPeriods": alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data or "missing",
        },
    }


def describe_call(backend: Backend, alarm: Alarm, detail: Json) -> Json:
    """The event that a function receives as an alarm's action."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.alarm_arn,
        "accountId": backend.account_id,
        "time": detail["state"]["timestamp"],
        "region": backend.region_name,
        "alarmData": detail,
    }


def describe_history(alarm: Alarm) -> list[Json]:
    """The items of DescribeAlarmHistory, the newest first."""
    states = [(value, stamp) for _, _, _, value, stamp in alarm.history]
    states.append((alarm.state_value, alarm.state_updated_timestamp))
    items = [
        {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm",
            "Timestamp": stamp,
            "HistoryItemType": "StateUpdate",
            "HistorySummary": f"Alarm updated from {before} to {value}",
        }
        for (before, _), (value, stamp) in itertools.pairwise(states)
    ]
    return items[::-1]


def install(cloud: LocalCloud) -> None:
    """Let SetAlarmState tell of its change, and answer DescribeAlarmHistory."""
    from moto.cloudwatch.models import CloudWatchBackend
    from moto.cloudwatch.responses import CloudWatchResponse
    from moto.core.responses import ActionResult

    from tidegate.local.alarms import LOCK

    original = CloudWatchBackend.set_alarm_state

    def set_state(backend: Backend, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
        with LOCK:
            alarm = backend.alarms.get(alarm_name)
            if alarm is None or state_value not in {"OK", "ALARM", "INSUFFICIENT_DATA"}:
                original(backend, alarm_name, reason, reason_data, state_value)
                return
            json.loads(reason_data or "{}")
            change(backend, alarm, state_value, reason, reason_data or "{}")

    def history(response: Any) -> Any:  # noqa: ANN401
        name = response._get_param("AlarmName")
        alarms = list(response.cloudwatch_backend.alarms.values())
        items = [item for alarm in alarms if name in {None, alarm.name} for item in describe_history(alarm)]
        return ActionResult({"AlarmHistoryItems": items})

    cloud.patch(CloudWatchBackend, "set_alarm_state", set_state)
    cloud.patch(CloudWatchResponse, "describe_alarm_history", history)
