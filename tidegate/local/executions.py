"""Executions: how they start, end and are stopped, and the calls that show them.

One execution is one thread of moto's engine. Its status changes exactly once to a final one, after its output
is there to be read; each change is announced through the function given to `install`.
Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import random
import threading
import uuid
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tidegate.local.interruption import end

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud

Backend: TypeAlias = Any
Execution: TypeAlias = Any
Machine: TypeAlias = Any
START_LOCK: Final = threading.Lock()
STOP_SECONDS: Final = 5.0
VERSION_PARTS: Final = 8


def start(
    backend: Backend, state_machine_arn: str, name: str | None = None, execution_input: str = "{}"
) -> Execution:
    """Start a machine, version or alias; the same name and input give the same execution while it runs."""
    from moto.stepfunctions.exceptions import InvalidExecutionInput
    from moto.stepfunctions.parser.api import ExecutionStatus
    from moto.stepfunctions.parser.backend.execution import Execution as Engine

    name = name or str(uuid.uuid4())
    backend._validate_name(name)
    try:
        json.loads(execution_input)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from error
    machine, snapshot = _resolve(backend, state_machine_arn)
    with START_LOCK:
        known = _same(machine, name, execution_input)
        if known is not None:
            return known
        execution = Engine(
            name=name,
            sm_type=snapshot.sm_type,
            role_arn=snapshot.roleArn,
            exec_arn=machine.arn.replace(":stateMachine:", ":execution:") + f":{name}",
            account_id=backend.account_id,
            region_name=backend.region_name,
            state_machine=snapshot,
            start_date=dt.datetime.now(tz=dt.UTC),
            cloud_watch_logging_session=None,
            input_data=execution_input,
            activity_store={},
        )
        execution.state_machine_arn = machine.arn
        execution.exec_status = ExecutionStatus.RUNNING  # it is seen from here on
        machine.executions.append(execution)
        execution.start()
    return execution


def _same(machine: Machine, name: str, execution_input: str) -> Execution | None:
    from moto.stepfunctions.exceptions import ExecutionAlreadyExists

    for execution in machine.executions:
        if execution.name == name:
            if execution.status == "RUNNING" and execution.execution_input == execution_input:
                return execution
            raise ExecutionAlreadyExists(f"Execution Already Exists: '{execution.execution_arn}'")
    return None


def _resolve(backend: Backend, arn: str) -> tuple[Machine, Machine]:
    """Give the machine that keeps the execution, and a snapshot of the definition that it runs."""
    base, _, qualifier = arn.rpartition(":") if len(arn.split(":")) == VERSION_PARTS else (arn, "", "")
    machine = backend.describe_state_machine(base)
    source = machine
    if qualifier in machine.aliases:
        routes = machine.aliases[qualifier].routing_configuration
        weights = [route["weight"] for route in routes]
        arn = random.choices([route["stateMachineVersionArn"] for route in routes], weights)[0]  # noqa: S311
        source = backend.describe_state_machine(arn)
    elif qualifier:
        source = backend.describe_state_machine(arn)
    snapshot = copy.copy(source)
    snapshot.executions = []
    return machine, snapshot


def stop(backend: Backend, arn: str, error: str | None = None, cause: str | None = None) -> Execution:
    """Abort a running execution, and wait until its thread has left; one that is closed stays as it is."""
    execution = backend.describe_execution(arn)
    if execution.status == "RUNNING":
        _stop_worker(execution, error, cause)
    return execution


def _stop_worker(execution: Execution, error: str | None, cause: str | None) -> None:
    now = dt.datetime.now(tz=dt.UTC)
    with START_LOCK:
        worker = execution.exec_worker
    worker.stop(stop_date=now, error=error, cause=cause)
    if worker.thread is not threading.current_thread():
        worker.thread.join(STOP_SECONDS)


def _start_worker(worker: Any) -> None:  # noqa: ANN401
    """Make program and environment before the thread: an execution can be seen and stopped at once."""
    program = worker._get_evaluation_entrypoint()
    worker.env = worker._get_evaluation_environment()
    worker.env.next_state_name = program.start_at.start_at_name
    worker._get_evaluation_entrypoint = lambda: program
    worker._get_evaluation_environment = lambda: worker.env
    worker.thread = threading.Thread(target=worker._execution_logic, name="tidegate-execution", daemon=True)
    worker.thread.start()


def _run_program(program: Any, env: Any) -> None:  # noqa: ANN401
    """Run a program in the calling thread; its own TimeoutSeconds ends it from outside."""
    from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent

    if not env.is_running() and env._program_state is not None:
        return
    env.next_state_name = program.start_at.start_at_name
    limit = program.timeout_seconds
    timer = threading.Timer(limit.timeout_seconds, env.set_timed_out) if limit else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        EvalComponent.eval(program, env)
    finally:
        if timer:
            timer.cancel()


def _close(execution: Execution) -> None:
    """Take over how the program ended; the status comes last, since others read without a lock."""
    from moto.stepfunctions.parser.api import ExecutionStatus
    from moto.stepfunctions.parser.asl.eval import program_state as states

    final = execution.exec_worker.env.program_state()
    status = ExecutionStatus.TIMED_OUT
    execution.stop_date = dt.datetime.now(tz=dt.UTC)
    if isinstance(final, states.ProgramEnded):
        execution.output = execution.exec_worker.env.states.get_input()
        status = ExecutionStatus.SUCCEEDED
    elif isinstance(final, states.ProgramStopped):
        execution.error, execution.cause = final.error, final.cause
        status = ExecutionStatus.ABORTED
    elif isinstance(final, states.ProgramError):
        execution.error, execution.cause = (final.error or {}).get("error"), (final.error or {}).get("cause")
        status = ExecutionStatus.FAILED
    execution.exec_status = status


def install(cloud: LocalCloud, announce: Callable[[Execution], None]) -> None:
    """Replace the life of an execution; `announce` is called after each change of its status."""
    from moto.stepfunctions.parser.asl.component.program.program import Program
    from moto.stepfunctions.parser.backend import execution as engine
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend
    from moto.stepfunctions.parser.utils import TMP_THREADS

    original = engine.Execution.start

    def begin(execution: Execution) -> None:
        original(execution)
        announce(execution)

    def terminated(communication: Any) -> None:  # noqa: ANN401
        _close(communication.execution)
        TMP_THREADS[:] = [thread for thread in TMP_THREADS if thread.is_alive()]
        announce(communication.execution)

    cloud.patch(engine.Execution, "start", begin)
    cloud.patch(engine.Execution, "get_start_execution_details", _details)
    cloud.patch(engine.BaseExecutionWorkerCommunication, "terminated", terminated)
    cloud.patch(ExecutionWorker, "start", _start_worker)
    cloud.patch(Program, "eval", _run_program)
    cloud.patch(StepFunctionsParserBackend, "start_execution", start)
    cloud.patch(StepFunctionsParserBackend, "stop_execution", stop)
    cloud.on_stop(_stop_all)


def _details(execution: Execution) -> Any:  # noqa: ANN401
    from moto.stepfunctions.parser.asl.eval.evaluation_details import ExecutionDetails

    return ExecutionDetails(
        arn=execution.exec_arn,
        name=execution.name,
        role_arn=execution.role_arn,
        inpt=execution.input_data,
        start_time=execution.start_date.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
    )


def _stop_all() -> None:
    from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    backends = [
        backend for regions in list(stepfunctions_parser_backends.values()) for backend in regions.values()
    ]
    running = [run for backend in backends for run in backend._get_executions() if run.status == "RUNNING"]
    for execution in running:
        end(execution.exec_worker.env, ProgramStopped(stop_date=None, error=None, cause=None))
    for execution in running:
        execution.exec_worker.thread.join(STOP_SECONDS)
