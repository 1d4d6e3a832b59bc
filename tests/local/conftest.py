"""One local cloud per worker session; tests keep apart by names of their own."""

from __future__ import annotations

import importlib.util
import uuid
from typing import TYPE_CHECKING

import pytest

from tidegate.local.cloud import EXTENSIONS, LocalCloud

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    own = [
        name
        for name in EXTENSIONS
        if name.rpartition(".")[2] in {"functions", "mappings", "jsonata", "machines", "events", "alarms"}
    ]
    present = [name for name in own if importlib.util.find_spec(name)]
    with LocalCloud(tmp_path_factory.mktemp("cloud"), pace=0.02, extensions=present) as running:
        yield running


@pytest.fixture
def unique() -> str:
    return f"t{uuid.uuid4().hex[:10]}"
