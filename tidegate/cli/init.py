"""`tidegate init`: a tidegate.yaml that says what can be set, made from the configuration's own model.

Every key stands in it as a comment with its default, so that the file changes nothing until a line is
uncommented; only the service's name and the template's place are filled in.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import click
import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from tidegate.cli.failures import Failed
from tidegate.cli.repositories import list_files, name_service
from tidegate.domain.config import Duration, ServiceConfig, StageConfig, show_duration
from tidegate.domain.sources import CONFIG_FILE, find_templates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

HEAD: Final = """\
# How Tidegate releases this service. Every key may be left out: `#key: value` shows its default; take the `#`
# away, from the keys above it too, to set it.
# Durations are written 90s, 5m, 2h or 1d; shares are percent.
# A stage that is not for production shifts by default AllAtOnce and without a bake (0s)."""
STAGE: Final = "production"
SMOKE: Final = {STAGE: {"MyFunction": ["events/harmless.json"]}}
DURATION: Final = get_args(Duration)[1]  # the validator that makes a field a duration


@click.command()
@click.argument("repository", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace a tidegate.yaml that is there already.")
def init(repository: Path, *, force: bool) -> None:
    """Write a commented tidegate.yaml into REPOSITORY (here by default): every key with its default.

    The service's name and the template's place are filled in; everything else is a comment to start from.
    """
    file = repository / CONFIG_FILE
    if file.exists() and not force:
        raise Failed(f"{file} is there already; --force replaces it")
    found = find_templates(list_files(repository))
    file.write_text(write_config(name_service(repository), found[0] if found else None))
    click.echo(f"wrote {file}; validate it with: tidegate check {repository}")


def write_config(service: str, template: str | None) -> str:
    """The text of a tidegate.yaml with these two values set."""
    given = {name: value for name, value in (("service", service), ("template", template)) if value}
    return "\n".join([HEAD, *_write_model(ServiceConfig, "", given), ""])


def _write_model(model: type[BaseModel], indent: str, given: dict[str, str]) -> Iterator[str]:
    """A comment for each key with what it means and its default; the keys in `given` are set."""
    for name, field in model.model_fields.items():
        if not indent:
            yield ""
        comment = " ".join(filter(None, (field.description, _choices(field))))
        if comment:
            yield f"#{indent}# {comment}" if indent else f"# {comment}"
        if name in given:
            yield f"{name}: {_plain(given[name])}"
        else:
            yield from (f"#{indent}{line}" for line in _write_field(name, field, model))


def _write_field(name: str, field: FieldInfo, model: type[BaseModel]) -> list[str]:
    nested = _model_of(field)
    if nested is None:
        value = SMOKE if name == "smoke" else _default(name, field, model)
        return [f"{name}: {_plain(value)}"]
    head, indent = [f"{name}:"], "  "
    if get_origin(field.annotation) is dict:
        head, indent = [f"{name}:", f"  {STAGE}:"], "    "
    lines = [line.removeprefix("#") for line in _write_model(nested, indent, {})]
    return [*head, *lines]


def _choices(field: FieldInfo) -> str:
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"({' or '.join(str(one.value) for one in kind)})"
    return ""


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    inner = () if get_origin(field.annotation) is tuple else get_args(field.annotation)
    kinds = (field.annotation, *inner)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _default(name: str, field: FieldInfo, model: type[BaseModel]) -> Any:  # noqa: ANN401 (any field's)
    default = field.get_default(call_default_factory=True)
    if default is PydanticUndefined:
        raise TypeError(f"{model.__name__}.{name} has no default")
    if default is None and model is StageConfig:
        default = getattr(StageConfig().for_stage(production=True), name)
    return show_duration(default) if is_duration(field) and default is not None else default


def is_duration(field: FieldInfo) -> bool:
    """Whether a field takes `90s`; pydantic keeps the validator beside the field or in its annotation."""
    inner = [part for kind in get_args(field.annotation) for part in getattr(kind, "__metadata__", ())]
    return DURATION in (*field.metadata, *inner)


def _plain(value: Any) -> str:  # noqa: ANN401 (any field's)
    """A value as YAML on one line."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, tuple):
        value = list(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
