"""Which pages are generated, and by what. A test holds that each stands as it would be written now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from docs import configuration, errors, modules, pictures
from tidegate.adapters.configuration import json_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REFERENCE: Final = Path(__file__).resolve().parent / "reference"
PAGES: Final[Mapping[Path, Callable[[], str]]] = {
    REFERENCE / "statemachines.md": pictures.write_page,
    REFERENCE / "configuration.md": configuration.write_page,
    REFERENCE / "tidegate.schema.json": json_schema,
    REFERENCE / "errors.md": errors.write_page,
    REFERENCE / "local-cloud-modules.md": modules.write_page,
}
