"""The bus, the topic, and the rules: which event starts what, and whom it tells.

Every target tries again for some hours, and an event that could not be delivered ends in a queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import Aws, Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.rights import arn, machine_arn
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sqs as sqs
    from aws_cdk import aws_stepfunctions as sfn

    from tidegate.domain.pipeline import Stage

ENDED: Final = ("SUCCEEDED", "FAILED", "FAULT", "STOPPED", "TIMED_OUT")
UNHAPPY: Final = ["FAILED", "TIMED_OUT", "ABORTED"]
EXECUTION_CHANGE: Final = "Step Functions Execution Status Change"
# An event that is older has been overtaken: it goes to the queue and a person is told.
LONGEST_DELAY_HOURS: Final = 2


@dataclass(frozen=True)
class Destinations:
    """Where rules deliver to."""

    intake: lambda_.IFunction
    rollback: sfn.IStateMachine
    janitor: lambda_.IFunction
    undelivered: sqs.IQueue
    sources: str
    builds: lambda_.IFunction
    github: AtGitHub | None = None


@dataclass(frozen=True)
class AtGitHub:
    """What is done for repositories at GitHub, and how often branches are compared."""

    comparison: lambda_.IFunction
    report: lambda_.IFunction
    compare_minutes: int


class Bus(Construct):
    """Tidegate's own event bus; stages elsewhere may put their alarms on it, by one rule each."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.bus = events.EventBus(self, "Bus", event_bus_name=names.EVENT_BUS)

    def admit(self, stage: Stage, region: str) -> None:
        """Let the forwarding rule of a stage in another account put its events here."""
        rule = f"arn:{Aws.PARTITION}:events:{region}:{stage.account}:rule/{stage.forward_rule}"
        self.bus.add_to_resource_policy(
            iam.PolicyStatement(
                sid=stage.forward_rule,
                actions=["events:PutEvents"],
                principals=[iam.AccountPrincipal(stage.account)],
                resources=[self.bus.event_bus_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule}},
            )
        )


class Topic(Construct):
    """The topic that tells people what releases do; not encrypted by a key of its own, see the decisions."""

    def __init__(self, scope: Construct, construct_id: str, *, addresses: Iterable[str]) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Topic", topic_name=names.TOPIC, enforce_ssl=True)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        for address in addresses:
            self.topic.add_subscription(subscriptions.EmailSubscription(address))


class Rules(Construct):
    """All rules of the pipeline, by what they are about."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        bus: events.IEventBus,
        topic: sns.ITopic,
        to: Destinations,
    ) -> None:
        super().__init__(scope, construct_id)
        self._bus = bus
        self._to = to
        self._delivery: dict[str, Any] = {
            "dead_letter_queue": to.undelivered,
            "retry_attempts": 185,
            "max_event_age": Duration.hours(LONGEST_DELAY_HOURS),
        }
        self._commits(targets.LambdaFunction(to.intake, **self._delivery))
        self._repairs(targets.SfnStateMachine(to.rollback, **self._delivery))
        self._messages(topic)
        self._upkeep()
        self._builds(targets.LambdaFunction(to.builds, **self._delivery))
        if to.github:
            self._at_github(to.github)

    def _upkeep(self) -> None:
        """Once a day the janitor looks after all services."""
        everything = events.RuleTargetInput.from_object({})
        janitor = targets.LambdaFunction(self._to.janitor, event=everything, **self._delivery)
        events.Rule(
            self,
            "VersionsPruned",
            rule_name=names.function_name("VersionsPruned"),
            schedule=events.Schedule.rate(Duration.days(1)),
            targets=[janitor],
        )

    def _builds(self, resume: events.IRuleTarget) -> None:
        """A build that has ended at CodeBuild lets the release go on that waits for it."""
        ended = {"project-name": [names.BUILD_PROJECT], "build-status": list(ENDED)}
        self._rule("BuildEnded", ["aws.codebuild"], ["CodeBuild Build State Change"], ended, resume)

    def _at_github(self, github: AtGitHub) -> None:
        """Branches are compared from time to time, and commits are told how their releases stand."""
        everything = events.RuleTargetInput.from_object({})
        events.Rule(
            self,
            "BranchesCompared",
            rule_name=names.function_name("BranchesCompared"),
            schedule=events.Schedule.rate(Duration.minutes(github.compare_minutes)),
            targets=[targets.LambdaFunction(github.comparison, event=everything, **self._delivery)],
        )
        report = targets.LambdaFunction(github.report, **self._delivery)
        kinds = list(names.REPORTED_EVENTS)
        self._rule("StatusReported", [names.EVENT_SOURCE], kinds, {}, report, bus=self._bus)

    def _commits(self, intake: events.IRuleTarget) -> None:
        """A commit is a bundle in the source bucket, a push to CodeCommit, or Tidegate's own event."""
        bundle = {"bucket": {"name": [self._to.sources]}, "object": {"key": [{"suffix": ".bundle"}]}}
        self._rule("SourceUploaded", ["aws.s3"], ["Object Created"], bundle, intake)
        self._rule("RepositoryPushed", ["aws.codecommit"], ["CodeCommit Repository State Change"], {}, intake)
        self._rule("CommitPushed", [], ["Commit Pushed"], {}, intake, bus=self._bus)

    def _repairs(self, rollback: events.IRuleTarget) -> None:
        """An alarm of a rollout, and a release that ended otherwise than well, start the rollback machine."""
        alarm = {"alarmName": [{"prefix": names.ALARM_PREFIX}], "state": {"value": ["ALARM"]}}
        self._rule(
            "AlarmRaised",
            ["aws.cloudwatch"],
            ["CloudWatch Alarm State Change"],
            alarm,
            rollback,
            bus=self._bus,
        )
        ended = {"stateMachineArn": [machine_arn(names.RELEASE_MACHINE)], "status": UNHAPPY}
        self._rule("ReleaseEnded", ["aws.states"], [EXECUTION_CHANGE], ended, rollback)

    def _messages(self, topic: sns.ITopic) -> None:
        """The releases' own events, told as the sentence that they carry; and a rollback that failed."""
        said = events.RuleTargetInput.from_text(events.EventField.from_path("$.detail.message"))
        told = targets.SnsTopic(topic, message=said, **self._delivery)
        self._rule(
            "ReleaseReported", [names.EVENT_SOURCE], list(names.NOTIFIED_EVENTS), {}, told, bus=self._bus
        )
        name = events.EventField.from_path("$.detail.name")
        status = events.EventField.from_path("$.detail.status")
        page = events.RuleTargetInput.from_text(
            f"Tidegate needs an operator: the rollback {name} ended as {status}; traffic may not be restored."
        )
        failed = {"stateMachineArn": [machine_arn(names.ROLLBACK_MACHINE)], "status": UNHAPPY}
        pager = targets.SnsTopic(topic, message=page, **self._delivery)
        self._rule("RollbackFailed", ["aws.states"], [EXECUTION_CHANGE], failed, pager)

    def _rule(
        self,
        name: str,
        source: list[str],
        detail_type: list[str],
        detail: dict[str, Any],
        target: events.IRuleTarget,
        *,
        bus: events.IEventBus | None = None,
    ) -> None:
        pattern = events.EventPattern(source=source or None, detail_type=detail_type, detail=detail or None)
        events.Rule(
            self,
            name,
            rule_name=names.function_name(name),
            event_bus=bus,
            event_pattern=pattern,
            targets=[target],
        )


def bus_arn(account: str, region: str) -> str:
    """The ARN of the pipeline's bus, as stages elsewhere name it."""
    return arn("events", f"event-bus/{names.EVENT_BUS}", region=region, account=account)
