"""The local cloud with our own pipeline in it, as the verbs that bring their own cloud use it."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3

from tidegate.cli.local_state import NOBODY
from tidegate.cli.pipeline import Pipeline
from tidegate.local.assembly import STAGES, deploy, synthesize
from tidegate.local.cloud import EXTENSIONS, REGION, LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# Every duration of the pipeline is multiplied by this: a minute on AWS is a second here.
PACE: Final = 1 / 60


@contextmanager
def embed(
    tell: Callable[[str], None],
    port: int = 0,
    branches: tuple[str, ...] = ("main",),
    stages: tuple[str, ...] = STAGES,
    extensions: Sequence[str] = EXTENSIONS,
) -> Iterator[tuple[LocalCloud, Pipeline]]:
    """A running local cloud with the pipeline deployed; it and its files are gone afterwards."""
    tell("synthesizing the pipeline's own template")
    assembly = synthesize(PACE, branches, stages)
    home = Path(tempfile.mkdtemp(prefix="tidegate-"))
    cloud = LocalCloud(home, PACE, extensions)
    try:
        cloud.start(port)
        deploy(cloud, assembly, tell)
        session = boto3.Session(aws_access_key_id=NOBODY, aws_secret_access_key=NOBODY, region_name=REGION)
        yield cloud, Pipeline.find(session, endpoint_url=cloud.endpoint_url)
    finally:
        cloud.stop()
        shutil.rmtree(home, ignore_errors=True)
