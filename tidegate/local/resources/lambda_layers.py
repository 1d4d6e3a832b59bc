"""AWS::Lambda::LayerVersion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidegate.local.resources.api import ALL, ApiKind

if TYPE_CHECKING:
    from tidegate.local.resources.kinds import Request


class LayerVersion(ApiKind):
    """One version of a layer; Ref is its ARN."""

    type = "AWS::Lambda::LayerVersion"
    create_only = ALL

    def create(self, request: Request) -> None:
        """PublishLayerVersion; a layer without a name gets one from the logical id."""
        name = request.properties.get("LayerName") or request.name
        answer = request.call("lambda", "publish_layer_version", **request.rest("LayerName"), LayerName=name)
        request.settle(answer["LayerVersionArn"], LayerVersionArn=answer["LayerVersionArn"])

    def delete(self, request: Request) -> None:
        """DeleteLayerVersion."""
        arn, _, number = request.physical_id.rpartition(":")
        request.discard(
            "lambda", "delete_layer_version", LayerName=arn.rsplit(":", 1)[-1], VersionNumber=number
        )


KINDS: Final = (LayerVersion,)
