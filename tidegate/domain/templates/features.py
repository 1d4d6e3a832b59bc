"""The features of Lambda that a function's template asks for, as far as a rollout has to know of them.

Reads the normalized template with the parameters that are known; what only the deployment knows is named as
unknown, never guessed. May not judge: that is the preflight's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.concurrency import Scaling
from tidegate.domain.identity import Frozen

from .aliases import function_of, literal_names
from .intrinsics import references
from .literals import Literals
from .template import Template, properties_of
from .urls import INVOKE_CONFIG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .aliases import RolledFunction

MEMORY: Final = 128  # MB, Lambda's default


class Features(Frozen):
    """What one function asks for. memory: MB. reserved: None for no reservation.

    provisioned: executions kept ready for each version, 0 for none. unknown: the properties whose value only
    the deployment knows; their fields have the default. invoke_config: whether the template has settings for
    asynchronous invocation. named: whether it has a name of its own.
    """

    logical_id: str
    memory: int = MEMORY
    architecture: str = "x86_64"
    reserved: int | None = None
    provisioned: int = 0
    scaling: Scaling | None = None
    snap_start: bool = False
    durable: bool = False
    tenants: bool = False
    file_systems: bool = False
    capacity_provider: bool = False
    invoke_config: bool = False
    named: bool = False
    unknown: tuple[str, ...] = ()

    @property
    def wanted(self) -> int:
        """The executions that each version begins with; a function that is only scaled has the least."""
        return self.provisioned or (self.scaling.minimum if self.scaling else 0)


def read_features(
    template: Mapping[str, Any], functions: Iterable[RolledFunction], parameters: Mapping[str, str]
) -> dict[str, Features]:
    """The features of each rolled function, by logical id."""
    literals = Literals(Template(data=dict(template)), parameters)
    resources = template["Resources"]
    names = literal_names(resources)
    configs = (properties_of(item) for item in resources.values() if item.get("Type") == INVOKE_CONFIG)
    configured = {function_of(item.get("FunctionName"), resources, names) for item in configs}
    return {
        function.logical_id: _read(resources[function.logical_id], function, literals).model_copy(
            update={"invoke_config": function.logical_id in configured}
        )
        for function in functions
    }


def _read(resource: Mapping[str, Any], function: RolledFunction, literals: Literals) -> Features:
    properties = properties_of(resource)
    raw = {
        "MemorySize": properties.get("MemorySize"),
        "ReservedConcurrentExecutions": properties.get("ReservedConcurrentExecutions"),
        "ProvisionedConcurrencyConfig": _amount(function.provisioned_concurrency, literals),
    }
    numbers = {name: _number(literals.read_if_known(value)) for name, value in raw.items()}
    scaling = _read_scaling(function.scaling, literals)
    architectures = literals.read_if_known(properties.get("Architectures"))
    arm = isinstance(architectures, list) and architectures[:1] == ["arm64"]
    return Features(
        logical_id=function.logical_id,
        memory=numbers["MemorySize"] or MEMORY,
        architecture="arm64" if arm else "x86_64",
        reserved=numbers["ReservedConcurrentExecutions"],
        provisioned=numbers["ProvisionedConcurrencyConfig"] or 0,
        scaling=scaling,
        snap_start=_says(properties, literals, "SnapStart", "ApplyOn") == "PublishedVersions",
        durable=_is_there(properties, literals, "DurableConfig"),
        tenants=_says(properties, literals, "TenancyConfig", "TenantIsolationMode") == "PER_TENANT",
        file_systems=_is_there(properties, literals, "FileSystemConfigs"),
        capacity_provider=_is_there(properties, literals, "CapacityProviderConfig"),
        named=_is_there(properties, literals, "FunctionName"),
        unknown=(
            *(name for name, value in raw.items() if _is_unknown(value, literals)),
            *(("ScalableTarget",) if function.scaling and scaling is None else ()),
        ),
    )


def _read_scaling(raw: Mapping[str, Any] | None, literals: Literals) -> Scaling | None:
    """The scaling with all its values known; None where it is not declared, or not known as a whole."""
    read = literals.read_if_known(dict(raw)) if raw else None
    if read is None or (read == raw and any(references(read))):
        return None
    least, most = _number(read["minimum"]), _number(read["maximum"])
    if least is None or not most:
        return None
    policies, actions = tuple(read["policies"]), tuple(read["actions"])
    return Scaling(minimum=least, maximum=most, policies=policies, actions=actions)


def _amount(config: Any, literals: Literals) -> Any:  # noqa: ANN401
    """The number of a ProvisionedConcurrencyConfig, whose whole may be a condition's."""
    read = literals.read_if_known(config)
    if isinstance(read, dict) and "ProvisionedConcurrentExecutions" in read:
        return read["ProvisionedConcurrentExecutions"]
    return read


def _number(value: Any) -> int | None:  # noqa: ANN401
    """Templates and parameters write numbers as text, too."""
    text = str(value).strip() if isinstance(value, (int, float, str)) else ""
    return int(text) if text.isdecimal() else None


def _is_unknown(value: Any, literals: Literals) -> bool:  # noqa: ANN401
    read = literals.read_if_known(value)
    return read is not None and _number(read) is None


def _says(properties: Mapping[str, Any], literals: Literals, name: str, field: str) -> Any:  # noqa: ANN401
    read = literals.read_if_known(properties.get(name))
    return literals.read_if_known(read.get(field)) if isinstance(read, dict) else None


def _is_there(properties: Mapping[str, Any], literals: Literals, name: str) -> bool:
    return bool(literals.read_if_known(properties.get(name)))
