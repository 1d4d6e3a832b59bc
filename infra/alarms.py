"""Alarms on the pipeline itself: who watches the watcher. Each is told to the topic.

Their names do not begin with `tidegate/`: those are the alarms of rollouts, which start a rollback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from constructs import Construct

from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sns as sns
    from aws_cdk import aws_sqs as sqs
    from aws_cdk import aws_stepfunctions as sfn

MINUTE = Duration.minutes(1)


class Alarms(Construct):
    """An alarm for each thing that would otherwise fail in silence."""

    def __init__(self, scope: Construct, construct_id: str, *, topic: sns.ITopic) -> None:
        super().__init__(scope, construct_id)
        self._action = actions.SnsAction(topic)

    def on_intake(self, intake: lambda_.IFunction) -> None:
        """An event that intake could not handle is a commit that may never be released."""
        metric = intake.metric_errors(period=MINUTE, statistic="Sum")
        self._alarm("IntakeFails", metric, "Intake failed: a commit may not have started its release.")

    def on_machines(self, release: sfn.IStateMachine, rollback: sfn.IStateMachine) -> None:
        """A rollback that did not do its work, and a release that ran out of time."""
        trouble = "A rollback did not finish: look at where the aliases point, with `tidegate status`."
        self._alarm("RollbackFails", rollback.metric_failed(period=MINUTE), trouble)
        self._alarm("RollbackTimesOut", rollback.metric_timed_out(period=MINUTE), trouble)
        self._alarm("RollbackThrottled", rollback.metric_throttled(period=MINUTE), "A rollback is delayed.")
        self._alarm(
            "ReleaseTimesOut", release.metric_timed_out(period=MINUTE), "A release ran out of its time."
        )

    def on_queue(self, construct_id: str, queue: sqs.IQueue, description: str) -> None:
        """Something lies in a dead-letter queue."""
        metric = queue.metric_approximate_number_of_messages_visible(period=MINUTE, statistic="Maximum")
        self._alarm(construct_id, metric, description)

    def _alarm(self, construct_id: str, metric: cloudwatch.IMetric, description: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            alarm_name=names.function_name(construct_id),
            alarm_description=description,
            metric=metric,
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)
