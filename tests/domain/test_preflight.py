"""The preflight by value: each feature and each state of a function with what is said and done about it."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.domain.config import LeftWeights
from tidegate.domain.preflight import (
    Finding,
    FunctionFacts,
    Severity,
    Statement,
    Surroundings,
    VersionFacts,
    inspect_function,
    inspect_replacement,
    inspect_template,
    refusals,
    summarize,
)
from tidegate.domain.rollouts import Pointing
from tidegate.domain.templates import ChangedResource, normalize, prepare
from tidegate.domain.templates.features import Features, read_features
from tidegate.domain.templates.template import Template

ROLE, OTHER = "arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"
INFO, AT_ONCE, REPAIR, REFUSE = Severity.INFO, Severity.AT_ONCE, Severity.REPAIR, Severity.REFUSE


def facts(**changes: Any) -> FunctionFacts:
    values: dict[str, Any] = {
        "logical_id": "Place",
        "name": "orders-place",
        "alias": "live",
        "latest": VersionFacts(version="$LATEST", role=ROLE),
        "stable": VersionFacts(version="7", role=ROLE),
        "pointing": Pointing(version="7"),
    }
    return FunctionFacts.model_validate(values | changes)


def change(*properties: str) -> ChangedResource:
    return ChangedResource(
        action="Modify", logical_id="Place", type="AWS::Lambda::Function", properties=properties
    )


def of_template(**features: Any) -> list[tuple[str, Severity]]:
    found = inspect_template(Features(logical_id="Place", **features))
    return [(finding.kind, finding.severity) for finding in found]


def look(
    found: FunctionFacts, item: ChangedResource | None = None, features: Any = None, **around: Any
) -> list[Finding]:
    declared = Features(logical_id="Place", **(features or {}))
    return list(inspect_function(found, declared, item, Surroundings(**around)))


def told(*arguments: Any, **around: Any) -> list[tuple[str, Severity]]:
    return [(finding.kind, finding.severity) for finding in look(*arguments, **around)]


@pytest.mark.parametrize(
    ("features", "found"),
    [
        ({}, []),
        ({"reserved": 0}, [("stopped", REFUSE)]),
        ({"reserved": 1}, [("reserved_too_small", INFO)]),
        ({"reserved": 2}, []),
        ({"reserved": 19, "provisioned": 10}, [("reserved_too_small", REFUSE)]),
        ({"reserved": 20, "provisioned": 10}, []),
        ({"snap_start": True}, [("snap_start", INFO)]),
        (
            {"snap_start": True, "provisioned": 1},
            [("provisioned_excluded", REFUSE), ("snap_start", INFO)],
        ),
        ({"tenants": True, "provisioned": 1}, [("provisioned_excluded", REFUSE), ("tenants", INFO)]),
        ({"durable": True}, [("durable", INFO)]),
        ({"file_systems": True}, [("file_systems", INFO)]),
        ({"capacity_provider": True}, [("capacity_provider", INFO)]),
        ({"unknown": ("ProvisionedConcurrencyConfig",)}, [("provisioned_unknown", REFUSE)]),
        ({"unknown": ("MemorySize", "ReservedConcurrentExecutions")}, []),
    ],
)
def test_what_the_template_alone_tells(features: dict[str, Any], found: list[tuple[str, Severity]]) -> None:
    assert of_template(**features) == found


def test_an_ordinary_function_has_no_finding() -> None:
    assert look(facts(), change("Code", "Environment")) == []
    assert look(facts()) == []


@pytest.mark.parametrize(
    ("found", "item", "words"),
    [
        (facts(), change("Role"), "its execution role will differ"),
        (facts(), change("DeadLetterConfig", "Role"), "its execution role and dead letter queue will differ"),
        (facts(latest=VersionFacts(version="$LATEST", role=OTHER)), change("Code"), "execution role"),
        (
            facts(latest=VersionFacts(version="$LATEST", role=ROLE, dead_letters="q")),
            None,
            "dead letter queue",
        ),
        (facts(stable=None, pointing=None), change("Role"), "execution role"),
    ],
)
def test_a_role_or_dead_letter_queue_that_will_differ_is_told(
    found: FunctionFacts, item: ChangedResource | None, words: str
) -> None:
    (finding,) = look(found, item)
    assert (finding.kind, finding.severity) == ("undivided", AT_ONCE)
    assert words in finding.what
    assert "all traffic of the stage moves at once" in finding.action


def test_left_weights_are_repaired_or_refused_by_policy() -> None:
    split = facts(pointing=Pointing(version="7", weights={"8": 0.25}))
    (finding,) = look(split)
    assert finding.severity is REPAIR
    assert finding.what == (
        "alias orders-place:live was left with two versions by somebody else (25 % to version 8)"
    )
    assert "version 7 gets all traffic" in finding.action
    assert told(split, left_weights=LeftWeights.REFUSE) == [("left_weights", REFUSE)]


def test_an_alias_that_the_stack_has_and_lambda_has_not_is_refused() -> None:
    gone = facts(pointing=None, stable=None)
    assert told(gone, aliased=frozenset({"Place"})) == [("alias_gone", REFUSE)]
    assert told(gone) == []


@pytest.mark.parametrize(
    ("reserved", "features", "item", "found"),
    [
        (0, {}, None, [("stopped", REFUSE)]),
        (0, {}, change("ReservedConcurrentExecutions"), []),
        (0, {"reserved": 5}, None, []),
        (1, {}, change("Code"), [("reserved_too_small", INFO)]),
        (4, {"provisioned": 5}, None, [("reserved_too_small", REFUSE)]),
        (9, {"provisioned": 5}, None, []),
        (None, {"provisioned": 5}, None, []),
    ],
)
def test_the_reservation_that_stands_counts_where_the_release_does_not_change_it(
    reserved: int | None,
    features: dict[str, Any],
    item: ChangedResource | None,
    found: list[tuple[str, Severity]],
) -> None:
    assert told(facts(reserved=reserved), item, features) == found


def test_a_stopped_function_is_named_as_such() -> None:
    (finding,) = look(facts(reserved=0))
    assert "it is stopped: its reserved concurrency is 0" in finding.text


def test_permissions_that_miss_the_alias_are_named() -> None:
    mine = Statement(sid="orders-PlacePermission-1", principal="sns.amazonaws.com", grant="{1}")
    twin = Statement(sid="by-hand", principal="events.amazonaws.com", grant="{2}")
    lost = Statement(sid="console-3", principal="s3.amazonaws.com", grant="{3}")
    found = facts(
        permissions=(mine, twin, lost),
        alias_permissions=(Statement(sid="other", principal="events.amazonaws.com", grant="{2}"),),
    )
    (finding,) = look(found, known=frozenset({mine.sid}))
    assert (finding.kind, finding.severity) == ("permissions", AT_ONCE)
    assert "lets s3.amazonaws.com (console-3) invoke the function itself" in finding.what


def test_mappings_on_the_function_itself_are_named_unless_the_stack_has_them() -> None:
    found = facts(mappings=("u-1", "u-2"))
    (finding,) = look(found, known=frozenset({"u-1"}))
    assert (finding.kind, finding.severity) == ("mappings", AT_ONCE)
    assert "u-2" in finding.what
    assert "u-1" not in finding.what


@pytest.mark.parametrize(
    ("configs", "declared", "count"),
    [
        (("$LATEST",), False, 1),
        (("$LATEST", "live"), False, 0),
        (("$LATEST",), True, 0),
        (("live",), False, 0),
    ],
)
def test_settings_of_the_function_itself_do_not_hold_for_its_alias(
    configs: tuple[str, ...], declared: bool, count: int
) -> None:
    assert len(look(facts(invoke_configs=configs), None, {"invoke_config": declared})) == count


def test_an_alias_that_is_scaled_by_what_the_stack_does_not_have_is_refused() -> None:
    found = facts(provisioned={"live": 2}, scaled_alias=True)
    assert told(found) == [("alias_scaled", REFUSE)]
    assert told(found, scaled=frozenset({"Place"})) == []


def test_provisioned_concurrency_that_is_left_behind_is_named() -> None:
    (finding,) = look(facts(provisioned={"7": 2, "5": 1, "live": 1}))
    assert (finding.kind, finding.severity) == ("provisioned_idle", INFO)
    assert finding.what.endswith("take no traffic here: 5")


@pytest.mark.parametrize(
    ("state", "kind", "severity"), [("Inactive", "inactive", REPAIR), ("Failed", "failed", INFO)]
)
def test_a_rollback_target_that_is_not_active_is_named(state: str, kind: str, severity: Severity) -> None:
    (finding,) = look(facts(stable=VersionFacts(version="7", role=ROLE, state=state)))
    assert (finding.kind, finding.severity) == (kind, severity)
    assert f"version 7, which a rollback goes to, is {state}" in finding.what


def test_layers_that_change_are_named_and_others_are_not() -> None:
    assert told(facts(), change("Code", "Layers")) == [("layers", INFO)]
    assert told(facts(), change("Code")) == []


@pytest.mark.parametrize(
    ("named", "properties", "kinds"),
    [
        (True, ("Code", "PackageType"), ["named"]),
        (True, ("TenancyConfig",), ["named"]),
        (True, ("PackageType", "FunctionName"), []),
        (False, ("PackageType",), []),
        (True, ("Code",), []),
    ],
)
def test_a_named_function_that_must_be_replaced_is_refused(
    named: bool, properties: tuple[str, ...], kinds: list[str]
) -> None:
    features = Features(logical_id="Place", named=named)
    found = list(inspect_replacement(features, change(*properties)))
    assert [one.kind for one in found] == kinds
    assert all(one.severity is REFUSE and "another FunctionName, or none" in one.action for one in found)


GRANT = Statement(sid="by-hand", principal="events.amazonaws.com", grant="{1}")
SPLIT = Pointing(version="7", weights={"8": 0.25})
DONE: dict[str, tuple[Any, str]] = {
    "role": (lambda: look(facts(), change("Role")), "all traffic of the stage moves at once"),
    "dead letters": (lambda: look(facts(), change("DeadLetterConfig")), "all traffic of the stage moves"),
    "alias's permissions": (lambda: look(facts(permissions=(GRANT,))), "gets the new code with the stack's"),
    "triggers": (lambda: look(facts(mappings=("u",))), "point them at its alias live"),
    "split": (lambda: look(facts(pointing=SPLIT)), "version 7 gets all traffic before the new one"),
    "split, refused": (
        lambda: look(facts(pointing=SPLIT), left_weights=LeftWeights.REFUSE),
        "end that rollout first, or set left_weights to repair",
    ),
    "reserved for one": (lambda: look(facts(reserved=1)), "throttles count against neither version alone"),
    "reserved too small": (lambda: look(facts(reserved=4), None, {"provisioned": 5}), "reserve 5 or more"),
    "stopped": (lambda: look(facts(reserved=0)), "give it concurrency, or take the reservation away"),
    "SnapStart": (lambda: kinds(snap_start=True), "the release waits until the version is active"),
    "durable": (lambda: kinds(durable=True), "weights divide new executions only, a rollback ends none"),
    "tenants": (lambda: kinds(tenants=True), "smoke tests run as the tenant tidegate-smoke"),
    "files": (lambda: kinds(file_systems=True), "a rollback leaves what was written"),
    "instances": (lambda: kinds(capacity_provider=True), "the release waits until the version is active"),
    "layers": (lambda: look(facts(), change("Layers")), "the stable one keeps its own"),
    "asleep": (
        lambda: look(facts(stable=VersionFacts(version="7", role=ROLE, state="Inactive"))),
        "it is woken before traffic shifts",
    ),
    "idle": (lambda: look(facts(provisioned={"5": 1})), "the janitor takes what releases left behind"),
    "both": (lambda: kinds(snap_start=True, provisioned=1)[:1], "drop one"),
}


def kinds(**features: Any) -> list[Finding]:
    return list(inspect_template(Features(logical_id="Place", **features)))


@pytest.mark.parametrize("case", DONE)
def test_each_finding_says_what_will_be_done_about_it(case: str) -> None:
    make, action = DONE[case]
    findings = [finding for finding in make() if finding.kind != "provisioned"]
    assert [action in finding.action for finding in findings] == [True]
    assert findings[0].text == f"Place: {findings[0].what}: {findings[0].action}"


def test_findings_are_counted_in_words() -> None:
    found = (*look(facts(reserved=0), change("Role")), *look(facts(reserved=1)))
    assert summarize(found) == "1 refused, 1 at once, 1 to know"
    assert summarize(()) == "nothing"
    assert [finding.kind for finding in refusals(found)] == ["stopped"]


def features_of(properties: str, parameters: dict[str, str] | None = None, **sections: Any) -> Features:
    import json

    function = {"Handler": "a.b", "Runtime": "python3.12", "Role": ROLE, **json.loads(properties)}
    data = {
        **sections,
        "Resources": {"Place": {"Type": "AWS::Lambda::Function", "Properties": function}},
    }
    provisioned = data["Resources"]["Place"]["Properties"].pop("Provisioned", None)
    prepared = prepare(Template(data=data)).model_copy(
        update={"provisioned": {"Place": provisioned} if provisioned else {}}
    )
    normalized = normalize(prepared.template.data, prepared)
    return read_features(normalized.template, normalized.functions, parameters or {})["Place"]


def test_features_are_read_from_numbers_texts_and_parameters() -> None:
    parameters = {"Ready": {"Type": "Number", "Default": 3}, "Most": {"Type": "Number"}}
    text = (
        '{"MemorySize": "1024", "Architectures": ["arm64"], "ReservedConcurrentExecutions": {"Ref": "Most"},'
        ' "Provisioned": {"ProvisionedConcurrentExecutions": {"Ref": "Ready"}},'
        ' "SnapStart": {"ApplyOn": "PublishedVersions"}, "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"},'
        ' "DurableConfig": {"ExecutionTimeout": 60}, "FileSystemConfigs": [{"Arn": "x"}]}'
    )
    found = features_of(text, {"Most": "12"}, Parameters=parameters)
    assert found == Features(
        logical_id="Place",
        memory=1024,
        architecture="arm64",
        reserved=12,
        provisioned=3,
        snap_start=True,
        tenants=True,
        durable=True,
        file_systems=True,
    )


def test_what_only_the_deployment_knows_is_unknown() -> None:
    found = features_of('{"Provisioned": {"ProvisionedConcurrentExecutions": {"Fn::ImportValue": "x"}}}')
    assert found.unknown == ("ProvisionedConcurrencyConfig",)
    absent = features_of(
        '{"Provisioned": {"Fn::If": ["No", {"ProvisionedConcurrentExecutions": 1}, '
        '{"Ref": "AWS::NoValue"}]}}',
        Conditions={"No": {"Fn::Equals": ["a", "b"]}},
    )
    assert (absent.provisioned, absent.unknown) == (0, ())
