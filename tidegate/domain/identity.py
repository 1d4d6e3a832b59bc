"""Who and what a release is: the commit that started it, its id, and the names derived from them.

Names must be the same for the same commit wherever they are made, since Step Functions refuses a second
execution of one name: that is what makes a repeated event a no-op.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,38}[a-z0-9]$")]
CommitId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
StageName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,18}[a-z0-9]$")]

SHORT: Final = 12  # hexadecimal digits of a commit id in names; 48 bits, far more than one service needs


class Frozen(BaseModel):
    """The base of every value: immutable, and unknown keys are refused.

    A validator is made when it is first used: a task that starts cold needs few of those that it imports.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class BundleLocation(Frozen):
    """Where a commit's git bundle lies in the source bucket."""

    bucket: str
    key: str
    version_id: str = ""


class Commit(Frozen):
    """A commit of a service on a branch, and where its source can be had."""

    service: ServiceName
    id: CommitId
    branch: str
    bundle: BundleLocation | None = None


class ReleaseRef(Frozen):
    """What every state carries: which release, run by which execution, under which epoch of the claim."""

    service: ServiceName
    id: str = Field(pattern=r"^[0-9a-f]{12}-[0-9]+$")
    execution: str
    epoch: int = Field(ge=0)
    opened_at: datetime


def release_id(commit: Commit, attempt: int) -> str:
    """The release's id, unique within its service: `<12 hex digits of the commit>-<attempt>`."""
    return f"{commit.id[:SHORT]}-{attempt}"


def execution_name(commit: Commit, attempt: int) -> str:
    """The execution's name, at most 80 characters (Step Functions' StartExecution)."""
    return f"{commit.service}-{release_id(commit, attempt)}"


def bundle_key(service: str, branch: str, commit: str) -> str:
    """The key of a commit's bundle in the source bucket; a branch's slashes become part of the path."""
    return f"{service}/{branch}/{commit}.bundle"


def parse_bundle_key(key: str) -> tuple[str, str, str] | None:
    """(service, branch, commit) of a bundle's key, or None where the key is no bundle's."""
    match = re.fullmatch(r"([^/]+)/(.+)/([0-9a-f]{40}(?:[0-9a-f]{24})?)\.bundle", key)
    return (match[1], match[2], match[3]) if match else None
