"""Source maps of bundles: whether one holds the text of a file that is not of the tree.

A package's own map may leave the text of its sources out, and esbuild then reads them from wherever the map
says, without telling it among its inputs. May not change a map.
Source: esbuild, internal/bundler/bundler.go ("sourcesContent"); https://tc39.es/ecma426/.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Of a map within an output; code may hold such text too, so that each is looked at.
INLINE: Final = re.compile(rb"sourceMappingURL=data:application/json;base64,([A-Za-z0-9+/=]+)")

# What is a file is written as a path relative to the output.
SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def find_stray(outputs: Iterable[Path], tree: Path) -> str | None:
    """The first file outside of a tree, as its map names it, whose text an output holds; None without any.

    A map that brings its text along may name what it wants: only files that stand here could be read.
    """
    root = tree.resolve()
    for output in outputs:
        folder = output.parent.resolve()
        for source in _list_held(output.read_bytes()):
            place = Path(os.path.normpath(folder / unquote(source)))
            if not SCHEME.match(source) and not place.is_relative_to(root) and _stands(place):
                return source
    return None


def _stands(place: Path) -> bool:
    """Whether there is such a file; what may not be looked at could not be read either."""
    try:
        return place.exists()
    except OSError:
        return False


def _list_held(body: bytes) -> Iterator[str]:
    """The sources whose text is held by the map that an output is, or by one within it."""
    for text in (body, *(_decode(found[1]) for found in INLINE.finditer(body))):
        told = _parse(text)
        sources, contents = told.get("sources"), told.get("sourcesContent")
        if isinstance(sources, list) and isinstance(contents, list):
            held = zip(sources, contents, strict=False)
            yield from (str(source) for source, content in held if content is not None)


def _decode(text: bytes) -> bytes:
    """Nothing where it is text of the code and no map."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _parse(text: bytes) -> dict[str, Any]:
    """Nothing where it is no map: most outputs are code."""
    if text.lstrip()[:1] != b"{":
        return {}
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
