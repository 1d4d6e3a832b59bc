"""What a resource type is to the stack engine, and the calls by which one is made.

A kind creates, updates and deletes resources of one type through the API of the local cloud, with the
credentials of the operation (the stack's role, if it has one). It decides nothing about order, rollback or
retention: those are the engine's. Properties of templates are fitted to the API's parameters by the API's
own model, so a property that the API does not know is refused by name.
"""

from __future__ import annotations

import copy
import json
import random
import re
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tidegate.local.stack_errors import ResourceFailure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.model import Shape

SUFFIX: Final = string.ascii_uppercase + string.digits
SUFFIX_LENGTH: Final = 12
GONE: Final = re.compile(r"NotFound|NoSuch|NonExistent|DoesNotExist|ResourceNotFound")


@dataclass(frozen=True)
class Naming:
    """How resources of a type get a name: the property that gives it, and the rules of a generated one."""

    name_property: str
    limit: int = 64
    lower: bool = False


@dataclass
class Request:
    """One act on one resource. A kind sets `physical_id` and `attributes` as soon as it knows them."""

    stack_name: str
    stack_id: str
    logical_id: str
    type: str
    account: str
    region: str
    properties: dict[str, Any]
    client: Callable[[str], Any]
    previous: dict[str, Any] = field(default_factory=dict)
    physical_id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    model: Any = None
    platform: Any = None

    @property
    def changed(self) -> set[str]:
        """The properties that differ from the previous ones."""
        keys = {*self.properties, *self.previous}
        return {key for key in keys if self.properties.get(key) != self.previous.get(key)}

    def settle(self, physical_id: str, **attributes: Any) -> None:  # noqa: ANN401
        """Tell the resource's physical id and what GetAtt gives."""
        self.physical_id = physical_id
        self.attributes = {**self.attributes, **attributes}

    def pick(self, *names: str, **renamed: str) -> dict[str, Any]:
        """Take properties by name, those that are there; `renamed` maps a parameter to a property."""
        found = {name: self.properties[name] for name in names if name in self.properties}
        return found | {new: self.properties[old] for new, old in renamed.items() if old in self.properties}

    def rest(self, *without: str) -> dict[str, Any]:
        """All properties but those named."""
        return {name: value for name, value in self.properties.items() if name not in without}

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401
        """Call the API; parameters are fitted to it. A refusal fails the resource, in AWS's words."""
        client = self.client(service)
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
        fitted = fit(parameters, model.input_shape, "") if model.input_shape else {}
        try:
            return getattr(client, operation)(**fitted)  # type: ignore[no-any-return]
        except ClientError as error:
            raise CallFailure(error, service, operation, self.type) from error
        except ResponseParserError as error:
            raise ResourceFailure(f"{operation} of {service} failed in the local cloud") from error
        except BotoCoreError as error:
            reason = f"Properties validation failed for resource {self.logical_id}: {error}"
            raise ResourceFailure(reason) from error

    def discard(self, service: str, operation: str, **parameters: Any) -> None:  # noqa: ANN401
        """Call the API to delete; what is gone already is deleted."""
        try:
            self.call(service, operation, **parameters)
        except CallFailure as failure:
            if not failure.gone:
                raise

    @property
    def tags(self) -> dict[str, str]:
        """The resource's tags, the stack's among them."""
        return read_tags(self.properties.get("Tags"))

    @property
    def lost_tags(self) -> list[str]:
        """The keys of tags that it had and no longer has."""
        return sorted(set(read_tags(self.previous.get("Tags"))) - set(self.tags))

    def tag_list(self, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
        """The tags as a list of pairs."""
        return [{key: name, value: text} for name, text in self.tags.items()]

    def arn(self, service: str, rest: str) -> str:
        """An ARN in the account and region of the stack."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


class CallFailure(ResourceFailure):
    """The API refused; `code` is its error code."""

    def __init__(self, error: ClientError, service: str, operation: str, kind: str) -> None:
        details = error.response.get("Error", {})
        meta = error.response.get("ResponseMetadata", {})
        self.code = details.get("Code", "")
        self.message = details.get("Message") or str(error)
        status = meta.get("HTTPStatusCode", 400)
        if "<!doctype html>" in self.message:
            # Not an answer of the service: the local cloud has no such call, or fails in it.
            fault = "is not available" if status in {404, 501} else "failed"
            self.code, self.message = "", f"{operation} of {service} {fault} in the local cloud"
        facts = f"Service: {service}, Status Code: {status}, Error Code: {self.code}, Type: {kind}"
        super().__init__(f"{self.message} ({facts})")

    @property
    def gone(self) -> bool:
        """Whether the API does not know what was named."""
        return bool(GONE.search(self.code) or self.code in {"404", "GraphQLNotFound"})


class Kind:
    """A resource type. `create_only` are the properties whose change replaces the resource."""

    type: ClassVar[str]
    create_only: ClassVar[frozenset[str]] = frozenset()
    naming: ClassVar[Naming | None] = None
    # The shape of the type's Tags property: "list" of pairs, "map", or "" where stack tags are not passed on.
    tagging: ClassVar[str] = ""
    # Whether an update that answers with another physical id leaves the old resource to be deleted.
    leaves_old: ClassVar[bool] = False

    def create(self, request: Request) -> None:
        """Make the resource and settle the request."""
        raise NotImplementedError

    def update(self, request: Request) -> None:
        """Bring the resource from `previous` to `properties` in place."""
        changed = ", ".join(sorted(request.changed))
        raise ResourceFailure(f"{self.type}: an update of {changed} is not available in the local cloud")

    def delete(self, request: Request) -> None:
        """Delete the resource; it may be gone already."""
        raise NotImplementedError

    def replaced_by(self, changed: set[str]) -> set[str]:
        """Those of the changed properties that can only be had by a new resource."""
        return changed & self.create_only

    def name(self, request: Request) -> str:
        """The name that the properties give, or a generated one."""
        if self.naming is None:
            return generate_name(request.stack_name, request.logical_id, Naming("", 255))
        given = request.properties.get(self.naming.name_property)
        return str(given) if given else generate_name(request.stack_name, request.logical_id, self.naming)

    def attribute(self, request: Request, name: str) -> Any:  # noqa: ANN401
        """An attribute for GetAtt; a KeyError says that the type has none of that name."""
        return request.attributes[name]


def read_tags(tags: Any) -> dict[str, str]:  # noqa: ANN401
    """Read a Tags property of either shape."""
    pairs = tags if isinstance(tags, dict) else {tag["Key"]: tag.get("Value", "") for tag in tags or []}
    return {str(key): str(value) for key, value in pairs.items()}


def merge_tags(kind: Kind, properties: dict[str, Any], stack_tags: dict[str, str]) -> dict[str, Any]:
    """Pass a stack's tags on to a resource of a type that has tags; its own win."""
    if not kind.tagging or not stack_tags:
        return properties
    merged: Any = {**stack_tags, **read_tags(properties.get("Tags"))}
    if kind.tagging == "list":
        merged = [{"Key": key, "Value": value} for key, value in merged.items()]
    return {**properties, "Tags": merged}


def generate_name(stack_name: str, logical_id: str, naming: Naming) -> str:
    """Make a name as CloudFormation does: stack, logical id, twelve random characters."""
    suffix = "".join(random.choices(SUFFIX, k=SUFFIX_LENGTH))  # noqa: S311
    room = naming.limit - len(suffix) - 2
    logical = logical_id[: max(room - min(len(stack_name), room // 2), 1)]
    name = f"{stack_name[: room - len(logical)]}-{logical}-{suffix}"
    return name.lower() if naming.lower else name


def fit(value: Any, shape: Shape, path: str) -> Any:  # noqa: ANN401, PLR0911
    """Fit a value to a shape of the API: names without regard to case, text to numbers, objects to JSON."""
    kind = shape.type_name
    if kind == "structure" and not getattr(shape, "is_document_type", False):
        return _fit_structure(value, shape, path)
    if kind == "list":
        items = value if isinstance(value, list) else [value]
        return [fit(item, shape.member, path) for item in items]  # type: ignore[attr-defined]
    if kind == "map" and isinstance(value, dict):
        return {str(key): fit(item, shape.value, f"{path}/{key}") for key, item in value.items()}  # type: ignore[attr-defined]
    if kind == "boolean" and isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower(), value)
    if kind == "string":
        return _fit_text(value)
    if kind in {"integer", "long", "float", "double"} and isinstance(value, str):
        return _fit_number(value, kind)
    return value.encode() if kind == "blob" and isinstance(value, str) else value


def _fit_structure(value: Any, shape: Any, path: str) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict):
        raise ResourceFailure(
            f"Properties validation failed: #{path}: expected type: JSONObject, found: {type(value).__name__}"
        )
    members = {name.lower(): name for name in shape.members}
    fitted = {}
    for key, item in value.items():
        if item is None:
            continue
        member = key if key in shape.members else members.get(key.lower())
        if member is None:
            raise ResourceFailure(f"Encountered unsupported property {key}")
        fitted[member] = fit(item, shape.members[member], f"{path}/{key}")
    return fitted


def _fit_text(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _fit_number(text: str, kind: str) -> int | float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if kind in {"float", "double"} else int(number)


REGISTRY: Final[dict[str, Kind]] = {}


def register(*kinds: type[Kind]) -> None:
    """Add types; the later one wins."""
    for kind in kinds:
        REGISTRY[kind.type] = kind()


def find(name: str) -> Kind:
    """The kind of a type: a registered one, one kept as a record, or moto's own; else an error names it."""
    from tidegate.local.resources import custom, emulated, records

    if name in REGISTRY:
        return REGISTRY[name]
    if name.startswith("Custom::"):
        return custom.CustomResource()
    found = records.find(name) or emulated.find(name)
    if found is None:
        raise ResourceFailure(f"{name} is not available in the local cloud")
    return found


def copied(properties: dict[str, Any]) -> dict[str, Any]:
    """Properties that a callee may write to."""
    return copy.deepcopy(properties)
