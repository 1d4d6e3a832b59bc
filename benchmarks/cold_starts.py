"""`python -m benchmarks cold_starts`: from a new process to a task's handler, with byte code and without.

The code and the layer are those of the local cloud, which are made as those of AWS are, and the process is
begun as a sandbox begins it. It writes no byte code, as on AWS, where it cannot. What a first invocation does
besides, such as making clients, is not in it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from tidegate.cli.screens import show_json, show_table
from tidegate.local.assembly import make_layers, synthesize
from tidegate.local.cloud import REGION

TIMES: Final = 3
COLUMNS: Final = ("task", "ms", "CPU ms", "modules", "ms without byte code", "times")
# What is measured in the process itself: its own CPU from the start of the interpreter on.
PROBE: Final = """
import sys, time
sys.path[:0] = sys.argv[2:]
__import__(sys.argv[1])
print(time.process_time(), len(sys.modules))
"""


class Start(NamedTuple):
    """Seconds of the clock and of the processor, and how many modules were imported."""

    wall: float
    cpu: float
    modules: int


def measure(*, as_json: bool) -> None:
    """Start each task as often as it takes for a median, and print how long that took."""
    with TemporaryDirectory(prefix="tidegate-bench-") as name:
        shipped = (find_code(synthesize(1.0)), make_layers() / "dependencies" / "python")
        plain = tuple(strip(path, Path(name) / path.name) for path in shipped)
        tasks = sorted(path.parent.name for path in shipped[0].glob("functions/*/handler.py"))
        rows = [_measure(task, shipped, plain) for task in tasks]
    if as_json:
        show_json({"cold_starts": [dict(zip(COLUMNS, row, strict=True)) for row in rows]})
    else:
        show_table(COLUMNS, rows)


def find_code(assembly: Path) -> Path:
    """The asset of code in a cloud assembly."""
    assets: dict[str, Any] = json.loads((assembly / "Pipeline.assets.json").read_text())["files"]
    folders = (assembly / str(asset["source"]["path"]) for asset in assets.values())
    return next(folder for folder in folders if (folder / "functions").is_dir())


def strip(folder: Path, copy: Path) -> Path:
    """A copy of a folder without byte code."""
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def start(module: str, folders: tuple[Path, ...]) -> Start:
    """Begin a process that imports a module out of folders."""
    command = [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", PROBE, module, *map(str, folders)]
    environment = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "PATH": os.defpath}
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    wall = time.perf_counter() - began
    cpu, modules = done.stdout.split()
    return Start(wall, float(cpu), int(modules))


def _measure(task: str, shipped: tuple[Path, ...], plain: tuple[Path, ...]) -> tuple[str, ...]:
    module = f"functions.{task}.handler"
    start(module, shipped)  # the files are in memory from here on
    pairs = [(start(module, shipped), start(module, plain)) for _ in range(TIMES)]
    wall, cpu = (median(getattr(pair[0], what) for pair in pairs) for what in ("wall", "cpu"))
    without = median(pair[1].wall for pair in pairs)
    shown = (wall * 1000, cpu * 1000, pairs[0][0].modules, without * 1000)
    return task.replace("_", "-"), *(f"{value:.0f}" for value in shown), f"{without / wall:.1f}"
