"""Functions of nested stacks, through the tasks: adopted, planned, held, published and undone as any other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from functions.restore_traffic.handler import Request as Restore
from functions.restore_traffic.handler import handle as restore
from functions.shift_traffic.handler import Request as ShiftRequest
from functions.shift_traffic.handler import handle as shift
from tests.functions.test_adoption import WITH_QUEUE, settle, steps
from tests.functions.test_plan_release import FAILURE, plan, provision_all, roll, undo_all
from tests.scene import CODE, zipped
from tidegate.adapters.stack_trees import list_resources
from tidegate.adapters.templates import parse
from tidegate.adapters.translation import translate
from tidegate.domain.rollouts import Pointing
from tidegate.domain.templates.functions import read_functions
from tidegate.domain.templates.placement import S3Object, place

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.plans import Plan, StagePlan

ROOT = """
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Orders:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: ./orders.yaml, Parameters: {Sees: !GetAtt Queue.Arn}}
"""
PARAMETERS = "\nParameters:\n  Sees: {Type: String}\n"
POLICY = """
      Policies:
        - Statement: [{Effect: Allow, Action: ACTION, Resource: !Ref Sees}]
"""
CHILDREN = ("Orders",)


def standing(scene: Scene) -> dict[str, str]:
    name = f"{scene.service}-{scene.production}"
    return list_resources(scene.cloud.client("cloudformation"), name, CHILDREN)


def begin(scene: Scene, number: int, child: str, root: str = ROOT) -> StagePlan:
    """A release whose child's function gives `number`."""
    scene.open() if number == 1 else scene.next_release(f"{number:x}" * 40)
    nested = {"path": "Orders", "file": "orders.yaml", "text": child}
    before = scene.sam(number, template_text=root, children=(nested,))
    (function,) = before.functions
    named = function.model_copy(update={"logical_id": "Orders/Place"})
    scene.snapshot(**before.model_dump() | {"functions": (named,)})
    found: Plan = plan(scene)
    return found.stage(scene.production)


def deploy_child(scene: Scene, text: str) -> None:
    """Both stages' stacks with a child whose function gives 0, as `sam deploy` would have made them."""
    s3, bucket = scene.cloud.client("s3"), f"{scene.unique}-own"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="old.zip", Body=zipped(index=CODE.replace("{number}", "0")))
    read = parse(text, "orders.yaml")
    old = S3Object(bucket=bucket, key="old.zip")
    child = translate(place(read, {one.logical_id: old for one in read_functions(read)}, {}), {}, "us-east-1")
    s3.put_object(Bucket=bucket, Key="orders.json", Body=json.dumps(child).encode())
    root = parse(ROOT, "template.yaml").data
    root["Resources"]["Orders"]["Properties"]["TemplateURL"] = (
        f"https://{bucket}.s3.amazonaws.com/orders.json"
    )
    for stage in (scene.staging, scene.production):
        scene.cloud.client("cloudformation").create_stack(
            StackName=f"{scene.service}-{stage}",
            TemplateBody=json.dumps(root),
            Capabilities=["CAPABILITY_IAM"],
        )
    for stage in (scene.staging, scene.production):
        settle(scene, stage)


def ask(scene: Scene, qualifier: str) -> int:
    name = standing(scene)["Orders/Place"]
    answer = scene.lambdas.invoke(FunctionName=name, Qualifier=qualifier, Payload=b"{}")
    number: int = json.loads(answer["Payload"].read())
    return number


def test_a_child_that_runs_is_adopted_before_its_first_release(scene: Scene) -> None:
    deploy_child(scene, WITH_QUEUE + PARAMETERS)
    found = begin(scene, 1, WITH_QUEUE + PARAMETERS)
    (function,) = found.functions
    assert (function.logical_id, function.canaried, function.adopted) == ("Orders/Place", True, True)
    assert [update.name for update in found.updates] == ["adopt", "repoint", "release"]
    assert found.at_once == ()
    assert "Orders/PlaceJobs, Orders/PlaceNight: what invoked a function" in " ".join(found.adoption)
    provision_all(scene, scene.production)
    assert steps(scene) == ["adopt", "repoint", "release"]
    assert (ask(scene, "$LATEST"), ask(scene, "live")) == (1, 0)
    rolling = roll(scene, scene.production)
    shift(ShiftRequest(release=scene.ref, stage=scene.production, weight=100, step=0), scene.tools)
    assert ask(scene, "live") == 1
    restore(Restore(release=scene.ref, failure=FAILURE), scene.tools)
    undo_all(scene)
    assert scene.pointing(rolling) == Pointing(version="1")
    assert (ask(scene, "$LATEST"), ask(scene, "live")) == (0, 0)
    assert "Orders/PlaceTidegateAlias" in standing(scene) or "Orders/PlaceAliaslive" in standing(scene)


def test_a_right_that_a_child_loses_is_held_whatever_its_parent_passes(scene: Scene) -> None:
    first = WITH_QUEUE.replace(
        "      Events:", POLICY.strip("\n").replace("ACTION", "'sqs:*'") + "\n      Events:"
    )
    begin(scene, 1, first + PARAMETERS)
    provision_all(scene, scene.production)
    second = first.replace("'sqs:*'", "'sqs:SendMessage'")
    found = begin(scene, 2, second + PARAMETERS)
    assert found.held_roles == ("Orders/PlaceRole",)
    assert found.held[0].startswith("Orders/PlaceRole: ")
    assert "Orders/PlaceRole (AWS::IAM::Role)" in " ".join(found.at_once)
    provision_all(scene, scene.production)
    policies: Any = scene.cloud.client("iam").list_role_policies(RoleName=standing(scene)["Orders/PlaceRole"])
    assert "tidegate-hold" in policies["PolicyNames"]


def test_what_stays_the_same_in_a_child_takes_nothing_away(scene: Scene) -> None:
    text = WITH_QUEUE.replace(
        "      Events:", POLICY.strip("\n").replace("ACTION", "'sqs:*'") + "\n      Events:"
    )
    begin(scene, 1, text + PARAMETERS)
    provision_all(scene, scene.production)
    found = begin(scene, 2, text + PARAMETERS)
    assert (found.held, found.at_once) == ((), ())
    assert [function.logical_id for function in found.functions] == ["Orders/Place"]
