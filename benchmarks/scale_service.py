"""A service of any number of tiny functions, made by this script, in a git repository of its own.

The functions share a role, so that as many as can be fit into a stack: three resources each (the function,
its alias, its anchor) of the 500 that CloudFormation allows.
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

    def __init__(self, folder: Path, functions: int) -> None:
        self.folder = folder
        self.name = folder.name
        self.functions = [f"Function{number:04d}" for number in range(functions)]
        folder.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")

    def change(self, number: int) -> str:
        """Commit a change of every function; gives the commit."""
        for name in self.functions:
            source = self.folder / name.lower() / "app.py"
            source.parent.mkdir(exist_ok=True)
            source.write_text(HANDLER.format(name=name, change=number))
        (self.folder / "template.json").write_text(json.dumps(self._template()))
        (self.folder / "tidegate.yaml").write_text(json.dumps({**CONFIG, "template": "template.json"}))
        self._git("add", "--all")
        self._git("commit", "--quiet", f"--message=Change {number}")
        return self._git("rev-parse", "HEAD")

    def _template(self) -> dict[str, Any]:
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}
        functions = {
            name: {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "CodeUri": f"{name.lower()}/",
                    "Handler": "app.handler",
                    "Runtime": "python3.13",
                    "Timeout": 10,
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                },
            }
            for name in self.functions
        }
        return {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Role": role, **functions}}

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(  # noqa: S603 (our own arguments)
            ["git", *IDENTITY, *arguments],  # noqa: S607 (the developer's own git)
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()
