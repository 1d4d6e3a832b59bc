"""A stack that was made without Tidegate, from its first plan to its first canary, and back."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from functions.plan_release.adoption import Adoptions, explain
from functions.provision_stage.handler import Request as Provision
from functions.provision_stage.handler import handle as provision
from functions.restore_traffic.handler import Request as Restore
from functions.restore_traffic.handler import handle as restore
from functions.shift_traffic.handler import Request as ShiftRequest
from functions.shift_traffic.handler import handle as shift
from tests.functions.test_plan_release import FAILURE, plan, provision_all, roll, undo_all
from tests.scene import CODE, TEMPLATE, attempt, eventually, zipped
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.stacks import find_stack, read_template
from tidegate.adapters.templates import parse
from tidegate.adapters.translation import translate
from tidegate.domain.errors import ChangeSetFailed, UnsupportedTemplate
from tidegate.domain.rollouts import Pointing
from tidegate.domain.templates import S3Object, place, read_functions
from tidegate.domain.templates.adoption import Adoption
from tidegate.domain.undo import PreviousStack
from tidegate.domain.wording import SHOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scene import Scene
    from tidegate.domain.plans import Plan

WITH_QUEUE = (
    TEMPLATE
    + """
      Events:
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, Enabled: false}}
        Night: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Queue: {Type: AWS::SQS::Queue}
"""
)
SECRET = """
Parameters:
  Password: {Type: String, NoEcho: true}
"""
NEW = """
  New:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src, Handler: index.handler, Runtime: python3.12}
"""


def deploy(
    scene: Scene,
    text: str = WITH_QUEUE,
    change: Callable[[dict[str, Any]], Any] = lambda _: None,
    **parameters: str,
) -> None:
    """Both stages' stacks, whose function gives 0, as `sam deploy` would have made them."""
    s3 = scene.cloud.client("s3")
    bucket = f"{scene.unique}-own"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="old.zip", Body=zipped(index=CODE.replace("{number}", "0")))
    read = parse(text, "template.yaml")
    old = S3Object(bucket=bucket, key="old.zip")
    template = place(read, {source.logical_id: old for source in read_functions(read)}, {})
    plain = translate(template, parameters, "us-east-1")
    change(plain)
    cloudformation = scene.cloud.client("cloudformation")
    for stage in (scene.staging, scene.production):
        cloudformation.create_stack(
            StackName=f"{scene.service}-{stage}",
            TemplateBody=json.dumps(plain),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
    for stage in (scene.staging, scene.production):
        settle(scene, stage)


def settle(scene: Scene, stage: str) -> None:
    """Wait until the stage's stack is at rest and healthy."""

    def is_healthy() -> bool:
        found = find_stack(scene.cloud.client("cloudformation"), f"{scene.service}-{stage}")
        return found is not None and found.is_healthy

    eventually(is_healthy)


def ask(scene: Scene, qualifier: str = "$LATEST") -> int:
    """What the production function gives."""
    answer = scene.lambdas.invoke(FunctionName=scene.standing()["Place"], Qualifier=qualifier, Payload=b"{}")
    number: int = json.loads(answer["Payload"].read())
    return number


def target(scene: Scene) -> str:
    """What the queue of production feeds."""
    found = scene.lambdas.get_event_source_mapping(UUID=scene.standing()["PlaceJobs"])
    return str(found["FunctionArn"]).rpartition(":function:")[2]


def rule(scene: Scene) -> str:
    name = scene.standing()["PlaceNight"]
    (found,) = scene.cloud.client("events").list_targets_by_rule(Rule=name)["Targets"]
    return str(found["Arn"]).rpartition(":function:")[2]


def begin(scene: Scene, number: int = 1, text: str = WITH_QUEUE, **changes: Any) -> Plan:
    scene.open()
    scene.sam(number, template_text=text, **changes)
    return plan(scene)


def steps(scene: Scene) -> list[str]:
    """The updates that have ended."""
    prefix = stage_prefix(scene.ref, scene.production)
    names = ("adopt", "repoint", "release")
    return [name for name in names if scene.tools.documents.exists(f"{prefix}{name}-ended.json")]


def provision_until(scene: Scene, done: Callable[[], Any]) -> None:
    """Step after step until `done`."""

    request = Provision(release=scene.ref, stage=scene.production)

    def step() -> Any:
        attempt(lambda: provision(request, scene.tools))
        return done()

    eventually(step)


def test_the_plan_says_that_the_stack_is_adopted(scene: Scene) -> None:
    deploy(scene)
    found = begin(scene).stage(scene.production)
    (function,) = found.functions
    assert (function.canaried, function.adopted, function.alias) == (True, True, "live")
    assert function.function_name == scene.standing()["Place"]
    assert [update.name for update in found.updates] == ["adopt", "repoint", "release"]
    assert found.at_once == ()
    text = scene.tools.documents.find_bytes(f"releases/{scene.service}/{scene.ref.id}/plan.md") or b""
    for words in (
        "Adopts the stack first, with the code that runs:",
        "- Place: an alias is made, on a version of the code that runs",
        "- PlaceJobs, PlaceNight: what invoked a function invokes its alias",
        f"- s3://{scene.unique}-own holds the code that runs",
        "| canary | the code that runs |",
    ):
        assert words in text.decode()


def test_the_code_that_runs_serves_until_the_first_shift(scene: Scene) -> None:
    deploy(scene)
    begin(scene)
    provision_until(scene, lambda: steps(scene) == ["adopt"])
    assert (ask(scene), ask(scene, "live")) == (0, 0)
    assert ":" not in target(scene) + rule(scene)
    provision_until(scene, lambda: steps(scene) == ["adopt", "repoint"])
    assert (ask(scene), ask(scene, "live")) == (0, 0)
    assert target(scene).endswith(":live")
    assert rule(scene).endswith(":live")
    provision_all(scene, scene.production)
    assert (ask(scene), ask(scene, "live")) == (1, 0)
    assert scene.told()[-1].endswith("is as planned, and was adopted first")
    rolling = roll(scene, scene.production)
    assert (rolling.stable, rolling.canary) == ("1", "2")
    shift(ShiftRequest(release=scene.ref, stage=scene.production, weight=100, step=0), scene.tools)
    assert ask(scene, "live") == 1


def test_an_undone_release_leaves_the_stack_adopted_with_its_old_code(scene: Scene) -> None:
    deploy(scene)
    begin(scene)
    provision_all(scene, scene.production)
    rolling = roll(scene, scene.production)
    shift(ShiftRequest(release=scene.ref, stage=scene.production, weight=10, step=0), scene.tools)
    restore(Restore(release=scene.ref, failure=FAILURE), scene.tools)
    undo_all(scene)
    assert scene.pointing(rolling) == Pointing(version="1")
    assert (ask(scene), ask(scene, "live")) == (0, 0)
    assert target(scene).endswith(":live")

    scene.next_release()
    scene.sam(2, template_text=WITH_QUEUE)
    found = plan(scene)
    assert found.stage(scene.production).updates == ()
    (function,) = found.stage(scene.production).functions
    assert (function.canaried, function.adopted, function.rollback_target) == (True, False, "1")
    assert found.stage(scene.staging).updates != ()


def test_what_the_stack_was_before_is_kept(scene: Scene) -> None:
    deploy(scene)
    begin(scene)
    client = scene.cloud.client("cloudformation")
    before = read_template(client, f"{scene.service}-{scene.production}")
    provision_all(scene, scene.production)
    prefix = stage_prefix(scene.ref, scene.production)
    assert scene.tools.documents.read(f"{prefix}original.json", PreviousStack).template == before
    previous = scene.tools.documents.read(f"{prefix}previous.json", PreviousStack)
    assert "PlaceTidegateAnchor" in previous.template


def test_a_release_that_ends_in_the_middle_of_the_adoption_leaves_what_runs(scene: Scene) -> None:
    deploy(scene)
    begin(scene)
    provision_until(scene, lambda: steps(scene) == ["adopt"])
    undo_all(scene)
    assert (ask(scene), ask(scene, "live")) == (0, 0)
    settle(scene, scene.production)
    scene.next_release()
    scene.sam(2, template_text=WITH_QUEUE)
    found = plan(scene).stage(scene.production)
    assert found.updates[-1].name == "release"
    assert "adopt" not in [update.name for update in found.updates]
    provision_all(scene, scene.production)
    assert (ask(scene), ask(scene, "live")) == (2, 0)


def test_an_adoption_that_fails_leaves_nothing_behind_and_can_be_tried_again(scene: Scene) -> None:
    """The alias is there already, by hand: the anchor was made first, and must go again."""
    deploy(scene)
    physical = scene.standing()["Place"]
    scene.lambdas.create_alias(FunctionName=physical, Name="live", FunctionVersion="$LATEST")
    begin(scene)
    with pytest.raises(ChangeSetFailed, match="UPDATE_ROLLBACK_COMPLETE: PlaceAliaslive"):
        provision_all(scene, scene.production)
    undo_all(scene)
    versions = scene.lambdas.list_versions_by_function(FunctionName=physical)["Versions"]
    assert [item["Version"] for item in versions] == ["$LATEST"]
    scene.lambdas.delete_alias(FunctionName=physical, Name="live")
    scene.next_release()
    scene.sam(2, template_text=WITH_QUEUE)
    plan(scene)
    provision_all(scene, scene.production)
    assert (ask(scene), ask(scene, "live")) == (2, 0)


class DiedError(Exception):
    """The process has ended."""


class Death:
    """Ends the process right after the `after`-th AWS call from `reset` on was carried out."""

    def __init__(self, scene: Scene) -> None:
        self.after, self.calls = 1, 0
        stage = scene.tools.stage(scene.production)
        clients = (stage.cloudformation, stage.documents.client, scene.tools.documents.client)
        for client in clients:
            client.meta.events.register("after-call", self._count)

    def reset(self, after: int) -> None:
        self.after, self.calls = after, 0

    def _count(self, **_: Any) -> None:
        self.calls += 1
        if self.calls == self.after:
            raise DiedError


def test_a_run_that_dies_after_any_call_is_gone_on_with(scene: Scene) -> None:
    """After each call that a step makes, until the step has been made whole; then so with the next one."""
    deploy(scene)
    begin(scene)
    death, deaths = Death(scene), 0
    request = Provision(release=scene.ref, stage=scene.production)

    def look(after: int) -> bool | None:
        """Whether the stage is provisioned; None where the run died."""
        death.reset(after)
        try:
            return attempt(lambda: provision(request, scene.tools)) is not None
        except DiedError:
            return None

    while not (found := look(after := 1)):
        while found is None:
            deaths, after = deaths + 1, after + 1
            found = look(after)
        if found:
            break
        settle_operation(scene)
    assert deaths > 40
    death.reset(10**6)
    assert steps(scene) == ["adopt", "repoint", "release"]
    assert (ask(scene), ask(scene, "live")) == (1, 0)
    undo_all(scene)
    assert (ask(scene), ask(scene, "live")) == (0, 0)


def settle_operation(scene: Scene) -> None:
    """Wait until the operation on production's stack has ended, whatever came of it."""

    def is_idle() -> bool:
        found = find_stack(scene.cloud.client("cloudformation"), f"{scene.service}-{scene.production}")
        return found is not None and not found.is_busy

    eventually(is_idle)


def test_two_runs_at_once_do_it_once(scene: Scene) -> None:
    deploy(scene)
    begin(scene)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: provision_all(scene, scene.production), range(2)))
    assert (ask(scene), ask(scene, "live")) == (1, 0)
    assert roll(scene, scene.production).stable == "1"


def test_a_stack_that_changed_after_the_plan_is_not_adopted(scene: Scene) -> None:
    deploy(scene)
    begin(scene)
    client = scene.cloud.client("cloudformation")
    name = f"{scene.service}-{scene.production}"
    template = json.loads(read_template(client, name))
    template["Resources"]["Queue"]["Properties"] = {"DelaySeconds": 5}
    client.create_change_set(
        StackName=name,
        ChangeSetName="somebody",
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM"],
    )
    described = client.describe_change_set
    eventually(lambda: described(StackName=name, ChangeSetName="somebody")["Status"] == "CREATE_COMPLETE")
    client.execute_change_set(StackName=name, ChangeSetName="somebody")
    settle(scene, scene.production)
    with pytest.raises(ChangeSetFailed, match="changed by somebody else"):
        provision_all(scene, scene.production)


def test_parameters_keep_the_values_that_only_the_stack_knows(scene: Scene) -> None:
    """The adoption has the parameters of the stack, the release those of the commit."""
    use = "      Environment: {Variables: {WORD: !Ref Password, OTHER: !Ref Old}}\n"
    old = SECRET + "  Old: {Type: String}\n" + TEMPLATE + use
    deploy(scene, old, Password="swordfish", Old="kept")
    new = SECRET + "  Renamed: {Type: String, Default: fresh}\n" + TEMPLATE + use.replace("Old", "Renamed")
    begin(scene, text=new)
    provision_all(scene, scene.production)
    configuration = scene.lambdas.get_function_configuration
    name = scene.standing()["Place"]
    stable = configuration(FunctionName=name, Qualifier="live")["Environment"]["Variables"]
    assert stable == {"WORD": "swordfish", "OTHER": "kept"}
    latest = configuration(FunctionName=name)["Environment"]["Variables"]
    assert latest == {"WORD": "swordfish", "OTHER": "fresh"}


def test_a_new_function_of_an_adopted_stack_takes_its_traffic_at_once(scene: Scene) -> None:
    deploy(scene)
    snapshot = scene.sam(1)
    (place_source,) = snapshot.functions
    both = (place_source, place_source.model_copy(update={"logical_id": "New"}))
    found = begin(scene, text=WITH_QUEUE + NEW, functions=both).stage(scene.production)
    assert {f.logical_id: (f.canaried, f.adopted) for f in found.functions} == {
        "New": (False, False),
        "Place": (True, True),
    }
    assert any("the new function New takes its traffic at once" in text for text in found.at_once)
    assert not [text for text in found.at_once if text.startswith("Place")]


def test_triggers_do_not_move_to_an_alias_that_was_left_on_other_code(scene: Scene) -> None:
    def add_alias(template: dict[str, Any]) -> None:
        template["Resources"] |= {
            "OwnVersion": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Place"}}},
            "PlaceAliaslive": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {
                    "Name": "live",
                    "FunctionName": {"Ref": "Place"},
                    "FunctionVersion": {"Fn::GetAtt": ["OwnVersion", "Version"]},
                },
            },
        }

    deploy(scene, change=add_alias)
    scene.change(scene.standing()["Place"], CODE.replace("{number}", "7"))
    with pytest.raises(UnsupportedTemplate, match="points at version 1, which has other code than what runs"):
        begin(scene)


def test_long_sentences_are_cut() -> None:
    names = tuple(f"F{number}" for number in range(SHOWN + 3))
    (text,) = explain(Adoptions({"": Adoption(functions=names[:5]), "Child": Adoption(functions=names[5:])}))
    assert text.startswith("F0, F1, F2, F3, F4, Child/F5")
    assert f"F{SHOWN - 1} and 3 more: an alias is made" in text


def test_code_that_was_published_before_gets_a_version_of_its_own(scene: Scene) -> None:
    deploy(scene)
    scene.lambdas.publish_version(FunctionName=scene.standing()["Place"])
    begin(scene)
    text = scene.tools.documents.find_bytes(f"releases/{scene.service}/{scene.ref.id}/plan.md") or b""
    assert b"- Place: the description changes, since the code that runs has a version already" in text
    provision_all(scene, scene.production)
    rolling = roll(scene, scene.production)
    assert (rolling.stable, rolling.canary) == ("2", "3")
    assert (ask(scene), ask(scene, "live")) == (1, 0)
    described = scene.lambdas.get_function_configuration(FunctionName=rolling.name)
    assert not described.get("Description")


def test_a_function_whose_condition_does_not_hold_is_left_to_the_day_when_it_does(scene: Scene) -> None:
    switch = """
Parameters:
  Word: {Type: String, Default: "off"}
Conditions:
  Switched: !Equals [!Ref Word, "on"]
"""
    text = switch + WITH_QUEUE + NEW + "    Condition: Switched\n"
    deploy(scene, text)
    (source,) = scene.sam(1).functions
    both = (source, source.model_copy(update={"logical_id": "New"}))
    found = begin(scene, text=text, functions=both).stage(scene.production)
    assert [f.logical_id for f in found.functions] == ["Place"]
    provision_all(scene, scene.production)
    assert (ask(scene), ask(scene, "live")) == (1, 0)
    assert "New" not in scene.standing()

    scene.next_release()
    scene.sam(1, template_text=text.replace('"off"', '"on"'), functions=both)
    again = plan(scene).stage(scene.production)
    assert again.updates == ()
    assert {f.logical_id: f.canaried for f in again.functions} == {"New": False, "Place": True}
