"""What inside moto calls functions: rules, secrets and configuration rules.

Those that are asynchronous on AWS leave an event and go on; the others wait for the answer.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.awslambda import models
from moto.events import notifications as event_notifications

from tidegate.local.compute.aliases import Target
from tidegate.local.compute.configuration import LATEST
from tidegate.local.compute.invoker import Call

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud
    from tidegate.local.compute.deliveries import Deliveries
    from tidegate.local.compute.invoker import Invoker
    from tidegate.local.compute.sandbox import Outcome

RUNNING: dict[str, Any] = {}


def install(cloud: LocalCloud, invoker: Invoker, deliveries: Deliveries) -> None:
    """Bend moto's calls to functions to our processes."""
    RUNNING.update(invoker=invoker, deliveries=deliveries)
    cloud.patch(models.LambdaFunction, "invoke", invoke_version)
    cloud.patch(models.LambdaBackend, "invoke", invoke_named)
    cloud.patch(event_notifications, "_invoke_lambda", deliver_event)


def _accept(account_id: str, arn: str, event: Any) -> None:  # noqa: ANN401
    region = arn.split(":")[3]
    RUNNING["deliveries"].accept(Call(account_id, region, arn, json.dumps(event).encode()))


def _answer(outcome: Outcome, response_headers: dict[str, Any]) -> bytes:
    if outcome.function_error:
        response_headers["x-amz-function-error"] = outcome.function_error
    return outcome.payload


def invoke_version(self: Any, body: str, request_headers: Any, response_headers: dict[str, Any]) -> bytes:  # noqa: ANN401, ARG001
    """Run a version that the caller has looked up, and wait."""
    version = str(self.version)
    resource = self.function_name if version == LATEST else f"{self.function_name}:{version}"
    call = Call(self.account_id, self.region, self.function_name, (body or "{}").encode()).numbered()
    return _answer(
        RUNNING["invoker"].run_target(Target(self, self.function_arn, resource, None), call), response_headers
    )


def invoke_named(
    self: models.LambdaBackend,
    function_name: str,
    qualifier: str | None,
    body: Any,  # noqa: ANN401
    headers: Any,  # noqa: ANN401, ARG001
    response_headers: dict[str, Any],
) -> bytes:
    """Run a function by name and qualifier, and wait."""
    payload = body.encode() if isinstance(body, str) else bytes(body or b"")
    call = Call(self.account_id, self.region_name, function_name, payload, qualifier)
    _, outcome = RUNNING["invoker"].run(call)
    return _answer(outcome, response_headers)


def deliver_event(account_id: str, fn_arn: str, event: Any) -> None:  # noqa: ANN401
    """Leave an event with a function."""
    _accept(account_id, fn_arn, event)
