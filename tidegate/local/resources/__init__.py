"""The resource types of the local cloud's CloudFormation, one module per service.

Each module lists its types in `KINDS`; a new type is a class there, a new service a module in `MODULES`.
What is in none of them falls to moto's own models (`emulated`), and what moto lacks too is refused by name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

MODULES: Final = (
    "markers",
    "lambda_functions",
    "lambda_versions",
    "lambda_access",
    "lambda_triggers",
    "lambda_layers",
    "queues",
    "topics",
    "buckets",
    "tables",
    "global_tables",
    "roles",
    "policies",
    "rules",
    "logs",
    "alarms",
    "parameters",
    "secrets",
    "keys",
    "schedules",
    "state_machines",
    "rest_apis",
    "rest_methods",
    "rest_access",
    "http_apis",
    "user_pools",
    "graphql_apis",
    "appconfig",
    "codebuild",
    "pipes",
    "systems",
    "nested",
    "custom",
)


def install(cloud: LocalCloud) -> None:
    """Register every type, and mend what of moto stands in the way of creating one."""
    from tidegate.local.resources import repairs

    repairs.install(cloud)
    load()


def load() -> None:
    """Register every type."""
    from tidegate.local.resources import kinds

    for name in MODULES:
        module = importlib.import_module(f"tidegate.local.resources.{name}")
        kinds.register(*module.KINDS)
