"""Whole releases in a local cloud of the worker's own, see tests/pipelines."""

from tests.pipelines.fixtures import fresh, pipeline_cloud, service, shared

__all__ = ["fresh", "pipeline_cloud", "service", "shared"]
