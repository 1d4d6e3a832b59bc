"""The first code of every sandbox's process: sets Lambda's import path, then hands over to awslambdaric.

It runs as a script under `python -I -S`, so it may import the standard library alone: whatever it imported
besides would be visible to the function, which on AWS would not have it.
"""

from __future__ import annotations

import os
import sys


def import_path(task: str, layers: str, runtime: str) -> list[str]:
    """List where imports are looked up ahead of the standard library, in Lambda's order."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    declared = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return [
        task,
        os.path.join(layers, "python", "lib", version, "site-packages"),  # noqa: PTH118
        os.path.join(layers, "python"),  # noqa: PTH118
        *(entry for entry in declared if entry != runtime),
        runtime,
    ]


def main(task: str, layers: str, runtime: str, handler: str) -> None:
    """Serve invocations of `handler` until the process is ended."""
    sys.path[:0] = import_path(task, layers, runtime)
    from awslambdaric.__main__ import main as serve

    serve(["bootstrap", handler])


if __name__ == "__main__":
    main(*sys.argv[1:5])
