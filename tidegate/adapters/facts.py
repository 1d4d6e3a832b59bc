"""The preflight's facts about functions that stand in a stage, read with few calls and within the quotas.

A function takes two GetFunction and at most five other calls, in a bounded pool; the event source mappings of
the whole account are listed once, in pages of 100. Nothing is written.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tidegate.adapters.aliases import find_alias
from tidegate.adapters.provisioning import find_scaled, list_provisioned
from tidegate.adapters.threads import side_by_side
from tidegate.domain.identity import Frozen
from tidegate.domain.preflight import FunctionFacts, Statement, VersionFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_lambda import LambdaClient

MISSING: Final = "ResourceNotFoundException"


class Subject(Frozen):
    """A function to look at, by its physical name; the alias need not exist."""

    logical_id: str
    name: str
    alias: str


def gather_facts(
    client: LambdaClient,
    scaling: Any,  # noqa: ANN401
    subjects: Iterable[Subject],
) -> dict[str, FunctionFacts]:
    """The facts by logical id; a function that does not exist is left out.

    scaling: a client of Application Auto Scaling, asked about aliases with provisioned concurrency alone.
    """
    wanted = list(subjects)
    if not wanted:
        return {}
    mappings = _list_mappings(client, {subject.name for subject in wanted})
    found = side_by_side(partial(_gather, client, mappings), wanted)
    known = [facts for facts in found if facts is not None]
    places = {f"function:{f.name}:{f.alias}": f for f in known if f.alias in f.provisioned}
    scaled = find_scaled(scaling, sorted(places))
    update = {places[key].logical_id: {"scaled_alias": True} for key in scaled}
    return {f.logical_id: f.model_copy(update=update.get(f.logical_id, {})) for f in known}


def _list_mappings(client: LambdaClient, names: set[str]) -> Mapping[str, tuple[str, ...]]:
    """The UUIDs of the mappings on bare functions, by function."""
    found: dict[str, tuple[str, ...]] = {}
    for page in client.get_paginator("list_event_source_mappings").paginate():
        for item in page["EventSourceMappings"]:
            name = item.get("FunctionArn", "").partition(":function:")[2].removesuffix(":$LATEST")
            if name in names:
                found[name] = (*found.get(name, ()), item["UUID"])
    return found


def _gather(
    client: LambdaClient, mappings: Mapping[str, tuple[str, ...]], subject: Subject
) -> FunctionFacts | None:
    name, alias = subject.name, subject.alias
    try:
        function = client.get_function(FunctionName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == MISSING:
            return None
        raise
    state = find_alias(client, name, alias)
    stable = state.pointing.version if state else ""
    permissions = _read_policy(client, name, "")
    return FunctionFacts(
        logical_id=subject.logical_id,
        name=name,
        alias=alias,
        latest=_describe(function["Configuration"]),
        stable=_describe(client.get_function(FunctionName=name, Qualifier=stable)["Configuration"])
        if stable
        else None,
        pointing=state.pointing if state else None,
        reserved=function.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        provisioned={key: item.requested for key, item in list_provisioned(client, name).items()},
        permissions=permissions,
        alias_permissions=_read_policy(client, name, alias) if permissions and state else (),
        mappings=mappings.get(name, ()),
        invoke_configs=_list_invoke_configs(client, name),
    )


def _describe(configuration: Mapping[str, Any]) -> VersionFacts:
    return VersionFacts(
        version=configuration["Version"],
        state=configuration.get("State", "Active"),
        role=configuration.get("Role", ""),
        dead_letters=configuration.get("DeadLetterConfig", {}).get("TargetArn", ""),
    )


def _list_invoke_configs(client: LambdaClient, name: str) -> tuple[str, ...]:
    pages = client.get_paginator("list_function_event_invoke_configs").paginate(FunctionName=name)
    arns = (item["FunctionArn"] for page in pages for item in page["FunctionEventInvokeConfigs"])
    return tuple(sorted(arn.partition(":function:")[2].partition(":")[2] or "$LATEST" for arn in arns))


def _read_policy(client: LambdaClient, name: str, qualifier: str) -> tuple[Statement, ...]:
    """The statements of the function's resource policy, or of its qualifier's; none where there is none."""
    target = {"Qualifier": qualifier} if qualifier else {}
    try:
        answer = client.get_policy(FunctionName=name, **target)
    except ClientError as error:
        if error.response["Error"]["Code"] == MISSING:
            return ()
        raise
    return tuple(_read_statement(item) for item in json.loads(answer["Policy"])["Statement"])


def _read_statement(item: Mapping[str, Any]) -> Statement:
    principal = item.get("Principal", "")
    named = next(iter(principal.values()), "") if isinstance(principal, dict) else principal
    grant = {key: value for key, value in item.items() if key not in {"Sid", "Resource"}}
    return Statement(
        sid=str(item.get("Sid", "")), principal=str(named), grant=json.dumps(grant, sort_keys=True)
    )
