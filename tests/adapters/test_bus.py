from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.scene import Refusing
from tidegate.adapters.bus import Bus
from tidegate.domain.identity import ReleaseRef

if TYPE_CHECKING:
    from tests.scene import Scene

REF = ReleaseRef(
    service="orders",
    id="0123456789ab-1",
    execution="arn",
    epoch=1,
    opened_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def test_an_event_can_be_read_by_people_and_by_rules(scene: Scene) -> None:
    scene.listen()
    at = datetime(2026, 3, 4, tzinfo=UTC)
    scene.tools.bus.publish("Traffic Shifted", scene.ref, "10 % to the new version", weight=10, at=at)
    event = scene.heard()
    assert (event["source"], event["detail-type"]) == ("tidegate", "Traffic Shifted")
    assert event["detail"] == {
        "service": scene.service,
        "release": scene.ref.id,
        "execution": scene.ref.execution,
        "message": "10 % to the new version",
        "weight": 10,
        "at": "2026-03-04 00:00:00+00:00",
    }


def test_a_refused_entry_has_the_name_of_any_failed_call() -> None:
    bus = Bus(Refusing(), "tidegate")  # type: ignore[arg-type]
    with pytest.raises(ClientError, match=r"InternalFailure.*PutEvents.*Stage Entered: try again"):
        bus.publish("Stage Entered", REF, "entered")
