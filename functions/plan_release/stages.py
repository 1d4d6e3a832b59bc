"""One stage of the plan: its change set requested once, then read and put into words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.plan_release.templates import build_template, dump, want
from tidegate.adapters.aliases import find_alias, parse_alias
from tidegate.adapters.changes import check_operable
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.plans import find_healthy
from tidegate.adapters.stacks import (
    ChangeSet,
    create_change_set,
    delete,
    find_change_set,
    list_resources,
    read_template,
)
from tidegate.adapters.templates import parse
from tidegate.domain.errors import ChangeSetFailed
from tidegate.domain.plans import FunctionPlan, StagePlan
from tidegate.domain.templates.changes import changed_functions, diff_notices

if TYPE_CHECKING:
    from functions.plan_release.templates import Wanted
    from tidegate.adapters.stacks import StackState
    from tidegate.domain.config import StageConfig
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.snapshots import Snapshot
    from tidegate.domain.templates.aliases import RolledFunction
    from tidegate.domain.templates.normalization import Normalized
    from tidegate.task import StageTools, Tools

ADOPTED: Final = "is new to Tidegate: its alias is made by this release, so it takes its traffic at once"


class StageChange:
    """A stage with its computed change set, and all that the plan is made of."""

    def __init__(self, ref: ReleaseRef, snapshot: Snapshot, name: str, tools: Tools) -> None:
        self.ref = ref
        self.snapshot = snapshot
        self.stage: StageTools = tools.stage(name)
        self.target = self.stage.target
        self.config: StageConfig = snapshot.config.stage(name, production=self.target.production)
        self.wanted: Wanted = want(snapshot, self.target, self.config)
        self.change_set_name = f"tidegate-{ref.id}"
        self.state: StackState | None = None
        self.normalized: Normalized
        self.change_set: ChangeSet


def request_change(ref: ReleaseRef, snapshot: Snapshot, name: str, tools: Tools) -> StageChange | None:
    """Have the stage's change set computed; None until it is. A stack that never came up is deleted first."""
    change = StageChange(ref, snapshot, name, tools)
    client, stack = change.stage.cloudformation, change.wanted.stack_name
    change.state = check_operable(client, stack)
    found = find_change_set(client, stack, change.change_set_name) if change.state else None
    if change.state is not None and (change.state.is_busy or (found and found.is_pending)):
        return None
    if change.state is not None and change.state.is_carcass and found is None:
        delete(client, stack, change.target.cloudformation_role)
        return None
    if found is None:
        _ask(change, tools)
        return None
    if found.status == "FAILED" and not found.is_empty:
        message = f"CloudFormation cannot compute the change set of {stack}: {found.reason}"
        raise ChangeSetFailed(message)
    change.change_set = found
    change.normalized = _normalize(change)
    return change


def _normalize(change: StageChange) -> Normalized:
    deployed: dict[str, Any] | None = None
    if exists(change.state):
        text = read_template(change.stage.cloudformation, change.wanted.stack_name)
        deployed = parse(text, change.wanted.stack_name).data
    return build_template(change.snapshot, change.target, change.wanted.parameters, deployed)


def exists(state: StackState | None) -> bool:
    """Whether there is a stack to update; one that only reviews its first change set is none yet."""
    return state is not None and not state.is_carcass


def _ask(change: StageChange, tools: Tools) -> None:
    """Upload the template, to the ledger's documents and to where CloudFormation reads it, and ask."""
    body = dump(_normalize(change).template)
    key = f"{stage_prefix(change.ref, change.target.name)}template.json"
    tools.documents.write_bytes(key, body, "application/json")
    change.stage.documents.write_bytes(key, body, "application/json")
    create_change_set(
        change.stage.cloudformation,
        change.wanted.stack_name,
        change.change_set_name,
        template_url=change.stage.documents.url(key),
        parameters=change.wanted.parameters,
        capabilities=change.wanted.capabilities,
        role=change.target.cloudformation_role,
        exists=exists(change.state),
    )


def plan_stage(change: StageChange, tools: Tools) -> StagePlan:
    """The stage's part of the plan."""
    changes = () if change.change_set.is_empty else change.change_set.changes
    functions = change.normalized.functions
    plans = _plan_functions(change, tools)
    notices = [*diff_notices(changes, functions), *change.normalized.notices]
    adopted = [f"{p.logical_id} {ADOPTED}" for p in plans if not p.canaried and exists(change.state)]
    return StagePlan(
        stage=change.target.name,
        account=change.target.account,
        region=change.target.region,
        production=change.target.production,
        stack_name=change.wanted.stack_name,
        creates_stack=not exists(change.state),
        change_set=None if change.change_set.is_empty else change.change_set_name,
        changes=changes,
        functions=plans,
        config=change.config,
        at_once=tuple([f"{notice.logical_id}: {notice.text}" for notice in notices] + adopted),
    )


def _plan_functions(change: StageChange, tools: Tools) -> tuple[FunctionPlan, ...]:
    """Functions that change, each canaried where an alias stands already; all of them in a new stack."""
    changes, functions = change.change_set.changes, change.normalized.functions
    healthy = find_healthy(tools.ledger, tools.documents, change.ref.service, change.target.name)
    previous = healthy.artifacts if healthy else {}
    artifacts = {function.logical_id: function.artifact for function in change.snapshot.functions}
    standing = (
        list_resources(change.stage.cloudformation, change.wanted.stack_name) if exists(change.state) else {}
    )
    added = {item.logical_id for item in changes if item.action == "Add" or item.replacement}
    moving = {function.logical_id for function in changed_functions(changes, functions)}
    return tuple(
        _plan_function(change, function, standing, artifacts, previous)
        for function in functions
        if function.logical_id in moving | added
    )


def _plan_function(
    change: StageChange,
    function: RolledFunction,
    standing: dict[str, str],
    artifacts: dict[str, str],
    previous: dict[str, str],
) -> FunctionPlan:
    arn = standing.get(function.alias_logical_id, "")
    replaced = any(
        item.logical_id == function.logical_id and item.replacement for item in change.change_set.changes
    )
    name, alias = parse_alias(arn) if arn and not replaced else ("", "")
    state = find_alias(change.stage.functions, name, alias) if name else None
    return FunctionPlan(
        logical_id=function.logical_id,
        alias_logical_id=function.alias_logical_id,
        artifact=artifacts.get(function.logical_id),
        previous_artifact=previous.get(function.logical_id),
        canaried=state is not None,
        function_name=name,
        alias=alias,
        rollback_target=state.pointing.version if state else "",
    )
