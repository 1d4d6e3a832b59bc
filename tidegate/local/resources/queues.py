"""AWS::SQS::Queue and AWS::SQS::QueuePolicy."""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.kinds import Kind, Naming, Request, generate_name

# What an attribute goes back to when a template drops it.
DEFAULTS: Final[dict[str, str]] = {
    "ContentBasedDeduplication": "false",
    "DelaySeconds": "0",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "262144",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}


class Queue(Kind):
    """A queue; Ref is its URL."""

    type = "AWS::SQS::Queue"
    create_only = frozenset({"QueueName", "FifoQueue"})
    naming = Naming("QueueName", 80)
    tagging = "list"

    def name(self, request: Request) -> str:
        """A generated name of a FIFO queue ends in .fifo."""
        if request.properties.get("QueueName"):
            return str(request.properties["QueueName"])
        fifo = str(request.properties.get("FifoQueue", "")).lower() == "true"
        limit = Naming("QueueName", 75 if fifo else 80)
        return generate_name(request.stack_name, request.logical_id, limit) + (".fifo" if fifo else "")

    def create(self, request: Request) -> None:
        """CreateQueue."""
        attributes = request.rest("QueueName", "Tags")
        answer = request.call(
            "sqs", "create_queue", QueueName=request.name, Attributes=attributes, tags=request.tags
        )
        arn = request.arn("sqs", request.name)
        request.settle(answer["QueueUrl"], Arn=arn, QueueName=request.name, QueueUrl=answer["QueueUrl"])

    def update(self, request: Request) -> None:
        """SetQueueAttributes with what changed."""
        url, changed = request.physical_id, request.changed
        attributes: dict[str, Any] = {
            key: request.properties.get(key, DEFAULTS.get(key)) for key in changed - {"Tags"}
        }
        if attributes:
            request.call("sqs", "set_queue_attributes", QueueUrl=url, Attributes=attributes)
        if "Tags" in changed:
            if request.lost_tags:
                request.call("sqs", "untag_queue", QueueUrl=url, TagKeys=request.lost_tags)
            request.call("sqs", "tag_queue", QueueUrl=url, Tags=request.tags)

    def delete(self, request: Request) -> None:
        """DeleteQueue."""
        request.discard("sqs", "delete_queue", QueueUrl=request.physical_id)


class QueuePolicy(Kind):
    """One policy set on several queues."""

    type = "AWS::SQS::QueuePolicy"

    def create(self, request: Request) -> None:
        """Set the policy on each queue."""
        self.update(request)
        request.settle(request.name, Id=request.name)

    def update(self, request: Request) -> None:
        """Set the policy on each queue and take it from those that are no longer named."""
        for url in request.properties["Queues"]:
            self._set(request, url, request.properties["PolicyDocument"])
        for url in set(request.previous.get("Queues", [])) - set(request.properties["Queues"]):
            self._set(request, url, "")

    def delete(self, request: Request) -> None:
        """Take the policy from each queue."""
        for url in request.properties["Queues"]:
            self._set(request, url, "")

    @staticmethod
    def _set(request: Request, url: str, policy: object) -> None:
        request.discard("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": policy})


KINDS: Final = (Queue, QueuePolicy)
