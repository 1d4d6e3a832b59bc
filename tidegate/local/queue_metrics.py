"""The extension that lets queues tell CloudWatch how deep they are, each minute of the cloud's pace.

All queues are active here at once and for ever; on AWS an idle one tells nothing, and is late to begin again.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from moto.cloudwatch.models import MetricDatum, cloudwatch_backends
from moto.sqs.models import sqs_backends

from tidegate.local.cloud import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.local.cloud import LocalCloud

NAMESPACE: Final = "AWS/SQS"
DEPTH: Final = "ApproximateNumberOfMessagesVisible"
AGE: Final = "ApproximateAgeOfOldestMessage"
SHORTEST: Final = 0.5  # seconds between two datapoints


def install(cloud: LocalCloud) -> None:
    """Begin to tell."""
    cloud.every(max(SHORTEST, 60 * cloud.pace), "queue metrics", tell)


def tell() -> None:
    """Put one datapoint for each queue of each region."""
    now = datetime.now(UTC)
    for region, backend in list(sqs_backends[ACCOUNT_ID].items()):
        data = [datum for queue in list(backend.queues.values()) for datum in _measure(queue, now)]
        if data:
            cloudwatch_backends[ACCOUNT_ID][region].metric_data += data


def _measure(queue: Any, now: datetime) -> Iterator[MetricDatum]:  # noqa: ANN401
    waiting = list(queue.messages)
    dimensions = [{"Name": "QueueName", "Value": queue.name}]
    at = now.replace(tzinfo=None)
    yield MetricDatum(NAMESPACE, DEPTH, float(len(waiting)), dimensions, at, "Count")
    if waiting:
        age = now.timestamp() - min(float(message.sent_timestamp) for message in waiting) / 1000
        yield MetricDatum(NAMESPACE, AGE, max(0.0, age), dimensions, at, "Seconds")
