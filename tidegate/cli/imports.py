"""Values that a template imports from other stacks, made up where a run has no such stack."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from tidegate.cli.failures import Failed
from tidegate.cli.parameters import make_sample
from tidegate.domain.templates.literals import Literals
from tidegate.domain.templates.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tidegate.local.cloud import LocalCloud

STACK: Final = "samples"
SECONDS: Final = 30.0


def find_imports(template: dict[str, Any], values: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the exports that a template imports, as far as the given values tell them."""
    literals = Literals(Template(data=template), values)
    names = (literals.read_if_known(name) for name in _calls(template))
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))


def export_samples(
    cloud: LocalCloud, names: Sequence[str], network: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Make a stack that exports a sample under each name; what it exports. Failed where it cannot be made."""
    found = {name: make_sample(name, {"Type": "String"}, network) or "sample" for name in names}
    outputs = {
        f"Sample{index}": {"Value": value, "Export": {"Name": name}}
        for index, (name, value) in enumerate(found.items())
    }
    body = {"Resources": {"None": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}, "Outputs": outputs}
    client = cloud.client("cloudformation")
    client.create_stack(StackName=STACK, TemplateBody=json.dumps(body))
    deadline = time.monotonic() + SECONDS
    while (
        status := client.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
    ) != "CREATE_COMPLETE":
        if time.monotonic() > deadline or cloud.stopping.wait(0.05):
            raise Failed(f"the exports that the template imports could not be made: {status}")
    return found


def _calls(value: object) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "Fn::ImportValue":
                yield item
            yield from _calls(item)
    elif isinstance(value, list):
        for item in value:
            yield from _calls(item)
