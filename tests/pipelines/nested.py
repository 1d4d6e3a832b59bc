"""A service of two nested stacks, one as SAM's application and one as CloudFormation's stack.

Each has one function, and both call it `Worker`. A queue of the parent is passed to one of them, which tells the
parent an output.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.pipelines.services import HANDLER, TESTS, Service
from tidegate.adapters.aliases import parse_alias
from tidegate.adapters.stack_trees import list_resources
from tidegate.adapters.stacks import find_stack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipelines.clouds import Cloud

CHILDREN = ("Bills", "Orders")
ROOT: dict[str, Any] = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Orders": {
            "Type": "AWS::CloudFormation::Stack",
            "Properties": {
                "TemplateURL": "./orders/template.yaml",
                "Parameters": {"Memory": "256", "Queue": {"Ref": "Queue"}},
            },
        },
        "Bills": {"Type": "AWS::Serverless::Application", "Properties": {"Location": "bills/template.yaml"}},
    },
    "Outputs": {"Told": {"Value": {"Fn::GetAtt": ["Orders", "Outputs.Told"]}}},
}


def template() -> dict[str, Any]:
    """A child's template, as each of them has it."""
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {
            "Memory": {"Type": "Number", "Default": 128},
            "Queue": {"Type": "String", "Default": "none"},
        },
        "Resources": {
            "Worker": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "CodeUri": "code/",
                    "Handler": "app.handler",
                    "Runtime": "python3.13",
                    "Timeout": 10,
                    "MemorySize": {"Ref": "Memory"},
                    "Environment": {"Variables": {"QUEUE": {"Ref": "Queue"}}},
                },
            }
        },
        "Outputs": {"Told": {"Value": {"Ref": "Queue"}}},
    }


def source(child: str) -> str:
    """Where the code of a child's worker lies."""
    return f"{child.lower()}/code/app.py"


class NestedService(Service):
    """`lives` is what each child's worker answers in production, by what the tests know."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.lives: dict[str, str] = {}
        self.made: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        super().__init__(cloud, folder, tuple(f"{child}/Worker" for child in CHILDREN))

    def reset(self) -> None:
        super().reset()
        self.templates = {child: template() for child in CHILDREN}
        self.root = json.loads(json.dumps(ROOT))
        self.made = dict(self.lives)
        self.code = {source(child): self.texts[answer] for child, answer in self.lives.items()}

    def change(self, body: str = "pass", *children: str, **files: str) -> str:
        """Commit a new version of the workers of these children, of both where none is named."""
        self.count += 1
        answer = f"{self.name}-{self.count}"
        for child in children or CHILDREN:
            self.made[child] = answer
            self.code[source(child)] = self.texts[answer] = HANDLER.format(body=body, answer=answer)
        self.commit(files)
        return answer

    def commit(self, files: dict[str, str] | None = None) -> str:
        standing = {
            "test_it.py": TESTS.format(body="pass"),
            **self.code,
            "tidegate.yaml": json.dumps(self.config),
            "template.yaml": json.dumps(self.root),
            **{f"{name.lower()}/template.yaml": json.dumps(one) for name, one in self.templates.items()},
        }
        self.repository.git("rm", "-r", "-f", "--quiet", "--ignore-unmatch", ".")
        return self.repository.commit({**standing, **(files or {})})

    def standing(self, stage: str = "production") -> dict[str, str]:
        return list_resources(self.client("cloudformation"), f"{self.name}-{stage}", CHILDREN)

    def aliases(self, stage: str) -> dict[str, tuple[str, str]]:
        """(function, alias) by the child whose worker it is."""
        if find_stack(self.client("cloudformation"), f"{self.name}-{stage}") is None:
            return {}
        found = {key: arn for key, arn in self.standing(stage).items() if key.endswith("Aliaslive")}
        return {key.partition("/")[0]: parse_alias(arn) for key, arn in found.items() if ":" in arn}

    def answers(self) -> dict[str, str]:
        """What each child's worker answers in production."""
        return dict(zip(self.aliases("production"), self.ask(), strict=True))
