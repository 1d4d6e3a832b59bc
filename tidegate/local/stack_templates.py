"""CloudFormation templates as text and as graphs: what can be known of one before anything is resolved.

It parses JSON and YAML (with the short forms of the intrinsic functions), finds what refers to what,
and refuses what CloudFormation refuses at the door. It may not resolve values and knows no resource type.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import yaml

from tidegate.local.stack_errors import ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PSEUDO_PARAMETERS: Final = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId",
        "NoValue",
        "NotificationARNs",
        "Partition",
        "Region",
        "StackId",
        "StackName",
        "URLSuffix",
    )
)
SUBSTITUTION: Final = re.compile(r"\$\{(!?)([^}]*)\}")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
LARGEST_BODY: Final = 51_200
MOST_RESOURCES: Final = 500
MOST_PARAMETERS: Final = 200
NAMED_IAM: Final = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
}
OTHER_IAM: Final = frozenset(
    f"AWS::IAM::{name}"
    for name in ("AccessKey", "Policy", "RolePolicy", "UserPolicy", "GroupPolicy", "UserToGroupAddition")
)
KNOWN_TRANSFORMS: Final = frozenset({"AWS::LanguageExtensions"})
POLICIES: Final = frozenset({"Delete", "Retain", "RetainExceptOnCreate"})


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: dates stay text, short forms become their full names."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _construct_short_form(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _construct_short_form)


@dataclass(frozen=True)
class Template:
    """A template: the text as it was given, and what it says."""

    text: str
    body: dict[str, Any]

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources by logical id."""
        return self.body["Resources"]  # type: ignore[no-any-return]

    def section(self, name: str) -> dict[str, Any]:
        """A section by name, empty where the template has none."""
        return self.body.get(name) or {}

    @cached_property
    def dependencies(self) -> dict[str, tuple[str, ...]]:
        """For each resource the resources that it refers to or depends on."""
        return {name: tuple(self._find_dependencies(name)) for name in self.resources}

    def _find_dependencies(self, logical_id: str) -> Iterator[str]:
        resource = self.resources[logical_id]
        named = [name for name, _ in find_references(resource.get("Properties") or {})]
        seen = set()
        for name in [*named, *list_dependencies(resource)]:
            if name in self.resources and name not in seen:
                seen.add(name)
                yield name

    def order(self, logical_ids: Iterable[str]) -> list[str]:
        """Order resources so that each stands after what it depends on."""
        wanted = dict.fromkeys(logical_ids)
        placed: dict[str, None] = {}
        for name in wanted:
            self._place(name, wanted, placed, ())
        return list(placed)

    def _place(
        self, name: str, wanted: dict[str, None], placed: dict[str, None], path: tuple[str, ...]
    ) -> None:
        if name in placed or name not in wanted:
            return
        if name in path:
            circle = ", ".join(path[path.index(name) :])
            raise ValidationError(f"Circular dependency between resources: [{circle}]")
        for dependency in self.dependencies[name]:
            self._place(dependency, wanted, placed, (*path, name))
        placed[name] = None

    @property
    def capabilities(self) -> list[str]:
        """The capabilities that a caller has to acknowledge for this template."""
        named = unnamed = False
        for resource in self.resources.values():
            kind = resource["Type"]
            if kind in NAMED_IAM and NAMED_IAM[kind] in (resource.get("Properties") or {}):
                named = True
            unnamed = unnamed or kind in NAMED_IAM or kind in OTHER_IAM
        return ["CAPABILITY_NAMED_IAM"] if named else ["CAPABILITY_IAM"] if unnamed else []


def parse_template(text: str) -> Template:
    """Parse and check a template; what is wrong with it is a ValidationError."""
    body = load_text(text)
    if not isinstance(body, dict):
        raise ValidationError("Template format error: unsupported structure.")
    template = Template(text, body)
    check_template(template)
    return template


def check_template(template: Template) -> None:
    """Refuse what CloudFormation refuses at the door."""
    resources = template.body.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise ValidationError("Template format error: At least one Resources member must be defined.")
    _check_sections(template)
    for name, resource in resources.items():
        _check_resource(name, resource)
    _check_references(template)
    template.order(resources)


def load_text(text: str) -> Any:  # noqa: ANN401
    """Read JSON or YAML as CloudFormation does."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ValidationError(f"Template format error: YAML not well-formed. ({reason})") from error


def _check_sections(template: Template) -> None:
    transforms = template.body.get("Transform") or []
    for transform in [transforms] if isinstance(transforms, str | dict) else transforms:
        name = transform if isinstance(transform, str) else transform.get("Name")
        if name not in KNOWN_TRANSFORMS:
            raise ValidationError(f"Transform {name} is not available in the local cloud")
    for section, most in (("Resources", MOST_RESOURCES), ("Parameters", MOST_PARAMETERS)):
        count = len(template.section(section))
        if count > most:
            raise ValidationError(
                f"Template format error: Number of {section.lower()}, {count}, "
                f"is greater than maximum allowed, {most}"
            )


def _check_resource(name: str, resource: object) -> None:
    if name.startswith("Fn::"):
        raise ValidationError(f"Template format error: {name} is not available in the local cloud")
    if not name.isalnum():
        raise ValidationError(f"Template format error: Resource name {name} is non alphanumeric.")
    if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
        raise ValidationError(
            f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
        )
    for key in ("DeletionPolicy", "UpdateReplacePolicy"):
        policy = resource.get(key, "Delete")
        if isinstance(policy, str) and policy not in POLICIES:
            raise ValidationError(f"{key} {policy} of [{name}] is not available in the local cloud")


def _check_references(template: Template) -> None:
    known = {*template.resources, *template.section("Parameters"), *PSEUDO_PARAMETERS}
    blocks = {
        "Resources": {name: r.get("Properties") for name, r in template.resources.items()},
        "Outputs": template.section("Outputs"),
    }
    for block, content in blocks.items():
        missing = {name for name, _ in find_references(content)} - known
        if block == "Resources":
            missing |= {d for r in template.resources.values() for d in list_dependencies(r)} - known
        if missing:
            raise ValidationError(
                "Template format error: Unresolved resource dependencies "
                f"[{', '.join(sorted(missing))}] in the {block} block of the template"
            )


def list_dependencies(resource: dict[str, Any]) -> list[str]:
    """The logical ids that a resource names in DependsOn."""
    named = resource.get("DependsOn") or []
    return [named] if isinstance(named, str) else list(named)


def find_references(node: object) -> Iterator[tuple[str, str]]:
    """Find what a node refers to, as (name, attribute); the attribute is empty for a Ref."""
    if isinstance(node, list):
        for item in node:
            yield from find_references(item)
    elif isinstance(node, dict):
        if set(node) == {"Ref"} and isinstance(node["Ref"], str):
            yield node["Ref"], ""
        elif set(node) == {"Fn::GetAtt"}:
            yield from _find_attribute(node["Fn::GetAtt"])
        elif set(node) == {"Fn::Sub"}:
            yield from _find_substitutions(node["Fn::Sub"])
        else:
            for value in node.values():
                yield from find_references(value)


def _find_attribute(argument: str | list[Any]) -> Iterator[tuple[str, str]]:
    name, _, attribute = (
        argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
    )
    yield name, attribute if isinstance(attribute, str) else "*"


def _find_substitutions(argument: str | list[Any]) -> Iterator[tuple[str, str]]:
    text, values = (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])
    yield from find_references(list(values.values()))
    for literal, name in SUBSTITUTION.findall(text):
        if not literal and name.strip() not in values:
            target, _, attribute = name.strip().partition(".")
            yield target, attribute
