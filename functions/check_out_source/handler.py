"""Takes a commit's source out of its bundle or repository, and stores its snapshot for what follows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from functions.check_out_source.sources import fetch_source
from tidegate.adapters.bases import Bases
from tidegate.adapters.checkouts import check_out
from tidegate.adapters.declarations import check_stages
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.projects import Override
from tidegate.adapters.snapshots import take_snapshot
from tidegate.domain.identity import SHORT, Commit, Frozen, ReleaseRef
from tidegate.task import Tools, task


class Request(Frozen):
    """The release, and the commit that it releases."""

    release: ReleaseRef
    commit: Commit


class Response(Frozen):
    """How many builds are needed (each makes its share), for how many functions, and whether it has tests."""

    to_build: int
    functions: int
    has_tests: bool


def handle(request: Request, tools: Tools) -> Response:
    """Store source.zip and snapshot.json; the commit's bytes are checked against its id on the way."""
    prefix, settings = release_prefix(request.release), tools.settings
    with TemporaryDirectory(prefix="tidegate-") as name:
        bundle, source = Path(name) / "commit.bundle", Path(name) / "source.zip"
        fetch_source(request.commit, tools, bundle)
        with check_out(bundle, request.commit.id) as checkout:
            override = Override(settings.build_runtime, settings.build_architecture, settings.build_images)
            bases = Bases(lambda: tools.registry, settings.images)
            snapshot = take_snapshot(checkout, request.commit, tools.documents, override, bases)
            stages = tuple(stage.name for stage in settings.stages)
            check_stages(checkout, snapshot.config, (*stages, *settings.other_stages))
            checkout.write_zip(source)
            tools.documents.upload(f"{prefix}source.zip", source)
    tools.documents.write(f"{prefix}snapshot.json", snapshot)
    built, functions = len(snapshot.to_build), len(snapshot.functions)
    what = f"checked out {request.commit.id[:SHORT]}: {functions} functions, {built} artifacts to build"
    tools.record(
        request.release, "CheckOutSource", what, evidence={"notes": snapshot.notes, "to_build": built}
    )
    return Response(to_build=snapshot.builds, functions=functions, has_tests=snapshot.has_tests)


handler = task(Request, handle)
