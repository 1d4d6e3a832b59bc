"""Runs a service's tests. Its role has no policy, so it has no tools: it knows three presigned URLs."""

from __future__ import annotations

from typing import Any, Protocol

from tidegate.adapters.sandbox import run_tests
from tidegate.domain.testing import SandboxRequest


class Context(Protocol):
    """What of Lambda's context is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""


def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """Run the tests that the event asks for, and answer how they ended."""
    request = SandboxRequest.model_validate(event)
    return run_tests(request, context.get_remaining_time_in_millis() / 1000).model_dump(mode="json")
