"""How a stack that Tidegate did not make gets ready for a canary, before the release's own update of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from functions.plan_release.parts import place
from tidegate.adapters.aliases import is_published, parse_alias, read_version
from tidegate.adapters.stacks import MASKED
from tidegate.domain.errors import UnsupportedTemplate
from tidegate.domain.nesting import qualify, split
from tidegate.domain.plans import StackUpdate
from tidegate.domain.templates.adoption import Adoption, adopt, find_bare, leave_out
from tidegate.domain.templates.tree import with_parents
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from functions.plan_release.parts import Part
    from functions.plan_release.stages import StageChange
    from tidegate.adapters.stacks import StackState
    from tidegate.domain.templates.changes import ChangedResource
    from tidegate.task import Tools

# What each update before the release's own makes of a stack's template.
STEPS: Final[Mapping[str, Callable[[Adoption], dict[str, Any] | None]]] = {
    "adopt": lambda adoption: adoption.adopted,
    "repoint": lambda adoption: adoption.repointed,
}


class Adoptions(NamedTuple):
    """The adoption of each stack of the tree by its path; an empty one where there is nothing to do."""

    by_path: Mapping[str, Adoption]

    def names(self, choose: Callable[[Adoption], tuple[str, ...]]) -> tuple[str, ...]:
        """The resources that `choose` gives of each, as the tree names them."""
        return tuple(
            qualify(path, logical_id)
            for path, adoption in self.by_path.items()
            for logical_id in choose(adoption)
        )

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions that get an alias."""
        return self.names(lambda adoption: adoption.functions)


def plan_adoption(change: StageChange) -> Adoptions:
    """The adoption of the stage's stacks, those that stand."""
    if change.change_set.is_empty:
        return Adoptions({})
    found = {path: _adopt(change, part) for path, part in change.parts.items() if part.deployed is not None}
    return Adoptions(found)


def _adopt(change: StageChange, part: Part) -> Adoption:
    deployed = part.deployed or {}
    replaced = frozenset(item.logical_id for item in change.changes_of(part) if item.replacement)
    # A function whose condition does not hold is in the template and not in the stack.
    bare = {f.logical_id for f in find_bare(deployed, part.normalized, replaced)}
    bare &= part.standing.keys()
    published = (key for key in sorted(bare) if is_published(change.stage.functions, part.standing[key]))
    adoption = adopt(deployed, part.normalized, replaced, frozenset(published))
    _check_aliases(change, part, adoption)
    return adoption


def _check_aliases(change: StageChange, part: Part, adoption: Adoption) -> None:
    """Refuse to move triggers from the code that runs to an alias that was left on other code."""
    aliases = {f.logical_id: f.alias_logical_id for f in part.normalized.functions}
    for logical_id in adoption.moved:
        if aliases[logical_id] not in part.standing:
            continue
        name, alias = parse_alias(part.standing[aliases[logical_id]])
        stands = read_version(change.stage.functions, name, alias)
        if stands.sha256 != read_version(change.stage.functions, name, "$LATEST").sha256:
            message = (
                f"what invokes {part.name(logical_id)} is to invoke its alias {alias} from now on, but that "
                f"points at version {stands.version}, which has other code than what runs; publish a version "
                f"of {name}, point the alias at it and retry the release"
            )
            raise UnsupportedTemplate(message)


def leave_out_adopted(change: StageChange, adoptions: Adoptions) -> tuple[ChangedResource, ...]:
    """The changes but for those that the adoption makes, with the code that runs."""
    kept: list[ChangedResource] = []
    for path, part in change.parts.items():
        adoption = adoptions.by_path.get(path, Adoption())
        own = tuple(item.in_stack() for item in change.changes_of(part))
        left = {item.logical_id for item in leave_out(own, adoption, part.normalized)}
        kept += [item for item in change.changes_of(part) if split(item.logical_id)[1] in left]
    return tuple(kept)


def write_updates(change: StageChange, adoptions: Adoptions, tools: Tools) -> tuple[StackUpdate, ...]:
    """The updates of an adoption and the release's own after them, their templates uploaded; none without."""
    state = change.state
    updates: list[StackUpdate] = []
    templates = {path: part.deployed for path, part in change.parts.items() if part.deployed is not None}
    touched: frozenset[str] = frozenset()
    for name, choose in STEPS.items():
        chosen = {path: choose(adoption) for path, adoption in adoptions.by_path.items()}
        needed = {path: template for path, template in chosen.items() if template is not None}
        if not needed or state is None:
            continue
        templates |= needed
        touched |= with_parents(needed)
        key = place(change, f"{name}.json", {path: templates[path] for path in touched}, tools)
        updates.append(_keep(change, state, name, key))
    if not updates:
        return ()
    own = StackUpdate(
        name="release",
        change_set=f"{change.change_set_name}-release",
        template=change.template_key,
        parameters=change.applied_parameters,
        capabilities=change.wanted.capabilities,
    )
    return (*updates, own)


def _keep(change: StageChange, state: StackState, name: str, key: str) -> StackUpdate:
    """An update with the parameters that the stack has, whatever the commit makes of them."""
    capabilities = sorted({*state.capabilities, *change.wanted.capabilities})
    parameters = dict.fromkeys(state.parameters, MASKED)
    return StackUpdate(
        name=name,
        change_set=f"{change.change_set_name}-{name}",
        template=key,
        parameters=parameters,
        capabilities=tuple(capabilities),
    )


def explain(adoptions: Adoptions) -> tuple[str, ...]:
    """What the adoption does, and what the way back needs, a sentence each."""
    sentences = []
    if adoptions.functions:
        names = list_names(adoptions.functions)
        sentences.append(f"{names}: an alias is made, on a version of the code that runs")
    if touched := adoptions.names(lambda adoption: adoption.touched):
        reason = "the code that runs has a version already, and Lambda gives no other without a change"
        sentences.append(f"{list_names(touched)}: the description changes, since {reason}")
    if triggers := adoptions.names(lambda adoption: adoption.triggers):
        sentences.append(f"{list_names(triggers)}: what invoked a function invokes its alias")
    buckets = (bucket for adoption in adoptions.by_path.values() for bucket in adoption.sources)
    sentences += [
        f"s3://{bucket} holds the code that runs: CloudFormation reads it again where the release is undone"
        for bucket in dict.fromkeys(buckets)
    ]
    return tuple(sentences)
