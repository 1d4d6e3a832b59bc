"""AWS::StepFunctions: StateMachine, StateMachineVersion, StateMachineAlias, Activity.

A machine is made through the service's own call and so lands in the backend that executes.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import yaml

from tidegate.local.resources.api import ALL, ApiKind
from tidegate.local.resources.kinds import Kind, Naming, Request
from tidegate.local.stack_errors import ResourceFailure

PLACE: Final = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
SOURCES: Final = ("Definition", "DefinitionString", "DefinitionS3Location")
NOT_CALLED: Final = (*SOURCES, "DefinitionSubstitutions", "StateMachineName", "StateMachineType", "Tags")


class StateMachine(Kind):
    """A state machine; Ref is its ARN."""

    type = "AWS::StepFunctions::StateMachine"
    create_only = frozenset({"StateMachineName", "StateMachineType"})
    naming = Naming("StateMachineName", 80)
    tagging = "list"

    def create(self, request: Request) -> None:
        """CreateStateMachine."""
        own: dict[str, Any] = request.rest(*NOT_CALLED) | request.pick(type="StateMachineType")
        if request.tags:
            own["tags"] = request.tag_list("key", "value")
        definition = read_definition(request)
        answer = request.call(
            "stepfunctions", "create_state_machine", name=request.name, definition=definition, **own
        )
        arn = answer["stateMachineArn"]
        request.settle(arn, Arn=arn, Name=request.name, **self._read_revision(request, arn))

    def update(self, request: Request) -> None:
        """UpdateStateMachine; it keeps running executions as they are."""
        arn, definition = request.physical_id, read_definition(request)
        request.call(
            "stepfunctions",
            "update_state_machine",
            stateMachineArn=arn,
            definition=definition,
            **request.rest(*NOT_CALLED),
        )
        if "Tags" in request.changed:
            if request.lost_tags:
                request.call("stepfunctions", "untag_resource", resourceArn=arn, tagKeys=request.lost_tags)
            request.call(
                "stepfunctions", "tag_resource", resourceArn=arn, tags=request.tag_list("key", "value")
            )
        request.settle(arn, **self._read_revision(request, arn))

    def delete(self, request: Request) -> None:
        """DeleteStateMachine."""
        request.discard("stepfunctions", "delete_state_machine", stateMachineArn=request.physical_id)

    @staticmethod
    def _read_revision(request: Request, arn: str) -> dict[str, str]:
        found = request.call("stepfunctions", "describe_state_machine", stateMachineArn=arn)
        return {"StateMachineRevisionId": found.get("revisionId", "INITIAL")}


def read_definition(request: Request) -> str:
    """The definition as text, from whichever of its three sources, with the substitutions made."""
    properties = request.properties
    given = [source for source in SOURCES if source in properties]
    if len(given) != 1:
        raise ResourceFailure(f"Exactly one of {', '.join(SOURCES)} must be given")
    if given == ["DefinitionS3Location"]:
        text = _fetch(request, properties["DefinitionS3Location"])
    else:
        value = properties[given[0]]
        text = value if isinstance(value, str) else json.dumps(value)
    return substitute(text, properties.get("DefinitionSubstitutions") or {})


def substitute(text: str, values: dict[str, Any]) -> str:
    """Put values into the places `${Name}` of a definition; other places stay."""
    return PLACE.sub(lambda match: _write(values[match[1]]) if match[1] in values else match[0], text)


def _write(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return "true" if value else "false"
    # Inside a JSON string a value is escaped, or the definition would not be JSON.
    return json.dumps(str(value))[1:-1]


def _fetch(request: Request, location: dict[str, Any]) -> str:
    own = {"Bucket": location["Bucket"], "Key": location["Key"]}
    version = {"VersionId": location["Version"]} if "Version" in location else {}
    text = request.call("s3", "get_object", **own, **version)["Body"].read().decode()
    if location["Key"].endswith((".yaml", ".yml")):
        return json.dumps(yaml.safe_load(text))
    return str(text)


class StateMachineVersion(ApiKind):
    """A published version; Ref is its ARN."""

    type = "AWS::StepFunctions::StateMachineVersion"
    create_only = ALL
    service, creates, deletes = (
        "stepfunctions",
        "publish_state_machine_version",
        "delete_state_machine_version",
    )
    key, identity = "stateMachineVersionArn", "stateMachineVersionArn"
    renamed = {"StateMachineRevisionId": "revisionId"}  # noqa: RUF012
    returned = {"Arn": "stateMachineVersionArn"}  # noqa: RUF012


class StateMachineAlias(ApiKind):
    """An alias of a machine's versions; Ref is its ARN."""

    type = "AWS::StepFunctions::StateMachineAlias"
    create_only = frozenset({"Name"})
    naming = Naming("Name", 80)
    service, creates, updates = "stepfunctions", "create_state_machine_alias", "update_state_machine_alias"
    deletes, key, identity = "delete_state_machine_alias", "stateMachineAliasArn", "stateMachineAliasArn"
    returned = {"Arn": "stateMachineAliasArn"}  # noqa: RUF012


class Activity(ApiKind):
    """An activity; Ref is its ARN."""

    type = "AWS::StepFunctions::Activity"
    create_only = frozenset({"Name"})
    naming = Naming("Name", 80)
    service, creates, deletes = "stepfunctions", "create_activity", "delete_activity"
    key, identity = "activityArn", "activityArn"

    def take(self, request: Request, answer: dict[str, Any]) -> None:
        """Its ARN and name."""
        request.settle(answer["activityArn"], Arn=answer["activityArn"], Name=request.name)


KINDS: Final = (StateMachine, StateMachineVersion, StateMachineAlias, Activity)
