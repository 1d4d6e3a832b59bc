"""Provisioned and reserved concurrency, and resource policies, by the rules of Lambda."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.scene import eventually

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.rollouts import RollingFunction


@pytest.fixture
def function(scene: Scene) -> RollingFunction:
    return scene.function(versions=2)


def put(scene: Scene, name: str, qualifier: str, amount: int = 2) -> str:
    answer = scene.lambdas.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=amount
    )
    return answer["Status"]


def status(scene: Scene, name: str, qualifier: str) -> str:
    answer = scene.lambdas.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
    return answer["Status"]


def listed(scene: Scene, name: str) -> dict[str, int]:
    answer = scene.lambdas.list_provisioned_concurrency_configs(FunctionName=name)
    return {
        item["FunctionArn"].rpartition(":")[2]: item["RequestedProvisionedConcurrentExecutions"]
        for item in answer["ProvisionedConcurrencyConfigs"]
    }


def test_provisioned_concurrency_comes_gets_ready_and_goes(scene: Scene, function: RollingFunction) -> None:
    name = function.name
    assert put(scene, name, "1") == "IN_PROGRESS"
    assert listed(scene, name) == {"1": 2}
    eventually(lambda: status(scene, name, "1") == "READY")
    assert put(scene, name, "1") == "READY"
    assert put(scene, name, "1", 3) == "IN_PROGRESS"
    for _ in range(2):
        scene.lambdas.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    with pytest.raises(ClientError, match="ProvisionedConcurrencyConfigNotFound"):
        status(scene, name, "1")
    assert listed(scene, name) == {}


def test_that_of_an_alias_follows_it(scene: Scene, function: RollingFunction) -> None:
    name = function.name
    put(scene, name, "live")
    eventually(lambda: status(scene, name, "live") == "READY")
    scene.move(function, "2")
    assert status(scene, name, "live") == "IN_PROGRESS"


@pytest.mark.parametrize(
    ("qualifier", "amount", "message"),
    [
        ("$LATEST", 2, "unpublished function versions"),
        ("77", 2, "ResourceNotFound"),
        ("1", 0, "must be 1 or more|valid min value"),
        ("2", 2, "already"),
        ("live", 2, "Alias with weights can not be used with Provisioned Concurrency"),
        ("1", 5, "should not be greater than the reservedConcurrentExecution"),
        ("1", 9, "should not be greater than the reservedConcurrentExecution"),
    ],
)
def test_what_lambda_refuses_is_refused(
    scene: Scene, function: RollingFunction, qualifier: str, amount: int, message: str
) -> None:
    name = function.name
    if qualifier == "live":
        scene.move(function, "1", v2=0.5)
    else:
        scene.lambdas.create_alias(FunctionName=name, Name="other", FunctionVersion="2")
        put(scene, name, "other", 1)
        scene.lambdas.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)
    with pytest.raises((ClientError, Exception), match=message):
        put(scene, name, qualifier, amount)


def test_an_account_keeps_a_hundred_executions_unreserved(scene: Scene, function: RollingFunction) -> None:
    name = function.name
    with pytest.raises(ClientError, match="below its minimum value"):
        scene.lambdas.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=901)
    with pytest.raises(ClientError, match="below its minimum value"):
        put(scene, name, "1", 901)


def test_a_reservation_of_nothing_is_told_and_is_not_less_than_what_is_provisioned(
    scene: Scene, function: RollingFunction
) -> None:
    client, name = scene.lambdas, function.name
    put(scene, name, "1", 2)
    with pytest.raises(ClientError, match="less than its Provisioned"):
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    client.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="1")
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert client.get_function(FunctionName=name)["Concurrency"] == {"ReservedConcurrentExecutions": 0}
    assert client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 0
    client.delete_function_concurrency(FunctionName=name)
    assert "Concurrency" not in client.get_function(FunctionName=name)


def test_a_function_and_each_of_its_qualifiers_have_policies_of_their_own(
    scene: Scene, function: RollingFunction
) -> None:
    client, name = scene.lambdas, function.name
    grant: Any = {
        "FunctionName": name,
        "StatementId": "one",
        "Action": "lambda:InvokeFunction",
        "Principal": "sns.amazonaws.com",
    }
    client.add_permission(**grant)
    client.add_permission(**grant, Qualifier="live")
    with pytest.raises(ClientError, match="already exists"):
        client.add_permission(**grant)
    scene.move(function, "2")
    found = json.loads(client.get_policy(FunctionName=name, Qualifier="live")["Policy"])["Statement"]
    assert [(item["Sid"], item["Resource"].rpartition(":")[2]) for item in found] == [("one", "live")]
    client.remove_permission(FunctionName=name, StatementId="one", Qualifier="live")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        client.get_policy(FunctionName=name, Qualifier="live")
    assert "one" in client.get_policy(FunctionName=name)["Policy"]


def test_the_account_tells_its_limit_and_how_much_of_it_is_taken(
    scene: Scene, function: RollingFunction
) -> None:
    before = scene.lambdas.get_account_settings()["AccountLimit"]
    assert before["ConcurrentExecutions"] == 1000
    scene.lambdas.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=7)
    after = scene.lambdas.get_account_settings()["AccountLimit"]
    assert after["UnreservedConcurrentExecutions"] == before["UnreservedConcurrentExecutions"] - 7
    scene.lambdas.invoke(FunctionName=function.name)
    metric = {"Namespace": "AWS/Lambda", "MetricName": "ClaimedAccountConcurrency"}
    query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Maximum"}}
    now = datetime.now(UTC)
    answer = scene.cloud.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
    )
    assert max(answer["MetricDataResults"][0]["Values"]) >= 7
