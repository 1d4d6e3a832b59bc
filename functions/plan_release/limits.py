"""The alarms that are to limit the rollout in a stage: which they are, and whether each of them is there.

A limit that is not there would never be broken, so the release is rejected before anything is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.plan_release.sides import know_values
from tidegate.adapters.limits import find_missing
from tidegate.domain.nesting import split
from tidegate.domain.plans import AlarmLimit
from tidegate.domain.preflight import Finding, Severity
from tidegate.domain.templates.template import properties_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from functions.plan_release.sides import TreeValues
    from functions.plan_release.stages import StageChange
    from tidegate.domain.templates.values import Values

ALARMS: Final = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")


def find_limits(
    change: StageChange, wished: Iterable[AlarmLimit]
) -> tuple[tuple[AlarmLimit, ...], tuple[Finding, ...]]:
    """The limits, with the names that parameters give, and a finding for each that neither stands nor comes.

    Without a stack nothing is compared yet, and the limits are left as they are.
    """
    values = know_values(change)
    if values is None:
        return tuple(wished), ()
    templates = {path: part.normalized.template for path, part in change.parts.items()}
    limits = [_name(limit, templates, values) for limit in wished]
    made = {name for path in templates for name in _list_made(templates[path], values.after(path))}
    named = sorted({limit.name for limit in limits if limit.name} - made)
    absent = [*_list_absent(limits, templates, values), *find_missing(change.stage.cloudwatch, named)]
    return tuple(limits), tuple(_refuse(name, change) for name in absent)


def _name(limit: AlarmLimit, templates: Mapping[str, Any], known: TreeValues) -> AlarmLimit:
    """The limit by its name where a parameter gives it and its value is known."""
    path, logical_id = split(limit.logical_id)
    if logical_id not in (templates[path].get("Parameters") or {}):
        return limit
    values = known.after(path)
    value = values.resolve({"Ref": logical_id})
    return AlarmLimit(name=str(value)) if values.is_known(value) else limit


def _list_made(template: Mapping[str, Any], values: Values) -> Iterator[str]:
    """The names that the template itself gives to alarms."""
    for logical_id, resource in template["Resources"].items():
        if resource.get("Type") in ALARMS and values.is_active(logical_id) is not False:
            yield str(values.resolve(properties_of(resource).get("AlarmName")))


def _list_absent(
    limits: Iterable[AlarmLimit], templates: Mapping[str, Any], known: TreeValues
) -> Iterator[str]:
    """The names that are no alarm of their template, or one that its condition leaves out."""
    for limit in limits:
        path, logical_id = split(limit.logical_id)
        resource = templates[path]["Resources"].get(logical_id, {})
        is_alarm = resource.get("Type") in ALARMS and known.after(path).is_active(logical_id) is not False
        if limit.logical_id and not is_alarm:
            yield limit.logical_id


def _refuse(name: str, change: StageChange) -> Finding:
    where = f"neither {change.target.account}/{change.target.region} nor the template"
    return Finding(
        logical_id=name,
        kind="limit",
        severity=Severity.REFUSE,
        what=f"a DeploymentPreference names it as a limit, and {where} has such an alarm",
        action="create it, or take it out of the Alarms",
    )
