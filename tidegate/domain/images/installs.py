"""The forms of `pip install` that a Dockerfile may have, read word by word; nothing is run.

What is installed comes from Tidegate's own lock, so that options which would choose something else (another
index, versions on the command line) are refused, and those that change nothing are passed over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.domain.errors import UnsupportedTemplate

from .dockerfiles import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PROGRAM: Final = re.compile(r"(?:/[\w./-]*/)?pip(?:3(?:\.\d{1,2})?)?")
PYTHON: Final = re.compile(r"(?:/[\w./-]*/)?python(?:3(?:\.\d{1,2})?)?")
# Signs by which a shell would do more than start one program.
SHELL: Final = re.compile(r"[;&|<>`]|\$\(|(?<!\\)\n")
REQUIREMENTS: Final = frozenset({"-r", "--requirement"})
TARGETS: Final = frozenset({"-t", "--target"})
# They change how pip works and not what it installs: wheels alone are taken in any case.
IDLE: Final = frozenset({
    "--compile", "--disable-pip-version-check", "--no-cache", "--no-cache-dir", "--no-color",
    "--no-compile", "--no-input", "--no-warn-script-location", "--only-binary=:all:", "--prefer-binary",
    "--quiet", "--root-user-action=ignore", "--upgrade", "-U", "-q",
})  # fmt: skip
# What pip reads options from besides: `PIP_<OPTION>`, of which these change nothing either, and files.
IDLE_VARIABLES: Final = frozenset({
    "PIP_DEFAULT_TIMEOUT", "PIP_HELP", "PIP_PROGRESS_BAR", "PIP_RETRIES", "PIP_ROOT_USER_ACTION",
    "PIP_TIMEOUT", "PIP_VERSION",
    *(f"PIP_{option[2:].replace('-', '_').upper()}" for option in IDLE if re.fullmatch(r"--[a-z-]+", option)),
})  # fmt: skip
SETTINGS: Final = frozenset({
    "etc/pip.conf", "etc/xdg/pip/pip.conf", "root/.config/pip/pip.conf", "root/.pip/pip.conf",
    "usr/local/pip.conf", "var/lang/pip.conf",
})  # fmt: skip
# What a shell would make other words of.
EXPANDED: Final = re.compile(r"^~|[*?\[{]")
TAKEN: Final = "pip install -r requirements.txt [--target ${LAMBDA_TASK_ROOT}] [--no-cache-dir]"


class Given(NamedTuple):
    """What a command installs: the file of requirements, and the folder, None for the interpreter's own."""

    requirements: str
    folder: str | None


def check_command(text: str, file: str, line: int) -> None:
    """UnsupportedTemplate where a shell would do more than start one program."""
    if SHELL.search(text):
        raise refuse(f"RUN {text} is more than one command; what is taken is `RUN {TAKEN}`", file, line)


def check_settings(variables: Iterable[str], paths: Iterable[str], file: str, line: int) -> None:
    """UnsupportedTemplate where variables, or files by their paths, would change what pip does."""
    told = [name for name in variables if name.startswith("PIP_") and name not in IDLE_VARIABLES]
    told += [f"/{path}" for path in paths if path in SETTINGS]
    if told:
        raise refuse(f"{min(told)} changes what pip installs, and is not taken", file, line)


def read_install(words: Sequence[str], text: str, file: str, line: int) -> Given:
    """The requirements and the folder of a RUN; UnsupportedTemplate where it does anything else."""
    options = _strip_program(list(words))
    if options is None:
        raise refuse(f"RUN {text} is not run by Tidegate; what is taken is `RUN {TAKEN}`", file, line)
    requirements: list[str] = []
    folders: list[str] = []
    while options:
        option = options.pop(0)
        name, has_value, value = option.partition("=") if option.startswith("--") else (option, "", "")
        if option in IDLE:
            continue
        if name in REQUIREMENTS or name in TARGETS:
            if not has_value and not options:
                raise UnsupportedTemplate(f"{name} names nothing", file=file, line=line)
            named = requirements if name in REQUIREMENTS else folders
            named.append(value if has_value else options.pop(0))
        else:
            raise refuse(f"pip's {option} is not taken; what is taken is `RUN {TAKEN}`", file, line)
    if len(requirements) != 1 or len(folders) > 1 or not all((*requirements, *folders)):
        raise refuse(f"one file of requirements is taken, by `RUN {TAKEN}`", file, line)
    if shell := [path for path in (*requirements, *folders) if EXPANDED.search(path)]:
        raise refuse(f"RUN: {shell[0]} is a path that a shell would have to read", file, line)
    return Given(requirements[0], folders[0] if folders else None)


def _strip_program(words: list[str]) -> list[str] | None:
    """The options of a `pip install`; None where it is none."""
    if words and PYTHON.fullmatch(words[0]) and words[1:2] == ["-m"]:
        words = words[2:]
    if len(words) < 2 or not PROGRAM.fullmatch(words[0]) or words[1] != "install":  # noqa: PLR2004
        return None
    return words[2:]
