"""CloudFormation's operations: statuses, events, rollback, replacement, retention, change sets."""

from __future__ import annotations

import io
import json
import time
import zipfile

import pytest
from botocore.exceptions import ClientError

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
NOWHERE = "arn:aws:sns:us-east-1:123456789012:nowhere"


def queue(**properties):
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def topic(**properties):
    return {"Type": "AWS::SNS::Topic", "Properties": properties}


def parameter(value, **rest):
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}, **rest}


def broken(*after):
    properties = {"TopicArn": NOWHERE, "Protocol": "sqs", "Endpoint": "x"}
    return {"Type": "AWS::SNS::Subscription", "DependsOn": list(after), "Properties": properties}


def function(timeout=3, code="def handler(event, context): return 1", **rest):
    return {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Handler": "index.handler",
                "Runtime": "python3.12",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": code},
                "Timeout": timeout,
                **rest,
            },
        },
    }


def anchored(**function_options):
    """A function as Tidegate normalizes it: a frozen alias on an anchor version."""
    return {
        **function(**function_options),
        "Anchor": {
            "Type": "AWS::Lambda::Version",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"FunctionName": {"Ref": "Function"}},
        },
        "Live": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": ["Anchor", "Version"]},
                "Name": "live",
            },
        },
    }


def read(stack, name):
    return stack.cloud.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]


def change(changes, logical_id):
    found = [c["ResourceChange"] for c in changes["Changes"]]
    return next((c for c in found if c["LogicalResourceId"] == logical_id), None)


def zipped(text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", text)
    return buffer.getvalue()


class TestCreate:
    def test_goes_through_its_statuses_and_gives_outputs(self, stack):
        resources = {"Jobs": queue(), "Where": parameter({"Fn::GetAtt": ["Jobs", "Arn"]})}
        outputs = {"Url": {"Value": {"Ref": "Jobs"}, "Description": "where to send"}}
        assert stack.create(resources, Outputs=outputs) == "CREATE_COMPLETE"
        assert stack.statuses(stack.name) == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
        assert stack.statuses("Jobs") == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
        assert stack.outputs()["Url"] == stack.physical("Jobs")
        assert read(stack, stack.physical("Where")).startswith("arn:aws:sqs:us-east-1:123456789012:")

    def test_answers_before_it_is_done(self, stack):
        resources = {f"Topic{number}": topic() for number in range(30)}
        started = time.monotonic()
        stack.api.create_stack(StackName=stack.name, TemplateBody=json.dumps({"Resources": resources}))
        assert stack.describe()["StackStatus"] == "CREATE_IN_PROGRESS"
        assert stack.wait() == "CREATE_COMPLETE"
        assert time.monotonic() - started < 3

    def test_rolls_back_what_it_made(self, stack):
        assert stack.create({"Jobs": queue(), "Bad": broken("Jobs")}) == "ROLLBACK_COMPLETE"
        assert stack.statuses("Bad") == ["CREATE_IN_PROGRESS", "CREATE_FAILED"]
        assert stack.statuses("Jobs")[-1] == "DELETE_COMPLETE"
        assert "failed to create: [Bad]" in stack.reasons()
        assert not stack.cloud.client("sqs").list_queues(QueueNamePrefix=stack.name).get("QueueUrls")
        with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
            stack.update({"Jobs": queue(DelaySeconds=1)})

    @pytest.mark.parametrize(
        ("options", "status"),
        [({"DisableRollback": True}, "CREATE_FAILED"), ({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED")],
    )
    def test_leaves_a_failed_stack_when_asked_to(self, stack, options, status):
        assert stack.create({"Jobs": queue(), "Bad": broken("Jobs")}, **options) == status
        assert stack.resources()["Jobs"]["ResourceStatus"] == "CREATE_COMPLETE"
        assert stack.delete() == "DELETE_COMPLETE"

    def test_names_every_type_that_is_not_available(self, stack):
        resources = {"A": {"Type": "AWS::Foo::Bar"}, "B": {"Type": "AWS::Serverless::Function"}, "C": queue()}
        assert stack.create(resources) == "ROLLBACK_COMPLETE"
        assert "AWS::Foo::Bar is not available in the local cloud" in stack.reasons()
        assert "AWS::Serverless::Function is not available in the local cloud" in stack.reasons()
        assert not stack.statuses("C")

    def test_refuses_a_property_that_the_service_does_not_know(self, stack):
        assert (
            stack.create({"Function": function()["Function"], **function(Colour="red")})
            == "ROLLBACK_COMPLETE"
        )
        assert "Encountered unsupported property Colour" in stack.reasons()

    def test_names_the_required_property_that_is_missing(self, stack):
        assert stack.create({"Live": {"Type": "AWS::SNS::TopicPolicy"}}) == "ROLLBACK_COMPLETE"
        assert "required key [Topics] not found" in stack.reasons()

    def test_needs_capabilities(self, stack):
        role = function()["Role"]
        named = {"Type": role["Type"], "Properties": {**role["Properties"], "RoleName": stack.name}}
        with pytest.raises(ClientError, match=r"InsufficientCapabilities.*\[CAPABILITY_IAM\]"):
            stack.create({"Role": role}, Capabilities=[])
        with pytest.raises(ClientError, match=r"\[CAPABILITY_NAMED_IAM\]"):
            stack.create({"Role": named}, Capabilities=["CAPABILITY_IAM"])
        assert stack.create({"Role": named}) == "CREATE_COMPLETE"

    def test_names_resources_after_stack_and_logical_id(self, stack):
        stack.create({"Jobs": queue(FifoQueue=True), "News": topic(TopicName=f"{stack.name}-news")})
        name = stack.physical("Jobs").rsplit("/", 1)[-1]
        assert name.startswith(f"{stack.name}-Jobs-")
        assert name.endswith(".fifo")
        assert stack.physical("News").endswith(f":{stack.name}-news")

    def test_refuses_a_second_stack_of_the_name(self, stack):
        stack.create({"Jobs": queue()})
        with pytest.raises(ClientError, match="AlreadyExistsException"):
            stack.create({"Jobs": queue()})

    def test_takes_a_template_from_s3(self, stack):
        s3 = stack.cloud.client("s3")
        s3.create_bucket(Bucket=stack.name)
        s3.put_object(Bucket=stack.name, Key="a/t.json", Body=json.dumps({"Resources": {"Jobs": queue()}}))
        url = f"https://{stack.name}.s3.us-east-1.amazonaws.com/a/t.json"
        stack.api.create_stack(StackName=stack.name, TemplateURL=url)
        assert stack.wait() == "CREATE_COMPLETE"

    def test_assumes_the_role_that_it_is_given(self, stack):
        with pytest.raises(ClientError, match="is invalid or cannot be assumed"):
            stack.create({"Jobs": queue()}, RoleARN="arn:aws:iam::123456789012:role/nobody")
        role = stack.cloud.client("iam").create_role(
            RoleName=stack.name, AssumeRolePolicyDocument=json.dumps(TRUST)
        )
        assert stack.create({"Jobs": queue()}, RoleARN=role["Role"]["Arn"]) == "CREATE_COMPLETE"
        assert stack.describe()["RoleARN"] == role["Role"]["Arn"]


class TestUpdate:
    def test_changes_in_place_and_removes_last(self, stack):
        stack.create({"Jobs": queue(), "Old": topic()})
        before = stack.physical("Jobs")
        assert stack.update({"Jobs": queue(DelaySeconds=7), "New": topic()}) == "UPDATE_COMPLETE"
        assert stack.physical("Jobs") == before
        assert set(stack.resources()) == {"Jobs", "New"}
        told = [(e["LogicalResourceId"], e["ResourceStatus"]) for e in stack.events()]
        cleaning = told.index((stack.name, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))
        assert told.index(("New", "CREATE_COMPLETE")) < cleaning < told.index(("Old", "DELETE_COMPLETE"))

    def test_refuses_an_update_that_changes_nothing(self, stack):
        stack.create({"Jobs": queue()})
        with pytest.raises(ClientError, match=r"ValidationError.*No updates are to be performed\."):
            stack.update({"Jobs": queue()})

    def test_replaces_by_a_create_only_property_and_repoints(self, stack):
        resources = {"Jobs": queue(QueueName=f"{stack.name}-1"), "Where": parameter({"Ref": "Jobs"})}
        stack.create(resources)
        resources["Jobs"] = queue(QueueName=f"{stack.name}-2")
        assert stack.update(resources) == "UPDATE_COMPLETE"
        assert read(stack, stack.physical("Where")).endswith(f"{stack.name}-2")
        left = stack.cloud.client("sqs").list_queues(QueueNamePrefix=stack.name)["QueueUrls"]
        assert [url.rsplit("/", 1)[-1] for url in left] == [f"{stack.name}-2"]

    def test_keeps_a_replaced_resource_when_told_to(self, stack):
        def kept(name):
            return {**queue(QueueName=f"{stack.name}-{name}"), "UpdateReplacePolicy": "Retain"}

        stack.create({"Jobs": kept("1")})
        stack.update({"Jobs": kept("2")})
        left = stack.cloud.client("sqs").list_queues(QueueNamePrefix=stack.name)["QueueUrls"]
        assert len(left) == 2
        assert "DELETE_SKIPPED" in stack.statuses("Jobs")

    def test_does_not_replace_a_resource_that_keeps_its_name(self, stack):
        stack.create({"Jobs": queue(QueueName=f"{stack.name}.fifo", FifoQueue=True)})
        resources = {"Jobs": {**queue(QueueName=f"{stack.name}.fifo")}}
        assert stack.update(resources) == "UPDATE_ROLLBACK_COMPLETE"
        assert "custom-named resource requires replacing" in stack.reasons()

    def test_rolls_back_to_the_previous_template(self, stack):
        first = {"Jobs": queue(DelaySeconds=1), "Name": queue(QueueName=f"{stack.name}-1"), "Old": topic()}
        first["Where"] = parameter({"Ref": "Name"})
        stack.create(first, Outputs={"Name": {"Value": {"Ref": "Name"}}})
        before = {name: resource["PhysicalResourceId"] for name, resource in stack.resources().items()}
        second = {
            "Jobs": queue(DelaySeconds=2),
            "Name": queue(QueueName=f"{stack.name}-2"),
            "Where": parameter({"Ref": "Name"}),
            "New": topic(),
            "Bad": broken("Jobs", "Name", "Where", "New"),
        }
        assert stack.update(second) == "UPDATE_ROLLBACK_COMPLETE"
        after = {name: resource["PhysicalResourceId"] for name, resource in stack.resources().items()}
        assert after == before
        sqs = stack.cloud.client("sqs")
        names = [url.rsplit("/", 1)[-1] for url in sqs.list_queues(QueueNamePrefix=stack.name)["QueueUrls"]]
        assert f"{stack.name}-1" in names
        assert f"{stack.name}-2" not in names
        told = sqs.get_queue_attributes(QueueUrl=after["Jobs"], AttributeNames=["DelaySeconds"])
        assert told["Attributes"]["DelaySeconds"] == "1"
        assert read(stack, after["Where"]).endswith(f"{stack.name}-1")
        assert (
            json.loads(json.dumps(stack.api.get_template(StackName=stack.name)["TemplateBody"]))["Resources"]
            == first
        )
        assert [s for s in stack.statuses(stack.name) if s.startswith("UPDATE")] == [
            "UPDATE_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_COMPLETE",
        ]
        first["Jobs"] = queue(DelaySeconds=3)
        assert stack.update(first, Outputs={"Name": {"Value": {"Ref": "Name"}}}) == "UPDATE_COMPLETE"

    def test_a_rollback_that_fails_waits_for_an_operator(self, stack):
        stack.create({"Jobs": queue(DelaySeconds=1), "News": topic()})
        stack.cloud.client("sqs").delete_queue(QueueUrl=stack.physical("Jobs"))
        resources = {"Jobs": queue(DelaySeconds=2), "News": topic(DisplayName="x")}
        assert stack.update(resources) == "UPDATE_ROLLBACK_FAILED"
        with pytest.raises(ClientError, match="UPDATE_ROLLBACK_FAILED state and can not be updated"):
            stack.update(resources)
        stack.api.continue_update_rollback(StackName=stack.name)
        assert stack.wait() == "UPDATE_ROLLBACK_FAILED"
        stack.api.continue_update_rollback(StackName=stack.name, ResourcesToSkip=["Jobs"])
        assert stack.wait() == "UPDATE_ROLLBACK_COMPLETE"

    def test_never_writes_a_resource_whose_properties_did_not_change(self, stack):
        stack.create(anchored(timeout=3))
        api, name = stack.cloud.client("lambda"), stack.physical("Function")
        api.update_function_code(FunctionName=name, ZipFile=zipped("def handler(e, c): return 2"))
        version = api.publish_version(FunctionName=name)["Version"]
        api.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
        before = api.get_alias(FunctionName=name, Name="live")
        assert stack.update(anchored(timeout=9)) == "UPDATE_COMPLETE"
        assert stack.update({**anchored(timeout=9), "Bad": broken()}) == "UPDATE_ROLLBACK_COMPLETE"
        assert stack.update({**anchored(timeout=20), "Bad": broken("Function")}) == "UPDATE_ROLLBACK_COMPLETE"
        after = api.get_alias(FunctionName=name, Name="live")
        assert after["FunctionVersion"] == version == "2"
        assert after["RevisionId"] == before["RevisionId"]
        assert stack.statuses("Live") == stack.statuses("Anchor") == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]
        assert api.get_function_configuration(FunctionName=name)["Timeout"] == 9
        assert api.get_function_configuration(FunctionName=f"{name}:1")["Timeout"] == 3

    def test_a_busy_stack_refuses_everything_else(self, stack):
        resources = {f"Topic{number}": topic() for number in range(40)}
        stack.api.create_stack(StackName=stack.name, TemplateBody=json.dumps({"Resources": resources}))
        with pytest.raises(ClientError, match=r"is in CREATE_IN_PROGRESS state and can not be updated\."):
            stack.update({"Jobs": queue()})
        with pytest.raises(ClientError, match="cannot be deleted while in status CREATE_IN_PROGRESS"):
            stack.api.delete_stack(StackName=stack.name)
        assert stack.wait() == "CREATE_COMPLETE"

    def test_refuses_another_type_under_the_same_logical_id(self, stack):
        stack.create({"Jobs": queue()})
        with pytest.raises(ClientError, match="Update of resource type is not permitted"):
            stack.update({"Jobs": topic()})

    def test_parameters_keep_their_previous_values(self, stack):
        declared = {"Delay": {"Type": "Number"}, "Size": {"Type": "String", "Default": "2048"}}
        resources = {"Jobs": queue(DelaySeconds={"Ref": "Delay"}, MaximumMessageSize={"Ref": "Size"})}
        body = json.dumps({"Parameters": declared, "Resources": resources})
        given = [{"ParameterKey": "Delay", "ParameterValue": "4"}]
        assert stack.create({}, text=body, Parameters=given) == "CREATE_COMPLETE"
        kept = [
            {"ParameterKey": "Delay", "UsePreviousValue": True},
            {"ParameterKey": "Size", "ParameterValue": "4096"},
        ]
        stack.api.update_stack(StackName=stack.name, UsePreviousTemplate=True, Parameters=kept)
        assert stack.wait() == "UPDATE_COMPLETE"
        shown = {p["ParameterKey"]: p["ParameterValue"] for p in stack.describe()["Parameters"]}
        assert shown == {"Delay": "4", "Size": "4096"}


class TestDelete:
    def test_goes_backwards_and_keeps_what_is_retained(self, stack):
        resources = {
            "Jobs": {**queue(), "DeletionPolicy": "Retain"},
            "Where": parameter({"Ref": "Jobs"}),
            "News": topic(),
        }
        stack.create(resources)
        identity, url = stack.describe()["StackId"], stack.physical("Jobs")
        assert stack.delete() == "DELETE_COMPLETE"
        assert stack.statuses("Jobs", identity)[-1] == "DELETE_SKIPPED"
        told = [(e["LogicalResourceId"], e["ResourceStatus"]) for e in stack.events(identity)]
        assert told.index(("Where", "DELETE_COMPLETE")) < told.index(("Jobs", "DELETE_SKIPPED"))
        stack.cloud.client("sqs").get_queue_attributes(QueueUrl=url)
        with pytest.raises(ClientError, match=f"Stack with id {stack.name} does not exist"):
            stack.describe()

    def test_fails_where_a_resource_cannot_be_deleted(self, stack):
        stack.create({"Store": {"Type": "AWS::S3::Bucket"}})
        bucket, s3 = stack.physical("Store"), stack.cloud.client("s3")
        s3.put_object(Bucket=bucket, Key="k", Body=b"")
        assert stack.delete() == "DELETE_FAILED"
        assert "failed to delete: [Store]" in stack.describe()["StackStatusReason"]
        s3.delete_object(Bucket=bucket, Key="k")
        assert stack.delete() == "DELETE_COMPLETE"

    def test_respects_termination_protection(self, stack):
        stack.create({"Jobs": queue()}, EnableTerminationProtection=True)
        with pytest.raises(ClientError, match="TerminationProtection is enabled"):
            stack.api.delete_stack(StackName=stack.name)
        stack.api.update_termination_protection(StackName=stack.name, EnableTerminationProtection=False)
        assert stack.delete() == "DELETE_COMPLETE"

    def test_of_a_stack_that_does_not_exist_is_done(self, stack):
        stack.api.delete_stack(StackName=stack.name)

    def test_waits_for_those_that_import(self, stack, cloud):
        export = {"Url": {"Value": {"Ref": "Jobs"}, "Export": {"Name": f"{stack.name}-url"}}}
        stack.create({"Jobs": queue()}, Outputs=export)
        other = type(stack)(cloud, f"{stack.name}-other")
        assert (
            other.create({"Where": parameter({"Fn::ImportValue": f"{stack.name}-url"})}) == "CREATE_COMPLETE"
        )
        assert stack.api.list_imports(ExportName=f"{stack.name}-url")["Imports"] == [other.name]
        assert stack.delete() == "DELETE_FAILED"
        assert "in use by" in stack.describe()["StackStatusReason"]
        other.delete()
        assert stack.delete() == "DELETE_COMPLETE"


class TestChangeSets:
    def test_of_a_new_stack_leaves_it_in_review(self, stack):
        found = stack.propose({"Jobs": queue()}, "CREATE")
        assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
        assert stack.describe()["StackStatus"] == "REVIEW_IN_PROGRESS"
        assert change(found, "Jobs")["Action"] == "Add"
        assert stack.execute(found) == "CREATE_COMPLETE"
        again = stack.api.describe_change_set(ChangeSetName=found["ChangeSetId"])
        assert again["ExecutionStatus"] == "EXECUTE_COMPLETE"

    def test_without_changes_fails_in_words_of_its_own(self, stack):
        stack.create({"Jobs": queue()})
        found = stack.propose({"Jobs": queue()})
        assert (found["Status"], found["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
        assert found["StatusReason"].startswith("The submitted information didn't contain changes.")
        with pytest.raises(ClientError, match="InvalidChangeSetStatus"):
            stack.execute(found)

    def test_tells_what_changes_and_what_is_replaced(self, stack):
        resources = {
            "Jobs": queue(DelaySeconds=1),
            "Name": queue(QueueName=f"{stack.name}-1"),
            "Where": parameter({"Ref": "Name"}),
            "Still": parameter({"Ref": "Jobs"}),
            "Old": topic(),
        }
        stack.create(resources)
        resources |= {
            "Jobs": queue(DelaySeconds=2),
            "Name": queue(QueueName=f"{stack.name}-2"),
            "New": topic(),
        }
        del resources["Old"]
        found = stack.propose(resources)
        assert {c["ResourceChange"]["LogicalResourceId"] for c in found["Changes"]} == {
            "Jobs",
            "Name",
            "New",
            "Old",
            "Where",
        }
        assert change(found, "Jobs")["Replacement"] == "False"
        assert change(found, "Name")["Replacement"] == "True"
        assert change(found, "Name")["Details"][0]["Target"] == {
            "Attribute": "Properties",
            "Name": "QueueName",
            "RequiresRecreation": "Always",
        }
        where = change(found, "Where")
        assert (where["Action"], where["Replacement"]) == ("Modify", "False")
        assert where["Details"][0]["ChangeSource"] == "ResourceReference"
        assert where["Details"][0]["CausingEntity"] == "Name"
        assert change(found, "Old")["Action"] == "Remove"
        assert change(found, "Old")["PhysicalResourceId"].startswith("arn:")

    def test_shows_the_frozen_alias_as_unchanged(self, stack):
        stack.create(anchored(timeout=3))
        found = stack.propose(anchored(timeout=4))
        assert [c["ResourceChange"]["LogicalResourceId"] for c in found["Changes"]] == ["Function"]

    def test_makes_the_others_obsolete(self, stack):
        stack.create({"Jobs": queue()})
        one, two = (
            stack.propose({"Jobs": queue(DelaySeconds=1)}),
            stack.propose({"Jobs": queue(DelaySeconds=2)}),
        )
        stack.execute(one)
        listed = stack.api.list_change_sets(StackName=stack.name)["Summaries"]
        assert [s["ExecutionStatus"] for s in listed] == ["EXECUTE_COMPLETE", "OBSOLETE"]
        with pytest.raises(ClientError, match="InvalidChangeSetStatus"):
            stack.execute(two)
        stack.api.delete_change_set(ChangeSetName=two["ChangeSetId"])

    def test_executes_once_for_one_token(self, stack):
        found = stack.propose({"Jobs": queue()}, "CREATE")
        for _ in range(2):
            stack.api.execute_change_set(ChangeSetName=found["ChangeSetId"], ClientRequestToken="once")
        assert stack.wait() == "CREATE_COMPLETE"
        stack.api.execute_change_set(ChangeSetName=found["ChangeSetId"], ClientRequestToken="once")
        assert stack.statuses(stack.name).count("CREATE_IN_PROGRESS") == 1

    def test_that_do_not_exist_are_not_found(self, stack):
        stack.create({"Jobs": queue()})
        with pytest.raises(stack.api.exceptions.ChangeSetNotFoundException):
            stack.api.describe_change_set(StackName=stack.name, ChangeSetName="none")
        with pytest.raises(ClientError, match=r"Stack \[.*\] does not exist"):
            stack.api.create_change_set(
                StackName="missing",
                ChangeSetName="a",
                TemplateBody=json.dumps({"Resources": {"Jobs": queue()}}),
            )

    def test_page_their_changes(self, stack):
        found = stack.propose({f"Topic{number}": topic() for number in range(120)}, "CREATE")
        pages = stack.api.get_paginator("describe_change_set").paginate(ChangeSetName=found["ChangeSetId"])
        assert len(found["Changes"]) == 100
        assert sum(len(page["Changes"]) for page in pages) == 120

    def test_of_outputs_alone_are_changes(self, stack):
        stack.create({"Jobs": queue()})
        found = stack.propose({"Jobs": queue()}, Outputs={"Url": {"Value": {"Ref": "Jobs"}}})
        assert (found["Status"], found["Changes"]) == ("CREATE_COMPLETE", [])
        stack.execute(found)
        assert stack.outputs()


class TestTemplates:
    def test_are_given_back_as_they_came(self, stack):
        text = "# a remark\nResources:\n  Jobs:\n    Type: AWS::SQS::Queue\n    DependsOn: []\n"
        text += "Outputs:\n  Url:\n    Value: !Ref Jobs\n"
        stack.create({}, text=text)
        assert stack.api.get_template(StackName=stack.name, TemplateStage="Original")["TemplateBody"] == text

    def test_take_in_parts_from_s3(self, stack):
        s3 = stack.cloud.client("s3")
        s3.create_bucket(Bucket=stack.name)
        s3.put_object(Bucket=stack.name, Key="part.yaml", Body=b"Type: String\nValue: {Ref: Jobs}\n")
        include = {"Name": "AWS::Include", "Parameters": {"Location": f"s3://{stack.name}/part.yaml"}}
        where = {"Type": "AWS::SSM::Parameter", "Properties": {"Fn::Transform": include}}
        assert stack.create({"Where": where, "Jobs": queue()}) == "CREATE_COMPLETE"
        assert read(stack, stack.physical("Where")) == stack.physical("Jobs")

    def test_read_secrets_at_the_moment_of_the_call(self, stack):
        secrets = stack.cloud.client("secretsmanager")
        secrets.create_secret(Name=stack.name, SecretString=json.dumps({"key": "value"}))
        reference = f"{{{{resolve:secretsmanager:{stack.name}:SecretString:key}}}}"
        stack.create({"Where": parameter(reference)})
        assert read(stack, stack.physical("Where")) == "value"
        assert stack.propose({"Where": parameter(reference)})["Status"] == "FAILED"

    def test_pass_the_stacks_tags_on(self, stack):
        stack.create({"Jobs": queue()}, Tags=[{"Key": "team", "Value": "blue"}])
        sqs, url = stack.cloud.client("sqs"), stack.physical("Jobs")
        assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "blue"}
        stack.update({"Jobs": queue()}, Tags=[{"Key": "team", "Value": "red"}])
        assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "red"}

    def test_nest(self, stack):
        s3 = stack.cloud.client("s3")
        s3.create_bucket(Bucket=stack.name)
        inner = {"Resources": {"Jobs": queue()}, "Outputs": {"Url": {"Value": {"Ref": "Jobs"}}}}
        s3.put_object(Bucket=stack.name, Key="inner.json", Body=json.dumps(inner))
        nested = {"TemplateURL": f"https://s3.amazonaws.com/{stack.name}/inner.json"}
        resources = {
            "Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": nested},
            "Where": parameter({"Fn::GetAtt": ["Inner", "Outputs.Url"]}),
        }
        assert stack.create(resources) == "CREATE_COMPLETE"
        assert "/123456789012/" in read(stack, stack.physical("Where"))
        assert stack.delete() == "DELETE_COMPLETE"
