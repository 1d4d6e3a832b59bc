"""State machine definitions as text: the qualifier `$LATEST` behind a substitution, taken off.

A substitution names the alias after normalization, and `${Name}:$LATEST` would then be no ARN at all. An
unqualified ARN means `$LATEST` anyway, so taking it off changes nothing for any other function.
"""

from __future__ import annotations

import re

_LATEST = re.compile(r"(\$\{[A-Za-z0-9_.]+\}):\$LATEST\b")


def unqualify_definition(text: str) -> str:
    """The definition (JSON or YAML text of a file that a state machine names) without `:$LATEST`."""
    return _LATEST.sub(r"\1", text)
