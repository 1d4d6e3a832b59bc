"""The template that a stage is given: the commit's own, with artifacts in the stage's bucket, normalized."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tidegate.adapters.stacks import MASKED
from tidegate.adapters.templates import parse
from tidegate.adapters.translation import translate
from tidegate.domain.errors import InvalidConfiguration
from tidegate.domain.identity import Frozen
from tidegate.domain.images.references import image_uri
from tidegate.domain.nesting import split
from tidegate.domain.snapshots import Deployment
from tidegate.domain.templates.normalization import Normalized, normalize
from tidegate.domain.templates.packages import PackageKey
from tidegate.domain.templates.placement import ImageObject, S3Object, place
from tidegate.domain.templates.preparation import prepare
from tidegate.domain.templates.tree import pass_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tidegate.domain.config import StageConfig
    from tidegate.domain.snapshots import FunctionSnapshot, Snapshot
    from tidegate.domain.templates.template import Template
    from tidegate.settings import StageTarget

NOT_BUILT = "0" * 64
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


class Sources(NamedTuple):
    """The commit's templates as they were written, by path, and what each is given for its parameters."""

    templates: dict[str, Template]
    given: dict[str, dict[str, str]]


def read_sources(snapshot: Snapshot, target: StageTarget, parameters: Mapping[str, str]) -> Sources:
    """Parse all templates; parents come before the children that they pass parameters to."""
    root = parse(snapshot.template_text, snapshot.template)
    declared = root.data.get("Parameters", {})
    unknown = sorted(set(parameters) - set(declared))
    if unknown:
        known = ", ".join(sorted(declared)) or "none"
        message = f"the template has no parameter {', '.join(unknown)}; it has {known}"
        raise InvalidConfiguration(message, file="tidegate.yaml")
    found = Sources({"": root}, {"": {"AWS::Region": target.region, **parameters}})
    for child in snapshot.children:
        above, logical_id = split(child.path)
        template = found.templates[child.path] = parse(child.text, child.file)
        parent, given = found.templates[above], found.given[above]
        found.given[child.path] = pass_parameters(parent, given, logical_id, template)
    return found


def build_templates(
    snapshot: Snapshot,
    target: StageTarget,
    parameters: Mapping[str, str],
    deployed: Mapping[str, Mapping[str, Any]],
    digests: Mapping[str, str] | None = None,
) -> dict[str, Normalized]:
    """The normalized templates by path; `deployed` are those of the stacks that stand.

    `digests` are the SHA-256 (hex) of images by their artifacts; None where nothing is deployed, and nothing
    is built yet.
    """
    sources = read_sources(snapshot, target, parameters)
    artifacts: dict[str, dict[str, S3Object | ImageObject]] = {path: {} for path in sources.templates}
    for function in snapshot.functions:
        path, logical_id = split(function.logical_id)
        artifacts[path][logical_id] = locate(function, target, digests)
    packages: dict[str, dict[PackageKey, S3Object]] = {path: {} for path in sources.templates}
    for package in snapshot.packages:
        path, logical_id = split(package.logical_id)
        key = PackageKey(logical_id=logical_id, property_path=package.property_path)
        packages[path][key] = S3Object(bucket=target.bucket, key=package.key)
    normalized = {}
    for path, template in sources.templates.items():
        known = sources.given[path]
        prepared = prepare(place(template, artifacts[path], packages[path], known), known)
        given = {name: value for name, value in known.items() if not name.startswith("AWS::")}
        translated = translate(prepared.template, given, target.region)
        normalized[path] = normalize(translated, prepared, deployed.get(path))
    return normalized


def locate(
    function: FunctionSnapshot, target: StageTarget, digests: Mapping[str, str] | None
) -> S3Object | ImageObject:
    """Where a stage has a function's artifact: in its own bucket, or an image in its own repository."""
    if function.image is None:
        return S3Object(bucket=target.bucket, key=function.object_key)
    digest = NOT_BUILT if digests is None else digests[function.artifact]
    uri = image_uri(target.account, target.region, target.image_repository, f"sha256:{digest}")
    return ImageObject(uri=uri)


def choose_parameters(
    template: Mapping[str, Any], given: Mapping[str, str], standing: Mapping[str, str]
) -> dict[str, str]:
    """What is given, and for a parameter without default that only the stack knows, its previous value."""
    declared = template.get("Parameters", {})
    kept = [name for name, item in declared.items() if "Default" not in item and name in standing]
    return {**dict.fromkeys(kept, MASKED), **given}
