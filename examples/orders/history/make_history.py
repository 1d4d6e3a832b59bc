"""Make the git history of the orders service: `python make_history.py TARGET_DIR`.

The first commit is the folder above; each later one takes back the commit that it reverts, if any, and
applies its own patch. Author, dates and modes are fixed and the user's git configuration is left out, so
the same files always give the same hashes. `manifest.json` says what a release of each commit should come to.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

HISTORY = Path(__file__).resolve().parent
SERVICE = HISTORY.parent
CONTENT = (
    ".gitignore",
    "README.md",
    "events",
    "pytest.ini",
    "samconfig.toml",
    "src",
    "template.yaml",
    "tests",
    "tidegate.yaml",
)
BRANCH = "main"
FIRST_SECOND = 1_736_154_000  # 2025-01-06T09:00:00Z
SECONDS_BETWEEN = 7200
PERSON = {"NAME": "Ada Orders", "EMAIL": "ada@orders.example.com"}
GIT = (
    "git",
    "-c", "core.autocrlf=false",
    "-c", "core.fileMode=false",
    "-c", "core.excludesFile=/dev/null",
    "-c", "core.attributesFile=/dev/null",
    "-c", "core.hooksPath=/dev/null",
    "-c", "commit.gpgSign=false",
)  # fmt: skip


class Step(NamedTuple):
    """One commit to make, and what its release should come to.

    functions: logical ids of the functions that differ from the last healthy release;
    expected: promoted or rolled_back; by: judge, alarm or None;
    approval: production waits for an approval;
    flag_after_promotion: once production is promoted, the demo turns traffic.LOYALTY_FLAG on.
    """

    key: str
    title: str
    body: str
    reverts: str | None
    patch: str | None
    functions: list[str]
    expected: str
    by: str | None
    approval: bool
    flag_after_promotion: bool


class Commit(NamedTuple):
    """A step, and the hash of its commit."""

    step: Step
    hash: str


def read_manifest() -> tuple[Step, ...]:
    """The steps in the order of their commits."""
    return tuple(Step(**entry) for entry in json.loads((HISTORY / "manifest.json").read_text("utf-8")))


def make_history(target: Path) -> tuple[Commit, ...]:
    """Make the repository in `target`, which must be absent or empty."""
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(f"{target} is not empty")
    target.mkdir(parents=True, exist_ok=True)
    git(target, 0, "init", "--quiet", f"--initial-branch={BRANCH}", "--object-format=sha1", "--template=")
    copy_service(target)
    steps = read_manifest()
    patches = {step.key: step.patch for step in steps}
    return tuple(commit(target, number, step, patches) for number, step in enumerate(steps))


def copy_service(target: Path) -> None:
    """Copy what belongs to the service, and nothing that tools left beside it."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    for name in CONTENT:
        source = SERVICE / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignored)
        else:
            shutil.copyfile(source, target / name)


def commit(target: Path, number: int, step: Step, patches: dict[str, str | None]) -> Commit:
    """Make one step's commit on top of the one before."""
    if step.reverts:
        apply(target, number, patches[step.reverts], "--reverse")
    apply(target, number, step.patch)
    git(target, number, "add", "--all")
    message = f"{step.title}\n\n{step.body}".rstrip()
    git(target, number, "commit", "--quiet", "--message", message)
    return Commit(step, git(target, number, "rev-parse", "HEAD"))


def apply(target: Path, number: int, patch: str | None, *options: str) -> None:
    """Apply a patch of the history, if there is one; `git apply` fails where it does not fit."""
    if patch:
        git(target, number, "apply", *options, str(HISTORY / "patches" / patch))


def git(target: Path, number: int, *arguments: str) -> str:
    """Run git in `target` at the time of commit `number`; a failure raises with git's own words."""
    run = subprocess.run(
        [*GIT, *arguments], cwd=target, env=environment(number), capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise RuntimeError(f"git {arguments[0]} failed: {run.stderr.strip()}")
    return run.stdout.strip()


def environment(number: int) -> dict[str, str]:
    """An environment without the user's git settings, with the fixed author and date."""
    date = f"{FIRST_SECOND + number * SECONDS_BETWEEN} +0000"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    fixed = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        fixed |= {f"GIT_{role}_{field}": value for field, value in PERSON.items()}
        fixed[f"GIT_{role}_DATE"] = date
    return clean | fixed


def main() -> None:
    """Make the history and print a line per commit: hash, key, expected outcome, title."""
    parser = argparse.ArgumentParser(description="Make the git history of the orders service.")
    parser.add_argument("target", type=Path, help="a folder that is absent or empty")
    for made in make_history(parser.parse_args().target):
        outcome = f"{made.step.expected} by the {made.step.by}" if made.step.by else made.step.expected
        print(f"{made.hash}  {made.step.key:<15} {outcome:<25} {made.step.title}")


if __name__ == "__main__":
    main()
