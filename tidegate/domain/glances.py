"""A plan seen by who has no time for all of it: what a diagnosis goes by before it restores traffic.

Reads plan.json as `plans.Plan` writes it, and passes over what it does not name.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tidegate.domain.config import StageConfig


class Glance(BaseModel):
    """The base: immutable, and other keys are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class FunctionGlance(Glance):
    """A function, with the artifacts that it has after and before the release."""

    logical_id: str
    artifact: str | None
    previous_artifact: str | None


class ChangeGlance(Glance):
    """A resource that changes."""

    logical_id: str
    type: str


class StageGlance(Glance):
    """One stage of the plan."""

    stage: str
    config: StageConfig
    functions: tuple[FunctionGlance, ...] = ()
    changes: tuple[ChangeGlance, ...] = ()


class PlanGlance(Glance):
    """The stages of the plan."""

    stages: tuple[StageGlance, ...]

    def find(self, name: str) -> StageGlance | None:
        """The stage of that name, if the release goes there."""
        return next((stage for stage in self.stages if stage.stage == name), None)
