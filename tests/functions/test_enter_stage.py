from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.enter_stage.handler import Request, handle
from tests.domain.test_plans import RAMP
from tidegate.domain.config import Approval, StageConfig
from tidegate.domain.errors import ClaimLost

if TYPE_CHECKING:
    from tests.scene import Scene


@pytest.mark.parametrize("approval", list(Approval))
def test_a_stage_is_entered_once_and_told(scene: Scene, approval: Approval) -> None:
    scene.open()
    scene.listen()
    config = StageConfig(approval=approval, approval_timeout=1).for_stage(production=True)
    scene.plan(scene.stage_plan(scene.production, config=config))
    request = Request(release=scene.ref, stage=scene.production)
    for _ in range(2):
        response = handle(request, scene.tools)
    assert response.approval is (approval is Approval.REQUIRED)
    assert response.approval_timeout == 1
    assert scene.told() == [f"entered {scene.production}: {RAMP}, then 600 s of bake"]
    assert scene.heard()["detail-type"] == "Stage Entered"


def test_without_the_claim_no_stage_is_entered(scene: Scene) -> None:
    scene.open()
    scene.plan()
    scene.lose()
    with pytest.raises(ClaimLost):
        handle(Request(release=scene.ref, stage=scene.production), scene.tools)
    assert scene.told() == []
