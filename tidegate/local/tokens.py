"""Task tokens: a new one for each attempt, and the three calls that answer them.

A token is answered once. Later answers, and answers to an attempt that is over, are TaskTimedOut, as on AWS.
Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tidegate.local.interruption import pause

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Environment: TypeAlias = Any
State: TypeAlias = Any
LOCK: Final = threading.Lock()
ENDPOINTS: Final[dict[str, Any]] = {}


def issue(state: State, env: Environment) -> str | None:
    """Put a fresh token into the context of a state that waits for one; None for every other state."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
        ResourceCondition,
    )

    supported = getattr(state, "_supported_integration_patterns", ())
    if (
        not supported
        or not state._is_integration_pattern()
        or ResourceCondition.WaitForTaskToken not in supported
    ):
        return None
    state._assert_integration_pattern_is_supported()
    token = str(env.states.context_object.update_task_token())
    with LOCK:
        ENDPOINTS[token] = env.callback_pool_manager.add(token)
    return token


def withdraw(token: str | None) -> None:
    """No answer to this token is taken any more."""
    from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackConsumerLeft

    if token is not None:
        with LOCK:
            ENDPOINTS[token].report(CallbackConsumerLeft())


def _endpoint(token: str) -> State:
    from moto.core.exceptions import AWSError

    endpoint = ENDPOINTS.get(token)
    if endpoint is None:
        raise AWSError("Invalid Token: 'Invalid token'", "InvalidToken")
    if endpoint.consumer_error is not None or endpoint.get_outcome() is not None:
        raise AWSError("Task Timed Out: 'Provided task does not exist anymore'", "TaskTimedOut")
    return endpoint


def _succeed(_: State, task_token: str, outcome: str) -> None:
    from moto.core.exceptions import AWSError
    from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackOutcomeSuccess

    try:
        json.loads(outcome)
    except ValueError as error:
        raise AWSError(f"Invalid Output: '{error}'", "InvalidOutput") from error
    with LOCK:
        _endpoint(task_token).notify(CallbackOutcomeSuccess(callback_id=task_token, output=outcome))


def _fail(_: State, task_token: str, error: str | None = None, cause: str | None = None) -> None:
    from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackOutcomeFailure

    with LOCK:
        _endpoint(task_token).notify(CallbackOutcomeFailure(callback_id=task_token, error=error, cause=cause))


def _beat(_: State, task_token: str) -> None:
    with LOCK:
        _endpoint(task_token).notify_heartbeat()


def _await(
    _: State, env: Environment, timeout_seconds: float, callback_endpoint: State, heartbeat_endpoint: State
) -> State:
    from moto.stepfunctions.parser.asl.eval.callback import callback

    if heartbeat_endpoint is None:
        pause(env, callback_endpoint._notify_event, timeout_seconds)
        return callback_endpoint.get_outcome() or callback.CallbackOutcomeTimedOut(
            callback_endpoint.callback_id
        )
    heard = heartbeat_endpoint._next_heartbeat_event
    while env.is_running():
        pause(env, heard, heartbeat_endpoint._heartbeat_seconds)
        if not heard.is_set():
            return callback.HeartbeatTimedOut()
        heard.clear()
        if callback_endpoint.get_outcome() is not None:
            break
    return callback_endpoint.get_outcome() or callback.CallbackOutcomeTimedOut(callback_endpoint.callback_id)


def _evaluate(state: State, env: Environment) -> None:
    """A state with a token, without the engine's one token for all attempts."""
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

    CommonStateField._eval_body(state, env)
    env.states.context_object.context_object_data.pop("Task", None)


def install(cloud: LocalCloud) -> None:
    """Replace the issuing, awaiting and answering of tokens."""
    from moto.core.responses import EmptyResult
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_callback as service,
    )
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.responses import StepFunctionResponse

    def respond_failure(response: State) -> State:
        token, error, cause = (response._get_param(name) for name in ("taskToken", "error", "cause"))
        response.stepfunction_backend.send_task_failure(token, error=error, cause=cause)
        return EmptyResult()

    cloud.patch(service.StateTaskServiceCallback, "_eval_body", _evaluate)
    cloud.patch(service.StateTaskServiceCallback, "_eval_wait_for_task_token", _await)
    cloud.patch(StepFunctionsParserBackend, "send_task_success", _succeed)
    cloud.patch(StepFunctionsParserBackend, "send_task_failure", _fail)
    cloud.patch(StepFunctionsParserBackend, "send_task_heartbeat", _beat)
    cloud.patch(StepFunctionResponse, "send_task_failure", respond_failure)
    cloud.on_stop(ENDPOINTS.clear)
