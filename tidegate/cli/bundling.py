"""Makes the bundle that `tidegate push` uploads: one commit with all of its files and no history.

Uses the operator's git, so that credentials, alternates and the like are git's own business. A bundle made
of a shallow copy holds everything it needs; one made with prerequisites could not be read alone.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

REFERENCE: Final = "refs/heads/tidegate"
ALLOW_FILE: Final = ("-c", "protocol.file.allow=always")
# A commit may be wanted that no branch ends in.
UPLOAD_PACK: Final = "git -c uploadpack.allowAnySHA1InWant=true upload-pack"


def resolve_commit(repository: Path, name: str) -> str:
    """The full id of a commit that git knows by a name; ClickException where there is none."""
    if not repository.is_dir():
        raise click.ClickException(f"{repository} is no folder")
    _git(repository, "rev-parse", "--git-dir", failed=f"{repository} is no git repository")
    failed = f"{repository} has no commit {name}"
    return _git(repository, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", failed=failed)


def make_bundle(repository: Path, commit: str) -> bytes:
    """A git bundle of one commit (any name that git knows), whatever branches it is on."""
    commit_id = resolve_commit(repository, commit)
    old = "git is older than 2.31"
    kind = _git(repository, "rev-parse", "--show-object-format", failed=old)
    source = _git(repository, "rev-parse", "--path-format=absolute", "--git-common-dir", failed=old)
    failed = f"commit {commit_id} could not be copied"
    with TemporaryDirectory(prefix="tidegate-") as name:
        folder = Path(name)
        _git(folder, "init", "--quiet", "--bare", f"--object-format={kind}", failed=failed)
        wanted = f"+{commit_id}:{REFERENCE}"
        shallow = ("--quiet", "--depth=1", "--no-tags", f"--upload-pack={UPLOAD_PACK}")
        _git(folder, *ALLOW_FILE, "fetch", *shallow, f"file://{source}", wanted, failed=failed)
        _git(folder, "bundle", "create", "--quiet", "commit.bundle", REFERENCE, failed=failed)
        return (folder / "commit.bundle").read_bytes()


def _git(folder: Path, *arguments: str, failed: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 (no shell)
            ["git", *arguments],  # noqa: S607 (the operator's own git)
            cwd=folder,
            # In a hook git's own variables would point every command at the hook's repository.
            env={name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise click.ClickException("the program git is not installed") from None
    if done.returncode:
        reason = re.sub(r"\s+", " ", done.stderr).strip()
        raise click.ClickException(f"{failed}{': ' if reason else ''}{reason}")
    return done.stdout.strip()
