"""AWS::Lambda::EventSourceMapping and AWS::Lambda::EventInvokeConfig: how events reach a function."""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.kinds import Kind, Request

NOT_UPDATED: Final = frozenset(
    {
        "EventSourceArn",
        "StartingPosition",
        "StartingPositionTimestamp",
        "SelfManagedEventSource",
        "AmazonManagedKafkaEventSourceConfig",
        "SelfManagedKafkaEventSourceConfig",
        "Queues",
        "Topics",
    }
)


class EventSourceMapping(Kind):
    """A mapping; Ref is its UUID. The function that it feeds can change in place."""

    type = "AWS::Lambda::EventSourceMapping"
    create_only = NOT_UPDATED
    tagging = "list"

    def create(self, request: Request) -> None:
        """CreateEventSourceMapping."""
        tags = {"Tags": request.tags} if request.tags else {}
        answer = request.call("lambda", "create_event_source_mapping", **request.rest("Tags"), **tags)
        arn = request.arn("lambda", f"event-source-mapping:{answer['UUID']}")
        request.settle(answer["UUID"], Id=answer["UUID"], EventSourceMappingArn=arn)

    def update(self, request: Request) -> None:
        """UpdateEventSourceMapping with all that can be updated."""
        own = request.rest("Tags", *NOT_UPDATED)
        if "Enabled" in request.changed:
            own.setdefault("Enabled", True)
        request.call("lambda", "update_event_source_mapping", UUID=request.physical_id, **own)

    def delete(self, request: Request) -> None:
        """DeleteEventSourceMapping."""
        request.discard("lambda", "delete_event_source_mapping", UUID=request.physical_id)


class EventInvokeConfig(Kind):
    """How often and how long asynchronous invocations of a qualifier are retried."""

    type = "AWS::Lambda::EventInvokeConfig"
    create_only = frozenset({"FunctionName", "Qualifier"})

    def create(self, request: Request) -> None:
        """PutFunctionEventInvokeConfig."""
        self._put(request)
        request.settle(request.name)

    def update(self, request: Request) -> None:
        """The same: it puts the whole configuration."""
        self._put(request)

    def delete(self, request: Request) -> None:
        """DeleteFunctionEventInvokeConfig."""
        request.discard(
            "lambda", "delete_function_event_invoke_config", **request.pick("FunctionName", "Qualifier")
        )

    @staticmethod
    def _put(request: Request) -> None:
        own: dict[str, Any] = request.rest()
        request.call("lambda", "put_function_event_invoke_config", **own)


KINDS: Final = (EventSourceMapping, EventInvokeConfig)
