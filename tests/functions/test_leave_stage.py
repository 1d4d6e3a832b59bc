from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from functions.leave_stage.handler import Request, handle
from functions.leave_stage.tidying import MOST_TRIES, Tidying
from tests.functions.test_plan_release import plan, provision_all
from tests.scene import eventually
from tidegate.adapters.healthy import find_healthy, write_healthy
from tidegate.adapters.stack_trees import list_aliases
from tidegate.adapters.stacks import create, find_stack, guard_name
from tidegate.domain.errors import ClaimLost, HoldsPending
from tidegate.domain.healthy import Healthy, HealthyFunction

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from tests.scene import Scene

DENIED = {"Error": {"Code": "AccessDeniedException", "Message": "not allowed"}}


def deny(client: BaseClient, operation: str) -> None:
    """Let every such call be answered by a denial."""

    def answer(**_: object) -> None:
        raise ClientError(DENIED, operation)  # type: ignore[arg-type]

    client.meta.events.register(f"before-call.*.{operation}", answer)


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


def test_what_cannot_be_tidied_up_takes_no_healthy_release_back(scene: Scene) -> None:
    scene.open()
    scene.sam(1)
    function = scene.function()
    scene.plan(scene.stage_plan(scene.production, scene.function_plan(function)))
    scene.rollout(scene.production, function)
    deny(scene.tools.stage(scene.production).cloudformation, "DeleteStack")
    request = Request(release=scene.ref, stage=scene.production)
    for _ in range(MOST_TRIES):
        with pytest.raises(HoldsPending, match=r"left behind .* its alarms \(ClientError: .*not allowed\)"):
            handle(request, scene.tools)
        healthy = find_healthy(scene.tools.ledger, scene.tools.documents, scene.service, scene.production)
        assert healthy is not None
        assert healthy.release_id == scene.ref.id
    for _ in range(2):
        assert handle(request, scene.tools).shifted == 1
    (told,) = scene.told()
    assert told.startswith(f"left {scene.production}: 1 new versions are stable; left behind: its alarms (")
    assert told.endswith(f"the janitor tries again: tidegate prune {scene.service}")


def test_a_new_functions_alias_that_somebody_deleted_takes_no_release_back(scene: Scene) -> None:
    """It never shifted, so nobody knows it; the next preflight names it."""
    scene.open()
    scene.sam(1)
    plan(scene)
    provision_all(scene, scene.production)
    clients = scene.tools.stage(scene.production)
    ((name, alias),) = list_aliases(clients.cloudformation, f"{scene.service}-{scene.production}").values()
    scene.lambdas.delete_alias(FunctionName=name, Name=alias)
    handle(Request(release=scene.ref, stage=scene.production), scene.tools)
    healthy = find_healthy(scene.tools.ledger, scene.tools.documents, scene.service, scene.production)
    assert healthy is not None
    assert healthy.functions == {}


def test_a_lost_claim_is_not_tidied_over(scene: Scene) -> None:
    def lose() -> None:
        raise ClaimLost("another holds it")

    scene.open()
    with pytest.raises(ClaimLost):
        Tidying(scene.ref, scene.production, scene.tools).try_to("anything", lose)
