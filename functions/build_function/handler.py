"""Builds a share of a snapshot's artifacts, those that do not stand already; CodeBuild makes some of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pydantic import Field

from functions.build_function.builders import open_builder
from functions.build_function.entries import tell_artifact
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.errand_results import Errands
from tidegate.adapters.errands import Share
from tidegate.domain.errors import BuildsElsewhere, BuildsPending
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.snapshots import Snapshot
from tidegate.task import Tools, task

# Of the quarter of an hour that an invocation has; the rest is for the build that is begun last.
LONGEST: Final = timedelta(seconds=400)


class Request(Frozen):
    """The release, and which of its snapshot's builds."""

    release: ReleaseRef
    index: int = Field(ge=0)


class Response(Frozen):
    """How many artifacts the build's share has, and how many of them this call built."""

    artifacts: int
    built: int


def handle(request: Request, tools: Tools) -> Response:
    """Build the share, each record written last; BuildsPending where that takes more than one invocation.

    BuildsElsewhere leaves once nothing is left but what CodeBuild makes; what it has made is taken in.
    """
    prefix, documents, until = release_prefix(request.release), tools.documents, tools.now() + LONGEST
    snapshot = documents.read(f"{prefix}snapshot.json", Snapshot)
    keys, built, missing = snapshot.share(request.index), 0, 0
    share = Share(request.release, request.index, snapshot)
    errands = Errands(share, documents, tools.ledger, lambda: tools.builds, lambda: tools.build_logs)
    with TemporaryDirectory(prefix="tidegate-") as folder:
        builder = open_builder(tools, f"{prefix}source.zip", snapshot, Path(folder), errands)
        for number, key in enumerate(keys):
            if tools.now() > until:
                message = f"{len(keys) - number} of {len(keys)} artifacts are still to be built"
                raise BuildsPending(message)
            new = builder.build(key)
            if new is None:
                missing += 1
                continue
            built += new
            tell_artifact(share, key, tools, errands.find_build(key) if new else None, new=new)
    if missing:
        raise BuildsElsewhere(f"{missing} of {len(keys)} artifacts are made by CodeBuild")
    return Response(artifacts=len(keys), built=built)


handler = task(Request, handle)
