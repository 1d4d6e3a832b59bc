"""The values of provisioned concurrency that templates, rollouts and the healthy state share.

They stand apart since all of these are read where nothing is known of how it is given; may import no rule.
"""

from __future__ import annotations

from typing import Any

from tidegate.domain.identity import Frozen


class Scaling(Frozen):
    """Automatic scaling between two amounts; policies and actions as Application Auto Scaling takes them."""

    minimum: int
    maximum: int
    policies: tuple[dict[str, Any], ...] = ()
    actions: tuple[dict[str, Any], ...] = ()


class Provided(Frozen):
    """What a release gave each version of a function: executions that are kept ready."""

    amount: int
    scaling: Scaling | None = None
