"""Names of what lies in nested stacks: `<child>/<logical id>`, `<child>/<grandchild>/<logical id>` and so on.

What lies in the root keeps its plain logical id, so a service without nested stacks knows nothing of this. A
*path* is the name of a nested stack, "" for the root. No logical id holds a separator: CloudFormation allows
letters and digits alone.
"""

from __future__ import annotations

import hashlib
from typing import Final

SEPARATOR: Final = "/"
DIGITS: Final = 16
# An alarm's name has 255 characters, and more than the function's name stands in it.
LONGEST: Final = 150
CUT: Final = "~"  # in no logical id


def qualify(path: str, logical_id: str) -> str:
    """The name of a resource of the stack at a path."""
    return f"{path}{SEPARATOR}{logical_id}" if path else logical_id


def split(name: str) -> tuple[str, str]:
    """The path of the stack that a name lies in, and the logical id there."""
    path, _, logical_id = name.rpartition(SEPARATOR)
    return path, logical_id


def shorten(name: str) -> str:
    """A name for where there is little room: a long one gives its hash and its end, a short one stays."""
    if len(name) <= LONGEST:
        return name
    head = f"{hashlib.sha256(name.encode()).hexdigest()[:DIGITS]}{CUT}"
    return f"{head}{name[len(head) - LONGEST :]}"


def make_logical_id(name: str, suffix: str) -> str:
    """A logical id of our own after a name. Digits tell what lies in a nested stack from everything else."""
    path, logical_id = split(name)
    if not path:
        return f"{logical_id}{suffix}"
    digits = int.from_bytes(hashlib.sha256(name.encode()).digest()) % 10**DIGITS
    return f"{logical_id}{suffix}{digits:0{DIGITS}d}"
