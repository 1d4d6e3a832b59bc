"""IAM's roles, listed whole while others are made: moto looks for a function's role in the living list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moto.iam.models import IAMBackend, Role

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud


def install(cloud: LocalCloud) -> None:
    """Replace moto's list by a copy."""

    def get_roles(backend: IAMBackend) -> list[Role]:
        return list(backend.roles.values())

    cloud.patch(IAMBackend, "get_roles", get_roles)
