"""What of a lock an image takes."""

from __future__ import annotations

import pytest

from tidegate.adapters.image_plans import PlannedImage
from tidegate.domain.errors import BuildFailed
from tidegate.domain.images.recipes import Recipe
from tidegate.domain.locks import Lock, LockRequest, Wheel
from tidegate.domain.snapshots import ImageSnapshot

SNAPSHOT = ImageSnapshot(
    base="base:1", repository="base", digest=f"sha256:{'a' * 64}", recipe=Recipe(file="D", base="base:1")
)
PLANNED = PlannedImage(
    SNAPSHOT,
    ".",
    "python3.13",
    "python3.13",
    "x86_64",
    "app.handler",
    LockRequest({"src/requirements.txt": "one"}, "3.13", None),
)


def test_wheels_count_by_their_hashes() -> None:
    wheel = Wheel(name="one", version="1", url="https://x.example/one-1-py3-none-any.whl", sha256="b" * 64)
    elsewhere = wheel.model_copy(update={"url": "https://y.example/one-1-py3-none-any.whl"})
    assert PLANNED.key(Lock(wheels=(wheel,))) == PLANNED.key(Lock(wheels=(elsewhere,)))
    assert PLANNED.key(Lock(wheels=(wheel,))) != PLANNED.key(Lock())


def test_what_has_no_wheel_is_refused_by_name() -> None:
    with pytest.raises(BuildFailed, match=r"^src/requirements.txt: an image is made of wheels alone"):
        PLANNED.key(Lock(texts={"requirements.txt": "one @ git+https://x.example/one"}))
