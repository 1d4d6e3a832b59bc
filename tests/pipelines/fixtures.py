"""The one cloud of a worker, and a service that the tests of a module share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipelines.clouds import Cloud
from tests.pipelines.services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

# Fixtures of a session that two folders import are two; the cloud is one for both.
RUNNING: list[Cloud] = []


@pytest.fixture(scope="session")
def pipeline_cloud(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Cloud:
    if not RUNNING:
        cloud = Cloud(tmp_path_factory.mktemp("pipeline"))
        pytestconfig.add_cleanup(cloud.close)
        RUNNING.append(cloud)
    return RUNNING[0]


@pytest.fixture(scope="module")
def shared(pipeline_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service with a healthy release in both stages, which every test leaves as healthy."""
    service = Service(pipeline_cloud, tmp_path_factory.mktemp("service"), ("Front", "Back"))
    service.release_good()
    return service


@pytest.fixture
def service(shared: Service) -> Iterator[Service]:
    yield shared
    shared.cloud.order()
    shared.reset()


@pytest.fixture
def fresh(pipeline_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service that was never released, for the test alone."""
    return Service(pipeline_cloud, tmp_path_factory.mktemp("service"))
