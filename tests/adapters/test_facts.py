"""The preflight's facts: what is read of a function, in how many calls, for a thousand of them too."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.adapters.test_pacing import Time
from tidegate.adapters.facts import Subject, gather_facts
from tidegate.adapters.pacing import Pacer
from tidegate.domain.preflight import VersionFacts
from tidegate.domain.rollouts import Pointing

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.rollouts import RollingFunction

COUNT = 1_000


@pytest.fixture
def function(scene: Scene) -> RollingFunction:
    return scene.function(versions=2)


def subject(function: RollingFunction, **changes: Any) -> Subject:
    values = {"logical_id": "Place", "name": function.name, "alias": "live"}
    return Subject.model_validate(values | changes)


def test_a_plain_function_is_described(scene: Scene, function: RollingFunction) -> None:
    found = gather_facts(scene.lambdas, scene.cloud.client("application-autoscaling"), [subject(function)])[
        "Place"
    ]
    role = scene.tools.settings.stages[0].deploy_role
    assert found.latest == VersionFacts(version="$LATEST", role=role)
    assert found.stable == VersionFacts(version="1", role=role)
    assert found.pointing == Pointing(version="1")
    assert (found.reserved, found.provisioned, found.permissions) == (None, {}, ())
    assert (found.mappings, found.invoke_configs) == ((), ())


def test_everything_that_matters_is_found(scene: Scene, function: RollingFunction) -> None:
    client, name = scene.lambdas, function.name
    scene.move(function, "1", v2=0.25)
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=4)
    client.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier="2", ProvisionedConcurrentExecutions=3
    )
    for qualifier in ({}, {"Qualifier": "live"}):
        client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0, **qualifier)
    for sid, target in (("a", {}), ("b", {}), ("c", {"Qualifier": "live"})):
        client.add_permission(
            FunctionName=name,
            StatementId=sid,
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com" if sid != "b" else "s3.amazonaws.com",
            **target,
        )
    queue = scene.cloud.client("sqs").create_queue(QueueName=scene.unique)["QueueUrl"]
    arn = scene.cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    mapping = client.create_event_source_mapping(
        FunctionName=name, EventSourceArn=arn["Attributes"]["QueueArn"]
    )
    found = gather_facts(client, scene.cloud.client("application-autoscaling"), [subject(function)])["Place"]
    client.delete_event_source_mapping(UUID=mapping["UUID"])
    assert found.pointing == Pointing(version="1", weights={"2": 0.25})
    assert (found.reserved, found.provisioned) == (4, {"2": 3})
    assert found.invoke_configs == ("$LATEST", "live")
    assert found.mappings == (mapping["UUID"],)
    assert [(one.sid, one.principal) for one in found.permissions] == [
        ("a", "sns.amazonaws.com"),
        ("b", "s3.amazonaws.com"),
    ]
    assert [one.grant for one in found.alias_permissions] == [found.permissions[0].grant]


def test_scaling_of_an_alias_is_found(scene: Scene, function: RollingFunction) -> None:
    scaling = scene.cloud.client("application-autoscaling")
    scene.lambdas.put_provisioned_concurrency_config(
        FunctionName=function.name, Qualifier="live", ProvisionedConcurrentExecutions=1
    )
    assert not gather_facts(scene.lambdas, scaling, [subject(function)])["Place"].scaled_alias
    scaling.register_scalable_target(
        ServiceNamespace="lambda",
        ResourceId=f"function:{function.name}:live",
        ScalableDimension="lambda:function:ProvisionedConcurrency",
        MinCapacity=1,
        MaxCapacity=2,
    )
    assert gather_facts(scene.lambdas, scaling, [subject(function)])["Place"].scaled_alias


def test_what_does_not_exist_is_left_out_and_an_alias_may_be_missing(
    scene: Scene, function: RollingFunction
) -> None:
    absent = Subject(logical_id="Gone", name=f"{scene.unique}-gone", alias="live")
    found = gather_facts(
        scene.lambdas,
        scene.cloud.client("application-autoscaling"),
        [subject(function, alias="other"), absent],
    )
    assert list(found) == ["Place"]
    assert (found["Place"].pointing, found["Place"].stable) == (None, None)
    assert gather_facts(scene.lambdas, None, []) == {}


class Account:
    """A Lambda of very many functions that counts its calls, each of them paced by a clock of its own."""

    def __init__(self, functions: int) -> None:
        self.calls: Counter[str] = Counter()
        self.time = Time()
        self.pacer = Pacer(self.time.bucket)
        self.mappings = [
            {"UUID": f"u-{index}", "FunctionArn": f"arn:aws:lambda:us-east-1:1:function:f-{index}"}
            for index in range(functions)
        ]

    def _call(self, name: str) -> None:
        self.calls[name] += 1
        self.pacer.take(name)

    def get_function(self, **_: Any) -> dict[str, Any]:
        self._call("GetFunction")
        return {"Configuration": {"Version": "$LATEST"}}

    def get_alias(self, **_: Any) -> dict[str, Any]:
        self._call("GetAlias")
        return {"FunctionVersion": "1", "RevisionId": "r"}

    def get_policy(self, **_: Any) -> dict[str, Any]:
        self._call("GetPolicy")
        statement = {"Sid": "s", "Principal": "*", "Effect": "Allow", "Action": "lambda:InvokeFunction"}
        return {"Policy": json.dumps({"Statement": [statement]})}

    def get_paginator(self, name: str) -> Account.Pages:
        return Account.Pages(self, name)

    class Pages:
        def __init__(self, account: Account, name: str) -> None:
            self.account, self.name = account, name

        def paginate(self, **_: Any) -> Any:
            if self.name != "list_event_source_mappings":
                self.account._call(self.name)
                yield {"ProvisionedConcurrencyConfigs": [], "FunctionEventInvokeConfigs": []}
                return
            for start in range(0, len(self.account.mappings), 100):
                self.account._call(self.name)
                yield {"EventSourceMappings": self.account.mappings[start : start + 100]}


def test_a_thousand_functions_take_a_few_calls_each_within_the_quotas() -> None:
    account: Any = Account(COUNT)
    subjects = [Subject(logical_id=f"F{i}", name=f"f-{i}", alias="live") for i in range(COUNT)]
    found = gather_facts(account, None, subjects)
    assert len(found) == COUNT
    assert found["F999"].mappings == ("u-999",)
    assert account.calls["list_event_source_mappings"] == COUNT / 100
    assert account.calls["GetFunction"] == 2 * COUNT
    assert account.calls["GetPolicy"] == 2 * COUNT
    shared = {name: n for name, n in account.calls.items() if name not in {"GetFunction", "GetPolicy"}}
    assert sum(shared.values()) == 3 * COUNT + COUNT / 100


def test_another_fault_passes(scene: Scene) -> None:
    class Refusing:
        def get_paginator(self, name: str) -> Any:
            return scene.lambdas.get_paginator(name)

        def get_function(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetFunction")

    client: Any = Refusing()
    with pytest.raises(ClientError, match="AccessDenied"):
        gather_facts(
            client,
            scene.cloud.client("application-autoscaling"),
            [Subject(logical_id="F", name="f", alias="live")],
        )
