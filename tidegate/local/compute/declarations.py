"""Functions and layers declared in CloudFormation, with all their properties; moto drops some.

`Ref` of a layer version is its ARN. An update goes through the same calls as the API's, with defaults for
what the new template no longer says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.awslambda import models

from tidegate.local.compute.configuration import LOCK, NUMBERS, PLAIN, cloudformation_spec

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud


def install(cloud: LocalCloud) -> None:
    """Replace how moto reads these two resource types."""
    cloud.patch(models.LambdaFunction, "create_from_cloudformation_json", classmethod(create_function))
    cloud.patch(models.LambdaFunction, "update_from_cloudformation_json", classmethod(update_function))
    cloud.patch(models.LayerVersion, "create_from_cloudformation_json", classmethod(create_layer))
    cloud.patch(models.LayerVersion, "physical_resource_id", property(lambda self: self.arn))
    cloud.patch(models.LayerVersion, "delete", delete_layer)


def create_function(
    cls: type[Any],  # noqa: ARG001
    /,
    resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
    **_: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Create a function from its declaration."""
    backend = models.lambda_backends[account_id][region_name]
    return backend.create_function(cloudformation_spec(resource_name, cloudformation_json["Properties"]))


def update_function(
    cls: type[Any],  # noqa: ARG001
    original_resource: Any,  # noqa: ANN401
    new_resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,  # noqa: ARG001
    region_name: str,  # noqa: ARG001
) -> Any:  # noqa: ANN401
    """Change a function to its new declaration; what has not changed causes no change."""
    spec = cloudformation_spec(new_resource_name, cloudformation_json["Properties"])
    absent = {name: value for name, (_, value) in {**PLAIN, **NUMBERS}.items() if name not in spec}
    lists = {"Environment": {}, "Layers": [], "EphemeralStorage": {"Size": 512}}
    with LOCK:
        original_resource.update_configuration({**lists, **absent, **spec})
        original_resource.update_function_code(spec["Code"])
        original_resource.reserved_concurrency = spec.get("ReservedConcurrentExecutions")
        original_resource.tags = spec["Tags"]
    return original_resource


def create_layer(
    cls: type[Any],  # noqa: ARG001
    /,
    resource_name: str,
    cloudformation_json: dict[str, Any],
    account_id: str,
    region_name: str,
    **_: Any,  # noqa: ANN401
) -> models.LayerVersion:
    """Publish a layer version from its declaration."""
    properties = cloudformation_json["Properties"]
    spec = {**properties, "LayerName": properties.get("LayerName") or resource_name}
    return models.lambda_backends[account_id][region_name].publish_layer_version(spec)


def delete_layer(self: models.LayerVersion, account_id: str, region: str) -> None:
    """Delete a layer version with its stack."""
    models.lambda_backends[account_id][region].delete_layer_version(self.name, str(self.version))
