"""Every function has one shape: a request, a function of it and the tools, and a handler for Lambda."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest
from pydantic import BaseModel

from tests.architecture.modules import ROOT

FOLDERS = sorted(path.parent.name for path in Path(ROOT / "functions").glob("*/handler.py"))
# The sandbox runs code of the service: it has no tools, since it has no rights. What collects telemetry starts
# often and for little work: the tools take longer to import than that.
WITHOUT_TOOLS = {"collect_telemetry", "test_sandbox"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_handler_module_has_one_shape(folder: str) -> None:
    module = importlib.import_module(f"functions.{folder}.handler")
    assert callable(module.handler)
    assert module.__doc__
    if folder not in WITHOUT_TOOLS:
        assert issubclass(module.Request, BaseModel)
        assert list(inspect.signature(module.handle).parameters) == ["request", "tools"]
        assert inspect.getdoc(module.handle)


@pytest.mark.parametrize("folder", FOLDERS)
def test_handlers_are_short(folder: str) -> None:
    lines = (ROOT / "functions" / folder / "handler.py").read_text().splitlines()
    assert len(lines) <= 70
