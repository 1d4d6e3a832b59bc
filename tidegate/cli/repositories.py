"""What the verbs need to know of a git repository before anything is pushed: branch, service, template."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path
from typing import Final

from tidegate.adapters.configuration import read_config
from tidegate.cli.failures import Failed
from tidegate.domain.origins import service_name
from tidegate.domain.sources import CONFIG_FILE

LONGEST: Final = 40
DIGITS: Final = 6


def find_branch(repository: Path) -> str:
    """The branch that is checked out; Failed where HEAD is detached."""
    branch = ask_git(repository, "symbolic-ref", "--quiet", "--short", "HEAD")
    if not branch:
        raise Failed(f"{repository} has no branch checked out; name one with --branch")
    return branch.strip()


def find_service(repository: Path, commit: str) -> str:
    """The service's name: that of the commit's tidegate.yaml, otherwise the repository's."""
    text = ask_git(repository, "show", f"{commit}:{CONFIG_FILE}")
    configured = read_config(text).service if text else None
    root = (ask_git(repository, "rev-parse", "--show-toplevel") or "").strip()
    return configured or name_service(Path(root) if root else repository)


def name_service(repository: Path) -> str:
    """The service's name after the repository's: its origin's, or its folder's."""
    origin = (ask_git(repository, "config", "--get", "remote.origin.url") or "").strip().rstrip("/")
    names = [origin.removesuffix(".git").replace(":", "/").rpartition("/")[2], repository.resolve().name]
    for name in filter(None, names):
        service = service_name(_shorten(name))
        if service is not None:
            return service
    raise Failed(
        f"no service can be named after {names[-1]!r}; name it in {CONFIG_FILE} (`service:`), in lower case"
    )


def _shorten(name: str) -> str:
    """A name that is too long for a service, cut, with digits of its hash so that it stays its own."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if len(plain) <= LONGEST:
        return name
    digits = hashlib.sha256(plain.encode()).hexdigest()[:DIGITS]
    return f"{plain[: LONGEST - DIGITS - 1].rstrip('-')}-{digits}"


def list_files(repository: Path) -> list[str]:
    """The files that a commit of everything would hold, relative to the folder."""
    listed = ask_git(repository, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if listed is None:
        files = (path for path in repository.rglob("*") if path.is_symlink() or path.is_file())
        return sorted(path.relative_to(repository).as_posix() for path in files)
    return sorted(path for path in set(listed.split("\0")) if path and _is_there(repository / path))


def ask_git(repository: Path, *arguments: str) -> str | None:
    """What git says; None where it says no, or where there is no git."""
    try:
        done = subprocess.run(  # noqa: S603 (no shell)
            ["git", "-C", str(repository), *arguments],  # noqa: S607 (the operator's own git)
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.is_file()
