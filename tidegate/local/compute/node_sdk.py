"""What Lambda's Node runtime brings along: the AWS SDK for JavaScript, as far as a function names it.

The runtime holds every client of the SDK. Here npm fetches those whose names stand in a function's own code
and that neither the code nor its layers hold: at the newest version, as the runtime's own changes too,
without install scripts, once for each set. May not fetch anything else: a package that is missing on AWS is
missing here.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tidegate.adapters.programs import inherited
from tidegate.local.compute.commands import find_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# AWS Lambda Developer Guide, "Node.js runtimes": what the runtime includes since Node 18.
# What is imported, not what is only mentioned: a bundle that holds a client has its name in it.
NAMED: Final = re.compile(
    rb"(?:\brequire\s*\(|\bfrom|\bimport\s*\(?)\s*[\"'`](@(?:aws-sdk|smithy)/[a-z0-9-]+)"
)
KINDS: Final = frozenset({".js", ".mjs", ".cjs"})
MODULES: Final = "node_modules"
SECONDS: Final = 180
FLAGS: Final = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--no-package-lock", "--silent")


class SdkUnavailable(Exception):
    """npm cannot fetch the clients that a function names; the message says why."""


def find_clients(task_root: Path, layers_root: Path) -> tuple[str, ...]:
    """The clients that a function names and has not, sorted."""
    named = {name.decode() for body in _read(task_root) for name in NAMED.findall(body)}
    places = [
        task_root / MODULES,
        *layers_root.glob(f"nodejs/{MODULES}"),
        *layers_root.glob(f"nodejs/*/{MODULES}"),
    ]
    return tuple(sorted(name for name in named if not any((place / name).exists() for place in places)))


def _read(task_root: Path) -> Iterator[bytes]:
    """The function's own modules."""
    for path in sorted(task_root.rglob("*")):
        if path.suffix in KINDS and MODULES not in path.relative_to(task_root).parts and path.is_file():
            yield path.read_bytes()


def fetch_clients(clients: Sequence[str], folder: Path) -> None:
    """Install clients into a folder; SdkUnavailable says why that failed."""
    npm = Path(find_node()).resolve().parents[1] / "lib" / MODULES / "npm" / "bin" / "npm-cli.js"
    words = [find_node(), str(npm), "install", *FLAGS, "--prefix", str(folder), *clients]
    try:
        done = subprocess.run(  # noqa: S603 (the names are those of one scope)
            words, cwd=folder, env=inherited(), capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise SdkUnavailable(f"npm did not end within {SECONDS} seconds") from None
    if done.returncode:
        told = " ".join((done.stderr or done.stdout).split())
        raise SdkUnavailable(f"npm ended with {done.returncode}: {told[-500:]}")
