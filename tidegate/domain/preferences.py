"""SAM's deployment preferences as the defaults of a stage: the schedule, and alarms as an operator's limits.

Source: AWS SAM Developer Guide, "DeploymentPreference". Its hooks need CodeDeploy; the plan lists them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tidegate.domain.plans import AlarmLimit
from tidegate.domain.strategies import choose_slowest, parse_strategy
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.domain.config import StageConfig
    from tidegate.domain.templates.aliases import RolledFunction
    from tidegate.domain.templates.preparation import DeploymentPreference


class Preferences(NamedTuple):
    """What a template wishes: a strategy by name, whose it is, the limits, and what cannot be followed."""

    strategy: str | None = None
    source: str = ""
    limits: tuple[AlarmLimit, ...] = ()
    notices: tuple[str, ...] = ()

    def choose(
        self, own: StageConfig | None, config: StageConfig, *, production: bool
    ) -> tuple[str | None, str]:
        """A stage's strategy and whose it is: the template's in production, where tidegate.yaml is silent.

        `own` is what the file says of the stage, `config` the same with the defaults filled in.
        """
        silent = own is None or own.strategy is None
        if production and silent and self.strategy is not None:
            return self.strategy, self.source
        return config.strategy, ""


def read_preferences(functions: Iterable[RolledFunction]) -> Preferences:
    """The preferences of the functions that shift; one that is not enabled counts for nothing."""
    found = {f.logical_id: f.preference for f in functions if f.preference and f.preference.enabled}
    kinds = {name: preference.kind for name, preference in found.items() if preference.kind}
    unknown = {name: kind for name, kind in kinds.items() if not _is_known(kind)}
    known = {name: kind for name, kind in kinds.items() if name not in unknown}
    strategy = choose_slowest(set(known.values()))
    of = list_names([name for name, kind in known.items() if kind == strategy])
    alarms = [_limit(alarm) for preference in found.values() for alarm in preference.alarms]
    limits = {limit for limit in alarms if limit is not None}
    return Preferences(
        strategy=strategy,
        source=f" (DeploymentPreference of {of})" if strategy else "",
        limits=tuple(sorted(limits, key=str)),
        notices=(
            *(
                f"{name}: its deployment configuration {kind} is none of CodeDeploy's own and is not followed"
                for name, kind in unknown.items()
            ),
            *_unread(found),
        ),
    )


def _is_known(kind: str) -> bool:
    try:
        parse_strategy(kind)
    except ValueError:
        return False
    return True


def _limit(alarm: object) -> AlarmLimit | None:
    if isinstance(alarm, str):
        return AlarmLimit(name=alarm)
    if isinstance(alarm, dict) and isinstance(alarm.get("Ref"), str):
        return AlarmLimit(logical_id=alarm["Ref"])
    return None


def _unread(found: dict[str, DeploymentPreference]) -> Iterable[str]:
    for name, preference in found.items():
        for alarm in preference.alarms:
            if _limit(alarm) is None:
                yield f"{name}: the alarm {alarm} of its DeploymentPreference is neither a name nor a Ref"
