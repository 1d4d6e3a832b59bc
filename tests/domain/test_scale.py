"""A service of 1,000 functions: everything that grows with them stays within the platform's limits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

import pytest

from tests.domain.test_plans import function, plan, stage
from tidegate.domain import judging
from tidegate.domain.batches import Arm, Batch
from tidegate.domain.config import AlarmConfig, ServiceConfig, StageConfig
from tidegate.domain.guards import GuardedAlias, build_guards
from tidegate.domain.identity import Commit
from tidegate.domain.judging import Moment, Status, Verdict, decide
from tidegate.domain.ledger import Entry
from tidegate.domain.observing import LastDay
from tidegate.domain.plans import render
from tidegate.domain.snapshots import Snapshot
from tidegate.domain.templates.aliases import RolledFunction
from tidegate.domain.templates.changes import ChangedResource, changed_functions, diff_notices
from tidegate.domain.trials import Trial, begin_shift, begin_trial, end_shift, make_policy, summarize
from tidegate.domain.wording import SHOWN, list_names

MANY: Final = 1000
NAMES: Final = [f"Function{n:04d}" for n in range(MANY)]
NOW: Final = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
CONFIG: Final = StageConfig().for_stage(production=True)
POLICY: Final = make_policy(CONFIG)
RESOURCES_PER_STACK: Final = 500  # AWS CloudFormation quotas
TEMPLATE_BYTES: Final = 1024 * 1024
ITEM_BYTES: Final = 400 * 1024  # Amazon DynamoDB quotas, item size


def observe(*, broken: int = -1) -> Trial:
    """A trial at 10 % in which each function has had 1,000 requests."""
    trial = begin_trial(CONFIG, dict.fromkeys(NAMES, LastDay()), NOW, 20)
    trial = end_shift(begin_shift(trial, 0, 10, NOW), NOW)
    batches = [
        Batch(
            key=name,
            function=name,
            at=NOW.timestamp() + 10,
            seconds=60,
            weight=0.1,
            stable=Arm(requests=900, failed=1),
            canary=Arm(requests=100, failed=60 if number == broken else 0),
        )
        for number, name in enumerate(NAMES)
    ]
    return trial.model_copy(update={"state": judging.observe(trial.state, batches, POLICY)})


def judge(trial: Trial) -> Verdict:
    return decide(trial.state, POLICY, Moment(now=NOW.timestamp() + 90, delay=20))


def test_one_broken_function_of_a_thousand_is_found_and_named() -> None:
    assert judge(observe()).status is Status.RAMP
    verdict = judge(observe(broken=731))
    assert verdict.status is Status.ROLLBACK
    assert "Function0731" in verdict.reason
    assert len(verdict.reason) < 500
    assert summarize(verdict)["functions"][0]["function"] == "Function0731"


def test_a_verdict_on_all_of_them_fits_into_one_entry_of_the_ledger() -> None:
    verdict = judge(observe())
    entry = Entry(
        service="orders",
        release_id="0123456789ab-1",
        step="JudgeCanary",
        at="2026-01-01T00:00:00Z",
        what=verdict.reason,
        key="k",
        evidence=summarize(verdict),
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


def test_what_a_shift_remembers_of_all_of_them_is_small_beside_the_evidence() -> None:
    trial = observe()
    revisions = {name: f"{number:08d}-0000-4000-8000-000000000000" for number, name in enumerate(NAMES)}
    known = end_shift(begin_shift(trial, 1, 20, NOW), NOW, revisions)
    assert known.revisions == revisions
    assert len(known.model_dump_json()) < 1.1 * len(trial.model_dump_json())


def test_what_is_told_of_the_versions_of_all_of_them_fits_into_one_entry() -> None:
    moves = {name: {"stable": "123456", "canary": "123457"} for name in NAMES}
    silent = dict.fromkeys(NAMES, "requests may come to version 123456 by another alias " * 3)
    entry = Entry(
        service="orders",
        release_id="0123456789ab-1",
        step="PublishVersions",
        at="2026-01-01T00:00:00Z",
        what=f"published new versions: {list_names(NAMES)}",
        key="k",
        evidence={"versions": moves, "served by metrics": silent},
    )
    assert len(entry.model_dump_json()) < ITEM_BYTES


@pytest.mark.parametrize("changed", [0, 1, 9, 10, 11, 160, MANY])
def test_all_of_them_are_built_by_ten_states_at_most(changed: int) -> None:
    keys = tuple(f"{number:064x}" for number in range(changed))
    snapshot = make_snapshot(keys)
    assert snapshot.builds == min(changed, 10)
    shares = [snapshot.share(build) for build in range(snapshot.builds)]
    assert sorted(key for share in shares for key in share) == sorted(keys)
    assert max(map(len, shares), default=0) - min(map(len, shares), default=0) <= 1


def make_snapshot(keys: tuple[str, ...]) -> Snapshot:
    return Snapshot(
        commit=Commit(service="orders", id="0" * 40, branch="main"),
        template="template.yaml",
        template_text="",
        config=ServiceConfig(),
        deployments={},
        functions=(),
        packages=(),
        to_build=keys,
        has_tests=False,
    )
