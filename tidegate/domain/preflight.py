"""Preflight: whether each function's change can be canaried, and what is done where it cannot.

Facts in, findings out; everything is told before anything is touched. The template alone tells a part of it
(`inspect_template`), so that a check without AWS says it too; the rest needs the function as it stands. May
not read anything itself, and may not decide how traffic moves: the rollout does, and checks again.
Sources: AWS Lambda Developer Guide, "Implement Lambda canary deployments using a weighted alias",
"Configuring provisioned concurrency", "Lambda function states", "Lambda SnapStart", "Tenant isolation".
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import Field

from tidegate.domain.config import LeftWeights
from tidegate.domain.identity import Frozen
from tidegate.domain.rollouts import Pointing
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tidegate.domain.templates.changes import ChangedResource
    from tidegate.domain.templates.features import Features

VERSIONS: Final = 2  # what an alias with weights runs side by side
DIVIDING: Final = {"Role": "execution role", "DeadLetterConfig": "dead letter queue"}
# What Lambda lets be chosen when a function is made, and never again.
REPLACING: Final = {"PackageType": "package type", "TenancyConfig": "tenant isolation"}
# Features that work in a rollout, and what is to be known of them, by their field.
KINDS: Final = {
    "snap_start": (
        "SnapStart makes a snapshot of each new version, which takes minutes and is charged",
        "the release waits until the version is active",
    ),
    "durable": (
        "its durable executions stay on the version that they began with, for up to a year",
        "weights divide new executions only, a rollback ends none, and the janitor keeps that version",
    ),
    "tenants": (
        "its execution environments are kept apart by tenant, and a version is drawn for each request",
        "a tenant meets both versions during the rollout; smoke tests run as the tenant tidegate-smoke",
    ),
    "file_systems": ("both versions write to the same files", "a rollback leaves what was written"),
    "capacity_provider": (
        "it runs on instances of a capacity provider, which each new version is given some of",
        "the release waits until the version is active",
    ),
}


class Severity(StrEnum):
    """info: works, and good to know. at_once: a part of the change cannot be held back by a canary.

    repair: something is in the way, and Tidegate puts it right. refuse: the release is rejected.
    """

    INFO = "info"
    AT_ONCE = "at_once"
    REPAIR = "repair"
    REFUSE = "refuse"


class Finding(Frozen):
    """One thing about one function: what it is, and what is done about it. `kind` is for programs."""

    logical_id: str
    kind: str
    severity: Severity
    what: str
    action: str

    @property
    def text(self) -> str:
        """The finding as one sentence."""
        return f"{self.logical_id}: {self.what}: {self.action}"


class VersionFacts(Frozen):
    """A version, or $LATEST, as it is."""

    version: str
    state: str = "Active"
    role: str = ""
    dead_letters: str = ""


class Statement(Frozen):
    """A statement of a resource policy; `grant` is all of it but its id and the resource, as JSON."""

    sid: str
    principal: str
    grant: str


class FunctionFacts(Frozen):
    """A function of a stage that stands, and its alias.

    pointing: None where there is no alias. stable: the alias's primary version. provisioned: what is
    requested, by qualifier. scaled_alias: whether the alias's is scaled automatically. mappings: the UUIDs
    of event source mappings on the bare function. invoke_configs: the qualifiers that have settings for
    asynchronous invocation.
    """

    logical_id: str
    name: str
    alias: str
    latest: VersionFacts
    stable: VersionFacts | None = None
    pointing: Pointing | None = None
    reserved: int | None = None
    provisioned: dict[str, int] = Field(default_factory=dict)
    permissions: tuple[Statement, ...] = ()
    alias_permissions: tuple[Statement, ...] = ()
    mappings: tuple[str, ...] = ()
    invoke_configs: tuple[str, ...] = ()
    scaled_alias: bool = False

    @property
    def own(self) -> int:
        """The provisioned concurrency of the stable version itself."""
        return self.provisioned.get(self.stable.version, 0) if self.stable else 0

    @property
    def own_or_alias(self) -> int:
        """The provisioned concurrency that the stable version has, of its own or by the alias."""
        return max(self.own, self.provisioned.get(self.alias, 0))

    @property
    def idle(self) -> frozenset[str]:
        """The versions with provisioned concurrency that the alias does not send to."""
        used = {self.pointing.version, *self.pointing.weights} if self.pointing else set()
        return frozenset(key for key in self.provisioned if key.isdecimal() and key not in used)


class Surroundings(Frozen):
    """What a stage's functions are looked at with.

    known: the stack's physical ids. aliased: the functions, by logical id, whose alias the stack has. scaled:
    those whose provisioned concurrency the deployed template scales.
    """

    known: frozenset[str] = frozenset()
    aliased: frozenset[str] = frozenset()
    scaled: frozenset[str] = frozenset()
    left_weights: LeftWeights = LeftWeights.REPAIR


def inspect_template(features: Features) -> Iterator[Finding]:
    """What the template alone tells of a function that is rolled out."""
    finder = _Finder(features.logical_id)
    if features.reserved is not None:
        yield from _inspect_reserved(finder, features.reserved, features.wanted * VERSIONS)
    if features.wanted:
        yield from _inspect_provisioned(finder, features)
    if "ProvisionedConcurrencyConfig" in features.unknown:
        yield finder.refuse(
            "provisioned_unknown",
            "its provisioned concurrency depends on what only the deployment knows",
            "write a number, or a parameter that tidegate.yaml or samconfig.toml gives",
        )
    if "ScalableTarget" in features.unknown:
        yield finder.refuse(
            "scaling_unknown",
            "the scaling of its provisioned concurrency depends on what only the deployment knows",
            "write numbers, or parameters that tidegate.yaml or samconfig.toml gives",
        )
    yield from _inspect_kinds(finder, features)


def inspect_replacement(features: Features, change: ChangedResource) -> Iterator[Finding]:
    """What is to be said of a function that its own change replaces; traffic goes to the new one at once.

    Source: CloudFormation User Guide, "Update behaviors of stack resources", on resources with custom names.
    """
    forcing = [word for name, word in REPLACING.items() if name in change.properties]
    if forcing and features.named and "FunctionName" not in change.properties:
        yield _Finder(features.logical_id).refuse(
            "named",
            f"its {' and '.join(forcing)} changes, which takes another function, and it has a FunctionName, "
            "which only one can have",
            "give it another FunctionName, or none, and release again",
        )


def inspect_function(
    facts: FunctionFacts, features: Features, change: ChangedResource | None, around: Surroundings
) -> Iterator[Finding]:
    """What the function, its alias and the change set tell, besides `inspect_template`.

    change: the function's own change; None where it does not change.
    """
    finder = _Finder(facts.logical_id)
    changed = set(change.properties) if change else set()
    stays = "ReservedConcurrentExecutions" not in changed and features.reserved is None
    if stays and facts.reserved is not None:
        yield from _inspect_reserved(finder, facts.reserved, facts.own_or_alias + features.wanted)
    yield from _inspect_division(finder, facts, changed)
    yield from _inspect_alias(finder, facts, around)
    yield from _inspect_bypasses(finder, facts, around)
    if "Layers" in changed:
        action = "the new version alone has the new ones; the stable one keeps its own, deleted since or not"
        yield finder.inform("layers", "its layers change", action)
    configured = features.invoke_config or facts.alias in facts.invoke_configs
    if "$LATEST" in facts.invoke_configs and not configured:
        yield finder.inform(
            "invoke_config",
            "its settings for asynchronous invocation are those of the function itself",
            f"they do not hold for its alias {facts.alias}, which has Lambda's defaults",
        )


class _Finder:
    """Makes the findings of one function."""

    def __init__(self, logical_id: str) -> None:
        self._logical_id = logical_id

    def __call__(self, severity: Severity, kind: str, what: str, action: str) -> Finding:
        return Finding(logical_id=self._logical_id, kind=kind, severity=severity, what=what, action=action)

    def refuse(self, kind: str, what: str, action: str) -> Finding:
        return self(Severity.REFUSE, kind, what, action)

    def inform(self, kind: str, what: str, action: str) -> Finding:
        return self(Severity.INFO, kind, what, action)


def _inspect_reserved(finder: _Finder, reserved: int, needed: int) -> Iterator[Finding]:
    """`needed` is what both versions together keep ready."""
    if reserved == 0:
        yield finder.refuse(
            "stopped",
            "it is stopped: its reserved concurrency is 0, so every invocation is throttled",
            "give it concurrency, or take the reservation away, and release again",
        )
    elif needed > reserved:
        yield finder.refuse(
            "reserved_too_small",
            f"it reserves {reserved} executions, and both versions together need {needed} provisioned ones",
            f"reserve {needed} or more",
        )
    elif reserved < VERSIONS:
        yield finder.inform(
            "reserved_too_small",
            f"both versions share {reserved} reserved execution, so they cannot run at the same time",
            "throttles count against neither version alone; nothing is changed",
        )


def _inspect_provisioned(finder: _Finder, features: Features) -> Iterator[Finding]:
    wanted = f"it wants provisioned concurrency ({features.wanted})"
    excluded = {"SnapStart": features.snap_start, "tenant isolation": features.tenants}
    for name in (name for name, there in excluded.items() if there):
        yield finder.refuse("provisioned_excluded", f"{wanted} and {name}, which Lambda refuses", "drop one")


def _inspect_kinds(finder: _Finder, features: Features) -> Iterator[Finding]:
    for kind, (what, action) in KINDS.items():
        if getattr(features, kind):
            yield finder.inform(kind, what, action)


def _inspect_division(finder: _Finder, facts: FunctionFacts, changed: set[str]) -> Iterator[Finding]:
    """Whether the alias can hold both versions: the new one will have what $LATEST has, or what changes."""
    stable = facts.stable or facts.latest
    differs = {
        "Role": stable.role != facts.latest.role,
        "DeadLetterConfig": stable.dead_letters != facts.latest.dead_letters,
    }
    names = [DIVIDING[name] for name, other in differs.items() if other or name in changed]
    if names:
        yield finder(
            Severity.AT_ONCE,
            "undivided",
            f"its {' and '.join(names)} will differ between the versions, and no alias can hold both",
            "all traffic of the stage moves at once, with the bake and the rollback after it",
        )


def _inspect_alias(finder: _Finder, facts: FunctionFacts, around: Surroundings) -> Iterator[Finding]:
    where = f"alias {facts.name}:{facts.alias}"
    if facts.pointing is None and facts.logical_id in around.aliased:
        yield finder.refuse(
            "alias_gone",
            f"{where} is gone, though the stack has it: somebody deleted it",
            "make it again, on the version that is to be the stable one, and release again",
        )
    if facts.pointing is not None and facts.pointing.weights:
        yield _judge_left(finder, where, facts.pointing, around)
    if facts.scaled_alias and facts.logical_id not in around.scaled:
        yield finder.refuse(
            "alias_scaled",
            f"the provisioned concurrency of {where} is scaled by a target that the stack does not have",
            "deregister that target, and declare it in the template: the versions are scaled in its stead",
        )
    idle = sorted(facts.idle)
    if idle:
        yield finder.inform(
            "provisioned_idle",
            f"provisioned concurrency is charged for versions that take no traffic here: {list_names(idle)}",
            "the janitor takes what releases left behind, and leaves what is somebody else's",
        )
    target = f"version {facts.stable.version}, which a rollback goes to," if facts.stable else ""
    if facts.stable and facts.stable.state == "Inactive":
        action = "it is woken before traffic shifts, so that a rollback finds it active"
        yield finder(Severity.REPAIR, "inactive", f"{target} is Inactive: it was idle for weeks", action)
    if facts.stable and facts.stable.state == "Failed":
        action = "the release goes on; what is older can be gone back to with `tidegate rollback --to`"
        yield finder.inform("failed", f"{target} is Failed: it serves nobody, before and after", action)


def _judge_left(finder: _Finder, where: str, found: Pointing, around: Surroundings) -> Finding:
    split = ", ".join(f"{weight * 100:g} % to version {version}" for version, weight in found.weights.items())
    what = f"{where} was left with two versions by somebody else ({split})"
    if around.left_weights is LeftWeights.REFUSE:
        return finder.refuse("left_weights", what, "end that rollout first, or set left_weights to repair")
    action = (
        f"version {found.version} gets all traffic before the new one is published, and is the stable one"
    )
    return finder(Severity.REPAIR, "left_weights", what, action)


def _inspect_bypasses(finder: _Finder, facts: FunctionFacts, around: Surroundings) -> Iterator[Finding]:
    """What invokes the bare function, besides what the stack's own template does or repoints."""
    twins = {statement.grant for statement in facts.alias_permissions}
    missing = [s for s in facts.permissions if s.sid not in around.known and s.grant not in twins]
    if missing:
        names = list_names([f"{statement.principal} ({statement.sid})" for statement in missing])
        yield finder(
            Severity.AT_ONCE,
            "permissions",
            f"its policy lets {names} invoke the function itself and not its alias {facts.alias}",
            "nothing is changed: what is invoked there gets the new code with the stack's update",
        )
    foreign = [uuid for uuid in facts.mappings if uuid not in around.known]
    if foreign:
        yield finder(
            Severity.AT_ONCE,
            "mappings",
            f"event source mappings of no stack of ours are on the function itself: {list_names(foreign)}",
            f"they get the new code with the stack's update; point them at its alias {facts.alias}",
        )


def refusals(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Those that reject the release."""
    return tuple(finding for finding in findings if finding.severity is Severity.REFUSE)


def summarize(findings: tuple[Finding, ...]) -> str:
    """`1 refused, 2 at once`; `nothing` where there is none."""
    words: Mapping[Severity, str] = {
        Severity.REFUSE: "refused",
        Severity.REPAIR: "to repair",
        Severity.AT_ONCE: "at once",
        Severity.INFO: "to know",
    }
    counts = {kind: sum(finding.severity is kind for finding in findings) for kind in words}
    return ", ".join(f"{count} {words[kind]}" for kind, count in counts.items() if count) or "nothing"
