from __future__ import annotations

import re
from typing import get_args

import pytest
from pydantic import BaseModel

from docs import configuration
from docs.pages import REFERENCE
from tidegate.domain.audits.policies import AuditConfig, Waiver
from tidegate.domain.config import AlarmConfig, ServiceConfig, StageConfig, TestsConfig
from tidegate.domain.pipeline import BuildOverride, Layers, ObjectLock, Pipeline, Stage

ROWS = re.findall(r"^\| `([^`]+)` \|", configuration.write_page(), re.MULTILINE)
# Sections; what holds models and is none of them is a list of them.
NESTED = {
    "stages": ".<stage>",
    "smoke": "",
    "tests": "",
    "alarms": "",
    "signals": "",
    "audit": "",
    "secrets": "",
}
PIPELINE = (REFERENCE / "pipeline.md").read_text()


def models(annotation: object) -> list[type[BaseModel]]:
    """The models within an annotation, however deep: dict[str, Model | None] has one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models(part)]


def paths(model: type[BaseModel], prefix: str = "") -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        inner = models(field.annotation)
        found += [] if inner and name in NESTED else [prefix + name]
        found += paths(inner[0], f"{prefix}{name}{NESTED.get(name, '[]')}.") if inner else []
    return found


def test_every_key_of_the_model_is_a_row_and_every_row_a_key() -> None:
    assert paths(ServiceConfig) == ROWS


@pytest.mark.parametrize("model", [ServiceConfig, TestsConfig, StageConfig, AlarmConfig, AuditConfig, Waiver])
def test_every_key_has_a_description(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_defaults_are_those_of_the_model() -> None:
    page = configuration.write_page()
    assert "| `stages.<stage>.strategy` | text | production `adaptive`, others `AllAtOnce`" in page
    assert "| `stages.<stage>.bake` | duration | production `10m`, others `0s` |" in page
    assert '| `failure_mark` | text | `{ $.level = "ERROR" }` |' in page
    assert "| `stages.<stage>.approval` | `none` or `required` | `none` |" in page


@pytest.mark.parametrize("model", [Pipeline, Stage])
def test_every_key_of_the_pipeline_is_a_row(model: type[BaseModel]) -> None:
    documented = re.findall(r"^\| `([a-z_]+)` \|", PIPELINE, re.MULTILINE)
    assert set(model.model_fields) <= set(documented)
    assert set(documented) == set(Pipeline.model_fields) | set(Stage.model_fields)


@pytest.mark.parametrize("model", [Layers, BuildOverride, ObjectLock])
def test_keys_of_the_pipelines_sections_are_named(model: type[BaseModel]) -> None:
    assert all(f"`{name}`" in PIPELINE for name in model.model_fields)
