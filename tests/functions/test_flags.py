"""Flags that a release deploys: told in the plan, and back with traffic, before the stack is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.leave_stage.handler import Request as Leave
from functions.leave_stage.handler import handle as leave
from functions.provision_stage.handler import Request as Provision
from functions.provision_stage.handler import handle as provision
from functions.undo_release.handler import Request as Undo
from functions.undo_release.handler import handle as undo
from tests.functions.test_going_back import finish, order
from tests.functions.test_going_back import release as release_whole
from tests.functions.test_nested import PARAMETERS, begin
from tests.functions.test_nested import standing as standing_tree
from tests.functions.test_plan_release import plan, provision_all, undo_all
from tests.scene import TEMPLATE, attempt, eventually
from tidegate.adapters.stacks import find_stack
from tidegate.domain.errors import ChangeSetFailed
from tidegate.domain.flags import LEFT, REVERTED, FlagEnvironment
from tidegate.domain.ledger import Failure

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.plans import StagePlan

FAILURE = Failure(state="JudgeCanary", error="CanaryFailed", cause="it smells")
BROKEN = {
    "Type": "AWS::SNS::Subscription",
    "DependsOn": "Flags",
    "Properties": {"TopicArn": "arn:aws:sns:us-east-1:123456789012:no", "Protocol": "sqs", "Endpoint": "x"},
}


def typed(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::AppConfig::{kind}", "Properties": properties}


def text(content: str, minutes: int = 0, **more: Any) -> str:
    """The service with a configuration of this content."""
    app, env, profile = ({"Ref": key} for key in ("App", "Env", "Profile"))
    times = {"DeploymentDurationInMinutes": minutes, "GrowthFactor": 10, "ReplicateTo": "NONE"}
    own = {"ApplicationId": app, "ConfigurationProfileId": profile}
    hosted = {**own, "Content": content, "ContentType": "text/plain"}
    strategy = {"DeploymentStrategyId": {"Ref": "Strategy"}, "EnvironmentId": env}
    resources = {
        "App": typed("Application", Name="flags"),
        "Env": typed("Environment", ApplicationId=app, Name="live"),
        "Profile": typed("ConfigurationProfile", ApplicationId=app, Name="main", LocationUri="hosted"),
        "Strategy": typed("DeploymentStrategy", Name="own", **times),
        "Hosted": typed("HostedConfigurationVersion", **hosted),
        "Flags": typed("Deployment", **own, **strategy, ConfigurationVersion={"Ref": "Hosted"}),
        **more,
    }
    return TEMPLATE + "".join(f"  {key}: {json.dumps(value)}\n" for key, value in resources.items())


def release(scene: Scene, number: int, template: str) -> StagePlan:
    """Plan it; gives production's part."""
    if number == 1:
        scene.open()
    else:
        scene.next_release(str(number) * 40)
    scene.sam(number, template_text=template)
    return plan(scene).stage(scene.production)


@pytest.fixture
def live(scene: Scene) -> Scene:
    """Production runs with the old flags."""
    release(scene, 1, text("old"))
    provision_all(scene, scene.production)
    leave(Leave(release=scene.ref, stage=scene.production), scene.tools)
    return scene


def read(scene: Scene) -> str:
    """What a function would read now."""
    api, standing = scene.cloud.client("appconfigdata"), scene.standing()
    session = api.start_configuration_session(
        ApplicationIdentifier=standing["App"],
        EnvironmentIdentifier="live",
        ConfigurationProfileIdentifier="main",
    )
    answer = api.get_latest_configuration(ConfigurationToken=session["InitialConfigurationToken"])
    found: str = answer["Configuration"].read().decode()
    return found


def place(scene: Scene) -> dict[str, str]:
    standing = scene.standing()
    return {"ApplicationId": standing["App"], "EnvironmentId": standing["Env"]}


def states(scene: Scene, where: dict[str, str] | None = None) -> dict[int, str]:
    items = scene.cloud.client("appconfig").list_deployments(**(where or place(scene)))["Items"]
    return {item["DeploymentNumber"]: item["State"] for item in items}


def status(scene: Scene) -> str:
    found = find_stack(scene.cloud.client("cloudformation"), f"{scene.service}-{scene.production}")
    assert found is not None
    return found.status


def step(scene: Scene) -> bool:
    return undo(Undo(release=scene.ref, failure=FAILURE), scene.tools).undone


def told(scene: Scene) -> list[str]:
    return [what for what in scene.told() if what.startswith("deployment ")]


def test_flags_are_back_before_the_stack_is_and_stay_so(live: Scene) -> None:
    found = release(live, 2, text("new"))
    where = place(live)
    (noted,) = found.flags
    assert noted == FlagEnvironment(
        application=where["ApplicationId"],
        environment=where["EnvironmentId"],
        last=1,
        stacks=(found.stack_name,),
    )
    assert [(one.logical_id, one.action) for one in found.findings if one.kind == "flags"] == [
        ("Flags", REVERTED)
    ]
    provision_all(live, live.production)
    assert read(live) == "new"
    assert not step(live)
    assert (read(live), status(live)) == ("old", "UPDATE_COMPLETE")
    assert states(live) == {2: "REVERTED", 1: "COMPLETE"}
    undo_all(live)
    assert (read(live), states(live)[3]) == ("old", "COMPLETE")
    assert step(live)
    assert states(live)[3] == "COMPLETE"
    assert told(live) == [
        "deployment 2 of main (version 2) is taken back: its readers have again what was deployed before it"
    ]
    entries = live.tools.ledger.entries(live.service, live.ref.id)
    assert [e.stage for e in entries if e.step == "UndoRelease"][0] == live.production


def test_a_new_environment_is_left_to_the_stack(scene: Scene) -> None:
    release(scene, 1, TEMPLATE)
    provision_all(scene, scene.production)
    found = release(scene, 2, text("new"))
    assert not found.flags
    assert [one.action for one in found.findings if one.kind == "flags"] == [LEFT]
    provision_all(scene, scene.production)
    undo_all(scene)
    assert "Flags" not in scene.standing()


def test_a_failed_update_that_leaves_its_flags_behind_is_mended(live: Scene) -> None:
    release(live, 2, text("new", Bad=BROKEN))
    with pytest.raises(ChangeSetFailed):
        provision_all(live, live.production)
    assert (read(live), status(live)) == ("new", "UPDATE_ROLLBACK_COMPLETE")
    undo_all(live)
    assert (read(live), states(live)) == ("old", {2: "REVERTED", 1: "COMPLETE"})


def test_a_deployment_that_goes_on_is_ended_and_its_update_with_it(live: Scene) -> None:
    release(live, 2, text("new", minutes=600))
    request = Provision(release=live.ref, stage=live.production)

    def deploys() -> bool:
        attempt(lambda: provision(request, live.tools))
        return states(live).get(2) == "DEPLOYING"

    eventually(deploys)
    assert not step(live)
    assert states(live)[2] == "ROLLED_BACK"
    undo_all(live)
    assert (read(live), status(live)) == ("old", "UPDATE_ROLLBACK_COMPLETE")


def test_what_somebody_else_deployed_meanwhile_stays(live: Scene) -> None:
    release(live, 2, text("new"))
    provision_all(live, live.production)
    api, standing = live.cloud.client("appconfig"), live.standing()
    named = {"ApplicationId": standing["App"], "ConfigurationProfileId": standing["Profile"]}
    made = api.create_hosted_configuration_version(**named, Content=b"theirs", ContentType="text/plain")
    api.start_deployment(
        **named,
        EnvironmentId=standing["Env"],
        DeploymentStrategyId=standing["Strategy"],
        ConfigurationVersion=str(made["VersionNumber"]),
    )
    assert not step(live)
    assert (read(live), set(states(live).values())) == ("theirs", {"COMPLETE"})
    said = "stays as it is: deployment 3 of main (version 3) is somebody else's and came after it"
    assert told(live) == [f"deployment 2 of main (version 2) {said}"]


def test_what_appconfig_refuses_is_left_to_the_stack(live: Scene) -> None:
    """The first configuration of a profile has nothing to go back to."""
    app = {"Ref": "App"}
    own = {"ApplicationId": app, "ConfigurationProfileId": {"Ref": "Other"}}
    others = {
        "Other": typed("ConfigurationProfile", ApplicationId=app, Name="other", LocationUri="hosted"),
        "First": typed("HostedConfigurationVersion", **own, Content="x", ContentType="text/plain"),
        "Second": typed(
            "Deployment",
            **own,
            EnvironmentId={"Ref": "Env"},
            DeploymentStrategyId={"Ref": "Strategy"},
            ConfigurationVersion={"Ref": "First"},
        ),
    }
    release(live, 2, text("old", **others))
    provision_all(live, live.production)
    undo_all(live)
    said = "is left to the stack's way back, since AppConfig does not revert it: Deployment 2 has no previous"
    (found,) = told(live)
    assert found.startswith(f"deployment 2 of other (version 1) {said}")
    assert "Second" not in live.standing()


def test_a_run_that_died_after_the_call_says_what_became_of_it(live: Scene) -> None:
    release(live, 2, text("new"))
    provision_all(live, live.production)
    live.cloud.client("appconfig").stop_deployment(**place(live), DeploymentNumber=2, AllowRevert=True)
    undo_all(live)
    assert len(told(live)) == 1
    assert read(live) == "old"


def test_flags_of_a_nested_stack_go_back_like_the_roots(scene: Scene) -> None:
    begin(scene, 1, text("old") + PARAMETERS)
    provision_all(scene, scene.production)
    found = begin(scene, 2, text("new") + PARAMETERS)
    (noted,) = found.flags
    assert (noted.last, noted.stacks[0].startswith(f"{found.stack_name}-Orders-")) == (1, True)
    assert [one.logical_id for one in found.findings if one.kind == "flags"] == ["Orders/Flags"]
    provision_all(scene, scene.production)
    tree = standing_tree(scene)
    where = {"ApplicationId": tree["Orders/App"], "EnvironmentId": tree["Orders/Env"]}
    assert not step(scene)
    assert states(scene, where) == {2: "REVERTED", 1: "COMPLETE"}
    undo_all(scene)
    assert states(scene, where) == {3: "COMPLETE", 2: "REVERTED", 1: "COMPLETE"}


def test_an_order_takes_the_flags_of_the_live_release_back(scene: Scene) -> None:
    first = release_whole(scene, 1, text("old"))
    release_whole(scene, 2, text("new"))
    assert read(scene) == "new"
    assert finish(scene, order(scene, first)).status == "restored"
    assert read(scene) == "old"
    assert states(scene) == {3: "COMPLETE", 2: "REVERTED", 1: "COMPLETE"}
    assert len(told(scene)) == 2
    assert f"is back on the template of {first}" in " ".join(scene.told())
