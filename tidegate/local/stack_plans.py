"""The plan of an update: which resources a revision adds, changes, replaces and removes.

The new template is resolved against what is deployed; what hangs on a resource that changes is unknown until
then and planned as a dynamic change, as CloudFormation does
(https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChangeDetail.html).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tidegate.local.resources import kinds
from tidegate.local.stack_errors import ResourceFailure, ValidationError
from tidegate.local.stack_intrinsics import Cause, Scope, Unknown, find_unknown, resolve
from tidegate.local.stack_templates import find_references

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.stack_records import Deployed, Revision, Stack

NOTHING: Final = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
ATTRIBUTES: Final = {
    "Metadata": "metadata",
    "DeletionPolicy": "deletion_policy",
    "UpdateReplacePolicy": "replace_policy",
}


@dataclass
class Wanted:
    """A resource as the new template asks for it, as far as can be known."""

    logical_id: str
    type: str
    properties: dict[str, Any]
    metadata: Any
    deletion_policy: str
    replace_policy: str


@dataclass
class Plan:
    """The changes, in the shape of DescribeChangeSet, and whether the outputs change too.

    wanted: what is asked for each resource, as far as it is known.
    """

    changes: list[dict[str, Any]] = field(default_factory=list)
    outputs_change: bool = False
    wanted: dict[str, Wanted] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes and not self.outputs_change


def list_pseudo_parameters(stack: Stack, revision: Revision) -> dict[str, Any]:
    """The pseudo parameters of a stack."""
    return {
        "AWS::AccountId": stack.account,
        "AWS::Region": stack.region,
        "AWS::StackId": stack.id,
        "AWS::StackName": stack.name,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::NotificationARNs": revision.notification_arns,
    }


def make_scope(
    stack: Stack,
    revision: Revision,
    reference: Callable[[str], Any],
    attribute: Callable[[str, str], Any],
    imported: Callable[[str], str],
) -> Scope:
    """The scope of a revision's template."""
    values = {key: parameter.value for key, parameter in revision.parameters.items()}
    return Scope(
        values={**values, **list_pseudo_parameters(stack, revision)},
        mappings=revision.template.section("Mappings"),
        condition_nodes=revision.template.section("Conditions"),
        reference=reference,
        attribute=attribute,
        imported=imported,
        region=stack.region,
    )


def list_active(revision: Revision, scope: Scope) -> list[str]:
    """The resources whose condition holds, each after what it depends on."""
    resources = revision.template.resources
    active = [
        name for name, node in resources.items() if "Condition" not in node or scope.holds(node["Condition"])
    ]
    return revision.template.order(active)


def resolve_resource(revision: Revision, logical_id: str, scope: Scope) -> Wanted:
    """Resolve one resource of the template."""
    node = revision.template.resources[logical_id]
    deletion = resolve(node.get("DeletionPolicy", "Delete"), scope)
    properties = resolve(node.get("Properties") or {}, scope)
    merged = kinds.merge_tags(_find_kind(node["Type"]), properties, revision.tags)
    replace_policy = resolve(node.get("UpdateReplacePolicy", "Delete"), scope)
    return Wanted(logical_id, node["Type"], merged, node.get("Metadata"), deletion, replace_policy)


def _find_kind(name: str) -> kinds.Kind:
    try:
        return kinds.find(name)
    except ResourceFailure:
        return kinds.Kind()  # the executor refuses it by name; a plan shows it


def make_plan(stack: Stack, revision: Revision, imported: Callable[[str], str]) -> Plan:
    """Plan the way from what a stack is to a revision."""
    return _Planner(stack, revision, imported).plan()


class _Planner:
    def __init__(self, stack: Stack, revision: Revision, imported: Callable[[str], str]) -> None:
        self.stack = stack
        self.revision = revision
        self.modified: set[str] = set()
        self.replaced: set[str] = set()
        self.wanted: dict[str, Wanted] = {}
        self.scope = make_scope(stack, revision, self._refer, self._attribute, imported)
        self.active = list_active(revision, self.scope)

    def plan(self) -> Plan:
        changes = [change for name in self.active if (change := self._consider(name))]
        gone = [r for name, r in self.stack.resources.items() if name not in set(self.active)]
        changes += [_describe("Remove", r, policy=_policy(r.deletion_policy)) for r in gone]
        changes.sort(key=lambda change: change["ResourceChange"]["LogicalResourceId"])
        return Plan(changes, self._outputs_change(), self.wanted)

    def _refer(self, name: str) -> Any:  # noqa: ANN401
        self._check_active(name)
        if name in self.stack.resources and name not in self.replaced:
            return self.stack.resources[name].physical_id
        return Unknown(frozenset({Cause("ResourceReference", name)}))

    def _attribute(self, name: str, attribute: str) -> Any:  # noqa: ANN401
        self._check_active(name)
        deployed = self.stack.resources.get(name)
        if deployed and name not in self.replaced and name not in self.modified:
            return read_attribute(deployed, attribute)
        return Unknown(frozenset({Cause("ResourceAttribute", f"{name}.{attribute}")}))

    def _check_active(self, name: str) -> None:
        if name not in self.active:
            raise unresolved(name)

    def _consider(self, name: str) -> dict[str, Any] | None:
        wanted = self.wanted[name] = resolve_resource(self.revision, name, self.scope)
        deployed = self.stack.resources.get(name)
        if deployed is None:
            return _describe("Add", wanted)
        if deployed.type != wanted.type:
            raise ValidationError(
                "Update of resource type is not permitted. "
                f"The new template modifies resource type of the following resources: [{name}]"
            )
        return self._compare(deployed, wanted)

    def _compare(self, deployed: Deployed, wanted: Wanted) -> dict[str, Any] | None:
        changed = {
            k
            for k in {*deployed.properties, *wanted.properties}
            if deployed.properties.get(k) != wanted.properties.get(k)
        }
        replacing = _find_kind(wanted.type).replaced_by(changed)
        details = [d for key in sorted(changed) for d in self._explain(wanted, key, replacing)]
        details += [
            _detail(title, None, "Never")
            for title, own in ATTRIBUTES.items()
            if getattr(deployed, own) != getattr(wanted, own)
        ]
        if not details:
            return None
        replacement = _judge(details)
        self.modified.add(wanted.logical_id)
        if replacement != "False":
            self.replaced.add(wanted.logical_id)
        policy = None if replacement == "False" else f"ReplaceAnd{_policy(wanted.replace_policy)}"
        return _describe("Modify", deployed, details, replacement, policy)

    def _explain(self, wanted: Wanted, key: str, replacing: set[str]) -> list[dict[str, Any]]:
        old, new = (
            self._node(self.stack.revision, wanted.logical_id, key),
            self._node(self.revision, wanted.logical_id, key),
        )
        causes = find_unknown(wanted.properties.get(key))
        recreation = "Always" if key in replacing else "Never"
        evaluation = "Dynamic" if causes else "Static"
        attribute, name = ("Tags", None) if key == "Tags" else ("Properties", key)
        found = [
            _detail(attribute, name, recreation, "Dynamic", cause.source, cause.entity)
            for cause in sorted(causes, key=lambda cause: cause.entity)
        ]
        found += [
            _detail(attribute, name, recreation, evaluation, "ParameterReference", parameter)
            for parameter in sorted(self._changed_parameters(new))
        ]
        if old != new or not found:
            found.append(_detail(attribute, name, recreation, evaluation))
        return found

    @staticmethod
    def _node(revision: Revision | None, logical_id: str, key: str) -> Any:  # noqa: ANN401
        resource = revision.template.resources.get(logical_id, {}) if revision else {}
        return (resource.get("Properties") or {}).get(key)

    def _changed_parameters(self, node: Any) -> set[str]:  # noqa: ANN401
        old = self.stack.revision.parameters if self.stack.revision else {}
        new = self.revision.parameters
        named = {name for name, _ in find_references(node)} & set(new)
        return {name for name in named if name in old and old[name].value != new[name].value}

    def _outputs_change(self) -> bool:
        if self.stack.revision is None:
            return True
        section = self.revision.template.section("Outputs")
        kept = {o["OutputKey"]: (o["OutputValue"], o.get("ExportName")) for o in self.stack.outputs}
        new = {}
        for key, node in section.items():
            if "Condition" in node and not self.scope.holds(node["Condition"]):
                continue
            export = resolve(node["Export"]["Name"], self.scope) if "Export" in node else None
            new[key] = (write_output(resolve(node.get("Value"), self.scope)), export)
        return new != kept and not find_unknown([value for value, _ in new.values()])


def write_output(value: Any) -> Any:  # noqa: ANN401
    """An output's value as text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value) if isinstance(value, int | float) else value


def read_attribute(deployed: Deployed, attribute: str) -> Any:  # noqa: ANN401
    """What GetAtt gives for a deployed resource."""
    try:
        return deployed.attributes[attribute]
    except KeyError:
        raise ValidationError(
            f"Template error: resource {deployed.logical_id} ({deployed.type}) does not support "
            f"attribute type {attribute} in Fn::GetAtt"
        ) from None


def unresolved(name: str) -> ValidationError:
    """The error for a reference to a resource that the conditions leave out."""
    return ValidationError(
        f"Template format error: Unresolved resource dependencies "
        f"[{name}] in the Resources block of the template"
    )


def _policy(policy: str) -> str:
    return "Retain" if policy == "Retain" else "Delete"


def _judge(details: list[dict[str, Any]]) -> str:
    always = [d["Evaluation"] for d in details if d["Target"]["RequiresRecreation"] == "Always"]
    return "True" if "Static" in always else "Conditional" if always else "False"


def _detail(
    attribute: str,
    name: str | None,
    recreation: str,
    evaluation: str = "Static",
    source: str = "DirectModification",
    entity: str | None = None,
) -> dict[str, Any]:
    target = {"Attribute": attribute, "Name": name, "RequiresRecreation": recreation}
    detail = {"Target": target, "Evaluation": evaluation, "ChangeSource": source}
    return detail | ({"CausingEntity": entity} if entity else {})


def _describe(
    action: str,
    resource: Deployed | Wanted,
    details: list[dict[str, Any]] | None = None,
    replacement: str | None = None,
    policy: str | None = None,
) -> dict[str, Any]:
    change: dict[str, Any] = {
        "Action": action,
        "LogicalResourceId": resource.logical_id,
        "ResourceType": resource.type,
        "PhysicalResourceId": getattr(resource, "physical_id", None),
        "Replacement": replacement,
        "PolicyAction": policy if action != "Modify" or policy else None,
        "Scope": sorted({d["Target"]["Attribute"] for d in details or []}),
        "Details": details or [],
    }
    return {"Type": "Resource", "ResourceChange": {k: v for k, v in change.items() if v is not None}}
