"""CloudWatch alarms are evaluated: each looks at its metrics twice a second, and tells of changes of state.

AWS evaluates once a minute over whole periods; here a period that is not over yet counts as soon as it
breaches, since a local period is a few seconds. Composite and anomaly alarms are refused by name.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tidegate.local import alarm_changes, expressions, metrics, thresholds

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Json: TypeAlias = dict[str, Any]
Alarm: TypeAlias = Any
Backend: TypeAlias = Any
LOCK: Final = threading.RLock()
LOOK_SECONDS: Final = 0.5


def evaluate(backend: Backend, alarm: Alarm, now: float) -> thresholds.Verdict:
    """Judge an alarm at a time (Unix seconds)."""
    rule = rule_of(alarm)
    period = period_of(alarm)
    current = now // period * period
    span = rule.periods + thresholds.EXTRA_PERIODS
    values = series_of(backend, alarm, current - span * period, current + period)
    window = [values.get(current - step * period) for step in range(1, span + 1)]
    early = values.get(current)
    if early is not None and rule.comparison.startswith("Greater") and rule.breaches(early):
        window = [early, *window[:-1]]
    return thresholds.judge(rule, window, alarm.state_value)


def rule_of(alarm: Alarm) -> thresholds.Rule:
    """When the alarm is one."""
    periods = int(alarm.evaluation_periods)
    return thresholds.Rule(
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        periods=periods,
        needed=int(alarm.datapoints_to_alarm or periods),
        treatment=alarm.treat_missing_data or "missing",
    )


def period_of(alarm: Alarm) -> int:
    """The length of a period in seconds."""
    if not alarm.metric_data_queries:
        return int(alarm.period)
    given = [
        query.metric_stat.period if query.metric_stat else query.period for query in alarm.metric_data_queries
    ]
    return max(int(period) for period in given if period)


def series_of(backend: Backend, alarm: Alarm, start: float, end: float) -> dict[float, float]:
    """The values that the alarm compares, by the start of their period."""
    period = period_of(alarm)
    if not alarm.metric_data_queries:
        stat = alarm.extended_statistic or alarm.statistic
        metric = (alarm.namespace, alarm.metric_name, alarm.dimensions)
        return _read(backend, metric, stat, period, start, end, alarm.unit)
    found: dict[str, dict[float, float]] = {}
    for query in alarm.metric_data_queries:
        if query.metric_stat:
            stat, metric = query.metric_stat, query.metric_stat.metric
            named = (metric.namespace, metric.metric_name, metric.dimensions)
            found[query.id] = _read(backend, named, stat.stat, period, start, end, stat.unit)
    returned = returned_query(alarm.metric_data_queries)
    if returned.expression:
        return expressions.read(returned.expression).over(found)
    return found[returned.id]


def _read(
    backend: Backend,
    metric: tuple[str, str, list[Any]],
    stat: str,
    period: int,
    start: float,
    end: float,
    unit: str | None,
) -> dict[float, float]:
    namespace, name, dimensions = metric
    key = (namespace, name, frozenset((dimension.name, dimension.value) for dimension in dimensions))
    points = metrics.datapoints(backend, key, stat, period=period, start=start, end=end, unit=unit)
    return dict(points)


def returned_query(queries: list[Any]) -> Any:  # noqa: ANN401
    """The one query whose values are compared with the threshold."""
    return next(query for query in queries if is_returned(query, alone=len(queries) == 1))


def is_returned(query: Any, *, alone: bool = False) -> bool:  # noqa: ANN401
    """Whether the query's data are returned; left out it means yes."""
    flag = query.return_data
    return alone or flag is None or str(flag).lower() == "true"


def check(alarm: Alarm) -> None:
    """Refuse, by name, what cannot be evaluated."""
    from moto.cloudwatch.exceptions import ValidationError

    for fault in _faults(alarm):
        raise ValidationError(fault)


def _faults(alarm: Alarm) -> list[str]:
    faults = []
    if alarm.comparison_operator not in thresholds.COMPARISONS:
        faults.append(
            f"The local cloud does not know the comparison {alarm.comparison_operator} of {alarm.name}"
        )
    if (alarm.treat_missing_data or "missing") not in thresholds.TREATMENTS:
        faults.append(f"TreatMissingData of {alarm.name} is none of {', '.join(thresholds.TREATMENTS)}")
    if int(alarm.datapoints_to_alarm or 1) > int(alarm.evaluation_periods):
        faults.append(f"DatapointsToAlarm of {alarm.name} is greater than EvaluationPeriods")
    faults += [
        f"The local cloud cannot run the action {action} of {alarm.name}"
        for action in (*alarm.alarm_actions, *alarm.ok_actions, *alarm.insufficient_data_actions)
        if not alarm_changes.is_supported(action)
    ]
    if alarm.metric_data_queries:
        faults += _query_faults(alarm)
    elif not (alarm.extended_statistic or alarm.statistic):
        faults.append(f"{alarm.name} needs Statistic, ExtendedStatistic or Metrics")
    return faults


def _query_faults(alarm: Alarm) -> list[str]:
    queries = alarm.metric_data_queries
    if sum(is_returned(query, alone=len(queries) == 1) for query in queries) != 1:
        return [f"Exactly one of the Metrics of {alarm.name} must have ReturnData true"]
    known = {query.id for query in queries if query.metric_stat}
    faults = []
    for query in queries:
        if query.expression and not is_returned(query, alone=len(queries) == 1):
            faults.append(
                f"The local cloud takes one expression per alarm: {query.expression} of {alarm.name}"
            )
        elif query.expression:
            faults += _expression_faults(query.expression, known)
    return faults


def _expression_faults(expression: str, known: set[str]) -> list[str]:
    try:
        names = expressions.read(expression).names
    except expressions.FormulaError as error:
        return [str(error)]
    return [f"{name} in the expression {expression} is no metric's id" for name in sorted(names - known)]


def compute_expression(expression: str, results: list[Json]) -> tuple[list[float], list[dt.datetime]]:
    """An expression of GetMetricData over its other results, in their order of time."""
    from moto.cloudwatch.exceptions import ValidationError

    try:
        formula = expressions.read(expression)
    except expressions.FormulaError as error:
        raise ValidationError(str(error)) from error
    series = {
        result["id"]: {
            moment.replace(tzinfo=dt.UTC).timestamp(): float(value)
            for moment, value in zip(result["timestamps"], result["values"], strict=True)
        }
        for result in results
    }
    unknown = formula.names - set(series)
    if unknown:
        raise ValidationError(f"{', '.join(sorted(unknown))} in the expression {expression} is no query's id")
    found = formula.over(series)
    descending = any(result["timestamps"] != sorted(result["timestamps"]) for result in results)
    times = sorted(found, reverse=descending)
    return [found[at] for at in times], [
        dt.datetime.fromtimestamp(at, dt.UTC).replace(tzinfo=None) for at in times
    ]


def look(now: float | None = None) -> None:
    """Evaluate all alarms, and let those change that do."""
    from moto.cloudwatch.models import cloudwatch_backends

    moment = time.time() if now is None else now
    for regions in list(cloudwatch_backends.values()):
        for backend in list(regions.values()):
            for alarm in list(backend.alarms.values()):
                verdict = evaluate(backend, alarm, moment)
                with LOCK:
                    if verdict.state != alarm.state_value and backend.alarms.get(alarm.name) is alarm:
                        data = alarm_changes.reason_data(alarm, verdict, period_of(alarm), moment)
                        alarm_changes.change(backend, alarm, verdict.state, verdict.reason, data)


def install(cloud: LocalCloud) -> None:
    """Check alarms when they are put, keep their state over updates, and evaluate them."""
    from moto.cloudwatch import models
    from moto.cloudwatch.exceptions import ValidationError
    from moto.cloudwatch.responses import CloudWatchResponse

    original = models.CloudWatchBackend.put_metric_alarm

    def put(backend: Backend, name: str, *args: Any, **given: Any) -> Alarm:  # noqa: ANN401
        with LOCK:
            before = backend.alarms.get(name)
            alarm = original(backend, name, *args, **given)
            try:
                check(alarm)
            except Exception:
                backend.alarms.pop(name)
                if before is not None:
                    backend.alarms[name] = before
                raise
            _inherit(alarm, before)
        return alarm

    def refuse(response: Any) -> None:  # noqa: ANN401
        raise ValidationError(f"The local cloud has no composite alarms: {response._get_param('AlarmName')}")

    cloud.patch(CloudWatchResponse, "put_composite_alarm", refuse)
    cloud.patch(models.CloudWatchBackend, "put_metric_alarm", put)
    cloud.patch(models, "parse_expression", compute_expression)
    alarm_changes.install(cloud)
    cloud.every(LOOK_SECONDS, "alarms", look)


def _inherit(alarm: Alarm, before: Alarm | None) -> None:
    """A new alarm has no data yet; an update leaves the state as it is."""
    if before is None:
        alarm.state_value = "INSUFFICIENT_DATA"
        return
    for field in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
        setattr(alarm, field, getattr(before, field))
