"""A change set read for the plan: what takes effect at once, and which functions get a new version.

Reads CloudFormation's own account of an update; may not compare templates itself.
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tidegate.domain.identity import Frozen
from tidegate.domain.nesting import split

from .notices import Notice, NoticeKind
from .template import LAMBDA_FUNCTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .aliases import RolledFunction

Action = Literal["Add", "Modify", "Remove", "Import", "Dynamic"]
_NO_VERSION = frozenset(
    {"CodeSigningConfigArn", "FunctionScalingConfig", "RecursiveLoop", "ReservedConcurrentExecutions", "Tags"}
)
_AT_ONCE: Mapping[str, str] = {
    "AWS::ApiGateway::": "API",
    "AWS::ApiGatewayV2::": "API",
    "AWS::AppSync::": "API",
    "AWS::Cognito::": "user pool",
    "AWS::DynamoDB::": "table",
    "AWS::Events::": "event rule",
    "AWS::IAM::": "role or policy",
    "AWS::KMS::": "key",
    "AWS::Kinesis::": "stream",
    "AWS::Lambda::EventInvokeConfig": "asynchronous-invocation setting",
    "AWS::Lambda::EventSourceMapping": "event source",
    "AWS::Lambda::Permission": "invocation permission",
    "AWS::Lambda::Url": "function URL",
    "AWS::RDS::": "database",
    "AWS::S3::": "bucket",
    "AWS::SNS::": "topic",
    "AWS::SQS::": "queue",
    "AWS::SSM::": "parameter",
    "AWS::Scheduler::": "schedule",
    "AWS::SecretsManager::": "secret",
    "AWS::StepFunctions::": "state machine",
}
_OWN = (
    "AWS::Lambda::Alias",
    "AWS::Lambda::Version",
    "AWS::Lambda::LayerVersion",
    "AWS::ApiGateway::Deployment",
    "AWS::AppConfig::Deployment",
)
_VERBS: Mapping[str, str] = {"Add": "is created", "Import": "is imported", "Dynamic": "may change"}


class ChangedResource(Frozen):
    """One change of a change set; properties are the names of the changed top-level properties.

    What lies in a nested stack is named `<child>/<logical id>`.
    """

    action: Action
    logical_id: str
    type: str
    replacement: bool = False
    properties: tuple[str, ...] = ()

    def in_stack(self) -> ChangedResource:
        """The same with the logical id that it has in its own stack."""
        return self.model_copy(update={"logical_id": split(self.logical_id)[1]})


def changed_functions(
    changes: Iterable[ChangedResource], functions: tuple[RolledFunction, ...]
) -> tuple[RolledFunction, ...]:
    """The rolled functions that get a new version: code, configuration or a layer changes.

    A new or replaced function is not among them: its alias points at its first version from the start.
    """
    by_id = {change.logical_id: change for change in changes}
    return tuple(function for function in functions if _gives_version(function, by_id))


def _gives_version(function: RolledFunction, changes: Mapping[str, ChangedResource]) -> bool:
    own = changes.get(function.logical_id)
    if own and (own.action in {"Add", "Import", "Remove"} or own.replacement):
        return False
    if own and (not own.properties or set(own.properties) - _NO_VERSION):
        return True
    return any(layer in changes for layer in function.layers)


def diff_notices(
    changes: Iterable[ChangedResource], functions: tuple[RolledFunction, ...]
) -> tuple[Notice, ...]:
    """What of a change set takes effect at once, whatever the canary says."""
    rolled = {function.logical_id for function in functions}
    texts = ((change, _text(change, rolled)) for change in changes)
    return tuple(
        Notice(logical_id=change.logical_id, kind=NoticeKind.AT_ONCE, text=text)
        for change, text in texts
        if text
    )


def _text(change: ChangedResource, rolled: set[str]) -> str:
    if change.type == LAMBDA_FUNCTION:
        return _function_text(change, rolled)
    if change.action == "Remove":
        return "" if change.type in _OWN else f"{change.logical_id} ({change.type}) is removed"
    if change.type in _OWN[:2] and change.replacement:
        return f"{change.logical_id} ({change.type}) is replaced, and its traffic moves at once"
    if change.type in _OWN:
        return ""
    kind = next((kind for prefix, kind in _AT_ONCE.items() if change.type.startswith(prefix)), "")
    if not kind and not change.replacement:
        return ""
    return f"the {kind or 'resource'} {change.logical_id} ({change.type}) {_verb(change)} at once"


def _function_text(change: ChangedResource, rolled: set[str]) -> str:
    key = change.logical_id
    if change.action in {"Add", "Import"}:
        return f"the new function {key} takes its traffic at once"
    if change.action == "Remove":
        return f"the function {key} is removed"
    if change.replacement:
        return f"the function {key} is replaced and takes its traffic at once"
    if key not in rolled:
        return f"the function {key} is not rolled out: its change takes effect at once"
    shared = sorted(set(change.properties) & {"DeadLetterConfig", "ReservedConcurrentExecutions", "Role"})
    return f"{' and '.join(shared)} of {key} change for both versions at once" if shared else ""


def _verb(change: ChangedResource) -> str:
    if change.replacement:
        return "is replaced"
    names = f" ({', '.join(change.properties)})" if change.properties else ""
    return _VERBS.get(change.action, f"changes{names}")
