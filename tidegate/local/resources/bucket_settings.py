"""A bucket's settings: for each property of AWS::S3::Bucket the call that makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

Shape = dict[str, Any]


def _as_is(value: Any) -> Any:  # noqa: ANN401
    return value


@dataclass(frozen=True)
class Setting:
    """How one property is put, and taken away again: by a call, or by putting `default`."""

    put: str
    parameter: str
    convert: Callable[[Any], Any] = _as_is
    take: str = ""
    default: Shape = field(default_factory=dict)


def rename(value: Shape, **names: str) -> Shape:
    """Rename members: new=old."""
    turned = {old: new for new, old in names.items()}
    return {turned.get(key, key): item for key, item in value.items()}


def _convert_encryption(value: Shape) -> Shape:
    rules = value["ServerSideEncryptionConfiguration"]
    return {
        "Rules": [
            rename(r, ApplyServerSideEncryptionByDefault="ServerSideEncryptionByDefault") for r in rules
        ]
    }


def _convert_cors(value: Shape) -> Shape:
    names = {"ExposeHeaders": "ExposedHeaders", "ID": "Id", "MaxAgeSeconds": "MaxAge"}
    return {"CORSRules": [rename(rule, **names) for rule in value["CorsRules"]]}


def _convert_website(value: Shape) -> Shape:
    found: Shape = {}
    if "IndexDocument" in value:
        found["IndexDocument"] = {"Suffix": value["IndexDocument"]}
    if "ErrorDocument" in value:
        found["ErrorDocument"] = {"Key": value["ErrorDocument"]}
    if "RedirectAllRequestsTo" in value:
        found["RedirectAllRequestsTo"] = value["RedirectAllRequestsTo"]
    if "RoutingRules" in value:
        names = {"Redirect": "RedirectRule", "Condition": "RoutingRuleCondition"}
        found["RoutingRules"] = [rename(rule, **names) for rule in value["RoutingRules"]]
    return found


def _convert_logging(value: Shape) -> Shape:
    target = {
        "TargetBucket": value.get("DestinationBucketName"),
        "TargetPrefix": value.get("LogFilePrefix", ""),
    }
    return {"LoggingEnabled": target} if target["TargetBucket"] else {}


def _convert_lifecycle(value: Shape) -> Shape:
    return {"Rules": [_convert_rule(rule) for rule in value["Rules"]]}


def _convert_rule(rule: Shape) -> Shape:
    found: Shape = {"Status": rule["Status"], "Filter": _convert_filter(rule)}
    if "Id" in rule:
        found["ID"] = rule["Id"]
    expiration = {"Days": "ExpirationInDays", "Date": "ExpirationDate"}
    expiration["ExpiredObjectDeleteMarker"] = "ExpiredObjectDeleteMarker"
    if kept := {new: rule[old] for new, old in expiration.items() if old in rule}:
        found["Expiration"] = kept
    transitions = [*rule.get("Transitions", []), *([rule["Transition"]] if "Transition" in rule else [])]
    if transitions:
        found["Transitions"] = [
            rename(t, Days="TransitionInDays", Date="TransitionDate") for t in transitions
        ]
    if "NoncurrentVersionExpirationInDays" in rule:
        days = rule["NoncurrentVersionExpirationInDays"]
        found["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    if "NoncurrentVersionExpiration" in rule:
        found["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    if "NoncurrentVersionTransitions" in rule:
        found["NoncurrentVersionTransitions"] = [
            rename(t, NoncurrentDays="TransitionInDays") for t in rule["NoncurrentVersionTransitions"]
        ]
    if "AbortIncompleteMultipartUpload" in rule:
        found["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    return found


def _convert_filter(rule: Shape) -> Shape:
    parts: Shape = {
        key: rule[key] for key in ("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan") if key in rule
    }
    tags = rule.get("TagFilters", [])
    if len(parts) + len(tags) > 1:
        return {"And": parts | ({"Tags": tags} if tags else {})}
    return {"Tag": tags[0]} if tags else parts or {"Prefix": ""}


def _convert_notification(value: Shape) -> Shape:
    targets = {
        "LambdaConfigurations": ("LambdaFunctionConfigurations", "LambdaFunctionArn", "Function"),
        "QueueConfigurations": ("QueueConfigurations", "QueueArn", "Queue"),
        "TopicConfigurations": ("TopicConfigurations", "TopicArn", "Topic"),
    }
    found: Shape = {}
    for name, (section, arn, target) in targets.items():
        if value.get(name):
            found[section] = [_convert_target(item, arn, target) for item in value[name]]
    bridge = value.get("EventBridgeConfiguration")
    if bridge is not None and str(bridge.get("EventBridgeEnabled", True)).lower() == "true":
        found["EventBridgeConfiguration"] = {}
    return found


def _convert_target(item: Shape, arn: str, target: str) -> Shape:
    found: Shape = {arn: item[target], "Events": [item["Event"]]}
    if "Filter" in item:
        found["Filter"] = {"Key": {"FilterRules": item["Filter"]["S3Key"]["Rules"]}}
    return found


SETTINGS: Final[dict[str, Setting]] = {
    "AccelerateConfiguration": Setting(
        "put_bucket_accelerate_configuration",
        "AccelerateConfiguration",
        lambda value: {"Status": value["AccelerationStatus"]},
        default={"Status": "Suspended"},
    ),
    "BucketEncryption": Setting(
        "put_bucket_encryption",
        "ServerSideEncryptionConfiguration",
        _convert_encryption,
        "delete_bucket_encryption",
    ),
    "CorsConfiguration": Setting("put_bucket_cors", "CORSConfiguration", _convert_cors, "delete_bucket_cors"),
    "LifecycleConfiguration": Setting(
        "put_bucket_lifecycle_configuration",
        "LifecycleConfiguration",
        _convert_lifecycle,
        "delete_bucket_lifecycle",
    ),
    "LoggingConfiguration": Setting("put_bucket_logging", "BucketLoggingStatus", _convert_logging),
    "NotificationConfiguration": Setting(
        "put_bucket_notification_configuration", "NotificationConfiguration", _convert_notification
    ),
    "OwnershipControls": Setting(
        "put_bucket_ownership_controls", "OwnershipControls", take="delete_bucket_ownership_controls"
    ),
    "PublicAccessBlockConfiguration": Setting(
        "put_public_access_block", "PublicAccessBlockConfiguration", take="delete_public_access_block"
    ),
    "VersioningConfiguration": Setting(
        "put_bucket_versioning", "VersioningConfiguration", default={"Status": "Suspended"}
    ),
    "WebsiteConfiguration": Setting(
        "put_bucket_website", "WebsiteConfiguration", _convert_website, "delete_bucket_website"
    ),
}
