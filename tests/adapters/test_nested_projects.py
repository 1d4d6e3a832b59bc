"""Services whose templates lie in several files, read as a release reads them: from a folder, without AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tidegate.adapters.projects import Override, open_project
from tidegate.adapters.snapshots import take_snapshot
from tidegate.cli.assumed_bases import AssumedBases
from tidegate.cli.checking import NoDocuments, check_repository
from tidegate.cli.working_trees import WorkingTree
from tidegate.domain.artifacts import Method
from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate
from tidegate.domain.identity import Commit

WORKER = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Runtime: {Type: String, Default: python3.12}
  Folder: {Type: String, Default: code}
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: !Ref Folder, Handler: app.handler, Runtime: !Ref Runtime}
  Flow:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: flow.asl.json}
"""
ROOT = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Python: {Type: String, Default: python3.13}
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: code/, Handler: app.handler, Runtime: !Ref Python}
  Orders:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: ./orders/template.yaml, Parameters: {Runtime: !Ref Python}}
  Bills:
    Type: AWS::Serverless::Application
    Properties: {Location: bills/template.yaml}
"""
FLOW = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
CODE = "def handler(event, context): ...\n"
FILES = {
    "template.yaml": ROOT,
    "code/app.py": CODE,
    **{f"{child}/template.yaml": WORKER for child in ("orders", "bills")},
    **{f"{child}/flow.asl.json": FLOW for child in ("orders", "bills")},
    **{f"{child}/code/app.py": f"# {child}\n{CODE}" for child in ("orders", "bills")},
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def take(folder: Path) -> Any:
    commit = Commit(service="shop", id="0" * 40, branch="main")
    return take_snapshot(WorkingTree(folder), commit, NoDocuments(), Override(), AssumedBases())


def test_functions_and_packages_of_all_templates_are_found_by_their_names(tmp_path: Path) -> None:
    snapshot = take(write(tmp_path, FILES))
    assert {one.logical_id: (one.code_uri, one.runtime) for one in snapshot.functions} == {
        "Worker": ("code", "python3.13"),
        "Orders/Worker": ("orders/code", "python3.13"),
        "Bills/Worker": ("bills/code", "python3.12"),
    }
    assert len({one.artifact for one in snapshot.functions}) == 3
    assert [one.logical_id for one in snapshot.packages] == ["Orders/Flow", "Bills/Flow"]
    assert [(one.path, one.file) for one in snapshot.children] == [
        ("Orders", "orders/template.yaml"),
        ("Bills", "bills/template.yaml"),
    ]
    files = {one.logical_id: snapshot.file_of(one) for one in snapshot.functions}
    assert (files["Worker"], files["Bills/Worker"]) == ("template.yaml", "bills/template.yaml")


def test_a_check_tells_of_all_templates(tmp_path: Path) -> None:
    smoke = json.dumps(
        {"smoke": {"production": {"Orders/Worker": ["event.json"]}}, "waves": [["Bills/Worker"]]}
    )
    found = check_repository(write(tmp_path, {**FILES, "tidegate.yaml": smoke, "event.json": "{}"}))
    assert found.problems == ()
    assert [one.logical_id for one in found.functions] == ["Worker", "Orders/Worker", "Bills/Worker"]


def test_what_is_wrong_in_a_child_is_told_with_its_file(tmp_path: Path) -> None:
    broken = WORKER.replace("Handler: app.handler", "Handler: none.handler")
    found = check_repository(write(tmp_path, {**FILES, "bills/template.yaml": broken}))
    (problem,) = found.problems
    assert problem.startswith("bills/template.yaml:7: Bills/Worker in bills/code: ")


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({"orders/template.yaml": ""}, InvalidTemplate, "orders/template.yaml.*empty"),
        (
            {"template.yaml": ROOT.replace("./orders/template.yaml", "./none.yaml")},
            InvalidTemplate,
            r"template.yaml:9: ./none.yaml does not exist",
        ),
        (
            {"template.yaml": ROOT.replace("./orders/template.yaml", "./orders")},
            InvalidTemplate,
            "Orders must name a template, and ./orders is a folder",
        ),
        (
            {"bills/template.yaml": WORKER + "  Again:\n    Type: AWS::CloudFormation::Stack\n"
             "    Properties: {TemplateURL: ../template.yaml}\n"},
            UnsupportedTemplate,
            "Again nests a template in itself: template.yaml -> bills/template.yaml -> template.yaml",
        ),
        (
            {"bills/template.yaml": WORKER + "  Theirs:\n    Type: AWS::Serverless::Application\n"
             "    Properties: {Location: {ApplicationId: a, SemanticVersion: 1.0.0}}\n"},
            UnsupportedTemplate,
            "bills/template.yaml:13: Theirs is an application of the AWS Serverless Application Repository",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_nested_is_named(
    tmp_path: Path, files: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        open_project(WorkingTree(write(tmp_path, {**FILES, **files})), Override())


APP = """
import sys
import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_, aws_sqs as sqs
app = cdk.App(outdir=sys.argv[1])
stack = cdk.Stack(app, "Shop")
queue = sqs.Queue(stack, "Queue")
for name in ("Orders", "Bills"):
    lambda_.Function(
        cdk.NestedStack(stack, name), "Worker", runtime=lambda_.Runtime.PYTHON_3_13, handler="app.handler",
        code=lambda_.Code.from_asset("code"), environment={"QUEUE": queue.queue_url},
    )
app.synth()
"""


def test_nested_stacks_of_a_cdk_app_are_read_through_its_manifest(tmp_path: Path) -> None:
    write(tmp_path, {"synth.py": APP, "code/app.py": CODE})
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    command = [sys.executable, "synth.py", "cdk.out"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    snapshot = take(tmp_path)
    assert snapshot.template == "cdk.out/Shop.template.json"
    assert [one.file.endswith(".nested.template.json") for one in snapshot.children] == [True, True]
    paths = [one.logical_id.partition("/") for one in snapshot.functions]
    assert sorted(path[:5] for path, _, _ in paths) == ["Bills", "Order"]
    assert all(name.startswith("Worker") for _, _, name in paths)
    assert {one.method for one in snapshot.functions} == {Method.PLAIN}
    assert check_repository(tmp_path).problems == ()
