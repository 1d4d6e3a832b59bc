"""Requirements that do not resolve as a whole, line by line: what can be locked is, the rest counts by pins.

Old pins often have no wheel for the runtime, and one of them hides all others. What a line of them requires
in turn is found as long as the line resolves by itself.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement

from tidegate.adapters.lock_files import parse_lock
from tidegate.adapters.locks import make_lock
from tidegate.adapters.threads import side_by_side
from tidegate.adapters.wheel_choice import find_requirements, is_wanted
from tidegate.domain.audits.advisories import Package
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import normalize
from tidegate.domain.versions import PYPI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tidegate.domain.locks import LockRequest, Target

COMMENT: Final = re.compile(r"(^|\s)#.*$")
HASHES: Final = re.compile(r"\s--hash[\s=]\S+")
INCLUDES: Final = ("-r", "--requirement", "-c", "--constraint", "-e", "--editable")


class Lines(NamedTuple):
    """The options that say where packages are, and the requirements."""

    options: list[str]
    requirements: list[str]


def resolve_by_line(
    texts: Mapping[str, str], request: LockRequest | None, say: Callable[[str], None]
) -> tuple[tuple[Package, ...], tuple[str, ...]]:
    """The packages, and the requirements whose version cannot be told.

    First which lines resolve alone, then those all together; the others by their exact pins. Without a
    request there is nothing to resolve for: all count by their pins.
    """
    lines = read_lines(texts.values())
    fitting: list[str] = []
    if request is not None:
        say(f"resolving the {len(lines.requirements)} lines of {request.main} one by one")
        alone = side_by_side(lambda one: _lock([*lines.options, one], request), lines.requirements)
        fitting = [one for one, lock in zip(lines.requirements, alone, strict=True) if lock is not None]
    found = _lock([*lines.options, *fitting], request) if request is not None and fitting else None
    left = [one for one in lines.requirements if found is None or one not in fitting]
    target = request.target if request is not None else None
    pins = [(one, read_pin(one)) for one in left if is_for(one, target)]
    packages = {*(found or ()), *(pin for _, pin in pins if pin is not None)}
    unknown = tuple(line for line, pin in pins if pin is None)
    return tuple(sorted(packages, key=lambda one: (one.name, one.version))), unknown


def read_lines(texts: Iterable[str]) -> Lines:
    """The lines of requirement files, continued ones joined, without comments, hashes and includes."""
    found = Lines([], [])
    for text in texts:
        for raw in re.sub(r"\\\r?\n", " ", text).splitlines():
            line = HASHES.sub("", COMMENT.sub("", raw)).strip()
            if line.startswith("-") and not line.startswith(INCLUDES):
                found.options.append(line)
            elif line and not line.startswith("-"):
                found.requirements.append(line)
    return found


def read_pin(line: str) -> Package | None:
    """The package of an exact pin, `name==1.0`; None for everything else."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return None
    specifiers = list(requirement.specifier)
    exact = [one.version for one in specifiers if one.operator in {"==", "==="} and "*" not in one.version]
    return Package(ecosystem=PYPI, name=normalize(requirement.name), version=exact[0]) if exact else None


def is_for(line: str, target: Target | None) -> bool:
    """Whether a requirement is for the target by its marker; what cannot be read is."""
    found, unread = find_requirements([line], target)
    return bool(unread) or any(is_wanted(one, (), target) for one in found)


def _lock(lines: Sequence[str], request: LockRequest) -> list[Package] | None:
    """What some lines resolve to; None where they do not."""
    own = replace(request, texts={request.main: "\n".join(lines)})
    try:
        with TemporaryDirectory(prefix="tidegate-") as folder:
            wheels = parse_lock(make_lock(own, Path(folder)).read_text(), own.main, own.target).wheels
    except BuildFailed:
        return None
    return [Package(ecosystem=PYPI, name=one.name, version=one.version) for one in wheels]
