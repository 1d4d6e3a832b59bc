"""A SAM template made ready for translation: an alias for every function, no CodeDeploy, no hashed versions.

What is taken out is recorded, since the strategy and the notices need it. Plain CloudFormation passes
through. May not look at the translated template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tidegate.domain.errors import InvalidTemplate
from tidegate.domain.identity import Frozen
from tidegate.domain.nesting import qualify

from .intrinsics import copy
from .literals import Literals
from .rolled import custom_resource_functions, edge_functions
from .sam_globals import function_properties, global_properties
from .template import SERVERLESS_FUNCTION, Template

if TYPE_CHECKING:
    from collections.abc import Mapping

ALIAS_NAME = "live"
_TAKEN_OUT = (
    "DeploymentPreference",
    "ProvisionedConcurrencyConfig",
    "AutoPublishCodeSha256",
    "AutoPublishAliasAllProperties",
)


class DeploymentPreference(Frozen):
    """SAM's wish for a rollout: kind in SAM's words (`Linear10PercentEvery1Minute`), alarms and hooks raw."""

    enabled: bool = True
    kind: str | None = None
    alarms: tuple[Any, ...] = ()
    hooks: dict[str, Any] = Field(default_factory=dict)

    def within(self, path: str) -> DeploymentPreference:
        """The same wish with its alarms as the tree names them."""
        alarms = tuple(
            {"Ref": qualify(path, alarm["Ref"])} if _is_reference(alarm) else alarm for alarm in self.alarms
        )
        return self.model_copy(update={"alarms": alarms})


def _is_reference(alarm: object) -> bool:
    return isinstance(alarm, dict) and isinstance(alarm.get("Ref"), str)


class Prepared(Frozen):
    """The template to translate, and by logical id what was taken out of its functions."""

    template: Template
    injected: frozenset[str] = frozenset()
    preferences: dict[str, DeploymentPreference] = Field(default_factory=dict)
    provisioned: dict[str, Any] = Field(default_factory=dict)


def prepare(template: Template, parameters: Mapping[str, str] | None = None) -> Prepared:
    """Give each serverless function without one the alias `live`, and take out what Tidegate does itself.

    Functions of custom resources get no alias. Raises UnsupportedTemplate where a deployment preference
    depends on what only the deployment knows.
    """
    literals = Literals(template, parameters or {})
    left_out = custom_resource_functions(template.data) | set(edge_functions(template.data))
    injected, preferences, provisioned = set(), {}, {}
    data = copy(template.data)
    for logical_id, _ in template.of_type(SERVERLESS_FUNCTION):
        properties = function_properties(template, logical_id)
        if "DeploymentPreference" in properties:
            preferences[logical_id] = _preference(template, logical_id, properties, literals)
        if "ProvisionedConcurrencyConfig" in properties:
            provisioned[logical_id] = properties["ProvisionedConcurrencyConfig"]
        own = data["Resources"][logical_id].setdefault("Properties", {}) or {}
        data["Resources"][logical_id]["Properties"] = _without(own)
        if "AutoPublishAlias" not in properties and logical_id not in left_out:
            data["Resources"][logical_id]["Properties"]["AutoPublishAlias"] = ALIAS_NAME
            injected.add(logical_id)
    if global_properties(template):
        data["Globals"]["Function"] = _without(data["Globals"]["Function"])
    return Prepared(
        template=template.with_data(data),
        injected=frozenset(injected),
        preferences=preferences,
        provisioned=provisioned,
    )


def _without(properties: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if key not in _TAKEN_OUT}


def _preference(
    template: Template, logical_id: str, properties: Mapping[str, Any], literals: Literals
) -> DeploymentPreference:
    raw = properties["DeploymentPreference"] or {}
    if not isinstance(raw, dict):
        raise InvalidTemplate(
            f"DeploymentPreference of {logical_id} must be a mapping", **template.place_of(logical_id)
        )
    kind = literals.read(raw.get("Type"), logical_id, "DeploymentPreference.Type")
    enabled = literals.read(raw.get("Enabled", True), logical_id, "DeploymentPreference.Enabled")
    alarms, hooks = raw.get("Alarms"), raw.get("Hooks")
    return DeploymentPreference(
        enabled=str(enabled).lower() != "false",
        kind=str(kind) if kind is not None else None,
        alarms=tuple(alarms) if isinstance(alarms, list) else (() if alarms is None else (alarms,)),
        hooks=hooks if isinstance(hooks, dict) else {},
    )
