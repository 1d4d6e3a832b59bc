"""A bucket of the test's own, for the tests of adapters that keep something in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from tidegate.adapters.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def documents(monkeypatch: pytest.MonkeyPatch) -> Iterator[Documents]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="eu-central-1")
        place = {"LocationConstraint": "eu-central-1"}
        client.create_bucket(Bucket="tidegate-artifacts", CreateBucketConfiguration=place)
        yield Documents(client, "tidegate-artifacts")
