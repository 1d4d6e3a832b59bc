"""A service of any number of tiny functions, made by this script, in a git repository of its own.

The functions share a role, so that as many as can be fit into a stack: three resources each (the function,
its alias, its anchor) of the 500 that CloudFormation allows. More are shared out among nested stacks, which
are given the role.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

HANDLER: Final = """import json

def handler(event, context):
    return {{"statusCode": 200, "body": json.dumps({{"name": "{name}", "change": {change}}})}}
"""
# Nobody sends requests: each step is held for its minute, and policy moves on without evidence.
CONFIG: Final = {
    "stages": {
        "production": {
            "strategy": "Linear25PercentEvery1Minute",
            "bake": "0s",
            "longest_hold": "1s",
            "on_insufficient_evidence": "promote",
        }
    }
}
TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
IDENTITY: Final = ("-c", "user.name=A Developer", "-c", "user.email=developer@example.com")


class ManyFunctions:
    """The repository; each change is a commit that changes the code of all functions."""

    def __init__(self, folder: Path, functions: int, children: int = 0) -> None:
        self.folder = folder
        self.name = folder.name
        self.functions = [f"Function{number:04d}" for number in range(functions)]
        self.children = {f"Child{number}": self.functions[number::children] for number in range(children)}
        folder.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")

    def change(self, number: int) -> str:
        """Commit a change of every function; gives the commit."""
        for name in self.functions:
            source = self.folder / name.lower() / "app.py"
            source.parent.mkdir(exist_ok=True)
            source.write_text(HANDLER.format(name=name, change=number))
        for name, template in self.templates().items():
            (self.folder / name).write_text(json.dumps(template))
        (self.folder / "tidegate.yaml").write_text(json.dumps({**CONFIG, "template": "template.json"}))
        self._git("add", "--all")
        self._git("commit", "--quiet", f"--message=Change {number}")
        return self._git("rev-parse", "HEAD")

    def templates(self) -> dict[str, dict[str, Any]]:
        """The service's template and those of its nested stacks, by file."""
        arn = {"Fn::GetAtt": ["Role", "Arn"]}
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
        if not self.children:
            return {"template.json": _template({"Role": role, **_functions(self.functions, arn)})}
        nested = {
            name: {
                "Type": "AWS::CloudFormation::Stack",
                "Properties": {"TemplateURL": f"{name.lower()}.json", "Parameters": {"Role": arn}},
            }
            for name in self.children
        }
        given = {"Parameters": {"Role": {"Type": "String"}}}
        return {
            "template.json": _template({"Role": role, **nested}),
            **{
                f"{name.lower()}.json": _template(_functions(functions, {"Ref": "Role"})) | given
                for name, functions in self.children.items()
            },
        }

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 (our own arguments)
            ["git", *IDENTITY, *arguments],  # noqa: S607 (the developer's own git)
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()


def _template(resources: dict[str, Any]) -> dict[str, Any]:
    return {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}


def _functions(names: list[str], role: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": f"{name.lower()}/",
                "Handler": "app.handler",
                "Runtime": "python3.13",
                "Timeout": 10,
                "Role": role,
            },
        }
        for name in names
    }
