"""DynamoDB's answers go out as they are: their attribute values are in the form of the wire already.

moto's serializer looks for each of the ten possible members of every attribute value under all names that it
might have: most of a `Query`, and a third of all that the cloud does. Binary values alone need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moto.core.serialize import BaseJSONSerializer

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

ATTRIBUTE_VALUE: Final = "AttributeValue"
PLAIN: Final = frozenset({"S", "N", "BOOL", "NULL", "SS", "NS"})


def install(cloud: LocalCloud) -> None:
    """Leave out the serializer where there is nothing to serialize."""
    original = BaseJSONSerializer._serialize_type_structure

    def serialize(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:  # noqa: ANN401
        if shape.name == ATTRIBUTE_VALUE and is_plain(value):
            serialized[key] = value
        else:
            original(self, serialized, value, shape, key)

    cloud.patch(BaseJSONSerializer, "_serialize_type_structure", serialize)


def is_plain(value: object) -> bool:
    """Whether an attribute value holds no binary part.

    Shapes: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html.
    """
    if not isinstance(value, dict) or len(value) != 1:
        return False
    [(kind, content)] = value.items()
    if kind == "M":
        return isinstance(content, dict) and all(map(is_plain, content.values()))
    if kind == "L":
        return isinstance(content, list) and all(map(is_plain, content))
    return kind in PLAIN
