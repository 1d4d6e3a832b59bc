"""The first release of a stack that exists: its functions get alias and anchor with the code that runs.

Without this step the anchor would be published from the new code, and all traffic would move at once. May
change nothing that the stack has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .intrinsics import copy
from .notices import Notice, NoticeKind
from .permissions import double_permissions, double_statements
from .template import LAMBDA_FUNCTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .aliases import RolledFunction
    from .normalization import Normalized


def unadopted(
    functions: tuple[RolledFunction, ...], deployed: Mapping[str, Any]
) -> tuple[RolledFunction, ...]:
    """The functions that run in the deployed resources without the alias they are about to get."""
    return tuple(
        function
        for function in functions
        if (deployed.get(function.logical_id) or {}).get("Type") == LAMBDA_FUNCTION
        and function.alias_logical_id not in deployed
    )


def adopt(deployed: Mapping[str, Any], normalized: Normalized) -> dict[str, Any] | None:
    """The deployed template with anchors, aliases and doubled permissions added; None if it lacks none.

    deployed: the stack's processed template. To be applied before `normalized.template`, which
    moves the triggers.
    """
    template: dict[str, Any] = copy(dict(deployed))
    resources = template["Resources"]
    functions = unadopted(normalized.functions, resources)
    for function in functions:
        for key in (function.anchor_logical_id, function.alias_logical_id):
            added = copy(normalized.template["Resources"][key])
            condition = resources[function.logical_id].get("Condition")
            resources[key] = _conditioned(added, condition)
    double_permissions(resources, functions, {})
    double_statements(resources, functions)
    return template if functions else None


def _conditioned(resource: dict[str, Any], condition: str | None) -> dict[str, Any]:
    """The condition is that of the deployed function: the new template's may not exist yet."""
    plain = {key: value for key, value in resource.items() if key not in {"Condition", "DependsOn"}}
    return {**plain, "Condition": condition} if condition else plain


def adoption_notices(
    functions: tuple[RolledFunction, ...], deployed: Mapping[str, Any]
) -> tuple[Notice, ...]:
    """Say which functions need `adopt` first."""
    return tuple(
        Notice(
            logical_id=function.logical_id,
            kind=NoticeKind.AT_ONCE,
            text=f"{function.logical_id} runs without an alias; unless the stack is adopted first, "
            "its new code takes effect at once",
        )
        for function in unadopted(functions, deployed)
    )
