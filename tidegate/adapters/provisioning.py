"""Provisioned concurrency of versions, and its automatic scaling: read, and changed step by step.

A change is fenced as a write of an alias is: the alias must have no weights, since Lambda lets nothing be
managed beside them, and the claim's epoch is checked before each call. Every step may be done twice.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from tidegate.adapters.aliases import find_alias, parse_alias
from tidegate.adapters.stack_trees import list_resources
from tidegate.adapters.threads import AT_ONCE
from tidegate.domain.errors import ForeignChange, ProvisioningFailed
from tidegate.domain.provisioning import Act, Standing, Versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient

    from tidegate.adapters.ledger import Ledger
    from tidegate.domain.concurrency import Scaling
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.domain.provisioning import Provisioning, Step
    from tidegate.domain.rollouts import Rollout

    Decide = Callable[[Provisioning, Versions, Mapping[str, Standing]], tuple[Step, ...]]

NAMESPACE: Final = "lambda"
DIMENSION: Final = "lambda:function:ProvisionedConcurrency"
MISSING: Final = frozenset({"ResourceNotFoundException", "ProvisionedConcurrencyConfigNotFoundException"})
# No room for it, in the account or in the function's reservation: waiting would not help.
REFUSED: Final = frozenset({"InvalidParameterValueException"})


def list_provisioned(client: LambdaClient, name: str) -> dict[str, Standing]:
    """The provisioned concurrency of each qualifier of a function that has any."""
    pages = client.get_paginator("list_provisioned_concurrency_configs").paginate(FunctionName=name)
    return {
        item["FunctionArn"].rpartition(":")[2]: Standing(
            requested=item["RequestedProvisionedConcurrentExecutions"],
            status=item["Status"],
            reason=item.get("StatusReason", ""),
        )
        for page in pages
        for item in page["ProvisionedConcurrencyConfigs"]
    }


def locate(
    client: CloudFormationClient, functions: LambdaClient, plan: StagePlan, rollout: Rollout
) -> list[tuple[Provisioning, Versions]]:
    """What the plan provides, with names and versions as they are now; a function that is gone is left out.

    CloudFormation has named those functions that the release brought.
    """
    fresh = any(not item.function_name for item in plan.provisioned)
    resources = list_resources(client, plan.stack_name, plan.children) if fresh else {}
    rolling = {function.logical_id: function for function in rollout.functions}
    found = []
    for item in plan.provisioned:
        if moves := rolling.get(item.logical_id):
            versions = Versions(stable=moves.stable, canary=moves.canary)
            found.append((item, versions))
        elif arn := item.function_name or resources.get(item.alias_logical_id):
            name, alias = (item.function_name, item.alias) if item.function_name else parse_alias(arn)
            if state := find_alias(functions, name, alias):
                named = item.model_copy(update={"function_name": name, "alias": alias})
                found.append((named, Versions(stable=state.pointing.version)))
    return found


class Run(NamedTuple):
    """What was found of one function, and the steps that were taken on it."""

    item: Provisioning
    versions: Versions
    found: Mapping[str, Standing]
    steps: tuple[Step, ...]


class Provisioner:
    """Takes the steps for all functions of a stage, for one release, as long as it holds the claim."""

    def __init__(self, client: LambdaClient, scaling_client: Any, ledger: Ledger, ref: ReleaseRef) -> None:  # noqa: ANN401
        self._client = client
        self._scaling_client = scaling_client
        self._ledger = ledger
        self._ref = ref

    def run(self, items: Iterable[tuple[Provisioning, Versions]], decide: Decide) -> list[Run]:
        """Take all steps that `decide` finds are left. The first fault leaves once all are tried."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            taken = [pool.submit(self._run, item, versions, decide) for item, versions in items]
        return [one.result() for one in taken]

    def _run(self, item: Provisioning, versions: Versions, decide: Decide) -> Run:
        name = item.function_name
        found = list_provisioned(self._client, name)
        steps = decide(item, versions, found)
        state = find_alias(self._client, name, item.alias) if steps else None
        if state is not None and state.pointing.weights:
            message = (
                f"{name}:{item.alias} splits its traffic ({state.pointing}): "
                "its provisioned concurrency cannot be changed"
            )
            raise ForeignChange(message)
        for step in steps:
            self._ledger.check_epoch(self._ref)
            self._take(name, step)
        return Run(item, versions, found, steps)

    def _take(self, name: str, step: Step) -> None:
        resource_id = f"function:{name}:{step.qualifier}"
        if step.act is Act.PUT:
            self._put(name, step)
        elif step.act is Act.DELETE:
            self._delete(name, step)
        elif step.act is Act.SCALE and step.scaling:
            scale(self._scaling_client, resource_id, step.scaling)
        else:
            unscale(self._scaling_client, resource_id)

    def _put(self, name: str, step: Step) -> None:
        try:
            self._client.put_provisioned_concurrency_config(
                FunctionName=name, Qualifier=step.qualifier, ProvisionedConcurrentExecutions=step.amount
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in REFUSED:
                raise
            reason = error.response["Error"]["Message"]
            message = f"{step.amount} provisioned executions of {name}:{step.qualifier} are refused: {reason}"
            raise ProvisioningFailed(message) from error

    def _delete(self, name: str, step: Step) -> None:
        try:
            self._client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier=step.qualifier)
        except ClientError as error:
            if error.response["Error"]["Code"] not in MISSING:
                raise


def scale(client: Any, resource_id: str, scaling: Scaling) -> None:  # noqa: ANN401
    """Register a version for scaling, with its policies and scheduled actions; again replaces all of them."""
    target = {"ServiceNamespace": NAMESPACE, "ResourceId": resource_id, "ScalableDimension": DIMENSION}
    client.register_scalable_target(**target, MinCapacity=scaling.minimum, MaxCapacity=scaling.maximum)
    for policy in scaling.policies:
        client.put_scaling_policy(**target, **policy)
    for action in scaling.actions:
        client.put_scheduled_action(**target, **action)


def unscale(client: Any, resource_id: str) -> None:  # noqa: ANN401
    """Take a version out of scaling, its policies and scheduled actions too; a missing one is no error."""
    target = {"ServiceNamespace": NAMESPACE, "ResourceId": resource_id, "ScalableDimension": DIMENSION}
    try:
        client.deregister_scalable_target(**target)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ObjectNotFoundException":
            raise


def find_scaled(client: Any, resource_ids: list[str]) -> frozenset[str]:  # noqa: ANN401
    """Those of these resources that are scaled; 50 in a call."""
    found: set[str] = set()
    for start in range(0, len(resource_ids), 50):
        part = resource_ids[start : start + 50]
        pages = client.get_paginator("describe_scalable_targets").paginate(
            ServiceNamespace=NAMESPACE, ResourceIds=part
        )
        found |= {target["ResourceId"] for page in pages for target in page["ScalableTargets"]}
    return frozenset(found)
