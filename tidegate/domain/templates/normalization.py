"""The translated template made fit for rollouts: CloudFormation owns the resources, Tidegate the aliases.

The map of the stages: freeze aliases, take out their rivals, repoint triggers, double permissions, renew API
deployments. Pure and deterministic: other code under the same functions changes their Code only, and
normalizing twice is normalizing once. May not weigh whether a release is wise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.domain.identity import Frozen
from tidegate.domain.nesting import qualify

from .aliases import RolledFunction, freeze
from .deployments import rename_deployments
from .intrinsics import copy, rename
from .limits import check_limits
from .notices import Notice
from .permissions import double_permissions, double_statements
from .repointing import Repointing
from .rivals import drop_rivals
from .scaling import find_scaling
from .template import REST_API, logical_ids, properties_of
from .urls import place_urls, qualify_invoke_configs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .preparation import Prepared


class Normalized(Frozen):
    """The template to apply, the functions that are rolled out, and what the plan has to say."""

    template: dict[str, Any]
    functions: tuple[RolledFunction, ...]
    notices: tuple[Notice, ...]

    def within(self, path: str) -> Normalized:
        """The same with functions and notices as the tree names them; the template keeps its logical ids."""
        if not path:
            return self
        notices = (
            notice.model_copy(update={"logical_id": qualify(path, notice.logical_id)})
            for notice in self.notices
        )
        functions = tuple(function.within(path) for function in self.functions)
        return self.model_copy(update={"functions": functions, "notices": tuple(notices)})


def normalize(
    cloudformation: Mapping[str, Any], prepared: Prepared, deployed: Mapping[str, Any] | None = None
) -> Normalized:
    """Normalize a translated (or plain) template.

    deployed: the processed template that the stack has now, None for a new stack; an alias there keeps its
    version resource, a URL or permission on the bare function stays there. Raises UnsupportedTemplate for
    what cannot be rolled out, InvalidTemplate for what is larger than CloudFormation takes.
    """
    data: dict[str, Any] = copy(dict(cloudformation))
    standing = (deployed or {}).get("Resources") or {}
    # The translator's order depends on hashes, of code keys too.
    resources = data["Resources"] = dict(sorted(data["Resources"].items()))
    frozen = freeze(resources, prepared, standing)
    scaling = find_scaling(resources, frozen.functions)
    frozen = frozen._replace(
        functions=tuple(
            function.model_copy(update={"scaling": scaling.get(function.logical_id)})
            for function in frozen.functions
        )
    )
    notices = [*frozen.notices, *drop_rivals(data)]
    rename_resources(data, frozen.renamed)
    resources = data["Resources"]
    before = {key: copy(properties_of(item)) for key, item in resources.items() if item["Type"] == REST_API}
    repointing = Repointing(frozen.functions)
    repointing.repoint(resources)
    for name, output in (data.get("Outputs") or {}).items():
        repointing.note(f"Outputs.{name}", ("Value",), output, resources)
    notices += [*place_urls(resources, frozen.functions, standing), *repointing.notices]
    qualify_invoke_configs(resources, frozen.functions)
    double_permissions(resources, frozen.functions, standing)
    double_statements(resources, frozen.functions)
    repointed = frozenset(key for key, item in before.items() if properties_of(resources[key]) != item)
    rename_resources(data, rename_deployments(resources, repointed))
    data["Resources"] = dict(sorted(data["Resources"].items()))
    check_limits(data)
    return Normalized(template=data, functions=frozen.functions, notices=tuple(dict.fromkeys(notices)))


def rename_resources(data: dict[str, Any], names: Mapping[str, str]) -> None:
    """Give resources other logical ids, with every reference and DependsOn; in place, order kept.

    A name that no longer stands in the template is renamed in the references only.
    """
    if not names:
        return
    renamed = {names.get(key, key): _with_waits(item, names) for key, item in data["Resources"].items()}
    for section, value in list(data.items()):
        data[section] = rename(renamed if section == "Resources" else value, names)


def _with_waits(resource: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    waits = logical_ids(resource.get("DependsOn"))
    if not any(name in names for name in waits):
        return resource
    return {**resource, "DependsOn": list(dict.fromkeys(names.get(name, name) for name in waits))}
