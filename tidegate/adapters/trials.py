"""The document of a stage's trial, apart from the others: nothing that restores traffic needs the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.documents import Documents, stage_prefix
from tidegate.domain.trials import Trial

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef


def write_trial(documents: Documents, ref: ReleaseRef, stage: str, trial: Trial) -> Trial:
    """Store what is known of a stage's rollout, over what it was made of; gives the trial as it stands now.

    A task whose answer was given up runs on for minutes beside its retry: what it writes then must not take
    away a shift that has been made since. ClientError (PreconditionFailed) where another has written.
    """
    key = f"{stage_prefix(ref, stage)}trial.json"
    return trial.model_copy(update={"tag": documents.replace(key, trial, trial.tag)})


def find_trial(documents: Documents, ref: ReleaseRef, stage: str) -> Trial | None:
    """What is known of a stage's rollout, or None where its versions are not published yet."""
    found = documents.find_revision(f"{stage_prefix(ref, stage)}trial.json", Trial)
    return None if found is None else found[0].model_copy(update={"tag": found[1]})


def read_trial(documents: Documents, ref: ReleaseRef, stage: str) -> Trial:
    """The same where there must be one."""
    found = find_trial(documents, ref, stage)
    if found is None:
        message = f"release {ref.id} of {ref.service} has no trial in {stage}"
        raise LookupError(message)
    return found
