"""One attempt of a Task, Map or Parallel state: its thread, its time limit, its result, its failure's name.

Replaces the engine's own attempt, which cannot be interrupted, shows Output the variables that Assign has
just set, and gives a retry the task token of the attempt before. What a state does inside
an attempt stays moto's.
"""

from __future__ import annotations

import copy
import json
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from tidegate.local import assignment, tokens
from tidegate.local.interruption import pause

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Environment: TypeAlias = Any
State: TypeAlias = Any
INLINE_CONCURRENCY = 40  # https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html


def run(state: State, env: Environment) -> None:
    """Run one attempt in a thread of its own; leaves its result on the stack, or raises its error."""
    from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError

    state.timeout.eval(env=env)
    seconds = env.stack.pop()
    token = tokens.issue(state, env)
    frame = env.open_frame()
    frame.states.reset(input_value=env.states.get_input())
    frame.stack = copy.deepcopy(env.stack)
    outcome = _start(state, env, frame, seconds)
    running = env.is_running()
    frame.set_ended()
    env.close_frame(frame)
    tokens.withdraw(token)
    if not running:
        return
    if not outcome:
        raise EvalTimeoutError
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    _finish(state, env, outcome[0])


def _start(state: State, env: Environment, frame: Environment, seconds: float) -> list[Any]:
    outcome: list[Any] = []
    done = threading.Event()

    def work() -> None:
        try:
            state._eval_execution(frame)
            outcome.append(frame.stack[-1] if frame.stack else None)
        except Exception as error:  # noqa: BLE001
            outcome.append(error)
        done.set()

    threading.Thread(target=work, name=f"tidegate-state-{state.name}", daemon=True).start()
    pause(env, done, seconds)
    return outcome[:1]


def _finish(state: State, env: Environment, output: State) -> None:
    env.stack.append(output)
    if state._is_language_query_jsonpath():
        _finish_jsonpath(state, env)
        return
    env.states.set_result(output)
    try:
        if state.assign_decl:
            state.assign_decl.eval(env=env)
        if state.output:
            state.output.jsonata_template_value.eval(env=env)
    except Exception:
        assignment.drop(env)
        raise


def _finish_jsonpath(state: State, env: Environment) -> None:
    for part in (state.assign_decl, state.result_selector, state.result_path):
        if part:
            part.eval(env=env)


def _leave(state: State, env: Environment) -> None:
    """Make the attempt's output the next state's input; a Catch has done that already."""
    from moto.stepfunctions.parser.asl.component.common.catch.catch_outcome import CatchOutcome
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

    if isinstance(env.stack[-1], CatchOutcome):
        return
    if state._is_language_query_jsonpath():
        CommonStateField._eval_state_output(state, env)
        return
    env.states.reset(input_value=env.stack.pop())


def name_lambda_error(error: Exception) -> str | None:
    """The name that Step Functions gives to an error of the Lambda integration, None if the engine knows it.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils

    if isinstance(error, ClientError):
        return f"Lambda.{error.response['Error']['Code']}"
    if isinstance(error, BotoCoreError):
        return "Lambda.SdkClientException"
    if isinstance(error, lambda_eval_utils.LambdaFunctionErrorException):
        payload = json.loads(error.payload)
        return payload.get("errorType") or "Lambda.Unknown" if isinstance(payload, dict) else "Lambda.Unknown"
    return None


def install(cloud: LocalCloud) -> None:
    """Replace the attempt, and how its result and its errors leave it."""
    from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_lambda,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import (
        StateTaskLambda,
    )

    cloud.patch(ExecutionState, "_evaluate_with_timeout", run)
    cloud.patch(ExecutionState, "_eval_state_output", _leave)
    cloud.patch(iteration_worker.IterationWorker, "_eval_pool", _work_off)
    _install_naming(cloud, StateTaskLambda)
    _install_naming(cloud, state_task_service_lambda.StateTaskServiceLambda)
    _install_concurrency(cloud)


def _install_naming(cloud: LocalCloud, task: State) -> None:
    from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName

    original = task._from_error

    def name(state: State, env: Environment, ex: Exception) -> State:
        event = original(state, env=env, ex=ex)
        found = name_lambda_error(ex)
        if found is not None:
            event.error_name = CustomErrorName(found)
            next(iter(event.event_details.values()))["error"] = found
        return event

    cloud.patch(task, "_from_error", name)


def _install_concurrency(cloud: LocalCloud) -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
        inline_iteration_component,
    )

    component = inline_iteration_component.InlineIterationComponent
    original = component._eval_body

    def iterate(iteration: State, env: Environment) -> None:
        given = env.stack[-1]
        given.max_concurrency = min(given.max_concurrency or INLINE_CONCURRENCY, len(given.input_items))
        original(iteration, env)

    cloud.patch(component, "_eval_body", iterate)


def _work_off(worker: State, job: State, worker_frame: Environment) -> None:
    """Take one job after the other; the engine recurses here, as deep as the list is long."""
    while job is not None:
        job_frame = worker_frame.open_inner_frame()
        worker._eval_job(env=job_frame, job=job)
        worker_frame.close_frame(job_frame)
        failed = isinstance(job.job_output, Exception) or worker.stopped()
        following = None if failed else worker._job_pool.next_job()
        if following is None:
            if not failed:
                last = job_frame.event_history_context.last_published_event_id
                worker_frame.event_history_context.source_event_id = last
            worker._env.close_frame(worker_frame)
            worker._job_pool.close_job(job)
            return
        worker._job_pool.close_job(job)
        job = following
    worker._env.close_frame(worker_frame)
