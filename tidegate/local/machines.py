"""State machines run for real: moto's engine, switched on and mended, with its clients aimed at this cloud.

Each part of the engine that is mended has its own module; this one puts them together, lets all machines land
in the backend that executes, and announces each change of an execution's status as an event.
"""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from botocore.config import Config

from tidegate.local import (
    assignment,
    attempts,
    definitions,
    executions,
    failures,
    histories,
    interruption,
    tokens,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud

Json: TypeAlias = dict[str, Any]
Machine: TypeAlias = Any
READ_TIMEOUT: Final = 960  # above the longest run of a Lambda function, in seconds
STATUS_CHANGE: Final = "Step Functions Execution Status Change"


def install(cloud: LocalCloud) -> None:
    """Switch the engine on and mend it."""
    from moto.stepfunctions import models, responses
    from moto.stepfunctions.parser import models as parser

    cloud.patch(
        responses,
        "get_backend",
        lambda account, region: parser.stepfunctions_parser_backends[account][region],
    )
    cloud.patch(models, "stepfunctions_backends", parser.stepfunctions_parser_backends)
    cloud.patch(interruption, "pace", cloud.pace)
    _install_quiet(cloud)
    _install_clients(cloud)
    _install_creation(cloud)
    interruption.install(cloud)
    definitions.install(cloud)
    assignment.install(cloud)
    failures.install(cloud)
    attempts.install(cloud)
    tokens.install(cloud)
    executions.install(cloud, _announcer(cloud))
    histories.install(cloud)


def _install_quiet(cloud: LocalCloud) -> None:
    """A failed state stands in the history; the engine would also log it with its whole definition."""
    from moto.stepfunctions.parser.asl.component import eval_component

    cloud.patch(eval_component.EvalComponent, "_log_failure_event_exception", lambda *_, **__: None)
    cloud.patch(eval_component.EvalComponent, "_log_exception", lambda *_, **__: None)


def _install_clients(cloud: LocalCloud) -> None:
    """One client per service and region; the engine makes a new one for each task, and for port 5000."""
    import boto3
    from moto.stepfunctions.parser.asl.utils import boto_client

    made: dict[tuple[str, str], Any] = {}
    lock = threading.Lock()
    config = Config(
        parameter_validation=False,
        retries={"total_max_attempts": 1},
        read_timeout=READ_TIMEOUT,
        max_pool_connections=100,
    )

    def client(*, service_name: str, region_name: str, **_: object) -> Any:  # noqa: ANN401
        with lock:
            if (service_name, region_name) not in made:
                made[service_name, region_name] = boto3.client(
                    service_name,  # type: ignore[call-overload]
                    region_name=region_name,
                    endpoint_url=cloud.endpoint_url,
                    aws_access_key_id="testing",
                    aws_secret_access_key="testing",  # noqa: S106
                    config=config,
                )
            return made[service_name, region_name]

    cloud.patch(boto_client, "boto3", SimpleNamespace(client=client))


def _install_creation(cloud: LocalCloud) -> None:
    from moto.core.exceptions import AWSError
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    create = StepFunctionsParserBackend.create_state_machine

    def create_once(backend: Any, name: str, definition: str, *args: Any, **kwargs: Any) -> Machine:  # noqa: ANN401
        known = next((machine for machine in list(backend.state_machines) if machine.name == name), None)
        if known is not None and known.definition != definition:
            raise AWSError(f"State Machine Already Exists: '{known.arn}'", "StateMachineAlreadyExists")
        return create(backend, name, definition, *args, **kwargs)

    cloud.patch(StepFunctionsParserBackend, "create_state_machine", create_once)


def _announcer(cloud: LocalCloud) -> Callable[[Any], None]:
    def announce(execution: Any) -> None:  # noqa: ANN401
        if cloud.stopping.is_set():
            return
        from tidegate.local.events import emit

        emit(
            source="aws.states",
            detail_type=STATUS_CHANGE,
            detail=describe_change(execution),
            resources=[execution.exec_arn],
            account=execution.account_id,
            region=execution.region_name,
        )

    return announce


def describe_change(execution: Any) -> Json:  # noqa: ANN401
    """The detail of a status-change event.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
    """
    succeeded = execution.status == "SUCCEEDED"
    return {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date),
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "output": json.dumps(execution.output, separators=(",", ":")) if succeeded else None,
        "outputDetails": {"included": True} if succeeded else None,
        "error": execution.error,
        "cause": execution.cause,
    }


def _milliseconds(moment: dt.datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
