"""The preflight of one stage: facts read once and a part at a time, and what they mean for the release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.plan_release.provisioning import provided_by_stack
from tidegate.adapters.aliases import parse_alias
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.facts import Subject, gather_facts
from tidegate.domain.errors import PreflightPending, PreflightRefused
from tidegate.domain.identity import Frozen
from tidegate.domain.preflight import (
    FunctionFacts,
    Surroundings,
    inspect_function,
    inspect_replacement,
    inspect_template,
    refusals,
    summarize,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from functions.plan_release.stages import StageChange
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import Plan, StagePlan
    from tidegate.domain.preflight import Finding
    from tidegate.domain.templates.aliases import RolledFunction
    from tidegate.task import Tools

PART: Final = 200  # functions in one invocation: under a minute for each stage by Lambda's quotas
SHOWN: Final = 20  # findings in a ledger entry; the plan has all


class Facts(Frozen):
    """What is known of a stage so far: it lies at stages/<stage>/facts.json where one part is not enough.

    seen: the functions that were looked for, those that do not exist among them.
    """

    functions: tuple[FunctionFacts, ...] = ()
    seen: frozenset[str] = frozenset()


def read_facts(
    change: StageChange, functions: tuple[RolledFunction, ...], tools: Tools, part: int = PART
) -> Mapping[str, FunctionFacts]:
    """The facts of those functions that stand, by logical id; PreflightPending until all are read."""
    key = f"{stage_prefix(change.ref, change.target.name)}facts.json"
    subjects = [found for function in functions if (found := _find_subject(change, function))]
    known = (tools.documents.find(key, Facts) if len(subjects) > part else None) or Facts()
    left = [subject for subject in subjects if subject.logical_id not in known.seen]
    read = gather_facts(change.stage.functions, change.stage.scaling, left[:part])
    together = (*known.functions, *read.values())
    if len(left) > part:
        seen = known.seen | {subject.logical_id for subject in left[:part]}
        tools.documents.write(key, Facts(functions=together, seen=seen))
        message = f"{len(left) - part:,} functions of {change.wanted.stack_name} are still to be looked at"
        raise PreflightPending(message)
    return {facts.logical_id: facts for facts in together}


def _find_subject(change: StageChange, function: RolledFunction) -> Subject | None:
    """The function as it stands; None for one that is new, or that a replacement leaves behind."""
    own = change.own_change(function.logical_id)
    if function.logical_id not in change.standing or (own and own.replacement):
        return None
    name, alias = change.standing[function.logical_id], str(function.alias_name)
    if arn := change.standing.get(function.alias_logical_id):
        name, alias = parse_alias(arn)
    return Subject(logical_id=function.logical_id, name=name, alias=alias)


def inspect_stage(
    change: StageChange, functions: tuple[RolledFunction, ...], facts: Mapping[str, FunctionFacts]
) -> Iterator[Finding]:
    """The findings of all these functions."""
    around = Surroundings(
        known=frozenset(change.standing.values()),
        aliased=frozenset(f.logical_id for f in functions if f.alias_logical_id in change.standing),
        scaled=provided_by_stack(change),
        left_weights=change.config.left_weights,
    )
    for function in functions:
        features = change.features[function.logical_id]
        own = change.own_change(function.logical_id)
        yield from inspect_template(features)
        if own and own.replacement:
            yield from inspect_replacement(features, own)
        if found := facts.get(function.logical_id):
            yield from inspect_function(found, features, own, around)


def record_preflight(ref: ReleaseRef, plan: Plan, tools: Tools) -> None:
    """Tell the findings of each stage; PreflightRefused where one of them rejects the release."""
    for stage in plan.stages:
        _record(ref, stage, tools)
    refused = [f"{stage.stage}: {one.text}" for stage in plan.stages for one in refusals(stage.findings)]
    if refused:
        more = f"; and {len(refused) - 3:,} more" if len(refused) > 3 else ""  # noqa: PLR2004
        raise PreflightRefused("; ".join(refused[:3]) + more)


def _record(ref: ReleaseRef, stage: StagePlan, tools: Tools) -> None:
    if not stage.findings:
        return
    shown = [finding.text for finding in stage.findings[:SHOWN]]
    more = [f"and {len(stage.findings) - SHOWN:,} more"] if len(stage.findings) > SHOWN else []
    what = f"preflight, {summarize(stage.findings)}: " + "; ".join(shown + more)
    evidence = {"findings": [finding.model_dump(mode="json") for finding in stage.findings[:SHOWN]]}
    tools.record(ref, "PlanRelease", what, stage=stage.stage, key="preflight", evidence=evidence)
