from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.leave_stage.handler import Request, handle
from tests.scene import eventually
from tidegate.adapters.healthy import find_healthy, write_healthy
from tidegate.adapters.stacks import create, find_stack, guard_name
from tidegate.domain.errors import ClaimLost
from tidegate.domain.healthy import Healthy, HealthyFunction

if TYPE_CHECKING:
    from tests.scene import Scene


def test_what_runs_now_is_healthy_and_the_alarms_are_disarmed(scene: Scene) -> None:
    scene.open()
    scene.sam(1)
    function = scene.function()
    scene.plan(scene.stage_plan(scene.production, scene.function_plan(function)))
    scene.rollout(scene.production, function)
    ledger, documents = scene.tools.ledger, scene.tools.documents
    earlier = scene.make_ref(release_id="aaaaaaaaaaaa-1")
    ship = HealthyFunction(name="ship", alias="live", version="4", log_group="/aws/lambda/ship")
    before = Healthy(stage=scene.production, release_id=earlier.id, artifacts={}, functions={"Ship": ship})
    write_healthy(ledger, documents, earlier, before)
    stage = scene.tools.stage(scene.production)
    name = guard_name(scene.service, scene.production)
    template = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    stage.documents.write_bytes("guard.json", template.encode(), "application/json")
    create(
        stage.cloudformation, name, stage.documents.url("guard.json"), stage.target.cloudformation_role, {}
    )
    eventually(lambda: getattr(find_stack(stage.cloudformation, name), "is_healthy", False))
    for _ in range(2):
        assert handle(Request(release=scene.ref, stage=scene.production), scene.tools).shifted == 1
    healthy = find_healthy(ledger, documents, scene.service, scene.production)
    assert healthy is not None
    assert healthy.versions == {"Place": "2", "Ship": "4"}
    assert healthy.artifacts == {"Place": f"{1:064x}"}
    assert healthy.release_id == scene.ref.id
    assert len(scene.told()) == 1
    eventually(lambda: find_stack(stage.cloudformation, name) is None)


def test_without_the_claim_nothing_is_called_healthy(scene: Scene) -> None:
    scene.open()
    scene.sam(1)
    scene.plan()
    scene.lose()
    with pytest.raises(ClaimLost):
        handle(Request(release=scene.ref, stage=scene.staging), scene.tools)
    assert find_healthy(scene.tools.ledger, scene.tools.documents, scene.service, scene.staging) is None
