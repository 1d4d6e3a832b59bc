"""Runs a service's tests or imports its handlers. Its role has no policy: it knows presigned URLs alone."""

from __future__ import annotations

from typing import Any, Protocol

from tidegate.adapters.imports import import_handlers
from tidegate.adapters.sandbox import run_tests
from tidegate.domain.imports import ImportRequest
from tidegate.domain.testing import SandboxRequest


class Context(Protocol):
    """What of Lambda's context is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Run the tests that the event asks for, or import handlers, and answer how that ended."""
    seconds = context.get_remaining_time_in_millis() / 1000
    if "artifacts" in event:
        return import_handlers(ImportRequest.model_validate(event), seconds).model_dump(mode="json")
    return run_tests(SandboxRequest.model_validate(event), seconds).model_dump(mode="json")
