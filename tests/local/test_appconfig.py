"""AppConfig's deployments by the clock, and what their readers get."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError

from tests.local.test_resources import ref, typed
from tests.local.test_stacks import broken
from tidegate.local.flag_deployments import PREDEFINED, REVERTIBLE, Deployment, Environment, Strategy

ONE = {"ApplicationId": ref("App")}
PROFILE = {**ONE, "ConfigurationProfileId": ref("Profile")}


def flags(content, **strategy):
    """An application with one configuration, deployed."""
    times = {"DeploymentDurationInMinutes": 0, "FinalBakeTimeInMinutes": 0, "GrowthFactor": 100}
    hosted = {**PROFILE, "Content": content, "ContentType": "text/plain"}
    where = {"EnvironmentId": ref("Env"), "DeploymentStrategyId": ref("Strategy")}
    return {
        "App": typed("AppConfig::Application", Name="flags"),
        "Env": typed("AppConfig::Environment", **ONE, Name="live"),
        "Profile": typed("AppConfig::ConfigurationProfile", **ONE, Name="main", LocationUri="hosted"),
        "Strategy": typed(
            "AppConfig::DeploymentStrategy", Name="own", ReplicateTo="NONE", **{**times, **strategy}
        ),
        "Version": typed("AppConfig::HostedConfigurationVersion", **hosted),
        "Deployment": typed("AppConfig::Deployment", **PROFILE, **where, ConfigurationVersion=ref("Version")),
    }


class Reader:
    """A session on the stack's configuration."""

    def __init__(self, stack):
        self.api = stack.cloud.client("appconfigdata")
        names = {
            "ApplicationIdentifier": stack.physical("App"),
            "EnvironmentIdentifier": "live",
            "ConfigurationProfileIdentifier": "main",
        }
        self.token = self.api.start_configuration_session(**names)["InitialConfigurationToken"]

    def read(self):
        answer = self.api.get_latest_configuration(ConfigurationToken=self.token)
        self.token = answer["NextPollConfigurationToken"]
        return answer["Configuration"].read().decode()


def named(stack, **number):
    return {"ApplicationId": stack.physical("App"), "EnvironmentId": stack.physical("Env"), **number}


def stop(stack, number, **options):
    api = stack.cloud.client("appconfig")
    return api.stop_deployment(**named(stack, DeploymentNumber=number), **options)["State"]


def listed(stack):
    items = stack.cloud.client("appconfig").list_deployments(**named(stack))["Items"]
    return [(item["DeploymentNumber"], item["State"]) for item in items]


def test_an_update_deploys_and_a_revert_takes_back(stack):
    assert stack.create(flags("old")) == "CREATE_COMPLETE", stack.reasons()
    reader = Reader(stack)
    assert (reader.read(), reader.read()) == ("old", "")
    assert stack.update(flags("new")) == "UPDATE_COMPLETE", stack.reasons()
    assert stack.physical("Deployment") == "|".join([*named(stack).values(), "2"])
    assert reader.read() == "new"
    assert stop(stack, 2, AllowRevert=True) == "REVERTED"
    assert reader.read() == "old"  # though its hosted version has gone with the update
    assert listed(stack) == [(2, "REVERTED"), (1, "COMPLETE")]
    assert stack.update(flags("old")) == "UPDATE_COMPLETE", stack.reasons()
    assert Reader(stack).read() == "old"
    assert listed(stack)[0] == (3, "COMPLETE")
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_deployment_carries_its_stack_in_its_tags(stack):
    assert stack.create(flags("old")) == "CREATE_COMPLETE", stack.reasons()
    application, environment, number = stack.physical("Deployment").split("|")
    arn = f"arn:aws:appconfig:us-east-1:123456789012:application/{application}/environment/{environment}"
    tags = stack.cloud.client("appconfig").list_tags_for_resource(ResourceArn=f"{arn}/deployment/{number}")
    assert tags["Tags"]["aws:cloudformation:stack-name"] == stack.name


@pytest.mark.parametrize(("number", "options"), [(1, {"AllowRevert": True}), (2, {}), (9, {})])
def test_what_cannot_be_taken_back_is_refused(stack, number, options):
    assert stack.create(flags("old")) == "CREATE_COMPLETE", stack.reasons()
    assert stack.update(flags("new")) == "UPDATE_COMPLETE", stack.reasons()
    code = "ResourceNotFoundException" if number == 9 else "BadRequestException"
    with pytest.raises(ClientError, match=code):
        stop(stack, number, **options)


def test_one_that_goes_on_is_rolled_back_and_keeps_others_from_starting(stack):
    assert stack.create(flags("old")) == "CREATE_COMPLETE", stack.reasons()
    api = stack.cloud.client("appconfig")
    slow = api.create_deployment_strategy(
        Name="slow", DeploymentDurationInMinutes=600, GrowthFactor=10, ReplicateTo="NONE"
    )
    given = {
        **named(stack),
        "ConfigurationProfileId": stack.physical("Profile"),
        "ConfigurationVersion": stack.physical("Version"),
        "DeploymentStrategyId": slow["Id"],
    }
    assert api.start_deployment(**given)["State"] == "DEPLOYING"
    with pytest.raises(ClientError, match="ConflictException"):
        api.start_deployment(**given)
    assert stop(stack, 2) == "ROLLED_BACK"
    assert api.start_deployment(**given)["DeploymentNumber"] == 3


def test_a_failed_update_leaves_the_new_configuration_with_its_readers(stack):
    assert stack.create(flags("old")) == "CREATE_COMPLETE", stack.reasons()
    assert stack.update({**flags("new"), "Bad": broken("Deployment")}) == "UPDATE_ROLLBACK_COMPLETE"
    assert Reader(stack).read() == "new"
    assert stack.physical("Deployment").endswith("|1")


@pytest.mark.parametrize("strategy", PREDEFINED, ids=lambda one: one.id)
def test_a_strategy_grows_to_the_whole(strategy):
    shares = [strategy.share(minute / 10) for minute in range(600)]
    assert shares == sorted(shares)
    assert shares[-1] == 100
    assert strategy.duration == 0 or shares[0] == strategy.factor


def test_a_revert_has_its_time(monkeypatch):
    environment = Environment("e", "a", "live", "", [])
    profile = type("Profile", (), {"id": "p", "name": "main"})()
    now = time.time()
    for number in (1, 2):
        made = Deployment(number, profile, None, b"", Strategy("s", "s"), "", 1.0, started=now)
        environment.start(made)
    monkeypatch.setattr(time, "time", lambda: now + REVERTIBLE * 60 + 1)
    with pytest.raises(Exception, match="72 hours"):
        environment.stop(2, revert=True)
