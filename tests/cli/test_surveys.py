"""What a run finds out before its cloud starts, and folders of a repository as services of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tidegate.cli.failures import Failed
from tidegate.cli.folders import is_folder, open_folder
from tidegate.cli.imports import export_samples, find_imports
from tidegate.cli.repositories import find_service, name_service
from tidegate.cli.run import list_commits, read_addition
from tidegate.cli.surroundings import choose_stages, give_parameters, read_parameters
from tidegate.cli.surveys import Survey, merge, survey

HELLO = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Prefix: {Type: String, Default: app}
  Email: {Type: String}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: python3.13
      FunctionName: !Sub "${Prefix}-hello"
      Events:
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 day), Name: tick}}
        Call: {Type: Api, Properties: {Path: /, Method: get}}
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub "${AWS::StackName}-queue"}
Outputs:
  Address: {Value: !Ref Queue, Export: {Name: !Sub "${AWS::Region}-queue"}}
"""
APP = "def handler(event, context):\n    return 1\n"


def see(repository, files):
    return survey(repository.folder, repository.commit(files))


def test_names_that_do_not_depend_on_the_stack_are_fixed(repository):
    seen = see(repository, {"template.yaml": HELLO, "src/app.py": APP})
    assert seen.fixed_names == ("Hello.FunctionName", "HelloTick.Name", "Address.Export")
    assert seen.lacking == {"Email": {"Type": "String"}}
    assert list(seen.events) == ["Hello"]
    told = []
    assert choose_stages(seen, told.append) == ("production",)
    assert told[0].startswith("the template names Hello.FunctionName, HelloTick.Name, Address.Export itself")


def test_a_commit_that_cannot_be_read_hides_nothing_of_the_others(repository):
    good = see(repository, {"template.yaml": HELLO, "src/app.py": APP})
    bad = see(repository, {"template.yaml": "Resources: ["})
    assert merge([good, bad]) == good
    assert merge([bad]) == bad


def test_a_name_that_each_stage_is_given_another_way_is_not_fixed(repository):
    config = "stages: {staging: {parameters: {Prefix: one}}, production: {parameters: {Prefix: two}}}\n"
    files = {"template.yaml": HELLO, "src/app.py": APP, "tidegate.yaml": config}
    assert "Hello.FunctionName" not in see(repository, files).fixed_names


def test_what_the_local_cloud_cannot_make_is_refused_before_it_starts(repository):
    broker = HELLO.replace("AWS::SQS::Queue\n", "AWS::AmazonMQ::Broker\n")
    seen = see(repository, {"template.yaml": broker, "src/app.py": APP})
    with pytest.raises(Failed, match=r"cannot make Queue \(AWS::AmazonMQ::Broker\): not supported"):
        choose_stages(seen, print)


def test_a_template_that_cannot_be_released_is_left_to_the_release(repository):
    assert see(repository, {"template.yaml": HELLO}).templates == ()


@pytest.mark.parametrize("text", ["Name", "=value"])
def test_a_parameter_needs_a_name_and_a_value(text):
    with pytest.raises(Failed, match="not of the form NAME=VALUE"):
        read_parameters([text])


def test_a_folder_is_a_repository_of_the_commits_that_changed_it(repository):
    repository.commit({"one/app.py": "1", "two/app.py": "1"})
    repository.commit({"two/app.py": "2"})
    repository.commit({"one/app.py": "2"})
    folder = repository.folder / "one"
    assert is_folder(folder)
    assert not is_folder(repository.folder)
    with open_folder(folder, 5) as found:
        commits = list_commits(found, 5)
        names = subprocess.run(
            ["git", "-C", found, "ls-tree", "-r", "--name-only", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert (len(commits), names.stdout, find_service(found, "HEAD")) == (2, "app.py\n", "one")
    with open_folder(folder, 5) as again:
        assert list_commits(again, 5) == commits


def test_a_file_may_be_added_to_each_commit(repository):
    repository.commit({"app.py": "1", "tidegate.yaml": "template: a.yaml\n", "b/c.yaml": "x"})
    with open_folder(repository.folder, 2, {"tidegate.yaml": "template: b.yaml\n"}) as found:
        shown = subprocess.run(
            ["git", "-C", found, "show", "HEAD:tidegate.yaml", "HEAD:b/c.yaml"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout == "template: b.yaml\nx"


def test_a_configuration_is_added_where_there_is_none(repository, tmp_path):
    config = tmp_path / "other.yaml"
    config.write_text("template: a/x.yaml\n")
    repository.commit({"a/app.py": "1"})
    assert read_addition(repository.folder, config) == {"tidegate.yaml": "template: a/x.yaml\n"}
    repository.commit({"a/tidegate.yaml": "template: b.yaml\n"})
    with pytest.raises(Failed, match=r"has a tidegate\.yaml of its own"):
        read_addition(repository.folder / "a", config)


def test_a_long_name_is_cut_and_stays_its_own():
    names = {
        name_service(Path(f"/nowhere/eventbridge-schedule-to-lambda-with-dead-letters-{x}")) for x in "ab"
    }
    assert len(names) == 2
    assert all(len(name) <= 40 and name.startswith("eventbridge-schedule-to-lambda") for name in names)


def test_the_parameter_store_gets_what_the_template_reads_there_and_lacks(cloud, unique):
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name=f"/{unique}/url", Value="kept", Type="String")
    stored = {f"/{unique}/{name}": {"Type": "String", "Name": name} for name in ("url", "email")}
    told = []
    give_parameters(cloud, Survey({}, stored=stored), {}, told.append)
    values = {name: ssm.get_parameter(Name=name)["Parameter"]["Value"] for name in stored}
    assert values == {f"/{unique}/url": "kept", f"/{unique}/email": "sample@example.com"}
    assert told == [f"the parameter store gets the sample /{unique}/email=sample@example.com"]


def test_what_is_imported_from_other_stacks_gets_a_sample(cloud):
    name = {"Fn::Sub": "${Network}-VpcId"}
    template = {
        "Parameters": {"Network": {"Type": "String"}},
        "Resources": {
            "One": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Value": {"Fn::ImportValue": name}},
            },
            "Two": {"Type": "AWS::SQS::Queue", "Properties": {"Tags": [{"Fn::ImportValue": {"Ref": "One"}}]}},
        },
    }
    assert find_imports(template, {"Network": "net"}) == ("net-VpcId",)
    exported = export_samples(cloud, ["net-VpcId"], {"AWS::EC2::VPC::Id": ["vpc-1"]})
    cloud.client("cloudformation").delete_stack(StackName="samples")
    assert exported == {"net-VpcId": "vpc-1"}
