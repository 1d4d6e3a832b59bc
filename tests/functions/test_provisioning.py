"""Provisioned concurrency goes with the rollout: given before traffic shifts, taken when it has, put back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.complete_release.handler import Request as Complete
from functions.complete_release.handler import handle as complete
from functions.leave_stage.handler import Request as Leave
from functions.leave_stage.handler import handle as leave
from functions.leave_stage.tidying import MOST_TRIES
from functions.prune_versions.handler import Request as Prune
from functions.prune_versions.handler import handle as janitor
from functions.prune_versions.tidying import Tidying, take_provisioned
from functions.publish_versions.handler import Request as Publish
from functions.publish_versions.handler import Response
from functions.publish_versions.handler import handle as publish
from functions.restore_traffic.handler import Request as Restore
from functions.restore_traffic.handler import handle as restore
from functions.shift_traffic.handler import Request as ShiftRequest
from functions.shift_traffic.handler import handle as shift
from functions.undo_release.handler import Request as Undo
from functions.undo_release.handler import handle as undo
from tests.functions.test_going_back import finish, order
from tests.functions.test_plan_release import FAILURE, plan, provision_all, undo_all
from tests.scene import TEMPLATE, eventually
from tidegate.adapters.aliases import parse_alias
from tidegate.adapters.healthy import find_healthy
from tidegate.adapters.provisioning import list_provisioned
from tidegate.adapters.stack_trees import list_resources
from tidegate.adapters.stacks import create, find_stack
from tidegate.domain.errors import (
    ClaimLost,
    ForeignChange,
    HoldsPending,
    ProvisioningFailed,
    ProvisioningPending,
)
from tidegate.domain.guards import guard_name
from tidegate.domain.ledger import ClaimState

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.plans import StagePlan
    from tidegate.domain.pruning import PruneReport

READY = "      ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: %s}\n"
SCALED = """  Target:
    Type: AWS::ApplicationAutoScaling::ScalableTarget
    Properties:
      ServiceNamespace: lambda
      ScalableDimension: lambda:function:ProvisionedConcurrency
      ResourceId: !Sub function:${Place}:live
      MinCapacity: 3
      MaxCapacity: 9
  Policy:
    Type: AWS::ApplicationAutoScaling::ScalingPolicy
    Properties:
      PolicyName: half-used
      PolicyType: TargetTrackingScaling
      ScalingTargetId: !Ref Target
      TargetTrackingScalingPolicyConfiguration:
        TargetValue: 0.5
        PredefinedMetricSpecification: {PredefinedMetricType: LambdaProvisionedConcurrencyUtilization}
"""


def template(amount: int = 0, more: str = "") -> str:
    return TEMPLATE + (READY % amount if amount else "") + more


class Production:
    """The production stage of a scene's service, released step by step."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.stage = scene, scene.production
        self.name = ""

    def first(self, text: str) -> None:
        self.scene.open()
        self.scene.sam(1, template_text=text)
        planned = self.go()
        resources = list_resources(self.scene.tools.stage(self.stage).cloudformation, planned.stack_name)
        self.name, _ = parse_alias(resources[planned.functions[0].alias_logical_id])
        self.published()
        self.left()

    def next(self, text: str, number: int = 2) -> StagePlan:
        claim = self.scene.tools.ledger.read_claim(self.scene.service)
        assert claim is not None
        self.scene.ref = self.scene.ref.model_copy(update={"epoch": claim.epoch})
        self.scene.next_release(f"{number}" * 40)
        self.scene.sam(number, template_text=text)
        return self.go()

    def go(self) -> StagePlan:
        planned = plan(self.scene).stage(self.stage)
        provision_all(self.scene, self.stage)
        return planned

    def publish(self) -> Response:
        return publish(Publish(release=self.scene.ref, stage=self.stage), self.scene.tools)

    def published(self) -> Response:
        def ready() -> Any:
            try:
                return self.publish()
            except ProvisioningPending:
                return None

        found: Response = eventually(ready)
        return found

    def shifted(self, *weights: int) -> None:
        for step, weight in enumerate(weights):
            request = ShiftRequest(release=self.scene.ref, stage=self.stage, weight=weight, step=step)
            shift(request, self.scene.tools)

    def left(self) -> None:
        for _ in range(2):
            leave(Leave(release=self.scene.ref, stage=self.stage), self.scene.tools)

    def undone(self) -> None:
        restore(Restore(release=self.scene.ref, failure=FAILURE), self.scene.tools)
        undo_all(self.scene)

    @property
    def provided(self) -> dict[str, int]:
        found = list_provisioned(self.scene.lambdas, self.name)
        return {qualifier: standing.requested for qualifier, standing in found.items()}

    @property
    def scaled(self) -> dict[str, tuple[int, int]]:
        client = self.scene.cloud.client("application-autoscaling")
        targets = client.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
        return {
            target["ResourceId"].rpartition(":")[2]: (target["MinCapacity"], target["MaxCapacity"])
            for target in targets
            if f":{self.name}:" in target["ResourceId"]
        }


@pytest.fixture
def production(scene: Scene) -> Production:
    return Production(scene)


def test_the_new_version_has_its_own_before_traffic_and_the_old_ones_goes_after(
    production: Production,
) -> None:
    production.first(template(2))
    assert production.provided == {"1": 2}
    planned = production.next(template(2))
    (item,) = planned.provisioned
    assert (item.stable, item.wanted, item.on_alias) == (2, 2, 0)
    (finding,) = planned.findings
    assert "$0.0075 an hour with both, $0.0038 after" in finding.text
    with pytest.raises(ProvisioningPending, match=f"not ready yet: {production.name}:2"):
        production.publish()
    assert production.provided == {"1": 2, "2": 2}
    assert production.published().rolling == 1
    assert "provisioned executions are ready: 2 of Place version 2" in production.scene.told()[-1]
    production.shifted(10, 100)
    assert production.provided == {"1": 2, "2": 2}
    production.left()
    assert production.provided == {"2": 2}


def test_a_split_alias_keeps_the_old_ones_and_takes_no_healthy_release_back(production: Production) -> None:
    """Somebody weighs the alias after the bake: Lambda would refuse the removal, and it is the janitor's."""
    scene = production.scene
    production.first(template(2))
    production.next(template(2))
    production.published()
    production.shifted(100)
    scene.lambdas.update_alias(
        FunctionName=production.name,
        Name="live",
        RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}},
    )
    request = Leave(release=scene.ref, stage=production.stage)
    for _ in range(MOST_TRIES):
        with pytest.raises(HoldsPending):
            leave(request, scene.tools)
    leave(request, scene.tools)
    assert "left behind: the old versions' provisioned concurrency (ForeignChange: " in scene.told()[-1]
    assert production.provided == {"1": 2, "2": 2}


def test_a_rollback_takes_the_canarys_and_leaves_the_stable_versions(production: Production) -> None:
    production.first(template(2))
    production.next(template(3))
    production.published()
    production.shifted(10)
    assert production.provided == {"1": 2, "2": 3}
    with pytest.raises(ForeignChange, match="splits its traffic"):
        undo(Undo(release=production.scene.ref, failure=FAILURE), production.scene.tools)
    assert production.provided == {"1": 2, "2": 3}
    production.undone()
    assert production.provided == {"1": 2}
    undo_all(production.scene)
    assert production.provided == {"1": 2}


def test_a_rollback_after_the_stage_was_left_gives_the_old_version_its_own_again(
    production: Production,
) -> None:
    production.first(template(2))
    production.next(template(2))
    production.published()
    production.shifted(100)
    production.left()
    production.undone()
    assert production.provided == {"1": 2}


def test_an_order_to_go_back_gives_what_was_given_then_and_leaves_nothing_else(
    production: Production,
) -> None:
    """Over a release that was promoted, and another that is under way: its canary loses its own, too."""
    scene = production.scene
    production.first(template(2))
    first = scene.ref.id
    complete(Complete(release=scene.ref), scene.tools)
    production.next(template(3))
    production.published()
    production.shifted(100)
    production.left()
    complete(Complete(release=scene.ref), scene.tools)
    production.next(template(4), number=3)
    production.published()
    production.shifted(10)
    assert production.provided == {"2": 3, "3": 4}
    found = order(scene, first, scene.production)
    assert finish(scene, found).status == "restored"
    assert production.provided == {"1": 2}
    healthy = find_healthy(scene.tools.ledger, scene.tools.documents, scene.service, scene.production)
    assert healthy is not None
    assert (healthy.label, {key: item.amount for key, item in healthy.provided.items()}) == (
        first,
        {"Place": 2},
    )


def test_a_first_release_that_is_undone_leaves_none(production: Production) -> None:
    scene = production.scene
    scene.open()
    scene.sam(1, template_text=template(2))
    planned = production.go()
    resources = list_resources(scene.tools.stage(scene.production).cloudformation, planned.stack_name)
    production.name, _ = parse_alias(resources[planned.functions[0].alias_logical_id])
    production.published()
    assert production.provided == {"1": 2}
    undo_all(scene)
    assert production.provided == {}


@pytest.mark.parametrize(("wanted", "published", "after"), [(5, 5, 5), (0, 2, 0)])
def test_the_amount_alone_may_change_or_go(
    production: Production, wanted: int, published: int, after: int
) -> None:
    production.first(template(2))
    production.next(template(wanted), number=1)
    assert production.published().rolling == 0
    assert production.provided == {"1": published}
    production.left()
    assert production.provided == ({"1": after} if after else {})
    production.undone()
    assert production.provided == {"1": 2}


def test_a_stage_that_is_left_notes_what_it_gave(production: Production) -> None:
    production.first(template(2))
    tools, scene = production.scene.tools, production.scene
    healthy = find_healthy(tools.ledger, tools.documents, scene.service, scene.production)
    assert healthy is not None
    assert {key: item.amount for key, item in healthy.provided.items()} == {"Place": 2}
    planned = production.next(template(2), number=1)
    assert (planned.provisioned, planned.findings) == ((), ())


def test_what_an_alias_has_by_hand_moves_to_the_versions(production: Production) -> None:
    production.first(template())
    scene = production.scene
    scene.lambdas.put_provisioned_concurrency_config(
        FunctionName=production.name, Qualifier="live", ProvisionedConcurrentExecutions=4
    )
    planned = production.next(template())
    assert [(item.on_alias, item.wanted, item.in_stack) for item in planned.provisioned] == [(4, 0, False)]
    production.published()
    assert production.provided == {"1": 4}
    production.shifted(50, 100)
    production.left()
    assert production.provided == {}
    production.undone()
    assert production.provided == {"1": 4}


def test_what_the_deployed_template_gave_the_alias_comes_back_with_it(scene: Scene) -> None:
    """The stack runs without Tidegate and gives its alias provisioned concurrency: the usual SAM service."""
    production = Production(scene)
    scene.open()
    scene.sam(1, template_text=template(2))
    planned = production.go()
    client = scene.tools.stage(scene.production).cloudformation
    found: Any = client.get_template(StackName=planned.stack_name)["TemplateBody"]
    data = found if isinstance(found, dict) else json.loads(found)
    alias = planned.functions[0].alias_logical_id
    data["Resources"][alias]["Properties"]["ProvisionedConcurrencyConfig"] = {
        "ProvisionedConcurrentExecutions": 2
    }
    role = scene.tools.stage(scene.production).target.cloudformation_role
    client.update_stack(
        StackName=planned.stack_name,
        TemplateBody=json.dumps(data),
        Capabilities=["CAPABILITY_IAM"],
        RoleARN=role,
    )
    client.get_waiter("stack_update_complete").wait(
        StackName=planned.stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )
    production.name, _ = parse_alias(list_resources(client, planned.stack_name)[alias])
    assert production.provided == {"live": 2}
    (item,) = production.next(template(2)).provisioned
    assert (item.on_alias, item.in_stack, item.wanted) == (2, True, 2)
    assert production.provided == {}
    production.published()
    assert production.provided == {"1": 2, "2": 2}
    production.shifted(10)
    production.undone()
    assert production.provided == {"live": 2}


def test_scaling_moves_along(production: Production) -> None:
    production.first(template(0, SCALED))
    assert (production.provided, production.scaled) == ({"1": 3}, {"1": (3, 9)})
    production.scene.lambdas.put_provisioned_concurrency_config(
        FunctionName=production.name, Qualifier="1", ProvisionedConcurrentExecutions=7
    )
    production.next(template(0, SCALED))
    production.published()
    assert (production.provided, production.scaled) == ({"1": 7, "2": 7}, {"1": (3, 9), "2": (3, 9)})
    client = production.scene.cloud.client("application-autoscaling")
    policies = client.describe_scaling_policies(
        ServiceNamespace="lambda", ResourceId=f"function:{production.name}:2"
    )["ScalingPolicies"]
    assert [policy["PolicyName"] for policy in policies] == ["half-used"]
    production.shifted(100)
    production.left()
    assert (production.provided, production.scaled) == ({"2": 7}, {"2": (3, 9)})
    production.undone()
    assert (production.provided, production.scaled) == ({"1": 7}, {"1": (3, 9)})


def test_no_room_for_both_versions_rejects_and_a_refusal_of_lambda_is_named(production: Production) -> None:
    production.first(template(2))
    production.next(template(2))
    production.scene.lambdas.put_function_concurrency(
        FunctionName=production.name, ReservedConcurrentExecutions=3
    )
    with pytest.raises(ProvisioningFailed, match=r"2 provisioned executions of .+:2 are refused: Requested"):
        production.publish()
    production.undone()
    assert production.provided == {"1": 2}


def test_without_the_claim_nothing_is_given(production: Production) -> None:
    production.first(template(2))
    production.next(template(2))
    with pytest.raises(ProvisioningPending):
        production.publish()
    production.scene.lambdas.delete_provisioned_concurrency_config(
        FunctionName=production.name, Qualifier="2"
    )
    production.scene.lose()
    with pytest.raises(ClaimLost):
        production.publish()
    assert production.provided == {"1": 2}


def prune(scene: Scene, *, dry_run: bool = False) -> PruneReport:
    (report,) = janitor(Prune(service=scene.service, dry_run=dry_run), scene.tools).reports
    return report


class TestTheJanitor:
    """What a release left behind, or a call of its that came late, is taken away while nobody releases."""

    @pytest.fixture
    def undone(self, production: Production) -> Production:
        """Version 1 is live with 2, and the release of version 2 was undone; the claim is free."""
        production.first(template(2))
        complete(Complete(release=production.scene.ref), production.scene.tools)
        production.next(template(3))
        production.published()
        production.shifted(10)
        production.undone()
        production.scene.tools.ledger.free_claim(production.scene.ref)
        assert production.provided == {"1": 2}
        return production

    def test_a_put_that_comes_through_after_the_rollback_is_taken_back(self, undone: Production) -> None:
        """A handler was held up between its look at the claim and its call."""
        scene = undone.scene
        scene.lambdas.put_provisioned_concurrency_config(
            FunctionName=undone.name, Qualifier="2", ProvisionedConcurrentExecutions=3
        )
        said = f"provisioned concurrency of {undone.name}:2: "
        assert prune(scene, dry_run=True).tidied == (f"{said}would go",)
        assert undone.provided == {"1": 2, "2": 3}
        assert prune(scene).tidied == (f"{said}goes",)
        assert undone.provided == {"1": 2}
        assert prune(scene).tidied == ()
        assert prune(scene).note == "nothing was released since the last time"

    def test_what_may_be_somebodys_stays(self, undone: Production) -> None:
        scene = undone.scene
        theirs = scene.lambdas.create_alias(FunctionName=undone.name, Name="theirs", FunctionVersion="2")
        scene.lambdas.put_provisioned_concurrency_config(
            FunctionName=undone.name, Qualifier="2", ProvisionedConcurrentExecutions=3
        )
        assert theirs["FunctionVersion"] == "2"
        assert prune(scene).tidied == ()
        assert undone.provided == {"1": 2, "2": 3}

    def test_a_release_that_begins_meanwhile_keeps_its_own(self, undone: Production) -> None:
        """The claim is taken between the turn's beginning and the removal."""
        scene = undone.scene
        claim = scene.tools.ledger.read_claim(scene.service)
        assert claim is not None
        tidying = Tidying(claim, scene.tools, dry_run=False)
        scene.claim(epoch=claim.epoch + 1, state=ClaimState.HELD)
        scene.lambdas.put_provisioned_concurrency_config(
            FunctionName=undone.name, Qualifier="2", ProvisionedConcurrentExecutions=3
        )
        clients = scene.tools.stage(undone.stage)
        assert not take_provisioned(clients, undone.name, "2", tidying)
        assert tidying.said == [
            f"provisioned concurrency of {undone.name}:2: stays, since a release has just begun"
        ]
        assert undone.provided == {"1": 2, "2": 3}

    def test_what_a_healthy_release_could_not_take_away_goes(self, production: Production) -> None:
        """The old version's own, with its scaling, and the alarms of the release."""
        scene = production.scene
        production.first(template(0, SCALED))
        production.next(template(0, SCALED))
        production.published()
        production.shifted(100)
        production.left()
        scene.tools.ledger.free_claim(scene.ref)
        resource = {"ServiceNamespace": "lambda", "ResourceId": f"function:{production.name}:1"}
        scene.cloud.client("application-autoscaling").register_scalable_target(
            **resource,
            ScalableDimension="lambda:function:ProvisionedConcurrency",
            MinCapacity=3,
            MaxCapacity=9,
        )
        scene.lambdas.put_provisioned_concurrency_config(
            FunctionName=production.name, Qualifier="1", ProvisionedConcurrentExecutions=3
        )
        stage, name = scene.tools.stage(production.stage), guard_name(scene.service, production.stage)
        body = b'{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
        stage.documents.write_bytes("guard.json", body, "application/json")
        url, role = stage.documents.url("guard.json"), stage.target.cloudformation_role
        create(stage.cloudformation, name, url, role, {})
        eventually(lambda: getattr(find_stack(stage.cloudformation, name), "is_healthy", False))
        assert prune(scene).tidied == (
            f"the alarms of {name}: goes",
            f"provisioned concurrency of {production.name}:1: goes",
        )
        assert set(production.provided) == {"2"}
        assert set(production.scaled) == {"2"}
        eventually(lambda: find_stack(stage.cloudformation, name) is None)
