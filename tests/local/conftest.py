"""One local cloud per worker session; tests keep apart by names of their own."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.local.stack_driver import Driver
from tidegate.local.cloud import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("cloud"), pace=0.02) as running:
        yield running


@pytest.fixture
def unique() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def stack(cloud: LocalCloud, unique: str) -> Driver:
    return Driver(cloud, unique)
