"""The table of tasks: the literal surface of rights, and that it fits the handlers and the state machines."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from infra.build_tasks import BUILD_TASKS
from infra.origin_tasks import GITHUB_TASKS
from infra.rights import On
from infra.tasks import COLLECTOR, DEPLOYERS, TASKS, Task
from tests.infra.conftest import ROOT, Assembly
from tidegate.domain import pipeline as names

ALL = (*TASKS, *BUILD_TASKS, *GITHUB_TASKS)
BY_NAME = {task.name: task for task in ALL}
OWN = {"logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
LEDGER = {"dynamodb:GetItem", "dynamodb:PutItem"}
READ = {"s3:GetObject", "s3:ListBucket"}
KEEP = READ | {"s3:PutObject"}
READ_IMAGES = {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
PUSH_IMAGES = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
}
QUERY = {"dynamodb:Query"}
GITHUB = {"kms:Sign", "secretsmanager:GetSecretValue"}
# What each function may do, besides its own logs and traces.
SURFACE: dict[str, set[str]] = {
    "AuditRelease": LEDGER | KEEP | {"inspector-scan:ScanSbom"},
    "AttestRelease": LEDGER | KEEP | {"kms:GetPublicKey", "kms:Sign"},
    "AwaitApproval": LEDGER | {"events:PutEvents"},
    "AwaitBuilds": LEDGER
    | KEEP
    | {"codebuild:BatchGetBuilds", "codebuild:StartBuild", "states:SendTaskSuccess"},
    "BuildFunction": LEDGER
    | KEEP
    | READ_IMAGES
    | PUSH_IMAGES
    | {"codebuild:BatchGetBuilds", "logs:GetLogEvents"},
    "CheckOutSource": LEDGER | KEEP | GITHUB | READ_IMAGES | {"codecommit:GitPull", "s3:GetObjectVersion"},
    "CompareBranches": QUERY | GITHUB | {"dynamodb:GetItem", "events:PutEvents", "sqs:SendMessage"},
    "CompleteRelease": LEDGER | {"events:PutEvents"},
    "DiagnoseRollback": LEDGER | KEEP | {"dynamodb:Query", "states:DescribeExecution", "sts:AssumeRole"},
    "EnterStage": LEDGER | READ | {"events:PutEvents"},
    "Intake": {"sqs:SendMessage", "states:StartExecution"},
    "JudgeCanary": LEDGER | READ | {"events:PutEvents", "s3:PutObject", "sts:AssumeRole"},
    "LeaveStage": LEDGER | KEEP | {"sts:AssumeRole"},
    "OpenRelease": LEDGER | {"events:PutEvents", "states:DescribeExecution"},
    "PlanRelease": LEDGER | KEEP | {"sts:AssumeRole"},
    "ProvisionStage": LEDGER
    | KEEP
    | {"ecr:GetDownloadUrlForLayer", "kms:GetPublicKey", "kms:Verify", "sts:AssumeRole"},
    "PruneVersions": LEDGER
    | KEEP
    | {"dynamodb:Query", "s3:DeleteObject", "sqs:SendMessage", "sts:AssumeRole"},
    "PublishVersions": LEDGER | KEEP | {"sts:AssumeRole"},
    "ReceiveWebhook": {"events:PutEvents", "secretsmanager:GetSecretValue"},
    "ReportStatus": QUERY | GITHUB | {"sqs:SendMessage"},
    "RotateSecret": GITHUB
    | {
        "secretsmanager:DescribeSecret",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
        "sqs:SendMessage",
    },
    "ResumeRelease": {
        "codebuild:BatchGetBuilds",
        "dynamodb:GetItem",
        "sqs:SendMessage",
        "states:SendTaskSuccess",
    },
    "RestoreTraffic": LEDGER | READ | {"sts:AssumeRole"},
    "ShiftTraffic": LEDGER | READ | {"events:PutEvents", "s3:PutObject", "sts:AssumeRole"},
    "SmokeTest": LEDGER | READ | {"sts:AssumeRole"},
    "TestFunction": LEDGER | KEEP | {"lambda:InvokeFunction"},
    "TestSandbox": set(),
    "UndoRelease": LEDGER
    | KEEP
    | {"codebuild:BatchGetBuilds", "codebuild:StopBuild"}
    | {"states:DescribeExecution", "states:StopExecution", "sts:AssumeRole"},
    "VerifyRecovery": LEDGER | KEEP | {"dynamodb:Query", "events:PutEvents", "sts:AssumeRole"},
}
# What a use of the tools in a handler's folder needs: variables, and one of the rights on a resource.
NEEDS: dict[str, tuple[set[str], On | None]] = {
    "announce": ({"EVENT_BUS"}, On.BUS),
    "bus": ({"EVENT_BUS"}, On.BUS),
    "build_logs": (set(), On.BUILD_LOGS),
    "builds": (set(), On.BUILD_PROJECT),
    "documents": ({"ARTIFACT_BUCKET"}, None),
    "functions": (set(), On.SANDBOX),
    "hosts": ({"ORIGINS"}, On.TOKEN_SECRET),
    "inspector": (set(), On.SCANS),
    "keys": (set(), On.TRUSTED_KEYS),
    "ledger": ({"LEDGER_TABLE"}, On.LEDGER),
    "machines": (set(), None),
    "now": (set(), None),
    "record": ({"LEDGER_TABLE"}, On.LEDGER),
    "registry": (set(), None),
    "settings": (set(), None),
    "side_stacks": ({"STAGES"}, On.DEPLOY_ROLES),
    "sources": ({"SOURCE_BUCKET"}, On.SOURCES),
    "secrets": (set(), On.WEBHOOK_SECRET),
    "stage": ({"STAGES"}, On.DEPLOY_ROLES),
    "prepare_entry": ({"STAGES"}, On.DEPLOY_ROLES),
}
SETTINGS: dict[str, set[str]] = {
    "branches": {"BRANCHES"},
    "branches_of": {"BRANCHES", "ORIGINS"},
    "build_images": {"BUILD_IMAGES"},
    "build_architecture": {"BUILD_ARCHITECTURE"},
    "build_runtime": {"BUILD_RUNTIME"},
    "images": {"IMAGES"},
    "metric_period": {"PACE"},
    "pace": {"PACE"},
    "wait": {"PACE"},
    "origins": {"ORIGINS"},
    "other_stages": {"OTHER_STAGES"},
    "release_machine": {"RELEASE_MACHINE"},
    "rollback_machine": {"ROLLBACK_MACHINE"},
    "sandbox_function": {"SANDBOX_FUNCTION"},
    "scanner": {"SCANNER"},
    "signing_key": {"SIGNING_KEY"},
    "source_bucket": {"SOURCE_BUCKET"},
    "stage": {"STAGES"},
    "stages": {"STAGES"},
    "trusted_keys": {"SIGNING_KEY", "TRUSTED_KEYS"},
    "webhook_url": {"WEBHOOK_URL"},
}


def sources(task: Task) -> str:
    """The text of a handler's folder, and of what it imports from the folders of others."""
    seen: set[str] = set()
    pending = [f"functions.{names.folder_name(task.name)}.handler"]
    text = ""
    while pending:
        module = pending.pop()
        if module in seen:
            continue
        seen.add(module)
        source = (ROOT / (module.replace(".", "/") + ".py")).read_text()
        pending += re.findall(r"^ *from (functions\.\w+\.\w+) import", source, re.MULTILINE)
        text += source
    return text


def needed(task: Task) -> tuple[set[str], set[On]]:
    text = sources(task)
    variables: set[str] = set()
    resources: set[On] = set()
    for use in set(re.findall(r"\btools\.(\w+)", text)):
        needs, resource = NEEDS[use]
        variables |= needs
        resources |= {resource} if resource else set()
    for setting in set(re.findall(r"\bsettings\.(\w+)", text)) - {"load"}:
        variables |= SETTINGS[setting]
    return variables, resources


def actions(task: Task) -> set[str]:
    return {action for right in task.rights for action in right.actions}


def states(machine: str) -> dict[str, dict[str, Any]]:
    """All states of a machine, those within maps too."""
    found: dict[str, dict[str, Any]] = {}
    pending = [json.loads((ROOT / "statemachines" / f"{machine}.asl.json").read_text())]
    while pending:
        scope = pending.pop()
        found |= scope["States"]
        for state in scope["States"].values():
            pending += [state["ItemProcessor"]] if "ItemProcessor" in state else []
            pending += state.get("Branches", [])
    return found


ALL_STATES = {
    (machine, name): state for machine in ("release", "rollback") for name, state in states(machine).items()
}
TASK_STATES = {key: state for key, state in ALL_STATES.items() if state["Type"] == "Task"}


def test_the_surface_of_rights_is_this_and_no_more() -> None:
    assert {task.name: actions(task) for task in ALL} == SURFACE


def test_the_template_grants_the_table_and_no_more(sourced: Assembly) -> None:
    roles = sourced.resources("AWS::IAM::Role").values()
    for task in ALL:
        role = next(role for role in roles if role["Properties"].get("RoleName") == task.function)
        granted: set[str] = set()
        for policy in role["Properties"].get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                found = statement["Action"]
                granted |= {found} if isinstance(found, str) else set(found)
        # A pipeline with a token has no App whose key would sign.
        unasked = {"kms:Sign"} if SURFACE[task.name] >= GITHUB else set()
        expected = SURFACE[task.name] - unasked | OWN
        assert granted == (expected if not task.sandbox else set()), task.name


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_a_function_is_given_the_variables_that_its_code_reads(task: Task) -> None:
    variables, _ = needed(task)
    assert set(task.variables) == variables


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_a_function_has_rights_on_what_its_code_uses(task: Task) -> None:
    _, resources = needed(task)
    granted = {on for right in task.rights for on in right.on}
    assert granted >= resources
    guarded = {On.BUS, On.LEDGER, On.DEPLOY_ROLES, On.SANDBOX, On.SOURCES, On.TRUSTED_KEYS}
    assert guarded & granted <= resources


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_each_task_has_its_folder_and_handler(task: Task, sourced: Assembly) -> None:
    functions = sourced.resources("AWS::Lambda::Function").values()
    found = next(f["Properties"] for f in functions if f["Properties"]["FunctionName"] == task.function)
    assert found["Handler"] == f"functions.{names.folder_name(task.name)}.handler.handler"
    assert (ROOT / "functions" / names.folder_name(task.name) / "handler.py").is_file()


def test_states_functions_and_substitutions_have_one_name() -> None:
    for (_, name), state in TASK_STATES.items():
        assert state["Arguments"]["FunctionName"] == f"${{{name}}}"
        assert name in BY_NAME
    called = {name for _, name in TASK_STATES}
    others = {"Intake", "PruneVersions", "ResumeRelease", "TestSandbox"}
    assert called | others | {task.name for task in GITHUB_TASKS} == set(BY_NAME)
    folders = {path.name for path in (ROOT / "functions").iterdir() if (path / "handler.py").exists()}
    assert folders == {names.folder_name(task.name) for task in (*ALL, COLLECTOR)}


@pytest.mark.parametrize(("machine", "name"), TASK_STATES, ids="-".join)
def test_no_handler_outlives_its_state(machine: str, name: str) -> None:
    state = TASK_STATES[machine, name]
    if state["Resource"].endswith("waitForTaskToken"):
        return  # the state's time is that of a person who answers
    assert BY_NAME[name].timeout < state["TimeoutSeconds"]


def test_stages_trust_the_tasks_that_work_in_them() -> None:
    assert set(DEPLOYERS) == {task.function for task in TASKS if "sts:AssumeRole" in actions(task)}
