"""DynamoDB's answers in the local cloud: what was put comes back, whichever way it is written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.local.dynamodb_answers import is_plain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tidegate.local.cloud import LocalCloud

TEXTS = st.text('abc é"\\', min_size=1, max_size=5)
SCALARS = st.one_of(
    TEXTS,
    st.booleans(),
    st.none(),
    st.integers(-(10**9), 10**9),
    st.binary(min_size=1, max_size=5),
    st.sets(TEXTS, min_size=1, max_size=3),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3))
)


@pytest.fixture(scope="module")
def client(cloud: LocalCloud) -> DynamoDBClient:
    client: DynamoDBClient = cloud.client("dynamodb")
    client.create_table(
        TableName="answers",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return client


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
def test_what_is_put_comes_back(client: DynamoDBClient, value: Any) -> None:
    put = TypeSerializer().serialize(value)
    client.put_item(TableName="answers", Item={"pk": {"S": "an item"}, "value": put})
    [found] = client.query(
        TableName="answers",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "an item"}},
    )["Items"]
    assert _ordered(found["value"]) == _ordered(put)


def _ordered(value: Any) -> Any:
    """Sets have no order."""
    [(kind, content)] = value.items()
    if kind == "M":
        return {name: _ordered(item) for name, item in content.items()}
    if kind == "L":
        return [_ordered(item) for item in content]
    return sorted(content) if kind in {"SS", "NS", "BS"} else content


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"S": "text"}, True),
        ({"M": {"a": {"L": [{"N": "1"}, {"NULL": True}]}}}, True),
        ({"M": {"a": {"L": [{"N": "1"}, {"B": b"bytes"}]}}}, False),
        ({"BS": [b"bytes"]}, False),
        ({}, False),
        ("text", False),
    ],
)
def test_binary_values_need_the_serializer(value: object, plain: bool) -> None:
    assert is_plain(value) is plain
