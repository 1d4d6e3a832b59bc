"""Variables of a state machine: `Assign` takes effect when its state is left, not before.

Assign and Output of one state see the same snapshot. The engine writes variables at once; here they are kept
beside the environment until the state's exit, and dropped when the state fails after Assign.
Source: https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Environment: TypeAlias = Any
State: TypeAlias = Any
PENDING: Final = "tidegate-assigned"


def drop(env: Environment) -> None:
    """Forget what the state has assigned so far."""
    env.heap.pop(PENDING, None)


def _assign(declaration: State, env: Environment) -> None:
    from moto.stepfunctions.parser.asl.eval.variable_store import IllegalOuterScopeWrite

    assigned: dict[str, Any] = {}
    for binding in declaration.declaration_bindings:
        binding.eval(env=env)
        assigned.update(env.stack.pop())
    for name, value in assigned.items():
        if name in env.variable_store._outer_scope:
            raise IllegalOuterScopeWrite(variable_identifier=name, variable_value=value)
    env.heap[PENDING] = assigned


def _show(store: State) -> dict[str, str]:
    return {name: json.dumps(store.get(name), separators=(",", ":")) for name in store._declaration_tracing}


def _choose(state: State, env: Environment) -> None:
    """Find the first rule that is true; leaves the rule, or None for Default, on the stack."""
    for rule in state.choices_decl.rules:
        rule.comparison.eval(env)
        verdict = env.stack.pop()
        if not isinstance(verdict, bool):
            raise _not_boolean(env, verdict)
        if verdict:
            env.stack.append(rule)
            return
    if state.default_state is None:
        raise _no_choice(env)
    env.stack.append(None)


def _leave_choice(state: State, env: Environment) -> None:
    rule = env.stack.pop()
    assign, output = (rule.assign, rule.output) if rule else (state.assign_decl, state.output)
    if assign:
        assign.eval(env=env)
    if output:
        output.eval(env=env)
    elif state.output_path:
        state.output_path.eval(env=env)
    env.next_state_name = rule.next_stmt.name if rule else state.default_state.state_name


def _not_boolean(env: Environment, verdict: State) -> Exception:
    from tidegate.local.jsonata import failure

    return failure(env, f"The Condition of a choice rule must give a boolean, not {json.dumps(verdict)}.")


def _no_choice(env: Environment) -> Exception:
    from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name import custom_error_name, failure_event
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    error = "States.NoChoiceMatched"
    details = ExecutionFailedEventDetails(
        error=error, cause="No choice rule was true, and there is no Default"
    )
    event = failure_event.FailureEvent(
        env=env,
        error_name=custom_error_name.CustomErrorName(error),
        event_type=HistoryEventType.ExecutionFailed,
        event_details=EventDetails(executionFailedEventDetails=details),
    )
    return failure_event.FailureEventException(failure_event=event)  # type: ignore[no-any-return]


def install(cloud: LocalCloud) -> None:
    """Put off assignments, and let a Choice apply Assign and Output of the rule that was true, or its own."""
    from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
    from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
    from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
    from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

    original = CommonStateField._get_state_exited_event_details

    def leave(state: State, env: Environment) -> State:
        for name, value in env.heap.pop(PENDING, {}).items():
            env.variable_store.set(variable_identifier=name, variable_value=value)
        return original(state, env)

    cloud.patch(AssignDecl, "_eval_body", _assign)
    cloud.patch(VariableStore, "get_assigned_variables", _show)
    cloud.patch(CommonStateField, "_get_state_exited_event_details", leave)
    cloud.patch(StateChoice, "_eval_state", _choose)
    cloud.patch(StateChoice, "_eval_state_output", _leave_choice)
