"""The document of a stage's trial, apart from the others: nothing that restores traffic needs the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.documents import Documents, stage_prefix
from tidegate.domain.trials import Trial

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef


def write_trial(documents: Documents, ref: ReleaseRef, stage: str, trial: Trial) -> None:
    """Store what is known of a stage's rollout between two looks."""
    documents.write(f"{stage_prefix(ref, stage)}trial.json", trial)


def find_trial(documents: Documents, ref: ReleaseRef, stage: str) -> Trial | None:
    """What is known of a stage's rollout, or None where its versions are not published yet."""
    return documents.find(f"{stage_prefix(ref, stage)}trial.json", Trial)


def read_trial(documents: Documents, ref: ReleaseRef, stage: str) -> Trial:
    """The same where there must be one."""
    return documents.read(f"{stage_prefix(ref, stage)}trial.json", Trial)
