"""AWS::Pipes::Pipe and AWS::KinesisFirehose::DeliveryStream: kept and described; neither moves records."""

from __future__ import annotations

from typing import ClassVar, Final

from tidegate.local.resources.api import ApiKind
from tidegate.local.resources.kinds import Naming


class Pipe(ApiKind):
    """A pipe; Ref is its name."""

    type = "AWS::Pipes::Pipe"
    create_only = frozenset({"Name", "Source"})
    naming = Naming("Name", 64)
    service, creates, updates, deletes = "pipes", "create_pipe", "update_pipe", "delete_pipe"
    key = "Name"
    returned: ClassVar[dict[str, str]] = {"Arn": "Arn"}


class DeliveryStream(ApiKind):
    """A delivery stream; Ref is its name."""

    type = "AWS::KinesisFirehose::DeliveryStream"
    naming = Naming("DeliveryStreamName", 64)
    service, creates, deletes = "firehose", "create_delivery_stream", "delete_delivery_stream"
    key = "DeliveryStreamName"
    returned: ClassVar[dict[str, str]] = {"Arn": "DeliveryStreamARN"}


KINDS: Final = (Pipe, DeliveryStream)
