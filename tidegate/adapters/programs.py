"""Runs other programs: within a time, in a process group of their own, and without this process's rights.

A program inherits no AWS_* variable, so that what it fetches or prints cannot be a credential of the task.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UV_IN_LAYER: Final = "/opt/python/bin/uv"
POLL: Final = 0.05


class Outcome(NamedTuple):
    """How a program ended: its exit code (negative: the signal), whether it was stopped, what it printed."""

    code: int
    timed_out: bool
    too_much: bool
    output: bytes


def find_uv() -> str:
    """The path of the uv program: of the `uv` package, else in the toolchain layer, else on the path."""
    with contextlib.suppress(ImportError, FileNotFoundError):
        from uv import find_uv_bin

        return str(find_uv_bin())
    found = UV_IN_LAYER if Path(UV_IN_LAYER).exists() else shutil.which("uv")
    if found is None:
        message = "the program uv is not here; the toolchain layer holds it"
        raise FileNotFoundError(message)
    return found


def inherited(**changes: str) -> dict[str, str]:
    """The environment for a program of ours: this process's without AWS_*, and a place for uv's cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TIDEGATE_"))}
    cache = str(Path(tempfile.gettempdir()) / "tidegate-uv")
    return {"UV_CACHE_DIR": cache, "UV_PYTHON_DOWNLOADS": "never", **kept, **changes}


def foreign(**changes: str) -> dict[str, str]:
    """The environment for a program that is not ours: nothing of this process but how to find libraries."""
    libraries = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **libraries, **changes}


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    seconds: float,
    limit: int = 1_000_000,
) -> Outcome:
    """Run a program and all that it starts; past `seconds`, or `limit` bytes of output, all of it is killed.

    Output beyond the limit is not kept; the program's input is empty.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 (no shell; the caller names the program)
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        timed_out = too_much = False
        try:
            timed_out, too_much = _watch(process, output.fileno(), seconds, limit)
        finally:
            _kill_group(process)
        output.seek(0)
        return Outcome(process.returncode, timed_out, too_much, output.read(2 * limit))


def _watch(process: subprocess.Popen[bytes], output: int, seconds: float, limit: int) -> tuple[bool, bool]:
    left = seconds
    while left > 0:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(POLL, left))
            return False, False
        if os.fstat(output).st_size > limit:
            return False, True
        left -= POLL
    return True, False


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and whatever it left running in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
