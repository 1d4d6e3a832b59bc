"""A stack that Tidegate did not make: first its aliases, then its triggers, and only then new code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.domain.test_templates_normalization import SAMPLES, inline, load, placed, run
from tidegate.adapters.templates import parse
from tidegate.adapters.translation import translate
from tidegate.domain.templates import ChangedResource, Template, adopt, normalize, prepare
from tidegate.domain.templates.adoption import MARK, Adoption, leave_out

if TYPE_CHECKING:
    from pathlib import Path

DEPLOYMENT = "AWS::ApiGateway::Deployment"  # each is another, by the hash of its API
ALIAS, VERSION, FUNCTION = "AWS::Lambda::Alias", "AWS::Lambda::Version", "AWS::Lambda::Function"


def deploy(template, key="old"):
    """What SAM makes of a template, without Tidegate."""
    return translate(placed(template, key), {}, "us-east-1")


def of_type(template, kind):
    return {key: item for key, item in template["Resources"].items() if item["Type"] == kind}


def mapping(target):
    return {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"FunctionName": target}}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
class TestEverySample:
    def test_no_function_changes_before_the_release(self, path: Path):
        template = parse(path.read_text(), path.name)
        deployed = deploy(template)
        adoption = adopt(deployed, run(template, deployed, "new"))
        for step in (adoption.adopted, adoption.repointed):
            if step is not None:
                assert of_type(step, FUNCTION) == of_type(deployed, FUNCTION)

    def test_triggers_and_what_is_added_are_those_of_the_release(self, path: Path):
        """The release's own update writes none of it: only what its commit changes."""
        template = parse(path.read_text(), path.name)
        deployed = deploy(template)
        normalized = run(template, deployed, "new")
        adoption = adopt(deployed, normalized)
        wanted = normalized.template["Resources"]
        made = {*adoption.triggers, *adoption.result.keys() - deployed["Resources"].keys()}
        kept = {key: item for key, item in adoption.result.items() if item["Type"] != DEPLOYMENT}
        for key in made & kept.keys():
            assert wanted[key]["Properties"] == kept[key]["Properties"]

    def test_an_adopted_stack_is_not_adopted_again(self, path: Path):
        template = parse(path.read_text(), path.name)
        deployed = deploy(template)
        adoption = adopt(deployed, run(template, deployed, "new"))
        reached = adoption.repointed or adoption.adopted or deployed
        assert adopt(reached, run(template, reached, "new")) == Adoption()

    def test_a_stack_that_tidegate_made_is_not_adopted(self, path: Path):
        template = parse(path.read_text(), path.name)
        deployed = run(template, None, "old").template
        assert adopt(deployed, run(template, deployed, "new")) == Adoption()


def test_triggers_move_only_in_the_second_update():
    template = load("plain")
    deployed = deploy(template)
    adoption = adopt(deployed, run(template, deployed, "new"))
    assert adoption.functions == ("Greeter",)
    assert "Mapping" in adoption.triggers
    assert adoption.adopted["Resources"]["Mapping"] == deployed["Resources"]["Mapping"]
    moved = adoption.repointed["Resources"]["Mapping"]["Properties"]["FunctionName"]
    assert moved == {"Ref": "GreeterTidegateAlias"}
    assert adoption.sources == ("b",)


def test_an_update_that_died_half_way_is_gone_on_with():
    template = load("plain")
    deployed = deploy(template)
    first = adopt(deployed, run(template, deployed, "new")).adopted
    again = adopt(first, run(template, first, "new"))
    assert (again.adopted, again.functions) == (None, ())
    assert again.moved == ("Greeter",)
    assert again.repointed["Resources"]["Mapping"]["Properties"]["FunctionName"] == {
        "Ref": "GreeterTidegateAlias"
    }


def test_a_function_with_an_alias_keeps_its_version_and_gives_its_triggers():
    alias = {
        "Type": ALIAS,
        "Properties": {
            "Name": "prod",
            "FunctionName": {"Ref": "F"},
            "FunctionVersion": {"Fn::GetAtt": ["V", "Version"]},
        },
    }
    version = {"Type": VERSION, "Properties": {"FunctionName": {"Ref": "F"}}}
    template = inline(V=version, A=alias, Mapping=mapping({"Ref": "F"}))
    deployed = deploy(template)
    adoption = adopt(deployed, run(template, deployed))
    assert (adoption.adopted, adoption.functions, adoption.moved) == (None, (), ("F",))
    resources = adoption.repointed["Resources"]
    assert (resources["V"], resources["A"]) == (version, alias)
    assert resources["Mapping"]["Properties"]["FunctionName"] == {"Ref": "A"}


def test_a_condition_is_that_of_the_deployed_function():
    """The one of the new template may not be there yet."""
    deployed = deploy(inline())
    deployed["Conditions"] = {"Old": {"Fn::Equals": ["a", "a"]}}
    deployed["Resources"]["F"]["Condition"] = "Old"
    template = inline()
    template.data["Conditions"] = {"New": {"Fn::Equals": ["b", "b"]}}
    template.data["Resources"]["F"]["Condition"] = "New"
    adopted = adopt(deployed, run(template, deployed)).adopted
    assert {key: item["Condition"] for key, item in adopted["Resources"].items()} == dict.fromkeys(
        ("F", "FTidegateAlias", "FTidegateAnchor"), "Old"
    )


def test_what_the_release_replaces_is_not_adopted():
    deployed = deploy(inline(Mapping=mapping({"Ref": "F"})))
    normalized = run(inline(Mapping=mapping({"Ref": "F"})), deployed)
    assert adopt(deployed, normalized, frozenset({"F"})) == Adoption()


def test_an_alias_that_needs_what_only_the_commit_has_is_not_adopted():
    template = inline()
    template.data["Parameters"] = {"Name": {"Type": "String", "Default": "blue"}}
    template.data["Resources"] |= {
        "V": {"Type": VERSION, "Properties": {"FunctionName": {"Ref": "F"}}},
        "A": {
            "Type": ALIAS,
            "Properties": {
                "Name": "live",
                "Description": {"Ref": "Name"},
                "FunctionName": {"Ref": "F"},
                "FunctionVersion": {"Fn::GetAtt": ["V", "Version"]},
            },
        },
    }
    deployed = deploy(inline())
    prepared = prepare(Template(data=template.data))
    normalized = normalize(translate(prepared.template, {}, "us-east-1"), prepared, deployed)
    assert adopt(deployed, normalized) == Adoption()


def test_a_new_function_is_not_adopted():
    deployed = deploy(inline())
    template = inline(G=inline().data["Resources"]["F"], Mapping=mapping({"Ref": "G"}))
    adoption = adopt(deployed, run(template, deployed))
    assert (adoption.functions, adoption.triggers) == (("F",), ())
    assert "G" not in adoption.result


def test_a_change_that_follows_a_replacement_of_the_release_is_the_releases():
    queue, source = {"Type": "AWS::SQS::Queue"}, {"Fn::GetAtt": ["Queue", "Arn"]}
    policy = {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": "Queue"}]}}
    jobs = mapping({"Ref": "F"})
    jobs["Properties"]["EventSourceArn"] = source
    deployed = deploy(inline(Queue=queue, Policy=policy, Jobs=jobs, Night=mapping({"Ref": "F"})))
    renamed = {**queue, "Properties": {"QueueName": "another"}}
    normalized = run(inline(Queue=renamed, Policy=policy, Jobs=jobs, Night=mapping({"Ref": "F"})), deployed)
    changes = tuple(
        ChangedResource(action="Modify", logical_id=key, type="any", replacement=key in {"Queue", "Policy"})
        for key in ("Queue", "Policy", "Jobs", "Night")
    )
    left = leave_out(changes, adopt(deployed, normalized), normalized)
    assert [item.logical_id for item in left] == ["Queue", "Policy", "Jobs"]


@pytest.mark.parametrize(
    ("given", "touched"),
    [
        (None, MARK),
        ("Greets", f"Greets{MARK}"),
        ("x" * 250, "x" * (256 - len(MARK)) + MARK),
        ({"Ref": "Text"}, {"Fn::Join": ["", [{"Ref": "Text"}, MARK]]}),
    ],
)
def test_a_function_that_has_a_version_is_touched_to_give_another(given, touched):
    template = inline()
    template.data["Parameters"] = {"Text": {"Type": "String", "Default": "x"}}
    if given:
        template.data["Resources"]["F"]["Properties"]["Description"] = given
    deployed = deploy(template)
    adoption = adopt(deployed, run(template, deployed), published=frozenset({"F", "G"}))
    assert adoption.touched == ("F",)
    assert adoption.adopted["Resources"]["F"]["Properties"]["Description"] == touched
    code = deployed["Resources"]["F"]["Properties"]["Code"]
    assert adoption.adopted["Resources"]["F"]["Properties"]["Code"] == code
