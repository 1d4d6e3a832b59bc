"""Runs esbuild over an unpacked tree of source and packages: one program, no plugins, no code of the service.

The program is npm's own, pinned by its hash, and kept with the tarballs. It gets no credentials: its
environment is empty, and while it runs no process of the same user can read this one's. What it read outside
of the tree ends the build, and nothing of such a file is shown.
"""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.adapters.assembly import read_entry
from tidegate.adapters.module_locks import own_platform
from tidegate.adapters.programs import foreign, run
from tidegate.adapters.source_maps import find_stray
from tidegate.domain.artifacts import MAX_UNZIPPED
from tidegate.domain.bundles import find_program, list_inputs
from tidegate.domain.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tidegate.adapters.assembly import Part
    from tidegate.adapters.module_shelves import ModuleShelf
    from tidegate.adapters.programs import Outcome

SECONDS: Final = 120
CODE: Final = "code"
LIMITS: Final = ("--log-level=warning", "--log-limit=20", "--color=false")
# The source, its packages and what is written of them; scratch space is shared with fragments.
MOST: Final = 4 * MAX_UNZIPPED
ERROR: Final = re.compile(r"^\S+ \[ERROR\] (?P<text>.*)$", re.MULTILINE)
PLACE: Final = re.compile(r"^ {4}(?P<file>\S.*?):(?P<line>\d+):\d+:$", re.MULTILINE)
PR_GET_DUMPABLE: Final = 3
PR_SET_DUMPABLE: Final = 4
SHOWN: Final = 3


class Bundle(NamedTuple):
    """What was written, by path, and the files that went in, relative to the tree."""

    outputs: dict[str, Path]
    inputs: tuple[str, ...]


def write_tree(folder: Path, parts: Iterable[Part]) -> None:
    """Unpack entries into a folder; the last part counts where two have a path."""
    size = 0
    for part in parts:
        for entry in part.entries:
            size += entry.size
            if size > MOST:
                raise BuildFailed(f"source and packages unpack to more than {MOST:,} bytes")
            path = folder / entry.path
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(read_entry(part.file, entry))
            except (FileExistsError, IsADirectoryError, NotADirectoryError):
                raise BuildFailed(f"{entry.path} is a file in {part.name} and a folder elsewhere") from None


def bundle(place: Path, options: Sequence[str], shelf: ModuleShelf, name: str) -> Bundle:
    """Bundle what lies in `place/code` into `place/out`, anew; `name` is the function, in messages."""
    program = _find(place, shelf)
    for barrier in ("tsconfig.json", "package.json"):  # it looks in the folders above, too
        (place / barrier).write_text("{}")
    meta, out = place / "meta.json", place / "out"
    shutil.rmtree(out, ignore_errors=True)
    meta.unlink(missing_ok=True)
    command = [str(program), *options, f"--outdir=../{out.name}", f"--metafile=../{meta.name}", *LIMITS]
    with _concealed():
        ended = run(command, folder=place / CODE, environment=foreign(), seconds=SECONDS)
    _check(ended, name)
    told: dict[str, Any] = json.loads(meta.read_bytes())
    outside = [path for path in told.get("inputs", {}) if _is_outside(path)]
    if outside:
        raise BuildFailed(f"{name} imports {outside[0]}, which is neither in its code nor in its packages")
    strayed = [path for path in told.get("outputs", {}) if not path.startswith(f"../{out.name}/")]
    if strayed:
        raise BuildFailed(f"{name}: esbuild wrote {strayed[0]}, which is outside of the bundle")
    written = {path.relative_to(out).as_posix(): path for path in sorted(out.rglob("*")) if path.is_file()}
    if stray := find_stray(written.values(), place / CODE):
        raise BuildFailed(
            f"{name}: its source map holds {stray}, which is neither in its code nor its packages"
        )
    return Bundle(written, list_inputs(told))


def _find(place: Path, shelf: ModuleShelf) -> Path:
    """Esbuild's program for the machine at hand."""
    machine = own_platform()
    module = find_program(f"{machine.os}-{machine.cpu}")
    part = shelf.find(module)
    entry = next(one for one in part.entries if one.path == f"{module.folder}/bin/esbuild")
    program = place / "esbuild"
    if not program.exists():
        program.write_bytes(read_entry(part.file, entry))
        program.chmod(0o755)
    return program


def _check(ended: Outcome, name: str) -> None:
    """BuildFailed where it did not end well; the lines that it shows of a file are never repeated."""
    if ended.timed_out:
        raise BuildFailed(f"{name}: esbuild did not end within {SECONDS} seconds")
    if not ended.code and not ended.too_much:
        return
    output = ended.output.decode(errors="replace")
    outside = [found["file"] for found in PLACE.finditer(output) if _is_outside(found["file"])]
    if outside:
        raise BuildFailed(f"{name} imports {outside[0]}, which is neither in its code nor in its packages")
    told = [" ".join(found["text"].split()) for found in ERROR.finditer(output)]
    first = next(PLACE.finditer(output), None)
    reason = "; ".join(told[:SHOWN]) or f"esbuild ended with {ended.code}"
    raise BuildFailed(
        f"{name}: {reason}", file=first["file"] if first else "", line=int(first["line"]) if first else 0
    )


def _is_outside(path: str) -> bool:
    """Whether a path as esbuild names it leads out of the tree; what is no file has a namespace before it."""
    return path.startswith(("/", "../"))


@contextmanager
def _concealed() -> Iterator[None]:
    """Keep this process's environment and memory from others of the same user, as long as the block runs.

    Source: prctl(2), PR_SET_DUMPABLE: what lies below /proc/<pid> then belongs to root. Linux alone has it.
    """
    if sys.platform != "linux":
        yield
        return
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    before = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
    if prctl(PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the builder's own memory cannot be concealed")
    try:
        yield
    finally:
        prctl(PR_SET_DUMPABLE, before, 0, 0, 0)
