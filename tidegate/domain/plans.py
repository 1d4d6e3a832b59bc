"""The deployment plan: written before anything is touched, so that it can be read, stored and compared.

`Plan` lies at releases/<service>/<release>/plan.json, and for people as plan.md beside it.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from tidegate.domain.config import AlarmConfig, Approval, StageConfig
from tidegate.domain.flags import FlagEnvironment
from tidegate.domain.identity import Commit, Frozen
from tidegate.domain.preflight import Finding, Severity, summarize
from tidegate.domain.provisioning import PRICE_PAGE, Provisioning, total_cost
from tidegate.domain.strategies import Kind
from tidegate.domain.templates.changes import ChangedResource
from tidegate.domain.wording import list_names

SHOWN_STEPS: Final = 5
SHOWN: Final = 50  # rows of a table in the readable plan; the document has all


class FunctionPlan(Frozen):
    """What the release does to one function in one stage.

    `canaried` functions shift by weight; the others are new or replaced and take their traffic at once.
    `function_name`, `alias` and `rollback_target`, the version that the alias points at now, are those of a
    canaried function; CloudFormation names the others when it makes them. An `adopted` function has no alias
    yet: it gets one before the release's own update, on a version of the code that runs. left_weights: what
    somebody else left on the alias beside the rollback target. tenants: whether an invocation names a tenant.
    wave: when its turn is in each shift, from 1 on.
    """

    logical_id: str
    alias_logical_id: str
    artifact: str | None
    previous_artifact: str | None
    canaried: bool
    function_name: str = ""
    alias: str = ""
    rollback_target: str = ""
    adopted: bool = False
    left_weights: dict[str, float] = Field(default_factory=dict)
    tenants: bool = False
    wave: int = 1


class AlarmLimit(Frozen):
    """An alarm by its name, or by its logical id in the stack."""

    name: str = ""
    logical_id: str = ""


class StackUpdate(Frozen):
    """An update that ProvisionStage has computed itself: the one before it makes every change set obsolete.

    template: a key in the stage's bucket. parameters: `****` keeps the value that the stack has.
    """

    name: str
    change_set: str
    template: str
    parameters: dict[str, str]
    capabilities: tuple[str, ...]


class StagePlan(Frozen):
    """What the release does in one stage. `change_set` is None where the stack does not change.

    `strategy_source` says whose the strategy is where it is the template's. `limits` are alarms that an
    operator has set as limits. `updates` are those of a stack that is adopted, in order, the release's own
    the last; `adoption` says in sentences what the others do. All other stacks are changed by `change_set`
    itself. `held_roles` are the logical ids of the roles that lose what a side stack holds for them. `exact`
    is the update after the bake, to the commit's own template, where the one that is applied keeps resources
    which that drops.
    """

    stage: str
    account: str
    region: str
    production: bool
    stack_name: str
    creates_stack: bool
    change_set: str | None
    changes: tuple[ChangedResource, ...]
    functions: tuple[FunctionPlan, ...] = Field(description="those that change; all where the stack is new")
    config: StageConfig
    at_once: tuple[str, ...] = Field(description="what a canary cannot hold back, a sentence each")
    strategy_source: str = ""
    limits: tuple[AlarmLimit, ...] = ()
    updates: tuple[StackUpdate, ...] = ()
    adoption: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = Field((), description="what the preflight found")
    held: tuple[str, ...] = Field(
        default=(), description="what is kept until after the bake, a sentence each"
    )
    held_roles: tuple[str, ...] = ()
    exact: StackUpdate | None = None
    provisioned: tuple[Provisioning, ...] = Field(
        (), description="provisioned concurrency that changes hands"
    )
    children: tuple[str, ...] = Field((), description="the nested stacks by their paths, parents first")
    flags: tuple[FlagEnvironment, ...] = Field((), description="the AppConfig environments deployed to")
    images: dict[str, str] = Field(
        default_factory=dict,
        description="the SHA-256 (hex) of each image that the stack names, by its artifact",
    )

    @property
    def canaried(self) -> tuple[FunctionPlan, ...]:
        """The functions whose traffic is shifted."""
        return tuple(function for function in self.functions if function.canaried)

    @property
    def strategy(self) -> str:
        """The strategy in words."""
        bake = f", then {self.config.bake} s of bake" if self.config.bake else ""
        return self._shifts + self.strategy_source + bake

    @property
    def _shifts(self) -> str:
        strategy = self.config.rollout
        if strategy.kind is Kind.ADAPTIVE:
            return (
                f"adaptive, as fast as evidence comes in that the new version fails at most "
                f"{self.config.margin:g} % more requests"
            )
        if not strategy.steps:
            return "100 % at once"
        steps = [f"{step:g} %" for step in strategy.steps]
        shown = steps if len(steps) <= SHOWN_STEPS else [*steps[:2], "…", steps[-1]]
        return f"{' → '.join([*shown, '100 %'])}, every {strategy.interval:g} s ({strategy.name})"


class Plan(Frozen):
    """The whole plan of a release."""

    service: str
    release_id: str
    commit: Commit
    stages: tuple[StagePlan, ...]
    notes: tuple[str, ...] = ()
    audit: tuple[str, ...] = Field((), description="what is known of its dependencies, the summary first")

    @property
    def shifting(self) -> int:
        """How many stages split traffic between versions, and so may roll the release back by a verdict."""
        return sum(1 for stage in self.stages if stage.canaried and stage.config.rollout.shifts)

    def stage(self, name: str) -> StagePlan:
        """The plan of one stage."""
        return next(stage for stage in self.stages if stage.stage == name)


def render(plan: Plan) -> str:
    """The plan as Markdown."""
    head = [
        f"# Release {plan.release_id} of {plan.service}",
        "",
        f"Commit `{plan.commit.id}` on `{plan.commit.branch}`.",
    ]
    notes = ["", *(f"- {note}" for note in plan.notes)] if plan.notes else []
    audit = _render_audit(plan.audit)
    return (
        "\n".join([*head, *notes, *audit, *(line for stage in plan.stages for line in _render_stage(stage))])
        + "\n"
    )


def _render_audit(audit: tuple[str, ...]) -> list[str]:
    """The summary, and what it is about; beyond SHOWN it is counted."""
    if not audit:
        return []
    more = [f"- … {len(audit) - 1 - SHOWN} more"] if len(audit) - 1 > SHOWN else []
    found = [f"- {text}" for text in audit[1 : SHOWN + 1]]
    return ["", f"Audit: {audit[0]}.", *(["", *found, *more] if found else [])]


def _render_stage(plan: StagePlan) -> list[str]:
    verb = "is created" if plan.creates_stack else "is updated" if plan.change_set else "does not change"
    approval = " A person must approve first." if plan.config.approval is Approval.REQUIRED else ""
    return [
        "",
        f"## {plan.stage} ({plan.account}, {plan.region})",
        "",
        f"Stack `{plan.stack_name}` {verb}: {_count(plan.changes)}.{approval}",
        "",
        f"Strategy: {plan.strategy}. Monitors: {_monitors(plan.config.alarms)}.",
        *_render_findings(plan.findings),
        *_render_cost(plan.provisioned),
        *_list("Adopts the stack first, with the code that runs:", plan.adoption),
        *_render_functions(plan.functions),
        *_render_waves(plan.canaried),
        *_render_changes(plan.changes),
        *_list("Held until after the bake:", plan.held),
        *_list("Takes effect at once:", plan.at_once),
    ]


def _list(title: str, sentences: tuple[str, ...]) -> list[str]:
    return ["", title, "", *(f"- {text}" for text in sentences)] if sentences else []


def _render_findings(findings: tuple[Finding, ...]) -> list[str]:
    """The gravest first; those beyond SHOWN are counted."""
    order = list(reversed(Severity))
    ranked = sorted(findings, key=lambda finding: order.index(finding.severity))
    rows = [f"**{finding.severity.value.replace('_', ' ')}** {finding.text}" for finding in ranked[:SHOWN]]
    more = [f"… {len(ranked) - SHOWN} more"] if len(ranked) > SHOWN else []
    return _list(f"Preflight: {summarize(findings)}.", (*rows, *more))


def _render_cost(provisioned: tuple[Provisioning, ...]) -> list[str]:
    if not provisioned:
        return []
    dollars = f"${total_cost(provisioned):.4f} an hour during the rollout (us-east-1, {PRICE_PAGE})"
    return ["", f"Provisioned concurrency of both versions costs {dollars}."]


def _monitors(alarms: AlarmConfig) -> str:
    p99 = f", p99 from {alarms.p99} s on" if alarms.p99 is not None else ""
    rate = f"an error rate from {alarms.error_rate:g} % on"
    return f"the judge; alarms on {rate}, {alarms.throttles} throttles{p99}"


def _count(changes: tuple[ChangedResource, ...]) -> str:
    actions = [change.action for change in changes]
    return ", ".join(f"{actions.count(action)} {action.lower()}" for action in ("Add", "Modify", "Remove"))


def _render_functions(functions: tuple[FunctionPlan, ...]) -> list[str]:
    if not functions:
        return ["", "No function changes."]
    rows = [
        f"| {function.logical_id} | {_short(function.previous_artifact)} | {_short(function.artifact)} | "
        f"{'canary' if function.canaried else 'at once'} | {_target(function)} |"
        for function in functions[:SHOWN]
    ]
    more = [f"| … {len(functions) - SHOWN} more | | | | |"] if len(functions) > SHOWN else []
    table = "| function | old artifact | new artifact | traffic | rollback target |"
    return ["", table, "|---|---|---|---|---|", *rows, *more]


def _render_waves(functions: tuple[FunctionPlan, ...]) -> list[str]:
    """The order in which each shift writes the aliases, where there is one."""
    waves = sorted({function.wave for function in functions})
    if len(waves) < 2:  # noqa: PLR2004
        return []
    named = [list_names([f.logical_id for f in functions if f.wave == wave]) for wave in waves]
    return ["", f"Each shift goes in waves: {'; then '.join(named)}."]


def _target(function: FunctionPlan) -> str:
    return "the code that runs" if function.adopted else function.rollback_target or "-"


def _short(artifact: str | None) -> str:
    return f"`{artifact[:12]}`" if artifact else "-"


def _render_changes(changes: tuple[ChangedResource, ...]) -> list[str]:
    rows = [
        f"| {change.action}{' (replaced)' if change.replacement else ''} | {change.logical_id} "
        f"| {change.type} | "
        f"{', '.join(change.properties)} |"
        for change in changes[:SHOWN]
    ]
    more = [f"| … {len(changes) - SHOWN} more | | | |"] if len(changes) > SHOWN else []
    return (
        ["", "| change | resource | type | properties |", "|---|---|---|---|", *rows, *more] if rows else []
    )
