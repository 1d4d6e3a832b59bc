"""What S3 and SNS tell others: bucket events on the default bus, and messages to Lambda functions.

moto's own S3 events lack AWS's shape and all share one sequencer, and its Lambda invocations need Docker.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Json: TypeAlias = dict[str, Any]
Key: TypeAlias = Any
REASONS: Final = {
    "s3:ObjectCreated:Put": "PutObject",
    "s3:ObjectCreated:Post": "POST Object",
    "s3:ObjectCreated:Copy": "CopyObject",
    "s3:ObjectCreated:CompleteMultipartUpload": "CompleteMultipartUpload",
    "s3:ObjectRemoved:Delete": "DeleteObject",
    "s3:ObjectRemoved:DeleteMarkerCreated": "DeleteObject",
}
DELETIONS: Final = {
    "s3:ObjectRemoved:Delete": "Permanently Deleted",
    "s3:ObjectRemoved:DeleteMarkerCreated": "Delete Marker Created",
}
EMPTY_ETAG: Final = "d41d8cd98f00b204e9800998ecf8427e"
SEQUENCE: Final = itertools.count(time.time_ns())


def describe_object(bucket: Key, key: Key, event_name: str) -> Json:
    """The detail of a bucket's event; the key stands as it is, not URL-encoded."""
    found = {
        "key": key.name,
        "size": getattr(key, "size", None),
        "etag": getattr(key, "etag", EMPTY_ETAG).replace('"', ""),
        "version-id": key.version_id if getattr(bucket, "is_versioned", False) else None,
        "sequencer": f"{next(SEQUENCE):016X}",
    }
    if event_name in DELETIONS:
        del found["size"]
    return {
        "version": "0",
        "bucket": {"name": bucket.name},
        "object": {name: value for name, value in found.items() if value is not None},
        "request-id": uuid.uuid4().hex[:16].upper(),
        "requester": bucket.account_id,
        "source-ip-address": "127.0.0.1",
        "reason": REASONS.get(event_name, event_name.split(":")[1]),
        **({"deletion-type": DELETIONS[event_name]} if event_name in DELETIONS else {}),
    }


def _tell_bus(account_id: str, bucket: Key, event_name: Key, key: Key) -> None:
    from moto.s3.notifications import _detail_type

    from tidegate.local.events import emit

    emit(
        source="aws.s3",
        detail_type=_detail_type(event_name),
        detail=describe_object(bucket, key, str(event_name.value)),
        resources=[bucket.arn],
        account=account_id,
        region=bucket.region_name,
    )


def _invoke(_: str, event_body: Json, fn_arn: str, __: str) -> None:
    _call(fn_arn, event_body)


def _call(arn: str, document: Json) -> None:
    from tidegate.local import functions

    functions.invoke(arn, json.dumps(document).encode(), invocation_type="Event")


def describe_message(subscription: Key, message: str, given: Json) -> Json:
    """The event that a function receives for a message of a topic."""
    attributes = given.get("message_attributes") or {}
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription.arn,
                "Sns": {
                    "Type": "Notification",
                    "MessageId": given["message_id"],
                    "TopicArn": subscription.topic_arn,
                    "Subject": given.get("subject"),
                    "Message": message,
                    "Timestamp": dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
                    "MessageAttributes": {
                        name: {"Type": value["Type"], "Value": value["Value"]}
                        for name, value in attributes.items()
                    },
                },
            }
        ]
    }


def install(cloud: LocalCloud) -> None:
    """Replace how buckets and topics tell others."""
    from moto.sns.models import Subscription

    original = Subscription.publish

    def publish(subscription: Key, message: str, message_id: str, *args: Key, **given: Key) -> None:
        if subscription.protocol != "lambda":
            original(subscription, message, message_id, *args, **given)
            return
        matcher = subscription._filter_policy_matcher
        if matcher is not None and not matcher.matches(given.get("message_attributes"), message):
            return
        if given.get("message_structure") == "json":
            message = subscription._parse_message_structure(message, subscription.protocol)
        _call(
            subscription.endpoint,
            describe_message(subscription, message, {**given, "message_id": message_id}),
        )

    _install_buckets(cloud)
    cloud.patch(Subscription, "publish", publish)


def _install_buckets(cloud: LocalCloud) -> None:
    """Announce delete markers, which moto forgets, and no tags for an object that is just being put."""
    from moto.s3 import notifications
    from moto.s3.models import S3Backend
    from moto.s3.responses import S3Response

    mark, put, send = S3Backend._set_delete_marker, S3Response.put_object, notifications.send_event
    putting = threading.local()

    def mark_deleted(backend: Key, bucket_name: str, key_name: str) -> Key:
        marker = mark(backend, bucket_name, key_name)
        event = notifications.S3NotificationEvent.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT
        notifications.send_event(backend.account_id, event, backend.get_bucket(bucket_name), marker)
        return marker

    def put_object(response: Key) -> Key:
        putting.now = True
        try:
            return put(response)
        finally:
            putting.now = False

    def send_event(account_id: str, event_name: Key, bucket: Key, key: Key) -> None:
        if not (getattr(putting, "now", False) and str(event_name.value).startswith("s3:ObjectTagging")):
            send(account_id, event_name, bucket, key)

    cloud.patch(S3Backend, "_set_delete_marker", mark_deleted)
    cloud.patch(S3Response, "put_object", put_object)
    cloud.patch(notifications, "send_event", send_event)
    cloud.patch(notifications, "_send_event_bridge_message", _tell_bus)
    cloud.patch(notifications, "_invoke_awslambda", _invoke)
