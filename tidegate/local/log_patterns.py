"""Filter patterns of CloudWatch Logs: moto matches every event with a pattern that it cannot read.

What a pattern means is decided in `tidegate.domain.log_patterns`; a pattern of a kind that is not read there
is refused as CloudWatch refuses a wrong one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from moto.core.exceptions import JsonRESTError
from moto.logs import models

from tidegate.domain import log_patterns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud


class InvalidPattern(JsonRESTError):  # type: ignore[misc]
    """The pattern is wrong, or of a kind that is not read here; the message says which."""

    def __init__(self, error: log_patterns.InvalidPattern) -> None:
        super().__init__("InvalidParameterException", str(error))


class Filter:
    """A pattern, ready to match messages; has the shape of moto's own."""

    def __init__(self, pattern: str) -> None:
        self._check = read(pattern or "")

    def matches(self, message: str) -> bool:
        """Whether the message is one that the pattern means."""
        return self._check(message)


def install(cloud: LocalCloud) -> None:
    """Let moto's logs match by these patterns."""
    cloud.patch(models, "EventMessageFilter", Filter)


def read(pattern: str) -> Callable[[str], bool]:
    """The check that a pattern stands for; CloudWatch's error where it cannot be read."""
    try:
        return log_patterns.read(pattern)
    except log_patterns.InvalidPattern as error:
        raise InvalidPattern(error) from error
