"""A folder of a repository as a repository of its own, so that one service of many can be released alone.

The commits are made of the folder's own trees, with the titles and dates of the commits that they come from;
so the same folder gives the same ids each time. A file may be added to each, to name what the commits do not.
May not write to the repository.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.cli.failures import Failed
from tidegate.cli.repositories import ask_git

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMAT = "%H%x00%aI%x00%s"


def is_folder(path: Path) -> bool:
    """Whether the path is a folder inside a repository, and not the repository itself."""
    return bool((ask_git(path, "rev-parse", "--show-prefix") or "").strip())


@contextmanager
def open_folder(path: Path, count: int, added: Mapping[str, str] | None = None) -> Iterator[Path]:
    """A repository of the last `count` commits that changed the folder, each with its files alone.

    added: texts by name that each commit gets besides; one that a commit has already is replaced.
    """
    listed = ask_git(path, "log", "--first-parent", f"-{count}", f"--format={FORMAT}", "--", ".")
    if not listed:
        raise Failed(f"{path} has no commit to release")
    prefix = (ask_git(path, "rev-parse", "--show-prefix") or "").strip().rstrip("/")
    objects = Path((ask_git(path, "rev-parse", "--git-common-dir") or "").strip())
    with tempfile.TemporaryDirectory(prefix="tidegate-") as name:
        repository = Path(name) / path.resolve().name
        repository.mkdir()
        _git(repository, "init", "--quiet", "--initial-branch=main")
        source = (path / objects).resolve() / "objects"
        (repository / ".git" / "objects" / "info" / "alternates").write_text(f"{source}\n")
        parent = ""
        for line in reversed(listed.splitlines()):
            commit, date, title = line.split("\0")
            tree = (ask_git(path, "rev-parse", f"{commit}:{prefix}") or "").strip()
            if tree:
                tree = _add(repository, tree, added or {})
                before = ("-p", parent) if parent else ()
                parent = _git(repository, "commit-tree", tree, *before, "-m", title or "no title", date=date)
        _git(repository, "update-ref", "refs/heads/main", parent)
        yield repository


def _add(repository: Path, tree: str, texts: Mapping[str, str]) -> str:
    listed = _git(repository, "ls-tree", tree).splitlines()
    kept = [line for line in listed if line.partition("\t")[2] not in texts]
    for name, text in texts.items():
        kept.append(f"100644 blob {_git(repository, 'hash-object', '-w', '--stdin', given=text)}\t{name}")
    return _git(repository, "mktree", given="".join(f"{line}\n" for line in kept)) if texts else tree


def _git(repository: Path, *arguments: str, date: str = "@0 +0000", given: str = "") -> str:
    who = {f"GIT_{role}_{key}": "tidegate" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(  # noqa: S603 (no shell)
        ["git", "-C", str(repository), *arguments],  # noqa: S607 (the operator's own git)
        env={**kept, **who, **dates},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"git {arguments[0]} failed: {done.stderr}")
    return done.stdout.strip()
