"""What stands around the functions of an applied template: the queues, streams and APIs that gauges are of.

Reads the template as it was applied, with the stack's parameters and physical ids; what is not known from
them is named, never guessed. May not know a metric: that is `neighbours.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.neighbours import Kind, Neighbour, Surroundings

from .intrinsics import direct_reference, references
from .template import LAMBDA_FUNCTION, REST_API, properties_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .values import Values

MAPPING: Final = "AWS::Lambda::EventSourceMapping"
INVOKE_CONFIG: Final = "AWS::Lambda::EventInvokeConfig"
PERMISSION: Final = "AWS::Lambda::Permission"
QUEUE: Final = "AWS::SQS::Queue"
HTTP_API = "AWS::ApiGatewayV2::Api"
INTEGRATIONS: Final = {  # the property that names the API; "" where it is the API itself
    REST_API: "",
    HTTP_API: "",
    "AWS::ApiGateway::Method": "RestApiId",
    "AWS::ApiGatewayV2::Integration": "ApiId",
}
API_STAGES: Final = {  # the property that names the API
    "AWS::ApiGateway::Stage": "RestApiId",
    "AWS::ApiGateway::Deployment": "RestApiId",
    "AWS::ApiGatewayV2::Stage": "ApiId",
}
STREAMS: Final = frozenset({"dynamodb", "kinesis"})


def find_surroundings(
    template: Mapping[str, Any],
    values: Values,
    functions: Mapping[str, str],
    standing: Mapping[str, str],
    place: tuple[str, str],
) -> Surroundings:
    """What stands around these functions, logical ids by physical name.

    values: of the stack as it is now. standing: physical ids by logical id. place: its account and region, as
    metrics of other places are not seen from there.
    """
    reader = _Reader(template["Resources"], values, functions, standing, place)
    found = [one for key in reader.resources for one in reader.read(key)]
    return Surroundings(
        neighbours=tuple(found), reserved=dict(reader.reserve()), unread=tuple(dict.fromkeys(reader.unread))
    )


class _Reader:
    """Reads one template, a resource at a time, and keeps in sentences what it cannot read."""

    def __init__(
        self,
        resources: Mapping[str, Any],
        values: Values,
        functions: Mapping[str, str],
        standing: Mapping[str, str],
        place: tuple[str, str],
    ) -> None:
        self.unread: list[str] = []
        self._values, self._functions, self._standing = values, functions, standing
        self._place = place
        self.resources = {
            key: item
            for key, item in resources.items()
            if isinstance(item, dict) and values.is_active(key) is not False
        }
        self._stages = self._find_stages()
        self._integrated = self._find_integrated()
        self._redriven = dict(self._find_redriven())

    def read(self, key: str) -> Iterator[Neighbour]:
        """What a resource tells of a function's surroundings."""
        resource = self.resources[key]
        properties, kind = properties_of(resource), resource.get("Type")
        if kind == LAMBDA_FUNCTION:
            function = self._functions.get(self._standing.get(key, ""))
            target = (properties.get("DeadLetterConfig") or {}).get("TargetArn")
            if function and target:
                yield from self._dead_letters(function, target, Kind.DEAD_LETTER_TARGET)
            return
        if kind not in {MAPPING, INVOKE_CONFIG, PERMISSION}:
            return
        function = self._name_function(properties.get("FunctionName"))
        if function is None:
            return
        if kind == PERMISSION:
            yield from self._apis(function, properties)
            return
        if kind == MAPPING:
            yield from self._source(function, properties.get("EventSourceArn"), properties)
        failed = ((properties.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
        if failed:
            yield from self._dead_letters(function, failed, Kind.DESTINATION)

    def reserve(self) -> Iterator[tuple[str, int]]:
        """The functions that have executions of their own, and how many."""
        for key, item in self.resources.items():
            function = self._functions.get(self._standing.get(key, ""))
            amount = properties_of(item).get("ReservedConcurrentExecutions")
            if function and amount is not None:
                text = str(self._resolve(amount))
                if text.isdecimal() and int(text):
                    yield function, int(text)
                elif not text.isdecimal():
                    self.unread.append(f"{function}: how many executions it has reserved is not known")

    def _resolve(self, value: Any) -> Any:  # noqa: ANN401
        """The value, or "" where it is not known as a whole."""
        found = self._values.resolve(value)
        return found if found is not None and self._values.is_known(found) else ""

    def _name_function(self, value: Any) -> str | None:  # noqa: ANN401
        """The logical id of the function that a name or an ARN is of, with or without a qualifier."""
        text = str(self._resolve(value))
        name = text.partition(":function:")[2] or text
        return self._functions.get(name.partition(":")[0])

    def _dead_letters(self, function: str, target: Any, kind: Kind) -> Iterator[Neighbour]:  # noqa: ANN401
        yield Neighbour(kind=kind, function=function)
        arn = str(self._resolve(target))
        if not arn:
            self.unread.append(f"{function}: its {kind.value} is not known from the template")
        elif arn.split(":")[2:3] == ["sqs"]:
            yield from self._queue(function, arn, Kind.DEAD_LETTERS)

    def _queue(self, function: str, arn: str, kind: Kind) -> Iterator[Neighbour]:
        *_, region, account, name = arn.split(":")
        if (account, region) != self._place:
            self.unread.append(f"{function}: {kind.value} {name} is in {account}, {region}")
        else:
            yield Neighbour(kind=kind, function=function, name=name)

    def _source(
        self,
        function: str,
        source: Any,  # noqa: ANN401
        properties: Mapping[str, Any],
    ) -> Iterator[Neighbour]:
        arn = str(self._resolve(source))
        service = arn.split(":")[2] if arn.count(":") > 2 else ""  # noqa: PLR2004
        named = direct_reference(source)
        if service in STREAMS or (named and named[1] == "StreamArn"):
            yield Neighbour(kind=Kind.STREAM, function=function)
        elif service == "sqs":
            yield from self._queue(function, arn, Kind.QUEUE)
            name = arn.rpartition(":")[2]
            if target := self._redriven.get(name):
                yield from self._queue(function, target, Kind.DEAD_LETTERS)
        else:
            shown = service or "a source that is not known from the template"
            has = properties.get("SelfManagedEventSource") and "a self-managed source"
            self.unread.append(f"{function}: it reads {has or shown}, whose backlog is not observed")

    def _find_redriven(self) -> Iterator[tuple[str, str]]:
        """The ARN of the queue that dead letters of a queue go to, by the name of the latter."""
        for key, item in self.resources.items():
            policy = properties_of(item).get("RedrivePolicy") if item.get("Type") == QUEUE else None
            target = self._resolve(policy.get("deadLetterTargetArn")) if isinstance(policy, dict) else ""
            if target:
                yield self._standing.get(key, "").rpartition("/")[2], str(target)

    def _find_stages(self) -> dict[str, set[str]]:
        """The names of an API's stages by its logical id."""
        found: dict[str, set[str]] = {}
        for item in self.resources.values():
            properties = properties_of(item)
            named = direct_reference(properties.get(API_STAGES.get(str(item.get("Type")), "")))
            stage = str(self._resolve(properties.get("StageName", "")) or "")
            if named and stage:
                found.setdefault(named[0], set()).add(stage)
        return found

    def _find_integrated(self) -> dict[str, set[str]]:
        """The APIs that name a function in their integrations, by the function."""
        found: dict[str, set[str]] = {}
        for key, item in self.resources.items():
            properties, kind = properties_of(item), str(item.get("Type"))
            if kind not in INTEGRATIONS:
                continue
            own = INTEGRATIONS[kind]
            named = direct_reference(properties.get(own)) if own else (key, "")
            for one in references(properties) if named else ():
                function = self._name_function({"Ref": one.logical_id})
                if function and named:
                    found.setdefault(function, set()).add(named[0])
        return found

    def _apis(self, function: str, properties: Mapping[str, Any]) -> Iterator[Neighbour]:
        """The APIs that a permission lets call the function."""
        if not str(properties.get("Principal", "")).startswith("apigateway."):
            return
        source = properties.get("SourceArn")
        apis = {one.logical_id for one in references(source) if not one.attribute}
        apis = {key for key in apis if self.resources.get(key, {}).get("Type") in {REST_API, HTTP_API}}
        apis |= self._integrated.get(function, set())
        if not apis:
            self.unread.append(f"{function}: an API that is not of this template may call it")
        for key in sorted(apis):
            yield from self._api(function, key)

    def _api(self, function: str, key: str) -> Iterator[Neighbour]:
        resource = self.resources[key]
        properties = properties_of(resource)
        rest = resource["Type"] == REST_API
        name = self._name_rest_api(key, properties) if rest else self._standing.get(key, "")
        kind = Kind.REST_API if rest else Kind.HTTP_API
        if not name or not self._stages.get(key) or properties.get("ProtocolType") == "WEBSOCKET":
            self.unread.append(f"{function}: the 5XX of its API {key} are not observed")
            return
        label = name if rest else key
        for stage in sorted(self._stages[key]):
            yield Neighbour(kind=kind, function=function, name=name, part=stage, label=label)

    def _name_rest_api(self, key: str, properties: Mapping[str, Any]) -> str:
        """As CloudWatch knows it: without the characters that are not ASCII; by its id where none is left."""
        body = properties.get("Body")
        title = (body.get("info") or {}).get("title") if isinstance(body, dict) else None
        name = str(self._resolve(properties.get("Name") or title) or "")
        return name.encode("ascii", "ignore").decode() or (self._standing.get(key, "") if name else "")
