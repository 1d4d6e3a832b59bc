"""CloudFormation's limits, checked before a change set is tried.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.errors import InvalidTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RESOURCES: Final = 500
MAX_ENTRIES: Final = 200
MAX_BYTES: Final = 1_000_000


def check_limits(template: Mapping[str, Any]) -> None:
    """Raise InvalidTemplate, with the figures, for a template too large for CloudFormation."""
    count = len(template["Resources"])
    if count > MAX_RESOURCES:
        raise InvalidTemplate(
            f"{count} resources after translation; CloudFormation takes {MAX_RESOURCES} at most"
        )
    for section in ("Parameters", "Outputs", "Mappings"):
        entries = len(template.get(section) or {})
        if entries > MAX_ENTRIES:
            raise InvalidTemplate(f"{entries} {section}; CloudFormation takes {MAX_ENTRIES} at most")
    size = len(json.dumps(template, separators=(",", ":")).encode())
    if size > MAX_BYTES:
        raise InvalidTemplate(f"{size} bytes after translation; CloudFormation takes {MAX_BYTES} at most")
