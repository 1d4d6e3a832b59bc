"""The values of a template as far as they are known: parameters, conditions, and what the stack has made.

Made twice for an update, once of the stack as it is and once as it will be, so that both can be compared.
What is not known stays in the text as a *symbol*, the call between two `MARK`s: two symbols are equal where
the same call gives the same value on both sides. May not guess.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from .intrinsics import GET_ATT, IF, JOIN, NO_VALUE, REF, SUB, VARIABLE, call, direct_reference, sub_parts
from .literals import UNKNOWN as MASKED
from .literals import Literals
from .template import Template, properties_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MARK: Final = "\0"
SYMBOL: Final = re.compile(r"\0[^\0]*\0|\{\{resolve:[^}]*\}\}")
OUTPUTS: Final = "Outputs."
_NOTHING: Final = object()


def name_surroundings(account: str, region: str, stack: str) -> dict[str, str]:
    """The pseudo parameters of a stack."""
    return {
        "AWS::AccountId": account,
        "AWS::Partition": "aws",
        "AWS::Region": region,
        "AWS::StackName": stack,
        "AWS::URLSuffix": "amazonaws.com",
    }


class Values:
    """One side of an update.

    parameters: as they are, or will be, given to CloudFormation. standing: physical ids by logical id. fresh:
    the resources whose physical id the update changes, and the parameters that it gives another value; what
    names one, unless its value is known, is a symbol of this side alone.
    surroundings: pseudo parameters by name. path: of the stack in its tree; symbols of two stacks differ.
    outputs: what a nested stack's output is, by its logical id and the output's name; None if not known.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        parameters: Mapping[str, str],
        standing: Mapping[str, str],
        surroundings: Mapping[str, str],
        fresh: frozenset[str] = frozenset(),
        path: str = "",
        outputs: Callable[[str, str], Any] = lambda _, __: None,
    ) -> None:
        self._path, self._outputs = path, outputs
        self._resources: Mapping[str, Any] = template.get("Resources") or {}
        self._standing, self._surroundings, self._fresh = standing, surroundings, fresh
        declared: Mapping[str, Any] = template.get("Parameters") or {}
        known = {key: value for key, value in parameters.items() if key in declared and value != MASKED}
        hidden = {key for key, value in parameters.items() if value == MASKED}
        plain = {
            key: {name: item for name, item in kind.items() if name != "Default" or key not in hidden}
            for key, kind in declared.items()
        }
        data = {**template, "Parameters": plain, "Resources": {}}
        self._literals = Literals(Template(data=data), {**known, **surroundings})

    def holds(self, condition: str) -> bool | None:
        """Whether a condition holds; None where that is not known."""
        found = self._literals.read_if_known({"Condition": condition})
        return found if isinstance(found, bool) else None

    def is_active(self, logical_id: str) -> bool | None:
        """Whether the template has the resource and its condition holds."""
        resource = self._resources.get(logical_id)
        if resource is None:
            return False
        return self.holds(resource["Condition"]) if "Condition" in resource else True

    def is_known(self, value: Any) -> bool:  # noqa: ANN401
        """Whether a resolved value holds no symbol."""
        return MARK not in "".join(_texts(value))

    def resolve(self, value: Any) -> Any:  # noqa: ANN401
        """The value with every call replaced by what it gives, or by a symbol."""
        found = self._resolve(value)
        return None if found is _NOTHING else found

    def _resolve(self, value: Any) -> Any:  # noqa: ANN401
        name, argument = call(value)
        if name:
            return self._call(value, name, argument)
        if isinstance(value, dict):
            read = {key: self._resolve(item) for key, item in value.items()}
            return {key: item for key, item in read.items() if item is not _NOTHING}
        if isinstance(value, list):
            return [item for item in map(self._resolve, value) if item is not _NOTHING]
        return value

    def _call(self, value: Any, name: str, argument: Any) -> Any:  # noqa: ANN401
        if value == {REF: NO_VALUE}:
            return _NOTHING
        if name == SUB:
            return self._sub(argument)
        if named := direct_reference(value):
            return self._reference(value, *named)
        if name == JOIN and isinstance(argument, list) and isinstance(argument[0], str):
            items = self._resolve(argument[1])
            if isinstance(items, list):
                return argument[0].join(_text(item) for item in items)
        if name == IF and isinstance(argument, list):
            holds = self.holds(str(argument[0]))
            return self._symbol(value) if holds is None else self._resolve(argument[1 if holds else 2])
        inner = {name: self._resolve(argument)}
        known = self._literals.read_if_known(inner)
        return self._symbol(value) if known == inner else known

    def _reference(self, value: Any, logical_id: str, attribute: str) -> Any:  # noqa: ANN401
        if logical_id not in self._resources:
            known = self._literals.read_if_known({REF: logical_id})
            return self._symbol(value, logical_id) if isinstance(known, dict) else known
        physical = self._standing.get(logical_id)
        if logical_id in self._fresh or physical is None:
            return self._symbol(value, logical_id)
        if not attribute:
            return physical
        if attribute.startswith(OUTPUTS):
            found = self._outputs(logical_id, attribute.removeprefix(OUTPUTS))
        else:
            found = self._attribute(self._resources[logical_id], physical, attribute)
        return found if found is not None else self._symbol({GET_ATT: [logical_id, attribute]})

    def _attribute(self, resource: Mapping[str, Any], physical: str, attribute: str) -> str | None:
        """An attribute that follows from the physical id, or None."""
        kind = str(resource.get("Type"))
        if attribute in {"Arn", "TopicArn", "Id"} and physical.startswith("arn:"):
            return physical
        name = physical.rpartition("/")[2] if kind == "AWS::SQS::Queue" else physical
        if attribute in {"QueueName", "Name"} and kind in _ARNS:
            return name
        if attribute != "Arn" or kind not in _ARNS or "Path" in properties_of(resource):
            return None
        around = {key.removeprefix("AWS::"): text for key, text in self._surroundings.items()}
        return _ARNS[kind].format(name=name, **around)

    def _sub(self, argument: Any) -> str:  # noqa: ANN401
        text, variables = sub_parts(argument)
        own = {key: _text(self._resolve(item)) for key, item in variables.items()}

        def fill(found: re.Match[str]) -> str:
            if found[1] in own:
                return own[found[1]]
            logical_id, _, attribute = found[1].partition(".")
            named = {GET_ATT: [logical_id, attribute]} if attribute else {REF: logical_id}
            return _text(self._reference(named, logical_id, attribute))

        return VARIABLE.sub(fill, text).replace("${!", "${")

    def _symbol(self, value: Any, logical_id: str = "") -> str:  # noqa: ANN401
        # What depends on an update cannot equal what was there before it; a condition may depend on anything.
        own = f"{id(self)}:" if logical_id in self._fresh or IF in value else ""
        return f"{MARK}{own}{self._path}{json.dumps(value, sort_keys=True)}{MARK}"


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
    else:
        yield str(value)


def _text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)


_ARNS: Final = {
    "AWS::DynamoDB::Table": "arn:{Partition}:dynamodb:{Region}:{AccountId}:table/{name}",
    "AWS::Events::EventBus": "arn:{Partition}:events:{Region}:{AccountId}:event-bus/{name}",
    "AWS::IAM::Role": "arn:{Partition}:iam::{AccountId}:role/{name}",
    "AWS::Kinesis::Stream": "arn:{Partition}:kinesis:{Region}:{AccountId}:stream/{name}",
    "AWS::Lambda::Function": "arn:{Partition}:lambda:{Region}:{AccountId}:function:{name}",
    "AWS::Logs::LogGroup": "arn:{Partition}:logs:{Region}:{AccountId}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:{Partition}:s3:::{name}",
    "AWS::SQS::Queue": "arn:{Partition}:sqs:{Region}:{AccountId}:{name}",
}
