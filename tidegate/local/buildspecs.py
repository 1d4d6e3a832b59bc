"""Buildspecs of CodeBuild, as far as they are run here: version 0.2, one shell, the four phases of commands.

Whatever else stands in one is refused by name. Source: AWS CodeBuild User Guide, "Build specification
reference for CodeBuild".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import yaml

PHASES: Final = ("install", "pre_build", "build", "post_build")
VERSION: Final = "0.2"
SHELLS: Final = frozenset({"bash", "sh"})


class UnsupportedBuildspec(ValueError):
    """The buildspec asks for what does not run here; the text names it."""


@dataclass(frozen=True)
class Buildspec:
    """The commands of each phase that has some, and the shell that all of them run in."""

    shell: str
    phases: dict[str, tuple[str, ...]]


def read_buildspec(text: str) -> Buildspec:
    """Read a buildspec; UnsupportedBuildspec names what is not supported here."""
    data = yaml.safe_load(text)
    if not isinstance(data, dict) or str(data.get("version")) != VERSION:
        message = f"only buildspecs of version {VERSION} are run in the local cloud"
        raise UnsupportedBuildspec(message)
    _refuse(data, {"version", "env", "phases"}, "the buildspec")
    environment = data.get("env") or {}
    _refuse(environment, {"shell"}, "env")
    shell = environment.get("shell", "sh")
    if shell not in SHELLS:
        message = f"the shell {shell} is not available in the local cloud"
        raise UnsupportedBuildspec(message)
    phases = data.get("phases") or {}
    _refuse(phases, set(PHASES), "phases")
    for name, phase in phases.items():
        _refuse(phase, {"commands"}, f"phases/{name}")
    return Buildspec(shell, {name: tuple(map(str, phase["commands"])) for name, phase in phases.items()})


def _refuse(found: dict[str, Any], known: set[str], where: str) -> None:
    for name in found:
        if name not in known:
            message = f"{name} in {where} is not available in the local cloud"
            raise UnsupportedBuildspec(message)


def write_script(spec: Buildspec, phase: str) -> str:
    """A phase as one script, which ends with the first command that fails, as CodeBuild does."""
    lines = []
    for command in spec.phases.get(phase, ()):
        lines += [command, 'status=$?; if [ "$status" != 0 ]; then exit "$status"; fi']
    return "\n".join(lines) + "\n"
