"""A template as plain data: what every other module here reads and gives back.

Exists so that text (YAML, JSON) and the SAM translator stay in the adapters. Data is never changed in
place: each operation gives a new template. May not know YAML, AWS clients or the file system.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SAM_TRANSFORM = "AWS::Serverless-2016-10-31"
SERVERLESS_FUNCTION = "AWS::Serverless::Function"
REST_API = "AWS::ApiGateway::RestApi"
LAMBDA_FUNCTION = "AWS::Lambda::Function"


class Template(Frozen):
    """A template's data (dicts, lists, str, int, float, bool, None) and the line of each logical id.

    doubles: the keys that stand twice in one mapping, as sentences; the last one counts.
    """

    data: dict[str, Any]
    lines: dict[str, int] = Field(default_factory=dict)
    file: str = ""
    doubles: tuple[str, ...] = ()

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources that are mappings; `Fn::ForEach` entries are lists and are not among them."""
        return {key: value for key, value in self.data["Resources"].items() if isinstance(value, dict)}

    @property
    def transforms(self) -> tuple[str, ...]:
        """The names in `Transform`; an entry written as a mapping gives its `Name`."""
        declared = self.data.get("Transform") or []
        entries = declared if isinstance(declared, list) else [declared]
        return tuple(str(entry.get("Name")) if isinstance(entry, dict) else str(entry) for entry in entries)

    @property
    def is_serverless(self) -> bool:
        """Whether the SAM translator has to run."""
        return SAM_TRANSFORM in self.transforms

    def of_type(self, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The resources of these types, in the template's order."""
        return ((key, value) for key, value in self.resources.items() if value.get("Type") in types)

    def place_of(self, logical_id: str) -> dict[str, Any]:
        """File and line of a resource, as keyword arguments of an error."""
        return {"file": self.file, "line": self.lines.get(logical_id, 0)}

    def with_data(self, data: dict[str, Any]) -> Template:
        """The same file with other data."""
        return self.model_copy(update={"data": data})


def properties_of(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource's Properties; an absent or empty section is an empty mapping."""
    properties: dict[str, Any] = resource.get("Properties") or {}
    return properties


def logical_ids(value: object) -> tuple[str, ...]:
    """A DependsOn attribute as a tuple: one name, a list of names, or nothing."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else ()
