"""A stack of the local cloud for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.local.stack_driver import Driver

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud


@pytest.fixture
def stack(cloud: LocalCloud, unique: str) -> Driver:
    return Driver(cloud, unique)
