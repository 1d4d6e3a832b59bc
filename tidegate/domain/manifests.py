"""What a release is made of: each function with its artifact, and what the template declares of it; pure.

`Manifest` lies at releases/<service>/<release>/functions.json. An artifact's own record says what is so for
all that share the artifact; service, commit, handler, tags, permissions and contracts are of one release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tidegate.domain.identity import Commit, Frozen
from tidegate.domain.nesting import split
from tidegate.domain.templates.intrinsics import direct_reference
from tidegate.domain.templates.sam_globals import function_properties
from tidegate.domain.templates.template import properties_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.domain.snapshots import Artifact, Snapshot
    from tidegate.domain.templates.template import Template


class Declared(Frozen):
    """What the template declares of a function, intrinsic functions as they are written.

    permissions: what its role asks for: names or ARNs of managed policies, SAM policy templates, statements;
    a role that is not of the template stands as it is named. contracts: what it declares to be invoked by,
    event sources of the template by name with their type, and the events that are safe to invoke it with.
    """

    tags: dict[str, Any] = Field(default_factory=dict)
    permissions: tuple[Any, ...] = ()
    contracts: dict[str, Any] = Field(default_factory=dict)


class FunctionRecord(Frozen):
    """A function of a release with its artifact; sizes are bytes, zipped and unzipped."""

    logical_id: str
    runtime: str
    declared_runtime: str
    architecture: str
    handler: str
    artifact: str
    sha256: str
    size: int
    unzipped_size: int
    lock: str = Field(description="where its lock lies; empty where it has no requirements")
    bill: str
    bill_sha256: str
    declared: Declared


class LayerRecord(Frozen):
    """A layer of the template: where its zip and its bill lie."""

    logical_id: str
    key: str
    bill: str


class Manifest(Frozen):
    """What a release is made of."""

    service: str
    release_id: str
    commit: Commit
    functions: tuple[FunctionRecord, ...]
    layers: tuple[LayerRecord, ...]

    @property
    def bills(self) -> dict[str, tuple[str, ...]]:
        """The logical ids of functions and layers by the bill that they have."""
        found: dict[str, list[str]] = {}
        pairs = [(one.bill, one.logical_id) for one in self.functions]
        for bill, name in [*pairs, *((one.bill, one.logical_id) for one in self.layers)]:
            found.setdefault(bill, []).append(name)
        return {key: tuple(names) for key, names in found.items()}


def make_manifest(
    snapshot: Snapshot,
    release_id: str,
    templates: Mapping[str, Template],
    artifacts: Mapping[str, Artifact],
) -> Manifest:
    """Put together what is known; `templates` are by path, `artifacts` the records by content key."""
    functions = tuple(
        FunctionRecord(
            logical_id=one.logical_id,
            runtime=one.runtime,
            declared_runtime=one.declared_runtime,
            architecture=one.architecture,
            handler=one.handler,
            artifact=one.artifact,
            sha256=artifacts[one.artifact].sha256,
            size=artifacts[one.artifact].size,
            unzipped_size=artifacts[one.artifact].unzipped_size,
            lock=one.lock,
            bill=artifacts[one.artifact].bill,
            bill_sha256=artifacts[one.artifact].bill_sha256,
            declared=read_declared(templates, one.logical_id, snapshot),
        )
        for one in snapshot.functions
    )
    layers = tuple(
        LayerRecord(logical_id=one.logical_id, key=one.key, bill=one.bill)
        for one in snapshot.packages
        if one.bill
    )
    return Manifest(
        service=snapshot.commit.service,
        release_id=release_id,
        commit=snapshot.commit,
        functions=functions,
        layers=layers,
    )


def read_declared(templates: Mapping[str, Template], name: str, snapshot: Snapshot) -> Declared:
    """What its template and the configuration say of a function."""
    path, logical_id = split(name)
    template = templates[path]
    properties = function_properties(template, logical_id)
    events = properties.get("Events") or {}
    sources = {key: one.get("Type") for key, one in events.items() if isinstance(one, dict)}
    smoke = {stage: list(found[name]) for stage, found in snapshot.config.smoke.items() if name in found}
    contracts = {"event_sources": sources, "smoke_events": smoke}
    return Declared(
        tags=_read_tags(properties.get("Tags")),
        permissions=tuple(_read_permissions(template, properties)),
        contracts={key: value for key, value in contracts.items() if value},
    )


def _read_tags(tags: object) -> dict[str, Any]:
    """SAM writes a mapping, CloudFormation a list of keys and values."""
    if isinstance(tags, list):
        return {str(one.get("Key")): one.get("Value") for one in tags if isinstance(one, dict)}
    return dict(tags) if isinstance(tags, dict) else {}


def _read_permissions(template: Template, properties: Mapping[str, Any]) -> list[Any]:
    role, policies = properties.get("Role"), properties.get("Policies")
    if role is None:
        return policies if isinstance(policies, list) else [policies] if policies else []
    named = direct_reference(role)
    resource = template.data["Resources"].get(named[0]) if named else None
    if resource is None:
        return [{"Role": role}]
    own = properties_of(resource)
    return [*(own.get("ManagedPolicyArns") or ()), *(own.get("Policies") or ())]
