"""Calls uv: it resolves requirements to wheels, exports its own locks, and installs what tests need.

Nothing is built from source but in the sandbox: that would run foreign code with the task's rights.

uv's own reason is passed on in one line. A registry that does not answer is a fault of its own kind, since
trying again can help there and nowhere else.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

from tidegate.adapters.programs import find_uv, inherited, run
from tidegate.domain.artifacts import hide_credentials
from tidegate.domain.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tidegate.domain.locks import Target

SECONDS: Final = 600
NETWORK: Final = re.compile(
    r"error sending request|tcp connect error|dns error|connection (reset|closed|refused)|operation timed out"
    r"|request failed after|status (code )?(429|5\d\d)|\((429|5\d\d) [A-Z][a-z]|network was disabled",
    re.IGNORECASE,
)
NOISE: Final = re.compile(
    r"^(Using |Resolved |Prepared |Downloading |Downloaded |Installed |Creating |warning: )"
)
# What the resolver says of a package that it may not build.
NO_WHEEL: Final = re.compile(r"building from source is disabled|has no usable wheels")
LONGEST: Final = 600


class WheelMissing(Exception):
    """Requirements cannot be met by wheels alone; whoever may run foreign code could build one."""


class RegistryUnreachable(ConnectionError):
    """The package registry did not answer; another attempt may succeed."""


def compile_lock(
    requirements: Path, lock: Path, *, root: Path, target: Target, named: str = "", is_whole: bool = False
) -> None:
    """Resolve a requirements file into the file `lock` (pylock.toml), for a Python version and a platform.

    `root` is the source's root, which messages name files relative to; `named` is what they name instead of
    the file itself. A list that `is_whole` is taken without what its packages require. BuildFailed says why
    it failed, WheelMissing where what has no wheel is required.
    """
    flags = ["--format", "pylock.toml", "--output-file", str(lock), "--quiet", "--no-header"]
    flags += ["--python", sys.executable, "--python-version", target.python, "--only-binary", ":all:"]
    if target.platform is not None:
        flags += ["--python-platform", target.platform]
    if is_whole:
        flags.append("--no-deps")
    files = named or requirements.relative_to(root).as_posix()
    _run_uv(["pip", "compile", str(requirements), *flags], files, root, lock.parent, SECONDS)


def export_lock(folder: Path, lock: Path, *, root: Path, project: str) -> None:
    """Write the uv.lock of a folder as the file `lock` (pylock.toml), as it says, for one of its projects.

    Nothing is asked of a registry, nothing of the service runs, and no interpreter is needed. Extras and
    dependency groups are left out, and so is the project itself. BuildFailed says why it failed.
    """
    flags = ["--frozen", "--offline", "--format", "pylock.toml", "--output-file", str(lock), "--quiet"]
    flags += ["--no-header", "--no-default-groups", "--no-emit-project", "--no-config"]
    files = (folder / "uv.lock").relative_to(root).as_posix()
    words = ["export", *flags, "--project", str(folder), "--package", project]
    _run_uv(words, files, root, lock.parent, SECONDS)


def export_requirements(folder: Path, file: Path, *, root: Path) -> None:
    """Write the uv.lock of a folder as requirement texts, of all its projects and of their default groups.

    Nothing is asked of a registry. BuildFailed says why it failed.
    """
    flags = ["--frozen", "--offline", "--format", "requirements.txt", "--output-file", str(file), "--quiet"]
    flags += ["--no-header", "--no-annotate", "--all-packages", "--no-emit-workspace", "--no-config"]
    files = (folder / "uv.lock").relative_to(root).as_posix()
    _run_uv(["export", *flags, "--project", str(folder)], files, root, file.parent, SECONDS)


def install_into(environment: Path, wanted: Sequence[str], files: str, *, root: Path, seconds: float) -> None:
    """Install into a virtual environment what is `wanted`, in the installer's own words.

    `files` is what messages name. Packages may be built from source: for the sandbox alone, where all code is
    foreign anyway.
    """
    words = ["pip", "install", *wanted, "--python", str(environment / "bin" / "python")]
    _run_uv(words, files, root, environment.parent, seconds)


def make_environment(environment: Path) -> None:
    """Make a virtual environment of the running interpreter."""
    command = [find_uv(), "venv", "--quiet", "--no-project", "--python", sys.executable, str(environment)]
    outcome = run(command, folder=environment.parent, environment=inherited(), seconds=SECONDS)
    if outcome.code:
        message = f"no virtual environment could be made: {readable(outcome.output.decode(errors='replace'))}"
        raise RuntimeError(message)


def readable(output: str) -> str:
    """Uv's reason in one line, without credentials, drawings and progress."""
    lines = (re.sub(r"^[\s│╰├─▶×]+", "", line).strip() for line in output.splitlines())  # noqa: RUF001
    kept = [
        line.removeprefix("error: ").removeprefix("cause: ")
        for line in lines
        if line and not NOISE.match(line)
    ]
    return hide_credentials(": ".join(kept))[:LONGEST]


def _run_uv(words: Sequence[str], files: str, root: Path, place: Path, seconds: float) -> None:
    command = [find_uv(), *words, "--no-progress", "--color", "never"]
    # Not run in the source: uv settings that lie there could allow what is refused here.
    outcome = run(command, folder=place, environment=inherited(), seconds=max(seconds, 1))
    if outcome.timed_out:
        raise RegistryUnreachable(f"the installation did not end within {seconds:.0f} seconds")
    if outcome.code:
        reason = readable(outcome.output.decode(errors="replace").replace(f"{root}/", ""))
        if NETWORK.search(reason):
            raise RegistryUnreachable(reason)
        said = " ".join(outcome.output.decode(errors="replace").split())
        if NO_WHEEL.search(said):
            raise WheelMissing(str(BuildFailed(reason, file=files)))
        raise BuildFailed(reason or f"uv ended with {outcome.code}", file=files)
