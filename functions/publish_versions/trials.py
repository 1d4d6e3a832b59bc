"""The trial that the versions will stand: what is known of the stable ones, and who watches both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.publish_versions.gauges import place_gauges
from tidegate.adapters.history import read_history
from tidegate.adapters.plans import read_snapshot
from tidegate.adapters.profiles import read_profiles
from tidegate.adapters.telemetry import arm
from tidegate.adapters.trials import find_trial, write_trial
from tidegate.domain.errors import VersionsPending
from tidegate.domain.observing import METRICS_DELAY
from tidegate.domain.rollouts import pace
from tidegate.domain.trials import TELEMETRY_DELAY, Trial, begin_trial
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.domain.rollouts import Rollout
    from tidegate.task import Tools


def open_trial(ref: ReleaseRef, plan: StagePlan, rollout: Rollout, tools: Tools) -> Trial | None:
    """The trial; one that is open already is what a retry goes on with. None where nothing shifts.

    Logs are watched where traffic will be split; whatever cannot be watched is told and left to the metrics.
    Raises VersionsPending where there are more functions than one invocation can see to.
    """
    found = find_trial(tools.documents, ref, rollout.stage)
    if found is not None or not rollout.functions:
        return found
    stage, now = tools.stage(rollout.stage), tools.now()
    factor = tools.settings.pace
    profiles = read_profiles(stage.functions, rollout.functions)
    history = read_history(stage.cloudwatch, rollout.functions, profiles, now)
    unwatched: dict[str, str] = {}
    delay = METRICS_DELAY * factor + tools.settings.metric_period
    if plan.config.rollout.shifts and not rollout.undivided:
        mark = read_snapshot(tools.documents, ref).config.failure_mark
        armings = arm(stage, ref, rollout.functions, profiles, mark, now, factor)
        if len(armings) < len(rollout.functions):
            message = f"{len(armings)} of {len(rollout.functions)} functions are watched"
            raise VersionsPending(message)
        unwatched = {arming.function: arming.reason for arming in armings if not arming.armed}
        delay = delay if unwatched else TELEMETRY_DELAY * factor
    config = pace(plan.config, factor)
    ungauged = place_gauges(ref, plan, rollout, tools).unread
    trial = begin_trial(config, history, now, delay)
    trial = trial.model_copy(update={"unwatched": unwatched, "ungauged": ungauged})
    return write_trial(tools.documents, ref, rollout.stage, trial)


def describe_trial(trial: Trial | None) -> tuple[str, dict[str, Any]]:
    """What of the trial is not as it could be: as it goes on a sentence, and for the ledger's evidence."""
    said = ""
    if trial and trial.unwatched:
        name, reason = next(iter(trial.unwatched.items()))
        said += f"; the slower metrics serve {list_names(list(trial.unwatched))} ({name}: {reason})"
    if trial and trial.ungauged:
        said += f"; not observed: {list_names(trial.ungauged)}"
    unwatched, ungauged = (trial.unwatched, list(trial.ungauged)) if trial else ({}, [])
    return said, {"served by metrics": unwatched, "not observed": ungauged}
