"""Builds of CodeBuild as processes: each in a folder of its own, within its time, without any credentials.

What the image would bring is this machine's: its programs, and a Python with pip of the interpreter at hand.
A build's process group is killed when it is over. Processes are no security boundary.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
import venv
from typing import TYPE_CHECKING, Final

from moto.logs.models import logs_backends

from tidegate.local.buildspecs import PHASES, write_script
from tidegate.local.compute.blueprint import search_path
from tidegate.local.compute.logs import STREAM_LOCK, now_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tidegate.local.buildspecs import Buildspec

POLL: Final = 0.05
# Outcomes of a phase.
SUCCEEDED, FAILED, TIMED_OUT, STOPPED = "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"
# A phase after which nothing more is run where it fails; what follows the build is run all the same.
FIRST: Final = frozenset({"install", "pre_build"})
PYTHON_LOCK: Final = threading.Lock()


class Log:
    """The stream of a build in a log group, written to as lines come."""

    def __init__(self, account: str, region: str, group: str, stream: str) -> None:
        self._backend = logs_backends[account][region]
        self.group = group
        self.stream = stream

    def write(self, text: str) -> None:
        """Append lines; empty ones are dropped, as CloudWatch has none."""
        events = [{"timestamp": now_ms(), "message": line} for line in text.splitlines() if line.strip()]
        if not events:
            return
        with STREAM_LOCK:
            self._backend.ensure_log_group(self.group)
            self._backend.ensure_log_stream(self.group, self.stream)
            self._backend.groups[self.group].put_log_events(self.stream, events)


class Run:
    """One build; `stop` ends it from another thread."""

    def __init__(self, spec: Buildspec, folder: Path, environment: Mapping[str, str], log: Log) -> None:
        self._spec = spec
        self._folder = folder
        self._environment = dict(environment)
        self._log = log
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End it as soon as can be."""
        self._stopped.set()

    def run(self, seconds: float, tell: Callable[[str, str, float], None]) -> str:
        """Run the phases within the time; `tell` gets each with its outcome and its seconds."""
        self._folder.mkdir(parents=True)
        until, status = time.monotonic() + seconds, SUCCEEDED
        try:
            for phase in PHASES:
                if phase not in self._spec.phases or (status != SUCCEEDED and phase != "post_build"):
                    continue
                begun = time.monotonic()
                self._log.write(f"[Container] Entering phase {phase.upper()}")
                outcome = self._run_phase(phase, until, status)
                tell(phase.upper(), outcome, time.monotonic() - begun)
                status = outcome if status == SUCCEEDED else status
                if status in {TIMED_OUT, STOPPED} or (status != SUCCEEDED and phase in FIRST):
                    break
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        return status

    def _run_phase(self, phase: str, until: float, status: str) -> str:
        going = {"CODEBUILD_BUILD_SUCCEEDING": "1" if status == SUCCEEDED else "0"}
        process = subprocess.Popen(  # noqa: S603 (what it runs is what a build is for)
            [shutil.which(self._spec.shell) or self._spec.shell, "-c", write_script(self._spec, phase)],
            cwd=self._folder,
            env={**self._environment, **going},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        reader.start()
        try:
            return self._watch(process, until)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            reader.join(timeout=5)

    def _watch(self, process: subprocess.Popen[bytes], until: float) -> str:
        while process.poll() is None:
            if self._stopped.wait(POLL):
                return STOPPED
            if time.monotonic() > until:
                return TIMED_OUT
        return FAILED if process.returncode else SUCCEEDED

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        for line in process.stdout or ():
            self._log.write(line.decode(errors="replace"))


def make_environment(
    home: Path, folder: Path, network: Mapping[str, str], own: Mapping[str, str]
) -> dict[str, str]:
    """What a build sees: the machine's programs, an own Python, its folder, its variables; no credentials."""
    python = _find_python(home)
    return {
        **network,
        "PATH": os.pathsep.join([str(python), *search_path()]),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "CODEBUILD_SRC_DIR": str(folder),
        "CODEBUILD_CI": "true",
        **own,
    }


def _find_python(home: Path) -> Path:
    """The programs of a Python of the version at hand, with pip, made once for all builds."""
    place = home / "build-python"
    with PYTHON_LOCK:
        if not (place / "bin" / "pip").exists():
            venv.EnvBuilder(with_pip=True, symlinks=True, clear=True).create(place)
    return place / "bin"
