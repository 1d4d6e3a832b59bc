"""The builder of a share: of zips, and, made when the first of them is built, of images."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tidegate.adapters.builds import Builder

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.adapters.errand_results import Errands
    from tidegate.adapters.image_builds import ImageBuilder
    from tidegate.domain.snapshots import Snapshot
    from tidegate.task import Tools


def open_builder(
    tools: Tools, source_key: str, snapshot: Snapshot, folder: Path, errands: Errands
) -> Builder:
    """A builder of a snapshot's artifacts that works in a folder."""
    images = partial(_open_image_builder, tools, folder)
    return Builder(tools.documents, source_key, snapshot, folder, errands, images)


def _open_image_builder(tools: Tools, folder: Path) -> ImageBuilder:
    from tidegate.adapters.image_builds import ImageBuilder

    return ImageBuilder(tools.documents, tools.registry, tools.settings.images, folder)
