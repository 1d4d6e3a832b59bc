"""What a Dockerfile of the usual kind asks for, understood over the image that it begins from.

Nothing is run: a `RUN` is taken only where it installs requirements, and what is installed comes from
Tidegate's own lock. Everything else is refused by its line. docs/guide/images.md lists what is taken.
"""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import Field

from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate
from tidegate.domain.identity import Frozen

from .contexts import Copy, check_destination
from .dockerfiles import Instruction, refuse
from .installs import check_command, check_settings, read_install
from .references import TASK_ROOT
from .words import UnreadableWord, expand, split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .documents import Runtime

# What Docker sets for every build, by Lambda's name of the architecture.
PLATFORMS: Final = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
# What is a folder in every base image of Lambda: a file that is copied there goes into it.
FOLDERS: Final = ("", "home", "mnt", "opt", "srv", "usr/local", "var", "var/lang", "var/task")
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Install(Frozen):
    """Requirements that are installed: their file in the image, and the folder; both without first slash.

    An empty folder is the interpreter's own place for packages.
    """

    requirements: str
    folder: str
    line: int = 0


class Recipe(Frozen):
    """What a Dockerfile asks for; `environment` and `labels` are what it adds to those of its base.

    `entrypoint` and `command` are None where it says nothing of them.
    """

    file: str
    base: str = Field(description="what FROM names, its variables replaced")
    copies: tuple[Copy, ...] = ()
    folders: tuple[str, ...] = Field((), description="that are made: each WORKDIR, without the first slash")
    install: Install | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    working_folder: str = "/"
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None


class Build(NamedTuple):
    """What is built: the Dockerfile's path and instructions, the build's arguments, the architecture."""

    file: str
    instructions: tuple[Instruction, ...]
    arguments: Mapping[str, str]
    architecture: str
    target: str = ""


def find_base(build: Build) -> str:
    """The image that a Dockerfile begins from; UnsupportedTemplate where it has several stages."""
    known = _platform_arguments(build.architecture)
    for one in build.instructions:
        if one.keyword == "ARG":
            known |= _read_argument(one, build, known)
        elif one.keyword == "FROM":
            return _read_from(one, build, known)
        else:
            raise UnsupportedTemplate(f"{one.keyword} stands before FROM", file=build.file, line=one.line)
    raise UnsupportedTemplate("the Dockerfile has no FROM", file=build.file)


def interpret(build: Build, base: Runtime) -> Recipe:
    """What the Dockerfile asks for; UnsupportedTemplate names file and line of what is not taken."""
    if base.triggers:
        line = next(one.line for one in build.instructions if one.keyword == "FROM")
        message = f"the base image has instructions for what is built on it (ONBUILD {base.triggers[0]})"
        raise refuse(message, build.file, line)
    return _Reader(build, base).read()


def _platform_arguments(architecture: str) -> dict[str, str]:
    platform = PLATFORMS[architecture]
    parts = {"PLATFORM": platform, "OS": "linux", "ARCH": platform.partition("/")[2]}
    return {f"{side}{name}": value for side in ("TARGET", "BUILD") for name, value in parts.items()}


def _read_argument(one: Instruction, build: Build, known: Mapping[str, str]) -> dict[str, str]:
    """The arguments that an ARG declares and gives a value: the build's before its own default."""
    found = {}
    for word in _words(one, build.file):
        name, has_default, default = word.partition("=")
        if NAME.fullmatch(name) is None:
            raise UnsupportedTemplate(f"ARG {word} names no variable", file=build.file, line=one.line)
        if name in build.arguments:
            found[name] = build.arguments[name]
        elif has_default:
            found[name] = _expand(default, known, build.file, one.line)
        elif name in known:
            found[name] = known[name]
    return found


def _read_from(one: Instruction, build: Build, known: Mapping[str, str]) -> str:
    words = [_expand(word, known, build.file, one.line) for word in _words(one, build.file)]
    while words and words[0].startswith("--"):
        option = words.pop(0)
        if option != f"--platform={PLATFORMS[build.architecture]}":
            message = f"FROM {option} is not what the function's architecture {build.architecture} asks for"
            raise UnsupportedTemplate(message, file=build.file, line=one.line)
    stage = words[2] if len(words) == 3 and words[1].upper() == "AS" else ""  # noqa: PLR2004
    if not words or not words[0] or (len(words) > 1 and not stage):
        raise UnsupportedTemplate(f"FROM {one.text} names no image", file=build.file, line=one.line)
    if build.target not in {"", stage, "0"}:
        message = f"the Dockerfile has no stage {build.target}, which DockerBuildTarget names"
        raise InvalidTemplate(message, file=build.file, line=one.line)
    others = [other for other in build.instructions if other.keyword == "FROM" and other is not one]
    if others:
        raise refuse("a build of several stages is not built by Tidegate", build.file, others[0].line)
    if words[0] == "scratch":
        raise refuse("an image from scratch is not built by Tidegate", build.file, one.line)
    return words[0]


def _words(one: Instruction, file: str) -> list[str]:
    try:
        return split(one.text)
    except UnreadableWord as error:
        raise refuse(f"{one.keyword} is not understood: {error}", file, one.line) from None


def _expand(word: str, known: Mapping[str, str], file: str, line: int) -> str:
    try:
        return expand(word, known)
    except UnreadableWord as error:
        raise refuse(str(error), file, line) from None


class _Reader:
    """Reads what stands after FROM, one instruction after the other."""

    def __init__(self, build: Build, base: Runtime) -> None:
        self._build = build
        self._outer = _platform_arguments(build.architecture)
        self._arguments: dict[str, str] = {}
        self._standing = base.environment
        self._environment: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._folder = base.working_folder
        self._folders = {self._strip(self._folder), *FOLDERS}
        self._made: list[str] = []
        self._copies: list[Copy] = []
        self._install: Install | None = None
        self._entrypoint: tuple[str, ...] | None = None
        self._command: tuple[str, ...] | None = None

    def read(self) -> Recipe:
        base = find_base(self._build)
        readers: dict[str, Callable[[Instruction], None]] = {
            "ARG": self._read_argument,
            "ENV": self._read_environment,
            "LABEL": self._read_labels,
            "WORKDIR": self._read_folder,
            "COPY": self._read_copy,
            "RUN": self._read_run,
            "CMD": self._read_command,
            "ENTRYPOINT": self._read_entrypoint,
        }
        begun = False
        for one in self._build.instructions:
            if begun:
                readers[one.keyword](one)
            elif one.keyword == "ARG":
                self._outer |= _read_argument(one, self._build, self._outer)
            begun = begun or one.keyword == "FROM"
        return Recipe(
            file=self._build.file,
            base=base,
            copies=tuple(self._copies),
            folders=tuple(dict.fromkeys(self._made)),
            install=self._install,
            environment=self._environment,
            labels=self._labels,
            working_folder=self._folder,
            entrypoint=self._entrypoint,
            command=self._command,
        )

    @property
    def _known(self) -> dict[str, str]:
        """The variables that words may name; those of the environment win over arguments."""
        return {**self._arguments, **self._standing, **self._environment}

    def _text(self, word: str, one: Instruction) -> str:
        return _expand(word, self._known, self._build.file, one.line)

    def _read_argument(self, one: Instruction) -> None:
        self._arguments |= _read_argument(one, self._build, {**self._outer, **self._known})

    def _read_environment(self, one: Instruction) -> None:
        self._environment |= self._read_pairs(one)

    def _read_labels(self, one: Instruction) -> None:
        self._labels |= self._read_pairs(one)

    def _read_pairs(self, one: Instruction) -> dict[str, str]:
        """`name=value` several times, or the old form `name value`; all see what stood before the line."""
        words = _words(one, self._build.file)
        if "=" not in words[0] and len(words) > 1:
            words = [f"{words[0]}={one.text.partition(words[0])[2].strip()}"]
        found = {}
        for word in words:
            name, sign, value = word.partition("=")
            if not sign or not name or (one.keyword == "ENV" and not NAME.fullmatch(name)):
                message = f"{one.keyword} {word} is no pair of a name and a value"
                raise UnsupportedTemplate(message, file=self._build.file, line=one.line)
            found[self._text(name, one)] = self._text(value, one)
        return found

    def _read_folder(self, one: Instruction) -> None:
        self._folder = posixpath.normpath(posixpath.join(self._folder, self._text(one.text, one)))
        made = self._strip(self._folder)
        check_destination(made, self._build.file, one.line)
        if made not in self._folders:
            self._made.append(made)
        self._folders.add(made)

    def _strip(self, path: str) -> str:
        """A path of the image without the first slash, from the working folder on."""
        return posixpath.normpath(posixpath.join("/", self._folder, path)).lstrip("/")

    def _read_copy(self, one: Instruction) -> None:
        if one.text.startswith("["):
            words = [self._text(word, one) for word in self._read_list(one)]
        else:
            words = [self._text(word, one) for word in _words(one, self._build.file)]
        if words and words[0].startswith("--"):
            raise refuse(f"COPY {words[0]} is not built by Tidegate", self._build.file, one.line)
        if len(words) < 2 or not all(words):  # noqa: PLR2004
            message = f"COPY {one.text} needs a source and a destination"
            raise UnsupportedTemplate(message, file=self._build.file, line=one.line)
        *sources, last = words
        destination = self._strip(last)
        task_root = self._strip(self._known.get(TASK_ROOT, "/var/task"))
        is_folder = last.endswith(("/", "/.")) or last == "." or destination in {*self._folders, task_root}
        check_destination(destination, self._build.file, one.line)
        self._copies.append(
            Copy(sources=tuple(sources), destination=destination, is_folder=is_folder, line=one.line)
        )

    def _read_run(self, one: Instruction) -> None:
        file, line = self._build.file, one.line
        check_command(one.text, file, line)
        if one.text.startswith("["):
            words = list(self._read_list(one))  # no shell replaces variables in a list
        else:
            words = [self._text(word, one) for word in _words(one, file)]
        given = read_install(words, one.text, file, line)
        check_settings(self._known, (), file, line)
        if self._install is not None:
            raise refuse("a second RUN is not built by Tidegate", file, line)
        folder = "" if given.folder is None else self._strip(given.folder)
        check_destination(folder, file, line)
        self._install = Install(requirements=self._strip(given.requirements), folder=folder, line=line)

    def _read_command(self, one: Instruction) -> None:
        self._command = tuple(self._read_list(one))

    def _read_entrypoint(self, one: Instruction) -> None:
        """It takes the base's command away, and none that stands in the Dockerfile."""
        self._entrypoint = tuple(self._read_list(one))

    def _read_list(self, one: Instruction) -> Sequence[str]:
        """What a JSON list holds, as it stands: Docker replaces no variables in it."""
        try:
            found = json.loads(one.text)
        except ValueError:
            found = None
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            example = f'{one.keyword} ["app.handler"]'
            message = f"{one.keyword} must be a JSON list, such as {example}: a shell is not run"
            raise refuse(message, self._build.file, one.line)
        return found
