from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

import tidegate
from tidegate.cli.main import main

if TYPE_CHECKING:
    from tests.conftest import Repository

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: python3.13
Outputs:
  Arn:
    Value: !GetAtt Hello.Arn
"""
APP = "def handler(event, context):\n    return 1\n"
GOOD = {"template.yaml": TEMPLATE, "src/app.py": APP, "tests/test_app.py": "def test(): pass\n"}


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(autouse=True)
def _without_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any call to AWS would end in an error for want of credentials and of an address."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")


def test_example_can_be_released() -> None:
    example = Path(tidegate.__file__).parents[1] / "examples" / "orders"
    done = call("check", str(example), "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["service"], found["tests"], found["problems"]) == ("orders", "pytest -q tests", [])
    assert found["stages"] == ["staging", "production"]
    assert {function["logical_id"] for function in found["functions"]} == {
        "ChargeOrder",
        "CreateOrder",
        "GetOrder",
        "NotifyCustomer",
    }


def test_folder_is_checked_as_it_stands_and_commits_as_they_were(repository: Repository) -> None:
    good = repository.commit(GOOD)
    repository.write({"src/app.py": "def wrong(): pass\n"})
    folder = str(repository.folder)
    done = call("check", folder)
    assert done.exit_code == 1
    assert done.stderr == (
        "error: template.yaml:3: Hello in src: app.py defines no handler, which the handler names\n"
    )
    done = call("check", folder, "--commit", good)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == "repository can be released"


def test_what_goes_around_the_canary_is_said(repository: Repository) -> None:
    repository.write(GOOD)
    done = call("check", str(repository.folder))
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "repository: template.yaml, 1 function"
    assert "\nstages: production; a pipeline that lacks one refuses the release\n" in done.stdout
    assert "notice: Outputs.Arn names Hello" in done.stdout
    found = json.loads(call("check", str(repository.folder), "--json").stdout)
    assert [(one["logical_id"], one["kind"]) for one in found["notices"]] == [("Outputs.Arn", "around")]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"tidegate.yaml": "stagse: {}\n"}, "tidegate.yaml:1: stagse is unknown; did you mean stages?"),
        ({"template.yaml": "Resources: [\n"}, "template.yaml:2: "),
        ({"samconfig.toml": "version =\n"}, "samconfig.toml:1: not valid TOML"),
        ({"template.yaml": TEMPLATE.replace("src", "code")}, "template.yaml:3: code does not exist"),
        ({"template.yaml": TEMPLATE.replace("app.h", "main.h")}, "Hello in src: the handler 'main.handler'"),
        ({"src/app.py": "def handler(:\n"}, "Hello in src: app.py does not parse"),
        (
            {"tidegate.yaml": "smoke: {staging: {Hello: [no.json]}}\n"},
            "tidegate.yaml:1: smoke.staging.Hello: no.json does not exist",
        ),
        (
            {"tidegate.yaml": "smoke:\n  staging:\n    Helo: [e.json]\n"},
            "tidegate.yaml:3: smoke.staging.Helo: the template has no such function; did you mean Hello?",
        ),
        (
            {"tidegate.yaml": "waves: [[Helo]]\n"},
            "tidegate.yaml:1: waves: the template has no function Helo; did you mean Hello?",
        ),
        (
            {"tidegate.yaml": "smoke: {staging: {Hello: [e.json]}}\n", "e.json": "{'a': 1}"},
            "smoke.staging.Hello: e.json is no JSON: Expecting property name",
        ),
        (
            {"tidegate.yaml": "stages: {production: {parameters: {Size: big}}}\n"},
            "production: tidegate.yaml: the template has no parameter Size; it has none",
        ),
        (
            {
                "template.yaml": TEMPLATE.replace(
                    "Outputs:", "  App: {Type: AWS::Serverless::Application}\nOutputs:"
                )
            },
            "is an application of the AWS Serverless Application Repository",
        ),
    ],
)
def test_what_would_be_refused_is_named(repository: Repository, files: dict[str, str], said: str) -> None:
    repository.write({**GOOD, **files})
    done = call("check", str(repository.folder))
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    found = json.loads(call("check", str(repository.folder), "--json").stdout)
    assert len(found["problems"]) == 1


def test_what_does_nothing_is_noted(repository: Repository) -> None:
    repository.write({**GOOD, "tidegate.yaml": "stages: {production: {probes: 5}}\n"})
    done = call("check", str(repository.folder))
    assert (
        "note: stages.production.probes does nothing: `smoke` declares no event for production\n"
        in done.stdout
    )


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_configuration_that_is_no_file_is_refused(repository: Repository, kind: str) -> None:
    repository.write(GOOD)
    place = repository.folder / "tidegate.yaml"
    if kind == "folder":
        repository.write({"tidegate.yaml/a.txt": "x"})
    else:
        place.symlink_to("template.yaml")
    done = call("check", str(repository.folder))
    assert done.stderr == "error: tidegate.yaml: must be a file, no folder and no link\n"


def test_ignored_files_are_not_in_the_commit(repository: Repository) -> None:
    repository.commit({**GOOD, ".gitignore": "src/app.py\n"})
    repository.git("rm", "--quiet", "--cached", "--ignore-unmatch", "src/app.py")
    done = call("check", str(repository.folder))
    assert "src does not exist" in done.stderr


def test_folder_without_git_is_checked_as_well(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "template.yaml").write_text(TEMPLATE.replace("CodeUri: src", "CodeUri: ."))
    (tmp_path / "service" / "app.py").write_text(APP)
    assert call("check", str(tmp_path / "service")).exit_code == 0


def test_folder_may_have_any_name_where_the_service_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "42"
    folder.mkdir()
    (folder / "template.yaml").write_text(TEMPLATE.replace("CodeUri: src", "CodeUri: ."))
    (folder / "app.py").write_text(APP)
    assert "no service can be named after '42'" in call("check", str(folder)).stderr
    (folder / "tidegate.yaml").write_text("service: orders\n")
    assert call("check", str(folder)).exit_code == 0


def test_secrets_and_missing_tests_are_seen_at_a_desk(repository: Repository) -> None:
    key = "AKIA" + "QX7ZP2LW9V4TN8RB"
    untested = {name: text for name, text in GOOD.items() if not name.startswith("tests/")}
    repository.write({**untested, "tidegate.yaml": "tests: {missing: fail}\n"})
    done = call("check", str(repository.folder))
    assert done.exit_code == 1
    assert "tests.missing is fail, and there are no tests" in done.stderr
    repository.write({"src/settings.py": f"KEY = '{key}'\n", "tidegate.yaml": "{}\n"})
    done = call("check", str(repository.folder))
    assert done.exit_code == 1
    assert "src/settings.py:1: AWS Access Key" in done.stderr
    assert key not in done.output
    repository.write({"src/settings.py": f"KEY = '{key}'  # pragma: allowlist secret\n"})
    done = call("check", str(repository.folder))
    assert done.exit_code == 0, done.output
    assert "note: the service has no tests of its own" in done.stdout
    assert "secrets: none found" in done.stdout
