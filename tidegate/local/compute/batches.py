"""What event source mappings share: filters, and the reading of a function's answer to a batch."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from moto.events.models import EventPattern, EventPatternParser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.local.compute.sandbox import Outcome


def wanted(criteria: dict[str, Any] | None, record: dict[str, Any], part: str) -> bool:
    """Tell whether a record passes one of the filters, if any; its `part` is read as JSON where it is."""
    filters = (criteria or {}).get("Filters") or []
    if not filters:
        return True
    seen = dict(record)
    with contextlib.suppress(ValueError, TypeError):
        seen[part] = json.loads(record[part])
    return any(
        EventPattern(entry["Pattern"], EventPatternParser(entry["Pattern"]).parse()).matches_event(seen)
        for entry in filters
    )


def failed_items(outcome: Outcome | None, items: Sequence[str], *, partial: bool) -> set[str]:
    """Tell which items of a batch are not done: all if the function failed or its answer makes no sense.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    everything = set(items)
    if outcome is None or outcome.status != "success":
        return everything
    if not partial:
        return set()
    try:
        answer = json.loads(outcome.payload)
    except ValueError:
        return everything
    if not isinstance(answer, dict) or not answer.get("batchItemFailures"):
        return set() if not answer or isinstance(answer, dict) else everything
    named = {str(entry.get("itemIdentifier") or "") for entry in answer["batchItemFailures"]}
    return min(named, everything)
