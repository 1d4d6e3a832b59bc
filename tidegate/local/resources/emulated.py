"""Resource types that moto itself can make from a template: whatever is not registered here.

moto's models know no create-only properties, so a type without an update is replaced, and one with an
update is trusted with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.cloudformation.parsing import get_model_map
from moto.core.exceptions import ServiceException
from werkzeug.exceptions import HTTPException

from tidegate.local.resources.kinds import Kind, Naming, Request, copied
from tidegate.local.stack_errors import ResourceFailure

if TYPE_CHECKING:
    from collections.abc import Callable


# How to delete what moto's models can make and not delete; `Id` stands for the physical id.
DELETIONS: Final[dict[str, tuple[str, str, dict[str, str]]]] = {
    "AWS::EC2::InternetGateway": ("ec2", "delete_internet_gateway", {"InternetGatewayId": "Id"}),
    "AWS::EC2::NatGateway": ("ec2", "delete_nat_gateway", {"NatGatewayId": "Id"}),
    "AWS::EC2::EIP": ("ec2", "release_address", {"PublicIp": "Id"}),
    "AWS::EC2::Route": (
        "ec2",
        "delete_route",
        {"RouteTableId": "RouteTableId", "DestinationCidrBlock": "DestinationCidrBlock"},
    ),
    "AWS::EC2::RouteTable": ("ec2", "delete_route_table", {"RouteTableId": "Id"}),
    "AWS::EC2::Subnet": ("ec2", "delete_subnet", {"SubnetId": "Id"}),
    "AWS::EC2::SubnetRouteTableAssociation": ("ec2", "disassociate_route_table", {"AssociationId": "Id"}),
    "AWS::EC2::VPC": ("ec2", "delete_vpc", {"VpcId": "Id"}),
    "AWS::EC2::VPCEndpoint": ("ec2", "delete_vpc_endpoints", {"VpcEndpointIds": "Id"}),
    "AWS::EC2::VPCGatewayAttachment": (
        "ec2",
        "detach_internet_gateway",
        {"VpcId": "VpcId", "InternetGatewayId": "InternetGatewayId"},
    ),
    "AWS::ECS::Cluster": ("ecs", "delete_cluster", {"cluster": "Id"}),
    "AWS::ECS::TaskDefinition": ("ecs", "deregister_task_definition", {"taskDefinition": "Id"}),
    "AWS::ElasticLoadBalancingV2::Listener": ("elbv2", "delete_listener", {"ListenerArn": "Id"}),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("elbv2", "delete_load_balancer", {"LoadBalancerArn": "Id"}),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("elbv2", "delete_target_group", {"TargetGroupArn": "Id"}),
    "AWS::Route53::HealthCheck": ("route53", "delete_health_check", {"HealthCheckId": "Id"}),
}


def find(name: str) -> Kind | None:
    """The kind for a type that moto has a model of."""
    model = get_model_map().get(name)
    return EmulatedKind(name, model) if model else None


class EmulatedKind(Kind):
    """One of moto's CloudFormation models."""

    def __init__(self, name: str, model: Any) -> None:  # noqa: ANN401
        self.type = name  # type: ignore[misc]
        self.cls = model
        named = model.cloudformation_name_type()
        self.naming = Naming(named, 32 if "LoadBalancing" in name else 64) if named else None  # type: ignore[misc]

    @property
    def _updates(self) -> bool:
        return not hasattr(self.cls.update_from_cloudformation_json, "__isabstractmethod__")

    def replaced_by(self, changed: set[str]) -> set[str]:
        """All of them where moto has no update."""
        return set() if self._updates else changed

    def create(self, request: Request) -> None:
        """Let moto's model make it."""
        known = {"LogicalId": request.logical_id, "StackId": request.stack_id, "ResourceType": self.type}
        model = _try(
            lambda: self.cls.create_from_cloudformation_json(
                request.name, self._write(request.properties), request.account, request.region, **known
            )
        )
        self._take(request, model)

    def update(self, request: Request) -> None:
        """Let moto's model update it."""
        model = _try(
            lambda: self.cls.update_from_cloudformation_json(
                original_resource=request.model,
                new_resource_name=request.name,
                cloudformation_json=self._write(request.properties),
                account_id=request.account,
                region_name=request.region,
            )
        )
        self._take(request, model)

    def delete(self, request: Request) -> None:
        """Let moto's model delete it, by whichever of its two ways it has."""
        properties = self._write(request.properties)
        if not hasattr(self.cls.delete_from_cloudformation_json, "__isabstractmethod__"):
            place = (request.account, request.region)
            delete = self.cls.delete_from_cloudformation_json
            _try(lambda: delete(request.physical_id, properties, *place))
        elif hasattr(request.model, "delete"):
            _try(lambda: request.model.delete(request.account, request.region))
        elif self.type in DELETIONS:
            service, operation, names = DELETIONS[self.type]
            known = {**request.properties, "Id": request.physical_id}
            request.discard(service, operation, **{new: known[old] for new, old in names.items()})
        else:
            raise ResourceFailure(f"{self.type}: deletion is not available in the local cloud")

    def attribute(self, request: Request, name: str) -> Any:  # noqa: ANN401
        """What the model answers to GetAtt."""
        try:
            return request.model.get_cfn_attribute(name)
        except (UnformattedGetAttTemplateException, NotImplementedError, AttributeError) as error:
            raise KeyError(name) from error

    def _write(self, properties: dict[str, Any]) -> dict[str, Any]:
        return {"Type": self.type, "Properties": copied(properties)}

    def _take(self, request: Request, model: Any) -> None:  # noqa: ANN401
        if model is None:
            raise ResourceFailure(f"{self.type} could not be made by the local cloud")
        model.cf_resource_type = self.type
        model.logical_resource_id = request.logical_id
        request.model = model
        request.settle(str(model.physical_resource_id))


def _try(act: Callable[[], Any]) -> Any:  # noqa: ANN401
    try:
        return act()
    except (ServiceException, HTTPException) as error:
        raise ResourceFailure(str(getattr(error, "message", "") or error)) from error
    except (KeyError, TypeError, ValueError, AttributeError, NotImplementedError) as error:
        fault = f"{type(error).__name__}: {error}"
        reason = f"what the template asks for is not available in the local cloud ({fault})"
        raise ResourceFailure(reason) from error
