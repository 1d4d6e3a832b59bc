"""How a stack that Tidegate did not make gets ready for a canary, before the release's own update of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.plan_release.templates import dump
from tidegate.adapters.aliases import is_published, parse_alias, read_version
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.stacks import MASKED
from tidegate.domain.errors import UnsupportedTemplate
from tidegate.domain.plans import StackUpdate
from tidegate.domain.templates.adoption import Adoption, adopt, find_bare
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from functions.plan_release.stages import StageChange
    from tidegate.adapters.stacks import StackState
    from tidegate.task import Tools


def plan_adoption(change: StageChange) -> Adoption:
    """The adoption of the stage's stack; an empty one where there is no stack, or nothing to do."""
    if change.deployed is None or change.change_set.is_empty:
        return Adoption()
    replaced = frozenset(item.logical_id for item in change.change_set.changes if item.replacement)
    # A function whose condition does not hold is in the template and not in the stack.
    bare = {f.logical_id for f in find_bare(change.deployed, change.normalized, replaced)}
    bare &= change.standing.keys()
    published = (key for key in sorted(bare) if is_published(change.stage.functions, change.standing[key]))
    adoption = adopt(change.deployed, change.normalized, replaced, frozenset(published))
    _check_aliases(change, adoption)
    return adoption


def _check_aliases(change: StageChange, adoption: Adoption) -> None:
    """Refuse to move triggers from the code that runs to an alias that was left on other code."""
    aliases = {f.logical_id: f.alias_logical_id for f in change.normalized.functions}
    for logical_id in adoption.moved:
        if aliases[logical_id] not in change.standing:
            continue
        name, alias = parse_alias(change.standing[aliases[logical_id]])
        stands = read_version(change.stage.functions, name, alias)
        if stands.sha256 != read_version(change.stage.functions, name, "$LATEST").sha256:
            message = (
                f"what invokes {logical_id} is to invoke its alias {alias} from now on, but that points at "
                f"version {stands.version}, which has other code than what runs; publish a version of "
                f"{name}, point the alias at it and retry the release"
            )
            raise UnsupportedTemplate(message)


def write_updates(change: StageChange, adoption: Adoption, tools: Tools) -> tuple[StackUpdate, ...]:
    """The updates of an adoption and the release's own after them, their templates uploaded; none without."""
    state = change.state
    templates = {"adopt": adoption.adopted, "repoint": adoption.repointed}
    needed = {name: template for name, template in templates.items() if template is not None}
    if not needed or state is None:
        return ()
    prefix = stage_prefix(change.ref, change.target.name)
    updates = [_keep(change, state, name, f"{prefix}{name}.json") for name in needed]
    for update in updates:
        body = dump(needed[update.name])
        tools.documents.write_bytes(update.template, body, "application/json")
        change.stage.documents.write_bytes(update.template, body, "application/json")
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


def explain(adoption: Adoption) -> tuple[str, ...]:
    """What the adoption does, and what the way back needs, a sentence each."""
    sentences = []
    if adoption.functions:
        names = list_names(adoption.functions)
        sentences.append(f"{names}: an alias is made, on a version of the code that runs")
    if adoption.touched:
        reason = "the code that runs has a version already, and Lambda gives no other without a change"
        sentences.append(f"{list_names(adoption.touched)}: the description changes, since {reason}")
    if adoption.triggers:
        sentences.append(f"{list_names(adoption.triggers)}: what invoked a function invokes its alias")
    sentences += [
        f"s3://{bucket} holds the code that runs: CloudFormation reads it again where the release is undone"
        for bucket in adoption.sources
    ]
    return tuple(sentences)
