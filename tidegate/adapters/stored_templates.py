"""Templates as they lie in a stage's bucket, looked at right before CloudFormation reads them there.

Between a plan and an update of its stack may lie weeks: an approval, a bake, a way back. A root's template is
written anew from the pipeline's own bucket; those of nested stacks are named by their content, and compared.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from tidegate.adapters.threads import side_by_side
from tidegate.domain.provenance import check_digest

if TYPE_CHECKING:
    from tidegate.adapters.documents import Documents


def bring_template(origin: Documents, target: Documents, key: str) -> None:
    """Write a planned template to a stage's bucket once more; raises as `check_children` does."""
    body = origin.find_bytes(key)
    if body is None:
        message = f"s3://{origin.bucket}/{key} does not exist"
        raise LookupError(message)
    target.write_bytes(key, body, "application/json")
    check_children(target, body)


def check_children(target: Documents, body: bytes) -> None:
    """ArtifactAltered where a template that this one nests, at any depth, is not what its name says."""
    address = re.compile(re.escape(target.url("packages/").encode()) + rb"([0-9a-f]{64})\.json")
    known: set[str] = set()
    waiting = [body]
    while waiting:
        found = {match.decode() for one in waiting for match in address.findall(one)} - known
        known |= found
        ordered = sorted(found)
        bodies = side_by_side(target.find_bytes, [f"packages/{one}.json" for one in ordered])
        for expected, child in zip(ordered, bodies, strict=True):
            digest = None if child is None else hashlib.sha256(child).hexdigest()
            check_digest(f"packages/{expected}.json", digest, expected, f"s3://{target.bucket}")
        waiting = [one for one in bodies if one is not None]
