"""Which commit an event speaks of, and which events are not ours to act on.

Three sources: a bundle that appeared in the source bucket (Amazon S3 User Guide, "EventBridge event message
structure"), a branch that moved in CodeCommit (AWS CodeCommit User Guide, "Monitoring CodeCommit events") and
Tidegate's own `Commit Pushed`. What is neither a commit to release nor broken is `Ignored` with a reason.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, ValidationError

from tidegate.domain.errors import MalformedEvent
from tidegate.domain.identity import BundleLocation, Commit, Frozen, ServiceName, parse_bundle_key
from tidegate.domain.origins import Origins, service_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COMMIT_ID: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
MOVED: Final = frozenset({"referenceCreated", "referenceUpdated"})


class Ignored(Frozen):
    """An event that starts nothing, and why; the reason is logged."""

    reason: str


class Push(Frozen):
    """A commit to release; `attempt` grows with each `tidegate retry`."""

    commit: Commit
    attempt: int = Field(1, ge=1, le=9999)


class PushedDetail(Frozen):
    """The detail of Tidegate's own `Commit Pushed`."""

    service: ServiceName
    commit: str
    branch: str = Field(min_length=1)
    bundle: BundleLocation | None = None
    attempt: int = Field(1, ge=1, le=9999, strict=True)


class Bounds(Frozen):
    """What is taken in: one bucket's bundles; the branches of a service's repository, or else these."""

    branches: frozenset[str]
    source_bucket: str
    origins: Origins = Origins()

    def branches_of(self, service: str) -> frozenset[str]:
        """The branches of a service whose commits are released."""
        origin = self.origins.of_service(service)
        return frozenset(origin.branches) if origin else self.branches


def normalize(event: Mapping[str, Any], bounds: Bounds) -> Push | Ignored:
    """The push that an EventBridge event reports, or why it is ignored; MalformedEvent where it is broken."""
    kind = (_text(event, "source"), _text(event, "detail-type"))
    reader = READERS.get(kind)
    if reader is None:
        return Ignored(reason=f"{kind[1]} of {kind[0]} is no push")
    detail = event.get("detail")
    if not isinstance(detail, dict):
        raise MalformedEvent(f"{kind[1]}: detail is missing or no object")
    push = reader(detail, bounds)
    if isinstance(push, Ignored):
        return push
    branches = bounds.branches_of(push.commit.service)
    if push.commit.branch not in branches:
        known = ", ".join(sorted(branches)) or "none"
        return Ignored(reason=f"branch {push.commit.branch} is not configured (configured: {known})")
    return push


def _read_object_created(detail: Mapping[str, Any], bounds: Bounds) -> Push | Ignored:
    bucket, key = _text(detail, "bucket", "name"), _text(detail, "object", "key")
    if bucket != bounds.source_bucket:
        return Ignored(reason=f"bucket {bucket} is not the source bucket")
    parts = parse_bundle_key(key)
    if parts is None:
        return Ignored(reason=f"{key} is no bundle; those are named <service>/<branch>/<commit>.bundle")
    service, branch, commit = parts
    if service != service_name(service):
        return Ignored(reason=f"{key}: {service} is no service name")
    location = BundleLocation(bucket=bucket, key=key)
    return Push(commit=Commit(service=service, id=commit, branch=branch, bundle=location))


def _read_repository_change(detail: Mapping[str, Any], bounds: Bounds) -> Push | Ignored:
    happened = _text(detail, "event")
    if happened == "referenceDeleted":
        return Ignored(reason=f"{_text(detail, 'referenceName')} was deleted")
    if happened not in MOVED:
        return Ignored(reason=f"{happened} moves no branch")
    if _text(detail, "referenceType") != "branch":
        return Ignored(reason=f"{_text(detail, 'referenceName')} is a {_text(detail, 'referenceType')}")
    repository, commit = _text(detail, "repositoryName"), _text(detail, "commitId")
    origin = bounds.origins.of_repository("codecommit", repository)
    if origin is None:
        return Ignored(reason=f"repository {repository} is not configured")
    if COMMIT_ID.fullmatch(commit) is None:
        return Ignored(reason=f"{commit} is no full commit id")
    return Push(commit=Commit(service=origin.service, id=commit, branch=_text(detail, "referenceName")))


def _read_commit_pushed(detail: Mapping[str, Any], bounds: Bounds) -> Push | Ignored:
    try:
        pushed = PushedDetail.model_validate(detail)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise MalformedEvent(f"Commit Pushed: {place}: {first['msg']}") from error
    if COMMIT_ID.fullmatch(pushed.commit) is None:
        raise MalformedEvent(f"Commit Pushed: {pushed.commit!r} is no full commit id")
    if pushed.bundle is not None and pushed.bundle.bucket != bounds.source_bucket:
        raise MalformedEvent(
            f"Commit Pushed: bundles lie in {bounds.source_bucket}, not in {pushed.bundle.bucket}"
        )
    # A bundle that is written again has another version and is still the same push.
    bundle = pushed.bundle and pushed.bundle.model_copy(update={"version_id": ""})
    commit = Commit(service=pushed.service, id=pushed.commit, branch=pushed.branch, bundle=bundle)
    return Push(commit=commit, attempt=pushed.attempt)


def _text(event: Mapping[str, Any], *path: str) -> str:
    value: Any = event
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str) or not value:
        raise MalformedEvent(f"{'.'.join(path)} is missing or no text")
    return value


READERS: Final[Mapping[tuple[str, str], Callable[[Mapping[str, Any], Bounds], Push | Ignored]]] = {
    ("aws.s3", "Object Created"): _read_object_created,
    ("aws.codecommit", "CodeCommit Repository State Change"): _read_repository_change,
    ("tidegate", "Commit Pushed"): _read_commit_pushed,
}
