"""The side stack of a service and stage: alarms on the aliases, from the first shift to the bake's end.

Alarm events reach Tidegate through EventBridge by the alarm's name; the alarms need no action of their own.
Metric math for the error rate: Amazon CloudWatch User Guide, "Using metric math", and AWS Lambda Developer
Guide, "Types of metrics for Lambda functions" (dimension Resource = function:alias).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.identity import Frozen
from tidegate.domain.nesting import SEPARATOR, make_logical_id, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate.domain.config import AlarmConfig

PREFIX: Final = "tidegate"
FUNCTIONS_PER_STACK: Final = 150  # 3 alarms each, under CloudFormation's 500 resources


class GuardedAlias(Frozen):
    """An alias that the alarms watch."""

    logical_id: str
    function_name: str
    alias: str


class GuardStack(Frozen):
    """One side stack: its name and its template."""

    name: str
    template: dict[str, Any]


def guard_name(service: str, stage: str, index: int = 0) -> str:
    """The name of a side stack; a service with very many functions has several."""
    return f"tidegate-guard-{service}-{stage}" + (f"-{index}" if index else "")


def alarm_name(service: str, stage: str, function: str, signal: str) -> str:
    """The name that an alarm's event is understood by; CloudWatch takes 255 characters."""
    return f"{PREFIX}/{service}/{stage}/{shorten(function)}/{signal}"


def parse_alarm_name(name: str) -> tuple[str, str, str, str] | None:
    """(service, stage, function, signal), or None where the alarm is not one of Tidegate's.

    The function is as `nesting.shorten` has it.
    """
    prefix, *parts = name.split("/")
    if prefix != PREFIX or len(parts) < 4:  # noqa: PLR2004
        return None
    service, stage, *function, signal = parts
    return service, stage, SEPARATOR.join(function), signal


def build_guards(
    service: str, stage: str, aliases: Sequence[GuardedAlias], config: AlarmConfig, period: int
) -> tuple[GuardStack, ...]:
    """The side stacks for these aliases; `period` is that of the metrics, in seconds."""
    chunks = [aliases[i : i + FUNCTIONS_PER_STACK] for i in range(0, len(aliases), FUNCTIONS_PER_STACK)]
    return tuple(
        GuardStack(
            name=guard_name(service, stage, index),
            template=_template(_alarms(service, stage, chunk, config, period)),
        )
        for index, chunk in enumerate(chunks)
    )


def _template(alarms: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    resources = {
        logical_id: {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}
        for logical_id, properties in alarms
    }
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def _alarms(
    service: str, stage: str, aliases: Sequence[GuardedAlias], config: AlarmConfig, period: int
) -> Iterable[tuple[str, dict[str, Any]]]:
    for guarded in aliases:

        def name(signal: str, guarded: GuardedAlias = guarded) -> str:
            return alarm_name(service, stage, guarded.logical_id, signal)

        yield (
            make_logical_id(guarded.logical_id, "Errors"),
            _error_rate(guarded, name("errors"), config, period),
        )
        yield (
            make_logical_id(guarded.logical_id, "Throttles"),
            _threshold(
                guarded, name("throttles"), "Throttles", {"Statistic": "Sum"}, config.throttles, period
            ),
        )
        if config.p99 is not None:
            milliseconds = config.p99 * 1000
            p99 = {"ExtendedStatistic": "p99"}
            yield (
                make_logical_id(guarded.logical_id, "Duration"),
                _threshold(guarded, name("duration"), "Duration", p99, milliseconds, period),
            )


def _dimensions(guarded: GuardedAlias) -> list[dict[str, str]]:
    return [
        {"Name": "FunctionName", "Value": guarded.function_name},
        {"Name": "Resource", "Value": f"{guarded.function_name}:{guarded.alias}"},
    ]


def _threshold(
    guarded: GuardedAlias, name: str, metric: str, statistic: dict[str, str], threshold: float, period: int
) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "AlarmDescription": f"{metric} of {guarded.function_name}:{guarded.alias}, watched by Tidegate",
        "Namespace": "AWS/Lambda",
        "MetricName": metric,
        "Dimensions": _dimensions(guarded),
        **statistic,
        "Period": period,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": threshold,
        "TreatMissingData": "notBreaching",
    }


def _error_rate(guarded: GuardedAlias, name: str, config: AlarmConfig, period: int) -> dict[str, Any]:
    def metric(identifier: str, metric_name: str) -> dict[str, Any]:
        return {
            "Id": identifier,
            "ReturnData": False,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": metric_name,
                    "Dimensions": _dimensions(guarded),
                },
                "Period": period,
                "Stat": "Sum",
            },
        }

    rate = {
        "Id": "rate",
        "Expression": "100 * errors / MAX([errors, invocations])",
        "Label": "percent of invocations that erred",
        "ReturnData": True,
    }
    return {
        "AlarmName": name,
        "AlarmDescription": f"Error rate of {guarded.function_name}:{guarded.alias}, watched by Tidegate",
        "Metrics": [rate, metric("errors", "Errors"), metric("invocations", "Invocations")],
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "Threshold": config.error_rate,
        "TreatMissingData": "notBreaching",
    }
