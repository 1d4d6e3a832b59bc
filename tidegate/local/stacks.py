"""CloudFormation as a transaction: the API's actions on stacks and change sets, in place of moto's.

moto applies a template within the call and leaves a stack half applied when that raises. Here every
operation is asynchronous, goes through AWS's statuses and events, and is rolled back on a failure. This
module reads requests, refuses what AWS refuses and starts the operation; it applies nothing itself. Stack
sets stay with moto; stack policies, drift detection and resource imports are refused by name.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from moto.cloudformation.responses import CloudFormationResponse

from tidegate.local import stack_changes, stack_control, stack_views
from tidegate.local.stack_errors import InternalFailure, StackError, ValidationError
from tidegate.local.stack_registry import Platform, get_registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud

LOG: Final = logging.getLogger(__name__)
REFUSED: Final = (
    "set_stack_policy",
    "detect_stack_drift",
    "detect_stack_resource_drift",
    "describe_stack_drift_detection_status",
    "describe_stack_resource_drifts",
    "signal_resource",
    "rollback_stack",
)


def install(cloud: LocalCloud) -> None:
    """Put these actions in the place of moto's."""
    platform = Platform(cloud)
    kept = CloudFormationResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER
    stack_sets = {path: turn for path, turn in kept.items() if "StackSet" in path}
    cloud.patch(CloudFormationResponse, "RESPONSE_KEY_PATH_TO_TRANSFORMER", stack_sets)
    for actions in (stack_control.ACTIONS, stack_changes.ACTIONS, stack_views.ACTIONS):
        for name, action in actions.items():
            cloud.patch(CloudFormationResponse, name, _answer(action, platform))
    for name in REFUSED:
        cloud.patch(CloudFormationResponse, name, _refuse(name))


def _answer(action: Callable[..., dict[str, Any]], platform: Platform) -> Callable[[Any], Any]:
    from moto.core.responses import ActionResult

    def answer(response: CloudFormationResponse) -> ActionResult:
        registry = get_registry(response.current_account, response.region)
        try:
            return ActionResult(action(platform, registry, response._get_params()))
        except StackError:
            raise
        except Exception as error:
            LOG.exception("%s", action.__name__)
            raise InternalFailure(f"{type(error).__name__}: {error}") from error

    return answer


def _refuse(name: str) -> Callable[[Any], Any]:
    title = "".join(part.capitalize() for part in name.split("_"))

    def refuse(_response: CloudFormationResponse) -> None:
        raise ValidationError(f"{title} is not available in the local cloud")

    return refuse
