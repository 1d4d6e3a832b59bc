"""What a stage's functions have of provisioned concurrency, and what this release is to give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.domain.provisioning import Provisioning
from tidegate.domain.templates.scaling import find_scaling
from tidegate.domain.templates.template import properties_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.plan_release.parts import Part
    from functions.plan_release.stages import StageChange
    from tidegate.domain.preflight import FunctionFacts
    from tidegate.domain.templates.aliases import RolledFunction


def is_provided(change: StageChange, function: RolledFunction) -> bool:
    """Whether the function has or had it: then it is looked at, even where nothing else changes."""
    had = change.healthy is not None and function.logical_id in change.healthy.provided
    return had or change.features[function.logical_id].wanted > 0


def plan_provisioning(
    change: StageChange,
    functions: tuple[RolledFunction, ...],
    moving: frozenset[str],
    facts: Mapping[str, FunctionFacts],
) -> Iterator[Provisioning]:
    """For those functions that move or whose amount changes, and that have or want any."""
    provided = change.healthy.provided if change.healthy else {}
    for function in functions:
        key, features = function.logical_id, change.features[function.logical_id]
        found, before = facts.get(key), provided.get(key)
        item = Provisioning(
            logical_id=key,
            alias_logical_id=function.alias_logical_id,
            wanted=features.wanted,
            memory=features.memory,
            architecture=features.architecture,
            scaling=features.scaling,
            previous=before.scaling if before else None,
        )
        if found:
            named = {"function_name": found.name, "alias": found.alias, "stable": found.own}
            on_alias = found.provisioned.get(found.alias, 0)
            stands = {"on_alias": on_alias, "in_stack": key in provided_by_stack(change)}
            item = item.model_copy(update={**named, **stands})
        same = (item.wanted, item.scaling) == (item.stable, item.previous) and not item.on_alias
        if item.is_needed and (key in moving or not same):
            yield item


def provided_by_stack(change: StageChange) -> frozenset[str]:
    """The functions whose alias the deployed template gives provisioned concurrency, or scales."""
    return frozenset(part.name(key) for part in change.parts.values() for key in _list_provided(part))


def _list_provided(part: Part) -> set[str]:
    resources = (part.deployed or {}).get("Resources") or {}
    functions = part.normalized.functions
    declared = {
        function.logical_id
        for function in functions
        if "ProvisionedConcurrencyConfig" in properties_of(resources.get(function.alias_logical_id) or {})
    }
    return declared | find_scaling(resources, functions).keys()
