"""Types that stand for nothing but themselves: they make no resource and only have an id.

AWS::CloudFormation::WaitConditionHandle gives an id and no address to signal; AWS::CDK::Metadata is kept for
what it says. An AWS::CloudFormation::WaitCondition waits for a signal from outside and is not available.
"""

from __future__ import annotations

from typing import Final

from tidegate.local.resources.kinds import Kind, Request


class Marker(Kind):
    """Nothing but an id."""

    def create(self, request: Request) -> None:
        """Give it an id."""
        request.settle(request.name)

    def update(self, request: Request) -> None:
        """There is nothing to change."""

    def delete(self, request: Request) -> None:
        """There is nothing to delete."""


class WaitConditionHandle(Marker):
    """A handle that nobody signals."""

    type = "AWS::CloudFormation::WaitConditionHandle"


class CdkMetadata(Marker):
    """What the CDK tells of its constructs."""

    type = "AWS::CDK::Metadata"


KINDS: Final = (WaitConditionHandle, CdkMetadata)
