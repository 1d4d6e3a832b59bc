"""Where a commit's bytes are taken from: its bundle, or the repository of its service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.checkouts import download_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.domain.identity import Commit
    from tidegate.task import Tools


def fetch_source(commit: Commit, tools: Tools, file: Path) -> None:
    """Write the commit's bundle to a file; a commit that came as a bundle is taken from there."""
    origin = tools.settings.origins.of_service(commit.service)
    if commit.bundle is None and origin is not None:
        tools.hosts.fetch(origin, commit, file)
    else:
        download_bundle(tools.sources, commit, file)
