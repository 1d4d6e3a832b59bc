"""A CDK app's own synthesized template: its assets are packaged from the folders that the manifest names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.adapters.projects import Override, open_project
from tidegate.adapters.snapshots import take_snapshot
from tidegate.cli.assumed_bases import AssumedBases
from tidegate.cli.checking import NoDocuments, check_stage
from tidegate.cli.working_trees import WorkingTree
from tidegate.domain.artifacts import Method
from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate
from tidegate.domain.identity import Commit

APP = """
import sys
import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_, aws_stepfunctions as sfn
app = cdk.App(outdir=sys.argv[1])
stack = cdk.Stack(app, "Shop")
code = lambda_.Code.from_asset("hello")
layer = lambda_.LayerVersion(stack, "Shared", code=lambda_.Code.from_asset("layer"))
lambda_.Function(stack, "Hello", runtime=lambda_.Runtime.PYTHON_3_13, handler="app.handler", code=code, layers=[layer])
sfn.StateMachine(stack, "Flow", definition_body=sfn.DefinitionBody.from_file("flow.asl.json"))
app.synth()
"""
FILES = {
    "hello/app.py": "def handler(event, context): ...\n",
    "hello/requirements.txt": "never-installed==1\n",
    "layer/python/shared.py": "NAME = 1\n",
    "flow.asl.json": '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
}
MANIFEST, TEMPLATE = "cdk.out/Shop.assets.json", "cdk.out/Shop.template.json"


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory):
    """A repository with its cdk.out; tests may not change it."""
    folder = tmp_path_factory.mktemp("cdk") / "shop"
    for name, text in {**FILES, "synth.py": APP}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder.parent)}
    subprocess.run(
        [sys.executable, "synth.py", "cdk.out"], cwd=folder, env=environment, check=True, capture_output=True
    )
    return folder


@pytest.fixture
def changed(synthesized, tmp_path):
    """A copy of the template and its manifest, each through a function that changes it."""

    def change(template=dict, manifest=dict):
        for name, edit in ((TEMPLATE, template), (MANIFEST, manifest)):
            data = json.loads((synthesized / name).read_text())
            edit(data)
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(json.dumps(data))
        return tmp_path

    return change


def test_functions_layers_and_definitions_come_from_the_folders_of_the_manifest(synthesized):
    tree = WorkingTree(synthesized)
    commit = Commit(service="shop", id="0" * 40, branch="main")
    snapshot = take_snapshot(tree, commit, NoDocuments(), Override(), AssumedBases())
    (function,) = snapshot.functions
    assert tree.within(function.code_uri)
    assert (function.code_uri[:14], function.method) == ("cdk.out/asset.", Method.PLAIN)
    assert not function.requirements
    packaged = {package.property_path: package.key for package in snapshot.packages}
    assert sorted(packaged) == ["Content", "DefinitionS3Location"]
    assert packaged["Content"].endswith(".zip")
    assert packaged["DefinitionS3Location"].endswith(".json")
    assert check_stage(snapshot, "production") is not None


def test_nothing_of_the_bootstrap_is_asked_for(synthesized):
    data = open_project(WorkingTree(synthesized), Override()).template.data
    assert "Parameters" not in data
    assert "Rules" not in data
    assert "cdk-hnb659fds" not in json.dumps(data)


def test_an_asset_in_another_place_is_refused_by_name(synthesized, changed):
    manifest = json.loads((synthesized / MANIFEST).read_text())
    key = next(iter(next(iter(manifest["files"].values()))["destinations"].values()))["objectKey"]
    custom = {"Type": "Custom::Deployment", "Properties": {"ServiceToken": "x", "SourceObjectKeys": [key]}}
    folder = changed(template=lambda data: data["Resources"].update(Site=custom))
    with pytest.raises(
        UnsupportedTemplate, match=f"Site uses the CDK asset {key} in a way that is not supported"
    ):
        open_project(WorkingTree(folder), Override())


def test_a_container_image_is_refused_by_name(changed):
    folder = changed(manifest=lambda data: data["dockerImages"].update(abc={}))
    with pytest.raises(UnsupportedTemplate, match="the container image asset abc is not supported"):
        open_project(WorkingTree(folder), Override())


def test_what_a_program_makes_is_refused_by_name(changed):
    def bundle(data):
        for file in data["files"].values():
            file["source"] = {"executable": ["make"]}

    with pytest.raises(UnsupportedTemplate, match=r"has the CDK asset \w+\.\w+, which a program makes"):
        open_project(WorkingTree(changed(manifest=bundle)), Override())


def test_a_file_that_is_no_manifest_is_named(changed):
    with pytest.raises(InvalidTemplate, match=r"Shop\.assets\.json: not an asset manifest of the CDK: files"):
        open_project(WorkingTree(changed(manifest=lambda data: data.update(files=[]))), Override())


def test_without_its_manifest_the_template_is_refused(synthesized, tmp_path):
    (tmp_path / "cdk.out").mkdir()
    (tmp_path / TEMPLATE).write_text((synthesized / TEMPLATE).read_text())
    with pytest.raises(UnsupportedTemplate, match="needs its asset manifest beside it"):
        open_project(WorkingTree(tmp_path), Override())
