"""Reads the files that a template includes, and writes a template with its parts in it back as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tidegate.adapters.templates import parse_part
from tidegate.domain.errors import InvalidTemplate
from tidegate.domain.templates.includes import include
from tidegate.domain.templates.shape import check_shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.adapters.checkouts import Checkout
    from tidegate.domain.templates.template import Template


def include_files(template: Template, checkout: Checkout, place: Callable[[str, int], str]) -> Template:
    """The template with the files in it that it includes.

    place: the source's path for a path that the template names in a line.
    Raises InvalidTemplate for a file that does not exist or cannot be read as data.
    """

    def read(path: str, line: int) -> Any:  # noqa: ANN401
        placed = place(path, line)
        if placed not in checkout.files:
            raise InvalidTemplate(f"{path} is a folder; a file is included", file=template.file, line=line)
        return parse_part(checkout.read_text(placed), placed)

    return check_shape(include(template, read))


def write_template(template: Template) -> str:
    """The template as JSON text in which each resource stands in the line that it has."""
    text = '{"Resources":{'
    resources = template.data["Resources"]
    for logical_id in sorted(resources, key=lambda name: template.lines.get(name, 0)):
        text += "" if text.endswith("{") else ","
        text += "\n" * (template.lines.get(logical_id, 0) - 1 - text.count("\n"))
        text += f"{json.dumps(logical_id)}:{json.dumps(resources[logical_id])}"
    rest = {key: value for key, value in template.data.items() if key != "Resources"}
    return f"{text}}}{',' if rest else ''}{json.dumps(rest)[1:]}"
