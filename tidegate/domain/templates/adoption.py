"""The first release of a stack that exists: what stands there gets aliases, with the code that runs.

Two updates come before the release's own. `adopted` adds anchors, aliases and doubled permissions;
`repointed` moves the triggers to the aliases. They are two, since a trigger that moves before its permission
is there would be refused; and both come before any new code, since in an update that changes both, the code
changes first and everything would go to it until the triggers have moved. May not change what a function
does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.identity import Frozen

from .deployments import rename_deployments
from .intrinsics import JOIN, copy, references
from .limits import check_limits
from .normalization import rename_resources
from .permissions import double_permissions, double_statements
from .repointing import Repointing
from .template import LAMBDA_FUNCTION, REST_API, properties_of
from .urls import qualify_invoke_configs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .aliases import RolledFunction
    from .changes import ChangedResource
    from .normalization import Normalized

MARK: Final = " (adopted by Tidegate)"
MAX_DESCRIPTION: Final = 256  # characters, of a function


class Adoption(Frozen):
    """The templates of the updates before the release's own, None for one that would change nothing.

    functions: the logical ids that get an alias. touched: those of them whose description changes, too, since
    the code that runs has a version already: Lambda gives the same one again where nothing has changed, and
    CloudFormation refuses to make a resource of a version that exists. moved: those whose alias stands
    already, and to which triggers move now that named the function. triggers: the resources that move.
    sources: the buckets, as far as they are named, that the code which runs came from: the way back reads it
    there again.
    """

    adopted: dict[str, Any] | None = None
    repointed: dict[str, Any] | None = None
    functions: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def result(self) -> Mapping[str, Any]:
        """The resources that the stack has after both; none where there is nothing to adopt."""
        resources: Mapping[str, Any] = (self.repointed or self.adopted or {}).get("Resources", {})
        return resources


def adopt(
    deployed: Mapping[str, Any],
    normalized: Normalized,
    replaced: frozenset[str] = frozenset(),
    published: frozenset[str] = frozenset(),
) -> Adoption:
    """How the stack is adopted; nothing at all for one whose functions and triggers are as they should be.

    deployed: the stack's processed template. replaced: the functions that the release replaces, which cannot
    have a canary anyhow. published: those of `find_bare` whose newest version has the code that runs. Raises
    InvalidTemplate where what is added is more than CloudFormation takes.
    """
    standing = _standing(normalized.functions, deployed["Resources"], replaced)
    fresh = find_bare(deployed, normalized, replaced)
    named = {f.logical_id for f in fresh}
    rolled = tuple(
        f for f in standing if f.logical_id in named or f.alias_logical_id in deployed["Resources"]
    )
    touched = tuple(sorted(named & published))
    prepared = _add_aliases(deployed, normalized, rolled, fresh)
    for logical_id in touched:
        _touch(prepared["Resources"][logical_id])
    repointed, triggers = _repoint(prepared, rolled)
    if not fresh and not triggers:
        return Adoption()
    check_limits(prepared)
    return Adoption(
        adopted=prepared if prepared != deployed else None,
        repointed=repointed if triggers else None,
        functions=tuple(f.logical_id for f in fresh),
        touched=touched,
        moved=_moved(prepared, tuple(f for f in rolled if f.logical_id not in named)),
        triggers=triggers,
        sources=_sources(deployed["Resources"], rolled),
    )


def find_bare(
    deployed: Mapping[str, Any], normalized: Normalized, replaced: frozenset[str]
) -> tuple[RolledFunction, ...]:
    """The functions that run without an alias, and can be given theirs before the release's own update."""
    resources = deployed["Resources"]
    standing = _standing(normalized.functions, resources, replaced)
    bare = (f for f in standing if f.alias_logical_id not in resources)
    return tuple(f for f in bare if _fits(f, normalized, deployed))


def _standing(
    functions: tuple[RolledFunction, ...], deployed: Mapping[str, Any], replaced: frozenset[str]
) -> tuple[RolledFunction, ...]:
    return tuple(
        function
        for function in functions
        if (deployed.get(function.logical_id) or {}).get("Type") == LAMBDA_FUNCTION
        and function.logical_id not in replaced
    )


def _fits(function: RolledFunction, normalized: Normalized, deployed: Mapping[str, Any]) -> bool:
    """Whether anchor and alias name nothing that only the new template has."""
    own = {function.anchor_logical_id, function.alias_logical_id}
    known = {*deployed["Resources"], *(deployed.get("Parameters") or {}), *own}
    named = references([properties_of(normalized.template["Resources"][key]) for key in sorted(own)])
    return isinstance(function.alias_name, str) and all(
        item.logical_id in known or item.logical_id.startswith("AWS::") for item in named
    )


def _add_aliases(
    deployed: Mapping[str, Any],
    normalized: Normalized,
    rolled: tuple[RolledFunction, ...],
    fresh: tuple[RolledFunction, ...],
) -> dict[str, Any]:
    template: dict[str, Any] = copy(dict(deployed))
    resources = template["Resources"]
    for function in fresh:
        for key in (function.anchor_logical_id, function.alias_logical_id):
            added = copy(normalized.template["Resources"][key])
            resources[key] = _conditioned(added, resources[function.logical_id].get("Condition"))
    double_permissions(resources, rolled, {})
    double_statements(resources, rolled)
    return template


def _touch(function: dict[str, Any]) -> None:
    """Change what publishing looks at, and nothing that the code sees."""
    properties = function["Properties"]
    described = properties.get("Description", "")
    if isinstance(described, str):
        properties["Description"] = f"{described[: MAX_DESCRIPTION - len(MARK)]}{MARK}"
    else:
        properties["Description"] = {JOIN: ["", [described, MARK]]}


def _conditioned(resource: dict[str, Any], condition: str | None) -> dict[str, Any]:
    """The condition is that of the deployed function: the new template's may not exist yet."""
    plain = {key: value for key, value in resource.items() if key not in {"Condition", "DependsOn"}}
    return {**plain, "Condition": condition} if condition else plain


def _repoint(
    template: Mapping[str, Any], functions: tuple[RolledFunction, ...]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The template with its triggers on the aliases, and the logical ids of those that were not before."""
    before = template["Resources"]
    data: dict[str, Any] = copy(dict(template))
    resources = data["Resources"]
    Repointing(functions).repoint(resources)
    qualify_invoke_configs(resources, functions)
    changed = tuple(key for key, item in resources.items() if item != before[key])
    if changed:
        apis = frozenset(key for key in changed if before[key].get("Type") == REST_API)
        rename_resources(data, rename_deployments(resources, apis))
    return data, changed


def _moved(template: Mapping[str, Any], functions: tuple[RolledFunction, ...]) -> tuple[str, ...]:
    """Of the functions whose alias stood already, those to which a trigger moves."""
    if not functions or not _repoint(template, functions)[1]:
        return ()
    return tuple(f.logical_id for f in functions if _repoint(template, (f,))[1])


def _sources(deployed: Mapping[str, Any], functions: tuple[RolledFunction, ...]) -> tuple[str, ...]:
    codes = (properties_of(deployed[function.logical_id]).get("Code") for function in functions)
    buckets = {code.get("S3Bucket") for code in codes if isinstance(code, dict)}
    return tuple(sorted(bucket for bucket in buckets if isinstance(bucket, str)))


def leave_out(
    changes: tuple[ChangedResource, ...], adoption: Adoption, normalized: Normalized
) -> tuple[ChangedResource, ...]:
    """The changes but for those that the adoption makes, with the code that runs.

    A resource that the release leaves as the adoption has made it is among them only where it follows a
    replacement that is the release's.
    """
    adopted, wanted = adoption.result, normalized.template["Resources"]
    pending = {
        item.logical_id
        for item in changes
        if item.logical_id in adopted and adopted[item.logical_id] == wanted.get(item.logical_id)
    }
    replaced = {item.logical_id for item in changes if item.replacement} - pending
    while follow := {
        key for key in pending if any(r.logical_id in replaced for r in references(adopted[key]))
    }:
        replaced |= follow
        pending -= follow
    return tuple(item for item in changes if item.logical_id not in pending)
