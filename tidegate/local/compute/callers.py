"""What inside moto calls functions: topics, buckets, log groups, rules, secrets and custom resources.

Those that are asynchronous on AWS leave an event and go on; the others wait for the answer.
"""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from moto.awslambda import models
from moto.events import notifications as event_notifications
from moto.s3 import notifications as bucket_notifications
from moto.sns import models as topics

from tidegate.local.compute.aliases import Target
from tidegate.local.compute.configuration import LATEST
from tidegate.local.compute.invoker import Call

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud
    from tidegate.local.compute.deliveries import Deliveries
    from tidegate.local.compute.invoker import Invoker
    from tidegate.local.compute.sandbox import Outcome

RUNNING: dict[str, Any] = {}
ORIGINAL: dict[str, Any] = {}
UNSIGNED: Final = {"SignatureVersion": "1", "Signature": "", "SigningCertUrl": "", "UnsubscribeUrl": ""}


def install(cloud: LocalCloud, invoker: Invoker, deliveries: Deliveries) -> None:
    """Bend moto's calls to functions to our processes."""
    RUNNING.update(invoker=invoker, deliveries=deliveries)
    cloud.patch(models.LambdaFunction, "invoke", invoke_version)
    cloud.patch(models.LambdaBackend, "invoke", invoke_named)
    cloud.patch(models.LambdaBackend, "send_log_event", send_log_event)
    cloud.patch(bucket_notifications, "_invoke_awslambda", deliver_bucket_event)
    cloud.patch(event_notifications, "_invoke_lambda", deliver_event)
    ORIGINAL["publish"] = cloud.patch(topics.Subscription, "publish", publish)


def _accept(account_id: str, arn: str, event: Any) -> None:  # noqa: ANN401
    region = arn.split(":")[3]
    RUNNING["deliveries"].accept(Call(account_id, region, arn, json.dumps(event).encode()))


def _answer(outcome: Outcome, response_headers: dict[str, Any]) -> bytes:
    if outcome.function_error:
        response_headers["x-amz-function-error"] = outcome.function_error
    return outcome.payload


def invoke_version(self: Any, body: str, request_headers: Any, response_headers: dict[str, Any]) -> bytes:  # noqa: ANN401, ARG001
    """Run a version that the caller has looked up, and wait."""
    version = str(self.version)
    resource = self.function_name if version == LATEST else f"{self.function_name}:{version}"
    call = Call(self.account_id, self.region, self.function_name, (body or "{}").encode()).numbered()
    return _answer(
        RUNNING["invoker"].run_target(Target(self, self.function_arn, resource, None), call), response_headers
    )


def invoke_named(
    self: models.LambdaBackend,
    function_name: str,
    qualifier: str | None,
    body: Any,  # noqa: ANN401
    headers: Any,  # noqa: ANN401, ARG001
    response_headers: dict[str, Any],
) -> bytes:
    """Run a function by name and qualifier, and wait."""
    payload = body.encode() if isinstance(body, str) else bytes(body or b"")
    call = Call(self.account_id, self.region_name, function_name, payload, qualifier)
    _, outcome = RUNNING["invoker"].run(call)
    return _answer(outcome, response_headers)


def deliver_bucket_event(account_id: str, event_body: Any, fn_arn: str, region_name: str) -> None:  # noqa: ANN401, ARG001
    """Leave a bucket's notification with a function."""
    _accept(account_id, fn_arn, event_body)


def deliver_event(account_id: str, fn_arn: str, event: Any) -> None:  # noqa: ANN401
    """Leave an event with a function."""
    _accept(account_id, fn_arn, event)


def send_log_event(
    self: models.LambdaBackend,
    function_arn: str,
    filter_name: str,
    log_group_name: str,
    log_stream_name: str,
    log_events: Any,  # noqa: ANN401
) -> None:
    """Leave log events with a function that is subscribed to their group."""
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": self.account_id,
        "logGroup": log_group_name,
        "logStream": log_stream_name,
        "subscriptionFilters": [filter_name],
        "logEvents": [{**event, "id": str(event["id"])} for event in log_events],
    }
    packed = base64.b64encode(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 1)).decode()
    _accept(self.account_id, function_arn, {"awslogs": {"data": packed}})


def publish(  # noqa: PLR0913, PLR0917
    self: Any,  # noqa: ANN401
    message: str,
    message_id: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    message_structure: str | None = None,
) -> None:
    """Leave a topic's message with a subscribed function; other subscribers are moto's affair."""
    if self.protocol != "lambda":
        ORIGINAL["publish"](
            self,
            message,
            message_id,
            subject,
            message_attributes,
            group_id,
            deduplication_id,
            message_structure,
        )
        return
    matcher = self._filter_policy_matcher
    if matcher is not None and not matcher.matches(message_attributes, message):
        return
    text = self._parse_message_structure(message, "lambda") if message_structure == "json" else message
    _accept(self.account_id, self.endpoint, _topic_event(self, text, message_id, subject, message_attributes))


def _topic_event(
    subscription: Any,  # noqa: ANN401
    message: str,
    message_id: str,
    subject: str | None,
    attributes: dict[str, Any] | None,
) -> dict[str, Any]:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    values = {
        name: {"Type": value["Type"], "Value": value["Value"]} for name, value in (attributes or {}).items()
    }
    document = {
        **UNSIGNED,
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": subscription.topic.arn,
        "Subject": subject,
        "Message": message,
        "Timestamp": moment,
        "MessageAttributes": values,
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": document,
    }
    return {"Records": [record]}
