"""Failures in state machines: which ErrorEquals matches which error, and what is recorded when a query fails.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tidegate.local.jsonata import failure

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Environment: TypeAlias = Any
State: TypeAlias = Any
UNCATCHABLE: Final = {"States.Runtime", "States.DataLimitExceeded"}
TIMEOUTS: Final = {"States.Timeout", "States.HeartbeatTimeout"}
LONGEST: Final = 99_999_999


def matches(wanted: set[str], error: str) -> bool:
    """Whether the names in an ErrorEquals take this error."""
    if error in wanted:
        return True
    if error in UNCATCHABLE:
        return False
    if error == "States.HeartbeatTimeout" and "States.Timeout" in wanted:
        return True
    return "States.ALL" in wanted or ("States.TaskFailed" in wanted and error not in TIMEOUTS)


def _match(declaration: State, env: Environment) -> None:
    error = env.stack.pop()
    wanted = {str(name.error_name) for name in declaration.error_names}
    env.stack.append(matches(wanted, str(error.error_name) if error else ""))


def whole_seconds(field: State, env: Environment) -> int:
    """The seconds that a JSONata field gives; AWS takes whole numbers from 0 to 99,999,999 only."""
    field.string_jsonata.eval(env=env)
    value = env.stack.pop()
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LONGEST:
        raise failure(
            env, f"The field must give a whole number of seconds from 0 to {LONGEST}, not {value!r}."
        )
    return value


def install(cloud: LocalCloud) -> None:
    """Mend matching, timeouts by heartbeat, the fields that give seconds, and records of failed queries."""
    from moto.stepfunctions.parser.asl.component.common.error_name import custom_error_name
    from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
    from moto.stepfunctions.parser.asl.component.common.timeouts.heartbeat import HeartbeatSecondsJSONata
    from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSecondsJSONata
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.seconds import SecondsJSONata

    cloud.patch(ErrorEqualsDecl, "_eval_body", _match)
    cloud.patch(SecondsJSONata, "_get_wait_seconds", whole_seconds)
    cloud.patch(TimeoutSecondsJSONata, "_eval_seconds", whole_seconds)
    cloud.patch(HeartbeatSecondsJSONata, "_eval_seconds", whole_seconds)
    # Errors of the engine pass through Map and Parallel as custom ones, which may not begin so.
    cloud.patch(custom_error_name, "ILLEGAL_CUSTOM_ERROR_PREFIX", "\0")
    _install_records(cloud)
    _install_heartbeats(cloud)
    _install_context(cloud)
    _install_tolerance(cloud)


def _install_records(cloud: LocalCloud) -> None:
    """States without attempts (Pass, Choice, Wait, Succeed, Fail) record a failed query themselves."""
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
    from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

    original = CommonStateField._eval_body

    def evaluate(state: State, env: Environment) -> None:
        try:
            original(state, env)
        except FailureEventException as error:
            event = error.failure_event
            if "evaluationFailedEventDetails" in event.event_details and not isinstance(
                state, ExecutionState
            ):
                env.event_manager.add_event(
                    context=env.event_history_context,
                    event_type=event.event_type,
                    event_details=event.event_details,
                )
            raise

    cloud.patch(CommonStateField, "_eval_body", evaluate)


def _install_heartbeats(cloud: LocalCloud) -> None:
    from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
    from moto.stepfunctions.parser.asl.eval.callback.callback import HeartbeatTimeoutError

    original = StateTask._from_error

    def name(state: State, env: Environment, ex: Exception) -> State:
        event = original(state, env=env, ex=ex)
        if isinstance(ex, HeartbeatTimeoutError):
            event.error_name = CustomErrorName("States.HeartbeatTimeout")
            next(iter(event.event_details.values()))["error"] = "States.HeartbeatTimeout"
        return event

    cloud.patch(StateTask, "_from_error", name)


def _install_context(cloud: LocalCloud) -> None:
    """The states within a Map see its item in the context object."""
    from moto.stepfunctions.parser.asl.eval.environment import Environment as Engine

    for opening in ("open_frame", "open_inner_frame"):
        original = getattr(Engine, opening)

        def opened(
            env: Environment, *args: State, original: State = original, **kwargs: State
        ) -> Environment:
            frame = original(env, *args, **kwargs)
            outer = env.states.context_object.context_object_data
            if "Map" in outer:
                frame.states.context_object.context_object_data.setdefault("Map", outer["Map"])
            return frame

        cloud.patch(Engine, opening, opened)


def _install_tolerance(cloud: LocalCloud) -> None:
    """A distributed Map fails when more items failed than it tolerates; moto counts them only."""
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
        distributed_iteration_component,
    )

    component = distributed_iteration_component.DistributedIterationComponent
    original = component._map_run

    def run(iteration: State, env: Environment, eval_input: State) -> None:
        total = len(env.stack[-1])
        original(iteration, env, eval_input)
        failed = eval_input.map_run_record.item_counter.failed.get()
        share = 100 * failed / total if total else 0
        if failed > eval_input.tolerated_failure_count and share > eval_input.tolerated_failure_percentage:
            raise _exceeded(env)

    cloud.patch(component, "_map_run", run)


def _exceeded(env: Environment) -> Exception:
    from moto.stepfunctions.parser.api import HistoryEventType, MapRunFailedEventDetails
    from moto.stepfunctions.parser.asl.component.common.error_name import custom_error_name, failure_event
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    error = "States.ExceedToleratedFailureThreshold"
    cause = "The specified tolerated failure threshold was exceeded"
    event = failure_event.FailureEvent(
        env=env,
        error_name=custom_error_name.CustomErrorName(error),
        event_type=HistoryEventType.MapRunFailed,
        event_details=EventDetails(
            mapRunFailedEventDetails=MapRunFailedEventDetails(error=error, cause=cause)
        ),
    )
    return failure_event.FailureEventException(failure_event=event)  # type: ignore[no-any-return]
