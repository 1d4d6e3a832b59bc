"""Which files a bundle's source map may hold the text of."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from tidegate.adapters.source_maps import find_stray

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("source", "content", "strays"),
    [
        ("../code/app.ts", "x", False),
        ("../secret.txt", "x", True),
        ("../secret%2Etxt", "x", True),
        ("../secret.txt", None, False),
        ("../nowhere.txt", "x", False),
        ("/etc/hostname", "x", True),
        ("webpack:///etc/hostname", "x", False),
        ("http://[", "x", False),
        ("../a%00b", "x", False),
        (7, "x", False),
    ],
)
@pytest.mark.parametrize("inline", [False, True])
def test_only_files_that_stand_outside_of_the_tree_are_strays(
    tmp_path: Path, source: object, content: str | None, strays: bool, inline: bool
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.ts").write_text("")
    (tmp_path / "secret.txt").write_text("")
    (tmp_path / "out").mkdir()
    told = json.dumps({"version": 3, "sources": ["../code/app.ts", source], "sourcesContent": ["", content]})
    comment = f"sourceMappingURL=data:application/json;base64,{base64.b64encode(told.encode()).decode()}"
    output = tmp_path / "out" / "app.js.map"
    output.write_text(
        f"x = 'sourceMappingURL=data:application/json;base64,abc'\n//# {comment}\n" if inline else told
    )
    assert find_stray([output], tmp_path / "code") == (source if strays else None)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"sources": {}}', b"\xff", b"{" * 100_000])
def test_what_is_no_map_holds_nothing(tmp_path: Path, body: bytes) -> None:
    output = tmp_path / "app.js"
    output.write_bytes(body)
    assert find_stray([output], tmp_path / "code") is None
