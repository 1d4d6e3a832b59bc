"""The stacks of a stage as a tree: each as it stands and as it will be, all put together for an update."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from functions.plan_release.templates import build_templates
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.stack_trees import read_standing
from tidegate.adapters.templates import parse
from tidegate.adapters.threads import side_by_side
from tidegate.domain.nesting import qualify
from tidegate.domain.templates.removals import Removals
from tidegate.domain.templates.tree import Linked, dump, link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.plan_release.stages import StageChange
    from tidegate.adapters.stacks import StackState
    from tidegate.domain.templates.normalization import Normalized
    from tidegate.task import Tools


@dataclass
class Part:
    """One stack of the tree by its path. `state` and `deployed` are None where it does not stand yet.

    standing: physical ids by logical id. removals: what of it is kept until after the bake.
    """

    path: str
    normalized: Normalized
    state: StackState | None = None
    deployed: dict[str, Any] | None = None
    standing: dict[str, str] = field(default_factory=dict)
    removals: Removals = field(default_factory=Removals)

    def name(self, logical_id: str) -> str:
        """How the tree names one of its resources."""
        return qualify(self.path, logical_id)

    @property
    def held(self) -> dict[str, Any]:
        """The template that is applied until after the bake."""
        return self.removals.template or self.normalized.template


def read_parts(change: StageChange, *, exists: bool) -> dict[str, Part]:
    """All stacks of the stage, parents before children; what stands is as CloudFormation processed it."""
    snapshot, wanted = change.snapshot, change.wanted
    client = change.stage.cloudformation
    found = read_standing(client, wanted.stack_name, snapshot.paths) if exists else {}
    deployed = {path: parse(stack.template, stack.state.name).data for path, stack in found.items()}
    normalized = build_templates(snapshot, change.target, wanted.parameters, deployed, change.digests)
    parts = {path: Part(path, item) for path, item in normalized.items()}
    for path, stack in found.items():
        parts[path].state, parts[path].deployed = stack.state, deployed[path]
        parts[path].standing = stack.physical_ids
    return parts


def place(change: StageChange, name: str, templates: Mapping[str, Mapping[str, Any]], tools: Tools) -> str:
    """Upload a tree of templates for CloudFormation, and its root for the ledger; gives the root's key."""
    key = f"{stage_prefix(change.ref, change.target.name)}{name}"
    linked = put_together(change, templates)
    upload = partial(_upload, change)
    side_by_side(upload, linked.bodies.items())
    body = dump(linked.root)
    tools.documents.write_bytes(key, body, "application/json")
    change.stage.documents.write_bytes(key, body, "application/json")
    return key


def put_together(change: StageChange, templates: Mapping[str, Mapping[str, Any]]) -> Linked:
    """The templates with the addresses of the children in them."""
    return link(templates, change.stage.documents.url)


def _upload(change: StageChange, item: tuple[str, bytes]) -> None:
    change.stage.documents.write_bytes(*item, "application/json")
