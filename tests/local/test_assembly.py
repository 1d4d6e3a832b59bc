"""Assemblies of the local cloud that nothing uses any more go."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from tidegate.local.assembly import KEPT, forget_unused

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_not_asked_for_in_a_day_goes(tmp_path: Path) -> None:
    made = {name: tmp_path / name for name in ("assembly-1", "assembly-2", "assembly-1.77", "layers")}
    for folder in made.values():
        (folder / "asset").mkdir(parents=True)
    (tmp_path / "assembly-1.json").write_text("{}")
    old = time.time() - KEPT - 1
    for name in ("assembly-1", "assembly-1.77", "assembly-1.json", "layers"):
        os.utime(tmp_path / name, (old, old))
    forget_unused(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["assembly-2", "layers"]
