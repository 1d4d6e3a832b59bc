"""A folder seen as the commit that it would become, so that it can be checked before it is committed."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from tidegate.adapters.checkouts import LFS_POINTER, Checkout
from tidegate.cli.repositories import list_files
from tidegate.domain.errors import InvalidSource
from tidegate.domain.sources import MAX_FILES, MAX_UNPACKED, SourceFile, check_link, check_name

if TYPE_CHECKING:
    from pathlib import Path


class WorkingTree(Checkout):
    """The files that git would commit, or all where there is no git; read from the folder itself."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.files: dict[str, SourceFile] = {}
        self.links: dict[str, str] = {}
        self.pointers: list[str] = []
        paths = list_files(root)
        if len(paths) > MAX_FILES:
            raise InvalidSource(f"more than {MAX_FILES:,} files")
        for path in paths:
            self._look(path)
        if sum(file.size for file in self.files.values()) > MAX_UNPACKED:
            raise InvalidSource(f"the source unpacks to more than {MAX_UNPACKED:,} bytes")

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        return (self._root / path).read_bytes()

    def _look(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        check_name(os.fsencode(name), folder)
        place = self._root / path
        if place.is_symlink():
            self.links[path] = str(place.readlink())
            check_link(path, self.links[path])
            return
        body = place.read_bytes()
        if body.startswith(LFS_POINTER):
            self.pointers.append(path)
        executable = os.access(place, os.X_OK)
        digest = hashlib.sha256(body).hexdigest()
        self.files[path] = SourceFile(path=path, executable=executable, size=len(body), sha256=digest)
