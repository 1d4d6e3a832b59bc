"""Repositories of images: only where images are configured, with tags that do not move, and exact rights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.images import PUSH, READ
from tests.infra.test_stages import role
from tests.infra.test_templates import flat, listed, statements

if TYPE_CHECKING:
    from tests.infra.conftest import Assembly

STACKS = {"Pipeline": "tidegate-images", "Stage-staging": "tidegate-images-staging"}


@pytest.mark.parametrize("stack", STACKS)
def test_a_repository_keeps_its_tags_and_outlives_its_stack(sourced: Assembly, stack: str) -> None:
    (repository,) = sourced.resources("AWS::ECR::Repository", stack).values()
    assert repository["Properties"]["RepositoryName"] == STACKS[stack]
    assert repository["Properties"]["ImageTagMutability"] == "IMMUTABLE"
    assert "LifecyclePolicy" not in repository["Properties"]
    assert (repository["DeletionPolicy"], repository["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_lambda_reads_a_stages_images_for_functions_of_its_account(sourced: Assembly) -> None:
    (repository,) = sourced.resources("AWS::ECR::Repository", "Stage-staging").values()
    (statement,) = repository["Properties"]["RepositoryPolicyText"]["Statement"]
    assert set(statement["Action"]) == set(READ)
    assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
    (functions,) = (flat(one["aws:SourceArn"]) for one in statement["Condition"].values())
    assert functions.endswith(":lambda:<AWS::Region>:<AWS::AccountId>:function:*")
    (own,) = sourced.resources("AWS::ECR::Repository").values()
    assert "RepositoryPolicyText" not in own["Properties"]


def granted(properties: dict[str, Any]) -> dict[str, set[str]]:
    """The ECR actions of a role, and the repositories that each is on."""
    found: dict[str, set[str]] = {}
    for statement in statements({"Properties": properties}):
        for action in listed(statement["Action"]):
            if action.startswith("ecr:") and statement["Effect"] == "Allow":
                places = {flat(one).rpartition(":repository/")[2] for one in listed(statement["Resource"])}
                found.setdefault(action, set()).update(places)
    return found


def test_who_may_do_what_with_images(sourced: Assembly) -> None:
    own, bases = {"tidegate-images"}, {"ecr-public/lambda/python", "base/python"}

    def of(name: str, stack: str = "Pipeline") -> dict[str, set[str]]:
        return granted(role(sourced, stack, name))

    assert of("tidegate-check-out-source") == dict.fromkeys(READ, bases)
    pushed = dict.fromkeys(PUSH, own) | {"ecr:GetDownloadUrlForLayer": bases}
    assert of("tidegate-build-function") == pushed | {"ecr:BatchGetImage": own | bases}
    assert of("tidegate-provision-stage") == {"ecr:GetDownloadUrlForLayer": own}
    stage = {"tidegate-images-staging"}
    assert of("tidegate-deploy-staging", "Stage-staging") == dict.fromkeys(PUSH, stage)
    making = of("tidegate-cloudformation-staging", "Stage-staging")
    assert making.keys() == {*READ, "ecr:GetRepositoryPolicy"}
    assert all(places == {"*"} for places in making.values()), "an adopted stack has images of its own"


def test_no_deployment_writes_images_of_tidegates(sourced: Assembly) -> None:
    (boundary,) = sourced.resources("AWS::IAM::ManagedPolicy", "Stage-staging").values()
    denied = [
        one
        for one in boundary["Properties"]["PolicyDocument"]["Statement"]
        if one.get("Sid") == "TidegatesOwnImages"
    ]
    assert [flat(one["Resource"]).rpartition(":")[2] for one in denied] == ["repository/tidegate-images*"]


def test_the_builder_is_told_the_base_images(sourced: Assembly) -> None:
    functions = sourced.resources("AWS::Lambda::Function").values()
    told = {
        one["Properties"]["FunctionName"]: one["Properties"]["Environment"]["Variables"]["TIDEGATE_IMAGES"]
        for one in functions
        if "TIDEGATE_IMAGES" in one["Properties"].get("Environment", {}).get("Variables", {})
    }
    assert set(told) == {"tidegate-build-function", "tidegate-check-out-source"}
    assert json.loads(flat(told["tidegate-build-function"]))["bases"] == [
        {"repository": "ecr-public/lambda/python", "name": "public.ecr.aws/lambda/python"},
        {"repository": "base/python"},
    ]


def test_without_images_there_is_none_of_it(assembly: Assembly) -> None:
    for stack in STACKS:
        assert not assembly.resources("AWS::ECR::Repository", stack)
        for one in assembly.resources("AWS::IAM::Role", stack).values():
            assert not granted(one["Properties"])
