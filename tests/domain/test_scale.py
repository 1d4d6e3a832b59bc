"""A service of 1,000 functions: everything that grows with them stays within the platform's limits."""

from __future__ import annotations

import json
from typing import Final

import pytest

from tests.domain.test_plans import function, plan, stage
from tidegate.domain.config import AlarmConfig
from tidegate.domain.guards import GuardedAlias, build_guards
from tidegate.domain.judge import Counts, Policy, Sample, Status, judge
from tidegate.domain.ledger import Entry
from tidegate.domain.plans import render
from tidegate.domain.templates.aliases import RolledFunction
from tidegate.domain.templates.changes import ChangedResource, changed_functions, diff_notices
from tidegate.domain.wording import SHOWN, list_names

MANY: Final = 1000
NAMES: Final = [f"Function{n:04d}" for n in range(MANY)]
RESOURCES_PER_STACK: Final = 500  # AWS CloudFormation quotas
TEMPLATE_BYTES: Final = 1024 * 1024
ITEM_BYTES: Final = 400 * 1024  # Amazon DynamoDB quotas, item size


def samples(*, broken: int = -1) -> tuple[Sample, ...]:
    stable = Counts(requests=900, failed=1)
    return tuple(
        Sample(function=name, stable=stable, canary=Counts(requests=100, failed=60 if n == broken else 0))
        for n, name in enumerate(NAMES)
    )


def test_one_broken_function_of_a_thousand_is_found_and_named() -> None:
    policy = Policy(minimum_invocations=20, looks=2 * MANY)
    assert judge(samples(), 10, policy).status is Status.ADVANCE
    verdict = judge(samples(broken=731), 10, policy)
    assert verdict.status is Status.ROLLBACK
    assert "Function0731" in verdict.reason
    assert len(verdict.reason) < 500


def test_a_verdict_on_all_of_them_fits_into_one_entry_of_the_ledger() -> None:
    verdict = judge(samples(), 10, Policy(minimum_invocations=20, looks=MANY))
    entry = Entry(
        service="orders",
        release_id="0123456789ab-1",
        step="JudgeCanary",
        at="2026-01-01T00:00:00Z",
        what=verdict.reason,
        key="k",
        evidence=verdict.model_dump(mode="json"),
    )
    assert len(entry.model_dump_json()) < ITEM_BYTES


@pytest.mark.parametrize("p99", [None, "2s"])
def test_alarms_on_all_of_them_fit_into_stacks(p99: str | None) -> None:
    aliases = [GuardedAlias(logical_id=n, function_name=f"orders-{n}", alias="live") for n in NAMES]
    stacks = build_guards("orders", "production", aliases, AlarmConfig(p99=p99), 60)
    assert len({stack.name for stack in stacks}) == len(stacks)
    for stack in stacks:
        assert len(stack.template["Resources"]) <= RESOURCES_PER_STACK
        assert len(json.dumps(stack.template)) < TEMPLATE_BYTES
    watched = {key for stack in stacks for key in stack.template["Resources"]}
    assert {f"{name}Errors" for name in NAMES} <= watched


def test_the_plan_of_all_of_them_can_still_be_read() -> None:
    changes = tuple(
        ChangedResource(action="Modify", logical_id=n, type="AWS::Lambda::Function", properties=("Code",))
        for n in NAMES
    )
    found = plan(stage(changes=changes, functions=tuple(function(name) for name in NAMES)))
    assert len(found.stage("production").canaried) == MANY
    assert len(render(found)) < 200 * MANY


def test_of_all_of_them_those_whose_code_changed_get_a_version() -> None:
    functions = tuple(
        RolledFunction(
            logical_id=n,
            alias_logical_id=f"{n}Alias",
            alias_name="live",
            anchor_logical_id=f"{n}TidegateAnchor",
            function_name=f"orders-{n}",
        )
        for n in NAMES
    )
    changes = [
        ChangedResource(action="Modify", logical_id=name, type="AWS::Lambda::Function", properties=(changed,))
        for name, changed in zip(NAMES, ["Code", "Tags", "Role", "Timeout"] * (MANY // 4), strict=True)
    ]
    assert len(changed_functions(changes, functions)) == MANY * 3 // 4
    assert len(diff_notices(changes, functions)) == MANY // 4


def test_sentences_stay_short() -> None:
    assert list_names(NAMES[:2]) == "Function0000, Function0001"
    assert list_names(NAMES[:SHOWN]).endswith("Function0005")
    assert list_names(NAMES).endswith("Function0005 and 994 more")
