from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.errors import MalformedEvent
from tidegate.domain.identity import bundle_key
from tidegate.domain.intake import Bounds, Ignored, Push, normalize
from tidegate.domain.origins import Origin, Origins, service_name

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BUCKET = "sources"
ORDERS = Origin(host="codecommit", name="Orders_Service", service="orders-service", branches=("main",))
BOUNDS = Bounds(
    branches=frozenset({"main", "release/1.x"}), source_bucket=BUCKET, origins=Origins(repositories=(ORDERS,))
)
SAMPLES = Path(
    os.environ.get("TIDEGATE_SAMPLES", Path(__file__).parents[3] / "shared" / "events" / "eventbridge")
)


def object_created(key: str, bucket: str = BUCKET) -> dict:
    detail = {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "version-id": "v1"}}
    return {"id": "e1", "source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def repository_change(**changes: str) -> dict:
    detail = {
        "event": "referenceUpdated",
        "repositoryName": "Orders_Service",
        "referenceType": "branch",
        "referenceName": "main",
        "commitId": COMMIT,
        **changes,
    }
    source = "aws.codecommit"
    return {"source": source, "detail-type": "CodeCommit Repository State Change", "detail": detail}


def commit_pushed(**changes: object) -> dict:
    detail = {"service": "orders", "commit": COMMIT, "branch": "main", **changes}
    return {"source": "tidegate", "detail-type": "Commit Pushed", "detail": detail}


def test_a_bundle_in_the_source_bucket_is_a_push() -> None:
    key = bundle_key("orders", "release/1.x", COMMIT)
    push = normalize(object_created(key), BOUNDS)
    assert isinstance(push, Push)
    assert (push.commit.service, push.commit.branch, push.attempt) == ("orders", "release/1.x", 1)
    assert push.commit.bundle is not None
    assert (push.commit.bundle.key, push.commit.bundle.version_id) == (key, "")


def test_the_same_bundle_written_again_is_the_same_push() -> None:
    first, second = (object_created(bundle_key("orders", "main", COMMIT)) for _ in range(2))
    second["id"], second["detail"]["object"]["version-id"] = "e2", "v2"
    assert normalize(first, BOUNDS) == normalize(second, BOUNDS)


def test_a_moved_codecommit_branch_is_a_push() -> None:
    push = normalize(repository_change(), BOUNDS)
    assert isinstance(push, Push)
    assert (push.commit.service, push.commit.id, push.commit.bundle) == ("orders-service", COMMIT, None)


def test_a_retry_carries_its_attempt() -> None:
    push = normalize(commit_pushed(attempt=3), BOUNDS)
    assert isinstance(push, Push)
    assert push.attempt == 3


def test_a_pushed_bundle_loses_its_version() -> None:
    bundle = {"bucket": BUCKET, "key": bundle_key("orders", "main", COMMIT), "version_id": "v7"}
    push = normalize(commit_pushed(bundle=bundle), BOUNDS)
    assert push == normalize(object_created(bundle["key"]), BOUNDS)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (object_created("notes.txt"), "is no bundle"),
        (object_created(f"Orders/main/{COMMIT}.bundle"), "is no service name"),
        (object_created(bundle_key("orders", "main", COMMIT), "other"), "not the source bucket"),
        (object_created("a%2Fmain%2F" + COMMIT + ".bundle"), "is no bundle"),
        (object_created(bundle_key("orders-service", "release/1.x", COMMIT)), r"(configured: main)"),
        (object_created(bundle_key("orders", "topic", COMMIT)), "branch topic is not configured"),
        (repository_change(event="referenceDeleted"), "was deleted"),
        (repository_change(event="unreferencedMergeCommitCreated"), "moves no branch"),
        (repository_change(referenceType="tag", referenceName="v1"), "v1 is a tag"),
        (repository_change(commitId="3e5983DESTINATION"), "no full commit id"),
        (repository_change(repositoryName="Other"), "repository Other is not configured"),
        (repository_change(referenceName="topic"), "branch topic is not configured"),
        ({"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}}, "is no push"),
    ],
)
def test_what_is_no_release_is_ignored_with_its_reason(event: dict, reason: str) -> None:
    answer = normalize(event, BOUNDS)
    assert isinstance(answer, Ignored)
    assert reason in answer.reason


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({}, "source is missing"),
        ({"source": "aws.s3"}, "detail-type is missing"),
        ({"source": "aws.s3", "detail-type": "Object Created"}, "detail is missing"),
        ({"source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": "b"}}, "bucket.name"),
        (repository_change(commitId=""), "commitId is missing"),
        (commit_pushed(service="No Service"), "service"),
        (commit_pushed(commit="HEAD"), "no full commit id"),
        (commit_pushed(attempt=0), "attempt"),
        (commit_pushed(attempt="2"), "attempt"),
        (commit_pushed(more="x"), "more"),
        (commit_pushed(bundle={"bucket": "other", "key": "k"}), "bundles lie in sources"),
    ],
)
def test_a_broken_event_is_malformed_and_says_where(event: dict, reason: str) -> None:
    with pytest.raises(MalformedEvent, match=reason):
        normalize(event, BOUNDS)


TEXT = st.text("aZ0-/. é", max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "key"]), inner),
    max_leaves=4,
)


@given(
    kind=st.sampled_from([object_created("k"), repository_change(), commit_pushed()]),
    detail=st.dictionaries(
        st.sampled_from(["bucket", "object", "event", "commitId", "service", "commit", "branch", "attempt"]),
        JSON,
    ),
)
def test_any_detail_is_a_push_ignored_or_malformed(kind: dict, detail: dict) -> None:
    with suppress(MalformedEvent):
        answer = normalize({**kind, "detail": detail}, BOUNDS)
        assert isinstance(answer, Push) or answer.reason


@given(TEXT)
def test_a_service_name_is_a_fixed_point(name: str) -> None:
    service = service_name(name)
    assert service is None or service_name(service) == service


@pytest.mark.conformance
@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not beside the checkout")
def test_documented_events_are_understood() -> None:
    demo = Origin(host="codecommit", name="MyDemoRepo", service="demo", branches=("main", "myBranch"))
    bounds = Bounds(
        branches=frozenset({"main"}),
        source_bucket="DOC-EXAMPLE-BUCKET1",
        origins=Origins(repositories=(demo,)),
    )
    events = {path.name: json.loads(path.read_text()) for path in sorted(SAMPLES.glob("[a-z]*.json"))}
    answers = {name: normalize(event, bounds) for name, event in events.items()}
    assert len(answers) >= 40
    # Every commit id in the documentation is shortened, so none of the samples can be released as it stands.
    assert all(isinstance(answer, Ignored) and answer.reason for answer in answers.values())
    moved = {name for name, answer in answers.items() if "no full commit id" in answer.reason}
    for name in moved:
        detail = {**events[name]["detail"], "commitId": COMMIT}
        push = normalize({**events[name], "detail": detail}, bounds)
        assert isinstance(push, Push)
        assert (push.commit.service, push.commit.branch) == ("demo", detail["referenceName"])
    assert moved
    other = normalize(events["codecommit_01.json"], BOUNDS)
    assert isinstance(other, Ignored)
    assert "repository MyDemoRepo is not configured" in other.reason
    assert "no full commit id" in answers["codecommit_01.json"].reason
    assert "no bundle" in answers["s3_01.json"].reason
    assert "was deleted" in answers["codecommit_03.json"].reason
