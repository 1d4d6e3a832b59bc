"""One stage of the plan: its change set requested once, then read and put into words."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from functions.plan_release.adoption import explain, leave_out_adopted, plan_adoption, write_updates
from functions.plan_release.flags import plan_flags
from functions.plan_release.holds import plan_holds
from functions.plan_release.limits import find_limits
from functions.plan_release.parts import Part, place, read_parts
from functions.plan_release.preflight import inspect_stage, read_facts
from functions.plan_release.provisioning import is_provided, plan_provisioning
from functions.plan_release.removals import describe_exact, keep_removed, tell_removed
from functions.plan_release.sides import TreeValues
from functions.plan_release.templates import choose_parameters, want
from tidegate.adapters.changes import check_operable
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.healthy import find_healthy
from tidegate.adapters.plans import read_digests, write_asked
from tidegate.adapters.stacks import (
    MASKED,
    ChangeSet,
    create_change_set,
    delete,
    find_change_set,
)
from tidegate.domain.errors import ChangeSetFailed
from tidegate.domain.holds import Holds
from tidegate.domain.nesting import split
from tidegate.domain.plans import FunctionPlan, StagePlan
from tidegate.domain.preferences import read_preferences
from tidegate.domain.provisioning import describe
from tidegate.domain.templates.changes import changed_functions, diff_notices
from tidegate.domain.templates.features import read_features
from tidegate.domain.undo import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from functions.plan_release.adoption import Adoptions
    from functions.plan_release.templates import Wanted
    from tidegate.adapters.stacks import StackState
    from tidegate.domain.config import StageConfig
    from tidegate.domain.healthy import Healthy
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.preflight import FunctionFacts
    from tidegate.domain.provisioning import Provisioning
    from tidegate.domain.snapshots import Snapshot
    from tidegate.domain.templates.aliases import RolledFunction
    from tidegate.domain.templates.changes import ChangedResource
    from tidegate.domain.templates.features import Features
    from tidegate.domain.templates.notices import Notice
    from tidegate.task import StageTools, Tools

NEW: Final = "gets its alias by this release, so it takes its traffic at once"


class Looked(NamedTuple):
    """The functions that move, and what is known of all that were looked at."""

    moving: tuple[RolledFunction, ...]
    facts: Mapping[str, FunctionFacts]
    provisioned: tuple[Provisioning, ...]


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
        self.parameters: dict[str, str] = self.wanted.parameters
        self.parts: dict[str, Part] = {}
        self.change_set: ChangeSet
        self.healthy: Healthy | None = None
        self.artifacts = {function.logical_id: function.artifact for function in snapshot.functions}
        self.digests = read_digests(tools.documents, ref, snapshot)

    @cached_property
    def functions(self) -> tuple[RolledFunction, ...]:
        """The functions that are rolled out, in all stacks of the stage."""
        normalized = (part.normalized.within(path) for path, part in self.parts.items())
        return tuple(function for item in normalized for function in item.functions)

    @cached_property
    def notices(self) -> tuple[Notice, ...]:
        """What is to be told of all templates."""
        normalized = (part.normalized.within(path) for path, part in self.parts.items())
        return tuple(notice for item in normalized for notice in item.notices)

    @cached_property
    def standing(self) -> dict[str, str]:
        """The physical ids of all stacks."""
        return {part.name(key): value for part in self.parts.values() for key, value in part.standing.items()}

    @cached_property
    def features(self) -> dict[str, Features]:
        """What the functions of the templates ask for, by name."""
        values = TreeValues(self)
        return {
            part.name(key): item.model_copy(update={"logical_id": part.name(key)})
            for part in self.parts.values()
            for key, item in self._read_features(part, values).items()
        }

    def _read_features(self, part: Part, values: TreeValues) -> dict[str, Features]:
        given = {key: value for key, value in values.given(part.path).items() if value != MASKED}
        around = {"AWS::Region": self.target.region}
        return read_features(part.normalized.template, part.normalized.functions, {**given, **around})

    @property
    def holds_removed(self) -> bool:
        """Whether anything that the new templates drop is kept until after the bake."""
        return any(part.removals.held for part in self.parts.values())

    @property
    def template_key(self) -> str:
        """Where the template lies that is applied."""
        held = "held-" if self.holds_removed else ""
        return f"{stage_prefix(self.ref, self.target.name)}{held}template.json"

    @property
    def applied_parameters(self) -> dict[str, str]:
        """The parameters for it: what only kept resources need, has the value that the stack has."""
        return {**dict.fromkeys(self.parts[""].removals.parameters, MASKED), **self.parameters}

    @cached_property
    def _changes_by_path(self) -> dict[str, list[ChangedResource]]:
        found: dict[str, list[ChangedResource]] = {path: [] for path in self.parts}
        for item in self.change_set.changes:
            found.setdefault(split(item.logical_id)[0], []).append(item)
        return found

    def changes_of(self, part: Part) -> list[ChangedResource]:
        """The changes of one of the stacks."""
        return self._changes_by_path[part.path]

    @cached_property
    def _own_changes(self) -> dict[str, ChangedResource]:
        return {item.logical_id: item for item in self.change_set.changes}

    def own_change(self, logical_id: str) -> ChangedResource | None:
        """The change of one resource, if it changes."""
        return self._own_changes.get(logical_id)


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
    _normalize(change)
    return change


def _normalize(change: StageChange) -> None:
    """Read what is deployed, as CloudFormation has processed it, and make of both what is wanted."""
    change.parts = read_parts(change, exists=exists(change.state))
    root = change.parts[""]
    if root.state is not None:
        given, template = change.wanted.parameters, root.normalized.template
        change.parameters = choose_parameters(template, given, root.state.parameters)
        keep_removed(change)


def exists(state: StackState | None) -> bool:
    """Whether there is a stack to update; one that only reviews its first change set is none yet."""
    return state is not None and not state.is_carcass


def _ask(change: StageChange, tools: Tools) -> None:
    """Upload the templates, to the ledger's documents and to where CloudFormation reads them, and ask."""
    _normalize(change)
    place(change, "template.json", {p: part.normalized.template for p, part in change.parts.items()}, tools)
    if change.holds_removed:
        place(change, "held-template.json", {p: part.held for p, part in change.parts.items()}, tools)
    asked = Asked(stack_name=change.wanted.stack_name, change_set=change.change_set_name)
    write_asked(tools.documents, change.ref, change.target.name, asked)
    tools.ledger.check_epoch(change.ref)  # a release that is taken back meanwhile must not leave it behind
    create_change_set(
        change.stage.cloudformation,
        change.wanted.stack_name,
        change.change_set_name,
        template_url=change.stage.documents.url(change.template_key),
        parameters=change.applied_parameters,
        capabilities=change.wanted.capabilities,
        role=change.target.cloudformation_role,
        exists=exists(change.state),
        nested=bool(change.snapshot.children),
    )


def plan_stage(change: StageChange, tools: Tools) -> StagePlan:
    """The stage's part of the plan; PreflightPending where its functions are not all looked at yet."""
    changes = () if change.change_set.is_empty else change.change_set.changes
    functions = change.functions
    moving, facts, provisioned = _look(change, tools)
    adoption = plan_adoption(change)
    plans = tuple(_plan_function(change, function, adoption, facts) for function in moving)
    own = leave_out_adopted(change, adoption)
    preferences = read_preferences(functions)
    canaried = any(p.canaried for p in plans)
    holds = plan_holds(change, tools) if canaried else Holds()
    limits, absent = find_limits(change, preferences.limits) if canaried else (preferences.limits, ())
    flags = plan_flags(change)
    given = change.snapshot.config.stages.get(change.target.name)
    strategy, source = preferences.choose(given, change.config, production=change.target.production)
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
        config=change.config.model_copy(update={"strategy": strategy}),
        strategy_source=source,
        limits=limits,
        at_once=(*_list_at_once(change, own, plans, holds), *preferences.notices),
        updates=write_updates(change, adoption, tools),
        adoption=explain(adoption),
        findings=(
            *inspect_stage(change, moving, facts),
            *map(describe, provisioned),
            *absent,
            *flags.findings,
        ),
        flags=flags.environments,
        provisioned=provisioned,
        children=change.snapshot.paths,
        held=(*holds.held, *tell_removed(change)),
        held_roles=tuple(role.logical_id for role in holds.roles),
        exact=describe_exact(change),
        images=change.digests,
    )


def _list_at_once(
    change: StageChange, own: Sequence[ChangedResource], plans: Sequence[FunctionPlan], holds: Holds
) -> Iterator[str]:
    """What takes effect before any traffic shifts, in words."""
    notices = [*diff_notices(own, change.functions), *change.notices]
    yield from (f"{notice.logical_id}: {notice.text}" for notice in notices)
    for part in change.parts.values():
        yield from (part.name(sentence) for sentence in part.removals.at_once)
    yield from holds.at_once
    if exists(change.state):
        yield from (f"{plan.logical_id} {NEW}" for plan in plans if not plan.canaried)


def _look(change: StageChange, tools: Tools) -> Looked:
    """Look at the functions that move, and at those with provisioned concurrency."""
    change.healthy = find_healthy(tools.ledger, tools.documents, change.ref.service, change.target.name)
    moving = _choose_functions(change)
    ids = frozenset(function.logical_id for function in moving)
    functions = change.functions
    looked = tuple(f for f in functions if f.logical_id in ids or is_provided(change, f))
    facts = read_facts(change, looked, tools)
    return Looked(moving, facts, tuple(plan_provisioning(change, looked, ids, facts)))


def _choose_functions(change: StageChange) -> tuple[RolledFunction, ...]:
    """The functions that the release changes; all of them in a new stack.

    A function that an earlier release brought, but never to the stage's end, is among them although the stack
    has it already: nobody has seen it work.
    """
    changes, functions = change.change_set.changes, change.functions
    previous = change.healthy.proven if change.healthy else {}
    added = {item.logical_id for item in changes if item.action == "Add" or item.replacement}
    moving = {function.logical_id for function in changed_functions(changes, functions)}
    unproven = {
        function.logical_id
        for function in functions
        if function.logical_id in change.standing
        and (
            change.healthy is None
            or change.artifacts.get(function.logical_id) != previous.get(function.logical_id)
        )
    }
    return tuple(function for function in functions if function.logical_id in moving | added | unproven)


def _plan_function(
    change: StageChange,
    function: RolledFunction,
    adoption: Adoptions,
    facts: Mapping[str, FunctionFacts],
) -> FunctionPlan:
    """How one function's traffic moves: canaried where an alias stands or is adopted."""
    key, found = function.logical_id, facts.get(function.logical_id)
    previous = change.healthy.artifacts if change.healthy else {}
    plan = FunctionPlan(
        logical_id=key,
        alias_logical_id=function.alias_logical_id,
        artifact=change.artifacts.get(key),
        previous_artifact=previous.get(key),
        canaried=False,
        tenants=change.features[key].tenants,
        wave=change.snapshot.config.wave_of(key),
    )
    if found is None:
        return plan
    named = {"canaried": True, "function_name": found.name, "alias": found.alias}
    if key in adoption.functions:
        return plan.model_copy(update={**named, "adopted": True})
    if found.pointing is None:
        return plan
    stands = {"rollback_target": found.pointing.version, "left_weights": found.pointing.weights}
    return plan.model_copy(update={**named, **stands})
