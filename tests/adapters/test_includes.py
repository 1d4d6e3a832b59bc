"""Files that a template includes, and templates that lie in unusual places."""

from __future__ import annotations

import pytest

from tidegate.adapters.includes import write_template
from tidegate.adapters.projects import Override, open_project
from tidegate.adapters.templates import parse
from tidegate.cli.working_trees import WorkingTree
from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: live
      DefinitionBody:
        Fn::Transform: {Name: AWS::Include, Parameters: {Location: api/openapi.yaml}}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ../src
      Handler: app.handler
      Runtime: python3.13
"""
BODY = "openapi: 3.0.1\npaths:\n  /: {get: {x-amazon-apigateway-integration: {uri: !Sub '${Hello.Arn}'}}}\n"
FILES = {
    "infra/service.yaml": TEMPLATE,
    "infra/api/openapi.yaml": BODY,
    "src/app.py": "def handler(e, c): ...\n",
}


def open_files(folder, files):
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return open_project(WorkingTree(folder), Override())


def test_an_included_file_is_part_of_the_template_and_lines_stay(tmp_path):
    project = open_files(tmp_path, FILES)
    assert project.template.file == "infra/service.yaml"
    body = project.template.data["Resources"]["Api"]["Properties"]["DefinitionBody"]
    uri = body["paths"]["/"]["get"]["x-amazon-apigateway-integration"]["uri"]
    assert (body["openapi"], uri) == ("3.0.1", {"Fn::Sub": "${Hello.Arn}"})
    again = parse(project.text_of(project.parts[0]), "infra/service.yaml")
    assert (again.data, again.lines) == (project.template.data, {"Api": 3, "Hello": 9})


def test_a_template_without_includes_keeps_its_text(tmp_path):
    text = TEMPLATE.replace(
        "Fn::Transform: {Name: AWS::Include, Parameters: {Location: api/openapi.yaml}}", "openapi: 3.0.1"
    )
    project = open_files(tmp_path, {**FILES, "infra/service.yaml": text})
    assert project.text_of(project.parts[0]) == text


@pytest.mark.parametrize(
    ("location", "error", "message"),
    [
        (
            "s3://bucket/openapi.yaml",
            UnsupportedTemplate,
            r"service\.yaml:3: Fn::Transform \(AWS::Include\) in Api",
        ),
        ("api/none.yaml", InvalidTemplate, r"service\.yaml:3: api/none\.yaml does not exist"),
        ("api", InvalidTemplate, r"service\.yaml:3: api is a folder"),
        ("../../other.yaml", InvalidTemplate, r"is not in the source"),
    ],
)
def test_what_cannot_be_included_is_named_with_its_line(tmp_path, location, error, message):
    text = TEMPLATE.replace("api/openapi.yaml", location)
    with pytest.raises(error, match=message):
        open_files(tmp_path, {**FILES, "infra/service.yaml": text})


def test_several_templates_are_refused_by_name(tmp_path):
    with pytest.raises(InvalidTemplate, match=r"several templates: .* a/stack\.yml, infra/service\.yaml"):
        open_files(tmp_path, {**FILES, "a/stack.yml": TEMPLATE})


def test_a_template_in_a_test_folder_or_of_a_tool_is_not_taken(tmp_path):
    files = {
        **FILES,
        "tests/template.yaml": TEMPLATE,
        ".aws-sam/build/template.yaml": TEMPLATE,
        "a.yaml": "x: AWS::Lambda::Function",
    }
    assert open_files(tmp_path, files).template.file == "infra/service.yaml"


def test_a_template_without_lines_can_be_written():
    template = parse('{"Resources": {"A": {"Type": "AWS::SNS::Topic"}}}', "t.json")
    assert parse(write_template(template), "t.json").data == template.data
