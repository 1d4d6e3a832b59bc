"""State machines are run for real, and the path that they took is asserted."""

from __future__ import annotations

import io
import json
import threading
import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.local.paths import path, transitions

ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/machine"
INVOKE = "arn:aws:states:::lambda:invoke"
CALLBACK = "arn:aws:states:::lambda:invoke.waitForTaskToken"


class Functions:
    """The Lambda service as the engine sees it: functions by name, each a Python callable."""

    def __init__(self):
        self.table = {}
        self.calls = []

    def invoke(self, FunctionName, Payload=b"{}", **_):  # noqa: N803
        event = json.loads(Payload)
        self.calls.append((FunctionName, event))
        try:
            answer = self.table[FunctionName](event)
        except RuntimeError as error:
            payload = error.args[0]
            return {
                "StatusCode": 200,
                "FunctionError": "Unhandled",
                "Payload": io.BytesIO(json.dumps(payload).encode()),
            }
        return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode())}


@pytest.fixture
def functions(cloud, monkeypatch):  # noqa: ARG001
    from moto.stepfunctions.parser.asl.utils import boto_client

    fake, real = Functions(), boto_client.boto3
    clients = SimpleNamespace(
        client=lambda **given: fake if given["service_name"] == "lambda" else real.client(**given)
    )
    monkeypatch.setattr(boto_client, "boto3", clients)
    return fake


@pytest.fixture
def sfn(cloud):
    return cloud.client("stepfunctions")


@pytest.fixture
def machine(sfn, unique):
    made = []

    def make(states, start=None, language="JSONata", **more):
        name = f"{unique}-{len(made)}"
        definition = {
            "QueryLanguage": language,
            "StartAt": start or next(iter(states)),
            "States": states,
            **more,
        }
        made.append(sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE))
        return made[-1]["stateMachineArn"]

    return make


@pytest.fixture
def run(sfn, machine):
    def go(states, given=None, seconds=10.0, **more):
        started = sfn.start_execution(stateMachineArn=machine(states, **more), input=json.dumps(given or {}))
        return finish(sfn, started["executionArn"], seconds)

    return go


def finish(sfn, arn, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = sfn.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.005)
    raise AssertionError(f"{arn} still runs after {seconds} s: {path(sfn, arn)}")


def output(execution):
    assert execution["status"] == "SUCCEEDED", (execution.get("error"), execution.get("cause"))
    return json.loads(execution["output"])


def task(**more):
    return {"Type": "Task", "Resource": INVOKE, "Arguments": {"FunctionName": "f", "Payload": {}}, **more}


def failing(error, message="no"):
    def function(_event):
        raise RuntimeError({"errorType": error, "errorMessage": message})

    return function


def test_output_and_assign_see_the_variables_as_they_were_at_entry(run, functions, sfn):
    functions.table["f"] = lambda event: {"n": event["n"] + 1}
    states = {
        "Start": {"Type": "Pass", "Assign": {"n": 1, "text": 'a "quoted"\nline'}, "Next": "Work"},
        "Work": {
            **task(),
            "Arguments": {"FunctionName": "f", "Payload": {"n": "{% $n %}"}},
            "Assign": {"n": "{% $states.result.Payload.n %}", "old": "{% $n %}"},
            "Output": {"n": "{% $n %}", "given": "{% $states.input.given %}"},
            "Next": "Done",
        },
        "Done": {
            "Type": "Succeed",
            "Output": {
                "n": "{% $n %}",
                "old": "{% $old %}",
                "from": "{% $states.input %}",
                "text": "{% $text %}",
            },
        },
    }
    found = run(states, {"given": [1]})
    assert output(found) == {"n": 2, "old": 1, "from": {"n": 1, "given": [1]}, "text": 'a "quoted"\nline'}
    assert path(sfn, found["executionArn"]) == ["Start", "Work", "Done"]
    assert transitions(sfn, found["executionArn"]) == 3


def test_choice_takes_the_first_true_rule_with_its_assign_and_output(run):
    def choose(value):
        states = {
            "Which": {
                "Type": "Choice",
                "Choices": [
                    {"Condition": "{% $states.input.n > 10 %}", "Next": "End", "Assign": {"size": "large"}},
                    {
                        "Condition": "{% $states.input.n > 5 %}",
                        "Next": "End",
                        "Assign": {"size": "middle"},
                        "Output": {"kept": "{% $states.input.n %}"},
                    },
                ],
                "Default": "End",
                "Assign": {"size": "small"},
                "Output": "default",
            },
            "End": {"Type": "Pass", "Output": ["{% $size %}", "{% $states.input %}"], "End": True},
        }
        return output(run(states, {"n": value}))

    assert choose(11) == ["large", {"n": 11}]
    assert choose(6) == ["middle", {"kept": 6}]
    assert choose(1) == ["small", "default"]


def test_choice_without_a_match_fails(run):
    rule = {"Condition": "{% $states.input.n = 1 %}", "Next": "End"}
    found = run({"Which": {"Type": "Choice", "Choices": [rule]}, "End": {"Type": "Succeed"}}, {"n": 2})
    assert (found["status"], found["error"]) == ("FAILED", "States.NoChoiceMatched")


def test_an_undefined_result_is_an_error_that_catch_takes(run, functions):
    functions.table["f"] = lambda _: {}
    catch = [
        {
            "ErrorEquals": ["States.QueryEvaluationError"],
            "Next": "Caught",
            "Output": "{% $states.errorOutput %}",
        }
    ]
    states = {
        "Work": task(Output="{% $states.result.Payload.missing %}", Assign={"a": 1}, Catch=catch, End=True),
        "Caught": {"Type": "Pass", "Output": "{% [$states.input.Error, $exists($a)] %}", "End": True},
    }
    assert output(run(states)) == ["States.QueryEvaluationError", False]


def test_an_undefined_result_outside_a_task_fails_the_execution(run, sfn):
    found = run({"Start": {"Type": "Pass", "Output": "{% $states.input.missing %}", "End": True}})
    assert found["error"] == "States.QueryEvaluationError"
    assert "returned nothing (undefined)" in found["cause"]
    events = sfn.get_execution_history(executionArn=found["executionArn"])["events"]
    assert [event["type"] for event in events][-2:] == ["EvaluationFailed", "ExecutionFailed"]


def test_arguments_tell_the_attempt(run, functions):
    """AuditRelease decides by it whether there is another one."""

    def busy_twice(event):
        return failing("Busy")(event) if event["attempt"] < 2 else event

    functions.table["f"] = busy_twice
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 3}]
    payload = {"attempt": "{% $states.context.State.RetryCount %}"}
    work = task(Retry=retry, Arguments={"FunctionName": "f", "Payload": payload}, End=True)
    assert output(run({"Work": work}))["Payload"] == {"attempt": 2}


def test_retry_until_it_succeeds_and_count_the_attempts(run, functions, sfn):
    tries = iter([failing("Busy"), failing("Busy"), lambda _: "done"])
    functions.table["f"] = lambda event: next(tries)(event)  # noqa: PLW0108
    retry = [
        {
            "ErrorEquals": ["Busy"],
            "IntervalSeconds": 1,
            "MaxAttempts": 3,
            "BackoffRate": 2,
            "JitterStrategy": "FULL",
            "MaxDelaySeconds": 5,
        }
    ]
    found = run({"Work": task(Retry=retry, Output="{% $states.context.State.RetryCount %}", End=True)})
    assert output(found) == 2
    assert len(functions.calls) == 3
    assert transitions(sfn, found["executionArn"]) == 3


def test_retries_run_out_and_the_first_matching_catch_assigns(run, functions, sfn):
    functions.table["f"] = failing("Broken", "why")
    catch = [
        {"ErrorEquals": ["Other"], "Next": "Wrong"},
        {
            "ErrorEquals": ["States.ALL"],
            "Next": "Mend",
            "Assign": {"error": "{% $states.errorOutput.Error %}"},
        },
    ]
    states = {
        "Work": task(Retry=[{"ErrorEquals": ["Broken"], "MaxAttempts": 1}], Catch=catch, Next="Wrong"),
        "Mend": {
            "Type": "Pass",
            "Output": {"e": "{% $error %}", "c": "{% $parse($states.input.Cause) %}"},
            "End": True,
        },
        "Wrong": {"Type": "Fail"},
    }
    found = run(states)
    assert output(found) == {"e": "Broken", "c": {"errorType": "Broken", "errorMessage": "why"}}
    assert path(sfn, found["executionArn"]) == ["Work", "Mend"]
    assert len(functions.calls) == 2


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (
            {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out after 3.00 seconds"},
            "Sandbox.Timedout",
        ),
        ({"errorMessage": "2026-01-01 Task timed out after 3.00 seconds"}, "Lambda.Unknown"),
        ({"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"}, "Runtime.ExitError"),
    ],
)
def test_the_error_type_is_the_name(run, functions, payload, name):
    def function(_):
        raise RuntimeError(payload)

    functions.table["f"] = function
    found = run({"Work": task(End=True)})
    assert (found["status"], found["error"]) == ("FAILED", name)
    assert json.loads(found["cause"]) == payload


@pytest.mark.parametrize("resource", [INVOKE, f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:f"])
def test_errors_of_the_lambda_api_are_named_after_it(run, functions, resource):
    def function(_):
        metadata = {"HTTPStatusCode": 429, "RequestId": "1"}
        raise ClientError(
            {"Error": {"Code": "TooManyRequestsException", "Message": "m"}, "ResponseMetadata": metadata},
            "Invoke",
        )

    functions.table["f"] = functions.table[resource] = function
    assert run({"Work": task(Resource=resource, End=True)})["error"] == "Lambda.TooManyRequestsException"


def test_time_limits_in_numbers_and_in_jsonata(run, functions):
    release = threading.Event()
    functions.table["f"] = lambda _: release.wait(5)
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]
    late = {"Type": "Succeed", "Output": "{% $states.input.Error %}"}
    work = task(TimeoutSeconds="{% $states.input.limit %}", Catch=catch, End=True)
    assert output(run({"Work": work, "Late": late}, {"limit": 1})) == "States.Timeout"
    release.set()
    found = run({"Work": work, "Late": late}, {"limit": 1.5})
    assert found["error"] == "States.QueryEvaluationError"


def test_a_map_keeps_the_order_and_sees_its_items(run, functions):
    functions.table["f"] = lambda event: event["n"] * 2
    inner = {
        "StartAt": "Double",
        "States": {
            "Double": {
                **task(End=True),
                "Arguments": {"FunctionName": "f", "Payload": {"n": "{% $states.input.n %}"}},
                "Output": "{% [$states.context.Map.Item.Index, $states.result.Payload, $outer] %}",
            }
        },
    }
    states = {
        "Start": {"Type": "Pass", "Assign": {"outer": "o"}, "Next": "Each"},
        "Each": {
            "Type": "Map",
            "Items": "{% $states.input.items %}",
            "ItemSelector": {"n": "{% $states.context.Map.Item.Value %}"},
            "MaxConcurrency": 2,
            "ItemProcessor": inner,
            "Assign": {"doubled": "{% $states.result %}"},
            "Output": "{% $count($states.result) %}",
            "Next": "Done",
        },
        "Done": {"Type": "Pass", "Output": ["{% $doubled %}", "{% $states.input %}"], "End": True},
    }
    found = output(run(states, {"items": [5, 6, 7]}))
    assert found == [[[0, 10, "o"], [1, 12, "o"], [2, 14, "o"]], 3]


def test_a_long_map_and_an_empty_one(run):
    each = {
        "Each": {
            "Type": "Map",
            "Items": "{% $states.input.items %}",
            "MaxConcurrency": 1,
            "ItemProcessor": {"StartAt": "Same", "States": {"Same": {"Type": "Pass", "End": True}}},
            "End": True,
        }
    }
    assert output(run(each, {"items": []})) == []
    assert output(run(each, {"items": list(range(1200))}, seconds=30)) == list(range(1200))


def test_a_failing_item_fails_the_map_under_its_own_name(run, functions):
    functions.table["f"] = failing("Broken")
    inner = {"StartAt": "Work", "States": {"Work": task(End=True)}}
    catch = [{"ErrorEquals": ["Broken"], "Next": "Caught", "Output": "caught"}]
    each = {"Type": "Map", "Items": [1, 2, 3], "ItemProcessor": inner, "Catch": catch, "End": True}
    assert output(run({"Each": each, "Caught": {"Type": "Succeed"}})) == "caught"


@pytest.mark.parametrize(("tolerated", "status"), [(1, "SUCCEEDED"), (0, "FAILED")])
def test_a_distributed_map_tolerates_so_many_failures(run, functions, tolerated, status):
    functions.table["f"] = lambda event: event["n"] or failing("Broken")(event)
    inner = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Work",
        "States": {
            "Work": {
                **task(End=True),
                "Arguments": {"FunctionName": "f", "Payload": {"n": "{% $states.input %}"}},
            }
        },
    }
    each = {
        "Type": "Map",
        "Items": [0, 1, 2],
        "ToleratedFailureCount": tolerated,
        "ItemProcessor": inner,
        "End": True,
    }
    found = run({"Each": each})
    assert found["status"] == status
    assert found.get("error") == (None if status == "SUCCEEDED" else "States.ExceedToleratedFailureThreshold")


def test_parallel_branches_give_their_outputs_in_order_and_fail_together(run, functions):
    functions.table["f"] = failing("Broken")

    def branch(name, **state):
        return {"StartAt": name, "States": {name: state}}

    good = branch("Good", Type="Pass", Output="{% $states.input.a %}", End=True)
    waiting = branch("Waiting", Type="Wait", Seconds=3000, End=True)
    both = {
        "Type": "Parallel",
        "Branches": [good, branch("Other", Type="Pass", Output=2, End=True)],
        "End": True,
    }
    assert output(run({"Both": both}, {"a": 1})) == [1, 2]
    catch = [{"ErrorEquals": ["Broken"], "Next": "Caught"}]
    broken = {
        "Type": "Parallel",
        "Branches": [branch("Bad", **task(End=True)), waiting],
        "Catch": catch,
        "End": True,
    }
    found = run({"Both": broken, "Caught": {"Type": "Succeed", "Output": "{% $states.input.Error %}"}})
    assert output(found) == "Broken"


def test_wait_and_fail_in_jsonata(run, sfn):
    states = {
        "Rest": {"Type": "Wait", "Seconds": "{% $states.input.s * 2 %}", "Next": "Stop"},
        "Stop": {
            "Type": "Fail",
            "Error": "{% 'Because' & $states.input.s %}",
            "Cause": "{% 'of ' & $states.input.s %}",
        },
    }
    found = run(states, {"s": 2})
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Because2", "of 2")
    assert path(sfn, found["executionArn"]) == ["Rest", "Stop"]


def wait_for_token(functions):
    got = threading.Event()
    tokens = []

    def function(event):
        tokens.append(event["token"])
        got.set()

    functions.table["f"] = function
    return got, tokens


def awaiting(**more):
    arguments = {"FunctionName": "f", "Payload": {"token": "{% $states.context.Task.Token %}"}}
    return {"Type": "Task", "Resource": CALLBACK, "Arguments": arguments, "End": True, **more}


def test_a_task_token_is_answered_once(sfn, machine, functions):
    got, tokens = wait_for_token(functions)
    arn = sfn.start_execution(stateMachineArn=machine({"Ask": awaiting()}))["executionArn"]
    assert got.wait(5)
    sfn.send_task_success(taskToken=tokens[0], output='{"yes": true}')
    assert output(finish(sfn, arn)) == {"yes": True}
    with pytest.raises(sfn.exceptions.TaskTimedOut):
        sfn.send_task_success(taskToken=tokens[0], output="{}")
    with pytest.raises(sfn.exceptions.InvalidToken):
        sfn.send_task_success(taskToken="nobody's", output="{}")


def test_a_retry_has_a_token_of_its_own(sfn, machine, functions):
    got, tokens = wait_for_token(functions)
    retry = [{"ErrorEquals": ["No"], "MaxAttempts": 1}]
    arn = sfn.start_execution(stateMachineArn=machine({"Ask": awaiting(Retry=retry)}))["executionArn"]
    assert got.wait(5)
    got.clear()
    sfn.send_task_failure(taskToken=tokens[0], error="No", cause="first")
    assert got.wait(5)
    assert tokens[0] != tokens[1]
    sfn.send_task_failure(taskToken=tokens[1], error="No", cause="second")
    found = finish(sfn, arn)
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "No", "second")


def test_a_missing_heartbeat_is_a_timeout_and_late_answers_are_refused(sfn, machine, functions):
    got, tokens = wait_for_token(functions)
    ask = awaiting(HeartbeatSeconds=1, TimeoutSeconds=60)
    arn = sfn.start_execution(stateMachineArn=machine({"Ask": ask}))["executionArn"]
    assert got.wait(5)
    sfn.send_task_heartbeat(taskToken=tokens[0])
    assert finish(sfn, arn)["error"] == "States.HeartbeatTimeout"
    with pytest.raises(sfn.exceptions.TaskTimedOut):
        sfn.send_task_success(taskToken=tokens[0], output="{}")


def test_the_same_start_is_idempotent_while_it_runs(sfn, machine):
    arn = machine({"Rest": {"Type": "Wait", "Seconds": 3000, "End": True}})
    first = sfn.start_execution(stateMachineArn=arn, name="one", input='{"a": 1}')["executionArn"]
    assert sfn.start_execution(stateMachineArn=arn, name="one", input='{"a": 1}')["executionArn"] == first
    with pytest.raises(sfn.exceptions.ExecutionAlreadyExists):
        sfn.start_execution(stateMachineArn=arn, name="one", input='{"a": 2}')
    sfn.stop_execution(executionArn=first)
    with pytest.raises(sfn.exceptions.ExecutionAlreadyExists):
        sfn.start_execution(stateMachineArn=arn, name="one", input='{"a": 1}')
    assert [run["status"] for run in sfn.list_executions(stateMachineArn=arn)["executions"]] == ["ABORTED"]
    assert sfn.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"] == []


def test_many_starts_at_once_make_one_execution(cloud, machine):
    arn = machine({"Rest": {"Type": "Wait", "Seconds": 3000, "End": True}})
    client = cloud.client("stepfunctions")
    threads = [
        threading.Thread(target=lambda: client.start_execution(stateMachineArn=arn, name="one"))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = client.list_executions(stateMachineArn=arn)["executions"]
    assert len(runs) == 1
    client.stop_execution(executionArn=runs[0]["executionArn"])


@pytest.mark.parametrize("first", ["wait", "task", "map"])
def test_a_stop_ends_it_now_and_nothing_follows(sfn, machine, functions, first):
    begun, release = threading.Event(), threading.Event()

    def function(_):
        begun.set()
        release.wait(5)
        return "late"

    functions.table["f"] = function
    functions.table["g"] = lambda _: "must not run"
    inner = {"StartAt": "In", "States": {"In": task(End=True)}}
    firsts = {
        "wait": {"Type": "Wait", "Seconds": 3000, "Next": "After"},
        "task": task(Next="After", Retry=[{"ErrorEquals": ["States.ALL"]}]),
        "map": {"Type": "Map", "Items": [1, 2], "ItemProcessor": inner, "Next": "After"},
    }
    after = {**task(End=True), "Arguments": {"FunctionName": "g"}}
    arn = sfn.start_execution(stateMachineArn=machine({"First": firsts[first], "After": after}))[
        "executionArn"
    ]
    if first != "wait":
        assert begun.wait(5)
    sfn.stop_execution(executionArn=arn, error="Stopped", cause="by hand")
    found = sfn.describe_execution(executionArn=arn)
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "Stopped", "by hand")
    assert found["stopDate"] >= found["startDate"]
    release.set()
    time.sleep(0.05)
    assert not [name for name, _ in functions.calls if name == "g"]
    events = sfn.get_execution_history(executionArn=arn)["events"]
    assert events[-1]["type"] == "ExecutionAborted"
    assert "After" not in path(sfn, arn)


def test_a_machine_has_a_time_limit(run, sfn):
    found = run({"Rest": {"Type": "Wait", "Seconds": 3000, "End": True}}, TimeoutSeconds=1)
    assert found["status"] == "TIMED_OUT"
    assert found["stopDate"] > found["startDate"]
    history = sfn.get_execution_history(executionArn=found["executionArn"], reverseOrder=True)
    assert history["events"][0]["type"] == "ExecutionTimedOut"


def test_history_is_paged_reversed_and_without_data(run, sfn):
    states = {f"S{n}": {"Type": "Pass", "Next": f"S{n + 1}"} for n in range(5)} | {"S5": {"Type": "Succeed"}}
    arn = run(states, {"secret": 1})["executionArn"]
    whole = sfn.get_execution_history(executionArn=arn)["events"]
    first = sfn.get_execution_history(executionArn=arn, maxResults=4)
    rest = sfn.get_execution_history(executionArn=arn, nextToken=first["nextToken"])
    assert first["events"] + rest["events"] == whole
    assert "nextToken" not in rest
    assert sfn.get_execution_history(executionArn=arn, reverseOrder=True)["events"] == whole[::-1]
    bare = sfn.get_execution_history(executionArn=arn, includeExecutionData=False)["events"]
    assert "secret" in json.dumps(whole, default=str)
    assert "secret" not in json.dumps(bare, default=str)
    assert [event["id"] for event in whole] == list(range(1, len(whole) + 1))


def test_a_running_execution_keeps_its_definition(sfn, machine, functions):
    begun, release = threading.Event(), threading.Event()

    def function(_):
        begun.set()
        release.wait(5)

    functions.table["f"] = function
    old = {"First": task(Next="Old"), "Old": {"Type": "Pass", "Output": "old", "End": True}}
    arn = machine(old)
    running = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    assert begun.wait(5)
    new = {
        "QueryLanguage": "JSONata",
        "StartAt": "New",
        "States": {"New": {"Type": "Pass", "Output": 1, "End": True}},
    }
    sfn.update_state_machine(stateMachineArn=arn, definition=json.dumps(new))
    release.set()
    assert output(finish(sfn, running)) == "old"
    assert "Old" in sfn.describe_state_machine_for_execution(executionArn=running)["definition"]
    assert output(finish(sfn, sfn.start_execution(stateMachineArn=arn)["executionArn"])) == 1


@pytest.mark.parametrize(
    ("states", "fault"),
    [
        ({"A": {"Type": "Pass", "Next": "Nowhere"}}, "Nowhere"),
        ({"A": {"Type": "Succeed"}, "B": {"Type": "Succeed"}}, "not reachable"),
        ({"A": {"Type": "Pass"}}, "Exactly one of Next and End"),
        ({"A": {"Type": "Pass", "Output": "{% $sum( %}", "End": True}}, "INVALID_JSONATA_EXPRESSION"),
        ({"A": {"Type": "Pass", "ResultPath": "$.a", "End": True}}, "ResultPath"),
        ({"A": {"Type": "Sleep", "End": True}}, "Sleep"),
        (
            {
                "A": {
                    "Type": "Map",
                    "Items": [],
                    "ItemProcessor": {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}},
                    "End": True,
                }
            },
            "DUPLICATE_STATE_NAME",
        ),
        ({"A": task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Gone"}], End=True)}, "Gone"),
    ],
)
def test_a_faulty_definition_is_refused_at_creation(sfn, machine, states, fault):
    with pytest.raises(sfn.exceptions.InvalidDefinition, match=fault):
        machine(states)


def test_the_same_name_with_another_definition_is_refused(sfn, unique):
    def create(value):
        definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": value, "End": True}}}
        return sfn.create_state_machine(name=unique, definition=json.dumps(definition), roleArn=ROLE)

    assert create(1)["stateMachineArn"] == create(1)["stateMachineArn"]
    with pytest.raises(sfn.exceptions.StateMachineAlreadyExists):
        create(2)


def test_jsonpath_machines_run_too(run):
    states = {
        "A": {
            "Type": "Pass",
            "Result": {"b": 1},
            "ResultPath": "$.a",
            "Assign": {"kept.$": "$.b"},
            "Next": "B",
        },
        "B": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.a.b", "NumericEquals": 1, "Next": "C"}],
            "Default": "D",
        },
        "C": {
            "Type": "Pass",
            "Parameters": {"sum.$": "States.MathAdd($.a.b, 2)", "kept.$": "$kept"},
            "End": True,
        },
        "D": {"Type": "Fail"},
    }
    assert output(run(states, {"x": "y"}, language="JSONPath")) == {"sum": 3, "kept": 1}


def test_cloudformation_machines_run_with_their_substitutions(cloud, sfn, unique):
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "Output": "${Word}", "End": True}},
    }
    template = {
        "Resources": {
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "StateMachineName": unique,
                    "RoleArn": ROLE,
                    "DefinitionString": json.dumps(definition),
                    "DefinitionSubstitutions": {"Word": "hello"},
                },
            }
        }
    }
    stacks = cloud.client("cloudformation")
    stacks.create_stack(StackName=unique, TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName=unique, WaiterConfig={"Delay": 0.05})
    arn = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{unique}"
    assert output(finish(sfn, sfn.start_execution(stateMachineArn=arn)["executionArn"])) == "hello"


def test_a_task_state_takes_few_milliseconds(run, functions, sfn):
    functions.table["f"] = lambda _: {}
    states = {f"S{n}": task(Next=f"S{n + 1}") for n in range(40)} | {"S40": {"Type": "Succeed"}}
    found = run(states, seconds=20)
    events = sfn.get_execution_history(executionArn=found["executionArn"], maxResults=1000)["events"]
    spent = (events[-1]["timestamp"] - events[0]["timestamp"]).total_seconds()
    assert spent / 40 < 0.05


def test_the_threads_of_an_execution_end_with_it(sfn, machine, functions):
    begun, release = threading.Event(), threading.Event()

    def function(_):
        begun.set()
        release.wait(5)

    functions.table["f"] = function
    inner = {"StartAt": "In", "States": {"In": {"Type": "Wait", "Seconds": 3000, "End": True}}}
    branches = [
        {"StartAt": "Ask", "States": {"Ask": awaiting()}},
        {"StartAt": "W", "States": {"W": task(End=True)}},
    ]
    states = {
        "All": {
            "Type": "Parallel",
            "Branches": [*branches, {"StartAt": "M", "States": {"M": many(inner)}}],
            "End": True,
        }
    }
    arn = sfn.start_execution(stateMachineArn=machine(states))["executionArn"]
    assert begun.wait(5)
    sfn.stop_execution(executionArn=arn)
    release.set()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and engine_threads():
        time.sleep(0.01)
    assert engine_threads() == []


def many(inner):
    return {"Type": "Map", "Items": [1, 2, 3], "ItemProcessor": inner, "End": True}


def engine_threads():
    from moto.stepfunctions.parser.utils import TMP_THREADS

    named = [thread.name for thread in threading.enumerate() if thread.name.startswith("tidegate-state")]
    return named + [thread.name for thread in TMP_THREADS if thread.is_alive()]
