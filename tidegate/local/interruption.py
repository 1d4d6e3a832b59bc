"""How the threads of an execution wait, and how all of them are woken the moment it ends.

moto's engine sleeps and joins without a way out, so that a stopped execution would go on. Here every wait
ends with its environment: `pause` registers what it waits on, `end` wakes everything below an environment.
An environment that has ended never runs again, and its history takes no event after the final one.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Environment: TypeAlias = Any
State: TypeAlias = Any
FINAL_EVENTS: Final = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}
LONGEST_WAIT: Final = threading.TIMEOUT_MAX / 2

# The factor on Wait states and Retry intervals; a cloud sets its own.
pace: float = 1.0


def pause(env: Environment, wake: threading.Event, seconds: float | None = None) -> None:
    """Wait until `wake` is set, the environment ends, or the time is over; the caller looks which it was."""
    wakers = env.__dict__.setdefault("_wakers", set())
    with env._state_mutex:
        if not env.is_running():
            return
        wakers.add(wake)
    wake.wait(None if seconds is None else min(seconds, LONGEST_WAIT))
    with env._state_mutex:
        wakers.discard(wake)


def sleep(env: Environment, seconds: float) -> None:
    """Sleep for the paced time, or until the environment ends."""
    deadline = time.monotonic() + seconds * pace
    if seconds > 0:
        pause(env, threading.Event(), deadline - time.monotonic())


def end(env: Environment, state: State) -> None:
    """Give a running environment and all its frames their final state, and wake what waits in them."""
    with env._state_mutex:
        if not env.is_running():
            return
        env._program_state = state
        for frame in list(env._frames):
            end(frame, state)
        for wake in env.__dict__.get("_wakers", ()):
            wake.set()
        env.program_state_event.set()


def install(cloud: LocalCloud) -> None:
    """Replace the engine's ways to wait and to end."""
    from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction

    cloud.patch(WaitFunction, "_wait_interval", _wait)
    cloud.patch(RetrierDecl, "_eval_body", _retry)
    _install_endings(cloud)
    _install_history(cloud)


def _install_endings(cloud: LocalCloud) -> None:
    from moto.stepfunctions.parser.asl.eval import program_state as states
    from moto.stepfunctions.parser.asl.eval.environment import Environment as Engine

    def stop(env: Environment, stop_date: State, cause: str | None, error: str | None) -> None:
        end(env, states.ProgramStopped(stop_date=stop_date, error=error, cause=cause))

    cloud.patch(Engine, "set_ended", lambda env: end(env, states.ProgramEnded()))
    cloud.patch(Engine, "set_error", lambda env, error: end(env, states.ProgramError(error=error)))
    cloud.patch(Engine, "set_timed_out", lambda env: end(env, states.ProgramTimedOut()))
    cloud.patch(Engine, "set_stop", stop)


def _install_history(cloud: LocalCloud) -> None:
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

    original = EventManager.add_event

    def add(manager: State, context: State, event_type: State, *args: State, **kwargs: State) -> int:
        gate: threading.Lock = manager.__dict__.setdefault("_gate", threading.Lock())
        with gate:
            if manager.__dict__.get("_closed"):
                return int(context.last_published_event_id)
            manager._closed = str(getattr(event_type, "value", event_type)) in FINAL_EVENTS
            return int(original(manager, context, event_type, *args, **kwargs))

    cloud.patch(EventManager, "add_event", add)


def _wait(_: State, env: Environment, wait_seconds: float) -> None:
    sleep(env, wait_seconds)


def _retry(retrier: State, env: Environment) -> None:
    """The engine's own steps of a retrier, with an interval that ends when the execution does."""
    from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsOutcome
    from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome

    retrier.error_equals.eval(env)
    if not env.stack.pop():
        env.stack.append(RetrierOutcome.Skipped)
        return
    retrier.max_attempts.eval(env=env)
    if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
        env.stack.append(RetrierOutcome.Failed)
        return
    for step in (
        retrier.interval_seconds,
        retrier.backoff_rate,
        retrier.max_delay_seconds,
        retrier.jitter_strategy,
    ):
        step.eval(env=env)
    sleep(env, env.stack.pop())
    env.stack.append(RetrierOutcome.Executed)
