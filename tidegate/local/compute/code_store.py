"""Folders with code, unpacked once: functions by the digest of their archive, layers by that of their set.

It also makes the folder with what Lambda's Python runtime brings along: the distributions named in `RUNTIME`
and what they depend on, linked from where they are installed here, and nothing else that is installed here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import os
import re
import shutil
import stat
import tempfile
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tidegate.local.compute.node_sdk import fetch_clients, find_clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

RUNTIME: Final = ("awslambdaric", "boto3")


class CodeStore:
    """The folders below `home`; every method gives a folder that is complete, whoever else asks at once."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.runtime = _once(home / "runtime", link_runtime)

    def function(self, archive: bytes) -> Path:
        """Unpack a function's archive; gives its task root. Raises zipfile.BadZipFile."""
        return self._unpacked("code", [archive])

    def layers(self, archives: Sequence[bytes]) -> Path:
        """Unpack layers into one folder, later ones over earlier ones. Raises zipfile.BadZipFile."""
        return self._unpacked("opt", archives)

    def clients(self, task_root: Path, layers_root: Path) -> Path:
        """Fetch the clients of the AWS SDK that a Node function names. Raises SdkUnavailable."""
        found = find_clients(task_root, layers_root)
        name = hashlib.sha256(" ".join(found).encode()).hexdigest()
        return _once(
            self._home / "node-sdk" / name, lambda folder: fetch_clients(found, folder) if found else None
        )

    def image(self, digest: str, layers: Sequence[bytes]) -> Path:
        """Unpack an image's layers over one another; gives the root of its file system."""
        from tidegate.local.compute.images import unpack_layers

        return _once(self._home / "images" / digest.removeprefix("sha256:"), partial(unpack_layers, layers))

    def _unpacked(self, kind: str, archives: Sequence[bytes]) -> Path:
        digests = [hashlib.sha256(archive).digest() for archive in archives]
        name = digests[0].hex() if len(digests) == 1 else hashlib.sha256(b"".join(digests)).hexdigest()

        def fill(folder: Path) -> None:
            for archive in archives:
                unpack(archive, folder)

        return _once(self._home / kind / name, fill)


def _once(folder: Path, fill: Callable[[Path], None]) -> Path:
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".draft-"))
    draft.chmod(0o755)
    try:
        fill(draft)
        draft.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def unpack(archive: bytes, folder: Path) -> None:
    """Extract an archive with the modes and the links that it records."""
    with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
        for entry in bundle.infolist():
            mode = entry.external_attr >> 16
            if stat.S_ISLNK(mode):
                _link(folder / entry.filename, bundle.read(entry).decode())
                continue
            path = Path(bundle.extract(entry, folder))
            if not entry.is_dir() and mode & 0o777:
                path.chmod(mode & 0o777 | stat.S_IRUSR)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def link_runtime(folder: Path) -> None:
    """Link the runtime's distributions, with their metadata, into `folder`."""
    for distribution in closure(RUNTIME):
        for name in _top_levels(distribution):
            link = folder / name
            if not link.exists():
                link.symlink_to(os.path.realpath(str(distribution.locate_file(name))))


def _top_levels(distribution: importlib.metadata.Distribution) -> set[str]:
    files = distribution.files
    if files is None:
        raise LookupError(f"the installation of {distribution.name} does not record its files")
    return {file.parts[0] for file in files} - {"..", "__pycache__"}


def closure(names: Iterable[str]) -> list[importlib.metadata.Distribution]:
    """List the named distributions and all that they require here; an absent one is an error."""
    found: dict[str, importlib.metadata.Distribution] = {}
    open_names = list(names)
    while open_names:
        name = open_names.pop()
        if name in found:
            continue
        found[name] = distribution = importlib.metadata.distribution(name)
        open_names += _requirements(distribution)
    return list(found.values())


def _requirements(distribution: importlib.metadata.Distribution) -> list[str]:
    names = []
    for requirement in distribution.requires or []:
        text, _, marker = requirement.partition(";")
        matched = re.match(r"[A-Za-z0-9._-]+", text.strip())
        if matched is None or "extra" in marker:
            continue
        name = re.sub(r"[-_.]+", "-", matched.group()).lower()
        if marker and not _installed(name):
            continue
        names.append(name)
    return names


def _installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
