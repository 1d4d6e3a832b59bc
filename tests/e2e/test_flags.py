"""A release that changes a feature flag along with the code: both versions read it, and it goes back first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.pipelines.traffic import Traffic
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service

READS = (
    "import boto3; "
    'api = globals().get("api") or globals().setdefault("api", boto3.client("appconfigdata")); '
    'names = {"ApplicationIdentifier": os.environ["APP"], "EnvironmentIdentifier": "live", '
    '"ConfigurationProfileIdentifier": "main"}; '
    'token = api.start_configuration_session(**names)["InitialConfigurationToken"]; '
    'flag = api.get_latest_configuration(ConfigurationToken=token)["Configuration"].read().decode(); '
    'os.environ["SUFFIX"] = "/" + flag'
)
# The new code alone cannot stand the new flag, and in production alone.
FAILS = '; assert flag == "old" or not os.environ["STACK"].endswith("production")'
PATIENCE = 300.0


def flags(content: str) -> dict[str, Any]:
    app, env, profile = ({"Ref": key} for key in ("App", "Env", "Profile"))
    own = {"ApplicationId": app, "ConfigurationProfileId": profile}
    times = {"DeploymentDurationInMinutes": 0, "GrowthFactor": 100, "ReplicateTo": "NONE"}
    where = {"EnvironmentId": env, "DeploymentStrategyId": {"Ref": "Strategy"}}
    properties: dict[str, dict[str, Any]] = {
        "App": {"Name": "flags"},
        "Env": {"ApplicationId": app, "Name": "live"},
        "Profile": {"ApplicationId": app, "Name": "main", "LocationUri": "hosted"},
        "Strategy": {"Name": "own", **times},
        "Hosted": {**own, "Content": content, "ContentType": "text/plain"},
        "Flags": {**own, **where, "ConfigurationVersion": {"Ref": "Hosted"}},
    }
    kinds = {
        "App": "Application",
        "Env": "Environment",
        "Profile": "ConfigurationProfile",
        "Strategy": "DeploymentStrategy",
        "Hosted": "HostedConfigurationVersion",
        "Flags": "Deployment",
    }
    return {
        key: {"Type": f"AWS::AppConfig::{kind}", "Properties": properties[key]} for key, kind in kinds.items()
    }


def test_flags_go_back_with_traffic_before_the_stack(fresh: Service) -> None:
    variables = {"APP": {"Ref": "App"}, "STACK": {"Ref": "AWS::StackName"}}
    fresh.properties = {"Environment": {"Variables": variables}}
    fresh.resources = flags("old")
    answer = fresh.change(READS)
    pushed = fresh.push()
    fresh.await_end(pushed, PATIENCE)
    assert fresh.outcome(pushed) is Outcome.PROMOTED, fresh.tell(pushed)
    assert fresh.ask() == [f"{answer}/old"]

    fresh.resources = flags("new")
    fresh.change(READS + FAILS)
    with Traffic(fresh):
        pushed = fresh.push()
        fresh.until(lambda: f"{answer}/new" in fresh.ask(), lambda: fresh.tell(pushed), PATIENCE)
        fresh.await_end(pushed, PATIENCE)
    assert fresh.outcome(pushed) is Outcome.ROLLED_BACK, fresh.tell(pushed)

    told = [(e.step, e.what) for e in fresh.entries(pushed) if e.stage in {"", "production"}]
    steps = ("RestoreTraffic", "deployment 2 of main (version 2) is taken back", "undid the stacks")
    places = [
        next(i for i, (step, what) in enumerate(told) if begin in {step, what[: len(begin)]})
        for begin in steps
    ]
    assert places == sorted(places), told

    standing = fresh.standing()
    named = {"ApplicationId": standing["App"], "EnvironmentId": standing["Env"]}
    items = fresh.client("appconfig").list_deployments(**named)["Items"]
    assert [item["State"] for item in items] == ["COMPLETE", "REVERTED", "COMPLETE"]
    stack = fresh.client("cloudformation").get_template(StackName=f"{fresh.name}-production")
    template = stack["TemplateBody"]
    template = json.loads(template) if isinstance(template, str) else template
    assert template["Resources"]["Hosted"]["Properties"]["Content"] == "old"
    fresh.live = f"{answer}/old"
    fresh.check_settled()
