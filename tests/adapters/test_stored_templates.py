from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from tidegate.adapters.documents import Documents
from tidegate.adapters.stored_templates import bring_template, check_children
from tidegate.domain.errors import ArtifactAltered
from tidegate.domain.templates.tree import dump, link

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "releases/shop/1/stages/production/template.json"


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Documents, Documents]]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        for name in ("pipeline", "stage"):
            client.create_bucket(Bucket=name)
        yield Documents(client, "pipeline"), Documents(client, "stage")


def nest(*resources: str) -> dict[str, Any]:
    return {"Resources": {name: {"Type": "AWS::CloudFormation::Stack"} for name in resources}}


def store(origin: Documents, target: Documents) -> list[str]:
    """A tree of three; gives the keys of what is nested, the deepest one last."""
    trees = {"": nest("Orders"), "Orders": nest("Parts"), "Orders/Parts": nest()}
    linked = link(trees, target.url)
    origin.write_bytes(KEY, dump(linked.root))
    target.write_bytes(KEY, b"evil")
    for key, body in linked.bodies.items():
        target.write_bytes(key, body)
    return sorted(linked.bodies, key=lambda key: -len(linked.bodies[key]))


def test_what_was_planned_is_what_is_read(buckets: tuple[Documents, Documents]) -> None:
    origin, target = buckets
    store(origin, target)
    bring_template(origin, target, KEY)
    assert target.find_bytes(KEY) == origin.find_bytes(KEY)
    with pytest.raises(LookupError, match="does not exist"):
        bring_template(origin, target, "releases/shop/2/template.json")


@pytest.mark.parametrize("place", [0, 1])
def test_a_nested_template_that_is_not_what_its_name_says_is_refused(
    buckets: tuple[Documents, Documents], place: int
) -> None:
    origin, target = buckets
    key = store(origin, target)[place]
    target.write_bytes(key, json.dumps(nest("Evil")).encode())
    with pytest.raises(ArtifactAltered, match=f"{key} has the SHA-256"):
        bring_template(origin, target, KEY)
    target.client.delete_object(Bucket=target.bucket, Key=key)
    with pytest.raises(ArtifactAltered, match=f"{key} does not exist any more"):
        check_children(target, origin.find_bytes(KEY) or b"")


def test_templates_of_somebody_else_are_left_alone(buckets: tuple[Documents, Documents]) -> None:
    address = f"https://elsewhere.s3.amazonaws.com/packages/{'a' * 64}.json"
    check_children(buckets[1], json.dumps({"TemplateURL": address}).encode())
