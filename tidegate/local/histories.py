"""The calls that show executions: DescribeExecution, ListExecutions, GetExecutionHistory, and others.

moto's own answers leave out stop dates of timed-out executions, paging, and error and cause of a stop.
Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Json: TypeAlias = dict[str, Any]
Response: TypeAlias = Any
PAGE: Final = 100
LARGEST_PAGE: Final = 1000
DATA_FIELDS: Final = ("input", "output", "parameters", "assignedVariables")


def describe(response: Response) -> Json:
    """DescribeExecution."""
    execution = response.stepfunction_backend.describe_execution(response._get_param("executionArn"))
    return {
        **execution.to_describe_output(),
        "stateMachineArn": execution.state_machine_arn,
        "status": execution.status,
        "input": execution.execution_input,
    }


def listing(response: Response) -> Json:
    """ListExecutions, the newest first."""
    runs, token = response.stepfunction_backend.list_executions(
        response._get_param("stateMachineArn"),
        status_filter=response._get_param("statusFilter"),
        max_results=response._get_int_param("maxResults"),
        next_token=response._get_param("nextToken"),
    )
    executions = [
        {**run.to_execution_list_item(), "status": run.status, "stateMachineArn": run.state_machine_arn}
        for run in runs
    ]
    return {"executions": executions, "nextToken": token}


def history(response: Response) -> Json:
    """GetExecutionHistory: `nextToken` is the number of events that have been given."""
    execution = response.stepfunction_backend.describe_execution(response._get_param("executionArn"))
    events = execution.to_history_output()["events"]
    if response._get_param("reverseOrder"):
        events.reverse()
    first = int(response._get_param("nextToken") or 0)
    last = first + min(response._get_int_param("maxResults") or PAGE, LARGEST_PAGE)
    page = events[first:last]
    if response._get_param("includeExecutionData") is False:
        page = [_without_data(event) for event in page]
    return {"events": page, "nextToken": str(last) if last < len(events) else None}


def _without_data(event: Json) -> Json:
    return {
        key: {name: item for name, item in value.items() if name not in DATA_FIELDS}
        if isinstance(value, dict)
        else value
        for key, value in event.items()
    }


def stop(response: Response) -> Json:
    """StopExecution."""
    arn, error, cause = (response._get_param(name) for name in ("executionArn", "error", "cause"))
    return {"stopDate": response.stepfunction_backend.stop_execution(arn, error, cause).stop_date}


def machine_of(response: Response) -> Json:
    """DescribeStateMachineForExecution: the definition that it runs, whatever has been updated since."""
    execution = response.stepfunction_backend.describe_execution(response._get_param("executionArn"))
    machine = execution.state_machine
    return {
        "stateMachineArn": execution.state_machine_arn,
        "name": machine.name,
        "definition": machine.definition,
        "roleArn": machine.roleArn,
        "updateDate": machine.update_date,
    }


def install(cloud: LocalCloud) -> None:
    """Replace the answers."""
    from moto.core.responses import ActionResult
    from moto.stepfunctions.responses import StepFunctionResponse

    answers = {
        "describe_execution": describe,
        "list_executions": listing,
        "get_execution_history": history,
        "stop_execution": stop,
        "describe_state_machine_for_execution": machine_of,
    }
    for action, answer in answers.items():
        cloud.patch(
            StepFunctionResponse, action, lambda response, answer=answer: ActionResult(answer(response))
        )
