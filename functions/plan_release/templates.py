"""The template that a stage is given: the commit's own, with artifacts in the stage's bucket, normalized."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tidegate.adapters.stacks import MASKED
from tidegate.adapters.templates import parse, translate
from tidegate.domain.errors import InvalidConfiguration
from tidegate.domain.identity import Frozen
from tidegate.domain.snapshots import Deployment
from tidegate.domain.templates.normalization import Normalized, normalize
from tidegate.domain.templates.packages import PackageKey
from tidegate.domain.templates.placement import S3Object, place
from tidegate.domain.templates.preparation import prepare

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tidegate.domain.config import StageConfig
    from tidegate.domain.snapshots import Snapshot
    from tidegate.settings import StageTarget

DEFAULT_CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")


class Wanted(Frozen):
    """What a stage's stack is to be."""

    stack_name: str
    parameters: dict[str, str]
    capabilities: tuple[str, ...]


def want(snapshot: Snapshot, target: StageTarget, config: StageConfig) -> Wanted:
    """Name, parameters and capabilities: tidegate.yaml before the stage's samconfig before its default."""
    default = snapshot.deployments.get("default", Deployment())
    own = snapshot.deployments.get(target.name)
    deployment = own or default
    base = default.stack_name or snapshot.commit.service
    name = config.stack_name or (own.stack_name if own else None) or f"{base}-{target.name}"
    return Wanted(
        stack_name=name,
        parameters={**deployment.parameters, **config.parameters},
        capabilities=config.capabilities or deployment.capabilities or DEFAULT_CAPABILITIES,
    )


def build_template(
    snapshot: Snapshot, target: StageTarget, parameters: Mapping[str, str], deployed: Mapping[str, Any] | None
) -> Normalized:
    """The normalized template; `deployed` is that of the stack as it is, None where there is none."""
    template = parse(snapshot.template_text, snapshot.template)
    declared = template.data.get("Parameters", {})
    unknown = sorted(set(parameters) - set(declared))
    if unknown:
        known = ", ".join(sorted(declared)) or "none"
        message = f"the template has no parameter {', '.join(unknown)}; it has {known}"
        raise InvalidConfiguration(message, file="tidegate.yaml")
    artifacts = {
        function.logical_id: S3Object(bucket=target.bucket, key=f"artifacts/{function.artifact}.zip")
        for function in snapshot.functions
    }
    packages = {
        PackageKey(logical_id=package.logical_id, property_path=package.property_path): S3Object(
            bucket=target.bucket, key=package.key
        )
        for package in snapshot.packages
    }
    known_values = {"AWS::Region": target.region, **parameters}
    prepared = prepare(place(template, artifacts, packages, known_values), known_values)
    return normalize(translate(prepared.template, parameters, target.region), prepared, deployed)


def choose_parameters(
    template: Mapping[str, Any], given: Mapping[str, str], standing: Mapping[str, str]
) -> dict[str, str]:
    """What is given, and for a parameter without default that only the stack knows, its previous value."""
    declared = template.get("Parameters", {})
    kept = [name for name, item in declared.items() if "Default" not in item and name in standing]
    return {**dict.fromkeys(kept, MASKED), **given}


def dump(template: Mapping[str, Any]) -> bytes:
    """The template as it is uploaded; the same template gives the same bytes."""
    return json.dumps(template, separators=(",", ":"), sort_keys=True).encode()
