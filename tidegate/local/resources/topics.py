"""AWS::SNS::Topic, TopicPolicy and Subscription."""

from __future__ import annotations

import json
from typing import Any, Final

from tidegate.local.resources.kinds import Kind, Naming, Request, generate_name

SUBSCRIPTION: Final = (
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
)
APART: Final = ("TopicName", "Tags", "Subscription", "DataProtectionPolicy", "DeliveryStatusLogging")


class Topic(Kind):
    """A topic; Ref is its ARN."""

    type = "AWS::SNS::Topic"
    create_only = frozenset({"TopicName", "FifoTopic"})
    naming = Naming("TopicName", 256)
    tagging = "list"

    def name(self, request: Request) -> str:
        """A generated name of a FIFO topic ends in .fifo."""
        if request.properties.get("TopicName"):
            return str(request.properties["TopicName"])
        fifo = str(request.properties.get("FifoTopic", "")).lower() == "true"
        return generate_name(request.stack_name, request.logical_id, Naming("", 250)) + (
            ".fifo" if fifo else ""
        )

    def create(self, request: Request) -> None:
        """CreateTopic and Subscribe."""
        attributes = request.rest(*APART)
        answer = request.call(
            "sns", "create_topic", Name=request.name, Attributes=attributes, Tags=request.tag_list()
        )
        request.settle(answer["TopicArn"], TopicArn=answer["TopicArn"], TopicName=request.name)
        self._subscribe(request, request.properties.get("Subscription") or [])

    def update(self, request: Request) -> None:
        """SetTopicAttributes, Subscribe and Unsubscribe by what changed."""
        arn, changed = request.physical_id, request.changed
        for key in changed - set(APART):
            value = request.properties.get(key, "")
            request.call("sns", "set_topic_attributes", TopicArn=arn, AttributeName=key, AttributeValue=value)
        if "Subscription" in changed:
            new, old = (
                request.properties.get("Subscription") or [],
                request.previous.get("Subscription") or [],
            )
            self._subscribe(request, [item for item in new if item not in old])
            self._unsubscribe(request, [item["Endpoint"] for item in old if item not in new])
        if "Tags" in changed:
            if request.lost_tags:
                request.call("sns", "untag_resource", ResourceArn=arn, TagKeys=request.lost_tags)
            request.call("sns", "tag_resource", ResourceArn=arn, Tags=request.tag_list())

    def delete(self, request: Request) -> None:
        """DeleteTopic, after the subscriptions that it was given here."""
        self._unsubscribe(
            request, [item["Endpoint"] for item in request.properties.get("Subscription") or []]
        )
        request.discard("sns", "delete_topic", TopicArn=request.physical_id)

    @staticmethod
    def _subscribe(request: Request, subscriptions: list[dict[str, Any]]) -> None:
        for item in subscriptions:
            request.call("sns", "subscribe", TopicArn=request.physical_id, **item)

    @staticmethod
    def _unsubscribe(request: Request, endpoints: list[str]) -> None:
        if not endpoints:
            return
        found = request.call("sns", "list_subscriptions_by_topic", TopicArn=request.physical_id)
        for item in found["Subscriptions"]:
            if item["Endpoint"] in endpoints:
                request.discard("sns", "unsubscribe", SubscriptionArn=item["SubscriptionArn"])


class TopicPolicy(Kind):
    """One policy set on several topics; taken away, the default policy stands again."""

    type = "AWS::SNS::TopicPolicy"

    def create(self, request: Request) -> None:
        """Set the policy on each topic."""
        self.update(request)
        request.settle(request.name, Id=request.name)

    def update(self, request: Request) -> None:
        """Set the policy on each topic and take it from those that are no longer named."""
        for arn in request.properties["Topics"]:
            self._set(request, arn, request.properties["PolicyDocument"])
        for arn in set(request.previous.get("Topics", [])) - set(request.properties["Topics"]):
            self._set(request, arn, _write_default_policy(request, arn))

    def delete(self, request: Request) -> None:
        """Give each topic its default policy."""
        for arn in request.properties["Topics"]:
            self._set(request, arn, _write_default_policy(request, arn))

    @staticmethod
    def _set(request: Request, arn: str, policy: object) -> None:
        request.discard(
            "sns", "set_topic_attributes", TopicArn=arn, AttributeName="Policy", AttributeValue=policy
        )


def _write_default_policy(request: Request, arn: str) -> str:
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["SNS:GetTopicAttributes", "SNS:Publish", "SNS:Subscribe"],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": request.account}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})


class Subscription(Kind):
    """A subscription; Ref is its ARN."""

    type = "AWS::SNS::Subscription"
    create_only = frozenset({"Endpoint", "Protocol", "TopicArn"})

    def create(self, request: Request) -> None:
        """Subscribe."""
        own = request.pick("TopicArn", "Protocol", "Endpoint")
        answer = request.call(
            "sns", "subscribe", **own, Attributes=request.pick(*SUBSCRIPTION), ReturnSubscriptionArn=True
        )
        request.settle(answer["SubscriptionArn"], Arn=answer["SubscriptionArn"])

    def update(self, request: Request) -> None:
        """SetSubscriptionAttributes with what changed."""
        for key in request.changed & set(SUBSCRIPTION):
            value = request.properties.get(key, "")
            names = {"SubscriptionArn": request.physical_id, "AttributeName": key, "AttributeValue": value}
            request.call("sns", "set_subscription_attributes", **names)

    def delete(self, request: Request) -> None:
        """Unsubscribe."""
        request.discard("sns", "unsubscribe", SubscriptionArn=request.physical_id)


KINDS: Final = (Topic, TopicPolicy, Subscription)
