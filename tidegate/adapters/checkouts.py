"""The files of a commit, walked out of its bundle within limits, and as a zip that is always the same.

Symbolic links inside the source are listed but never followed; those that leave it, and submodules, whose
files are in no bundle, are refused.
"""

from __future__ import annotations

import hashlib
import stat
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Self

from dulwich.objects import S_ISGITLINK, Blob

from tidegate.adapters.archives import Member, write_zip
from tidegate.adapters.bundles import Bundle, open_bundle
from tidegate.domain.errors import InvalidSource
from tidegate.domain.identity import bundle_key
from tidegate.domain.sources import (
    MAX_BUNDLE,
    MAX_FILES,
    MAX_UNPACKED,
    SourceFile,
    check_link,
    check_name,
    is_left_out,
    is_within,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.documents import Documents
    from tidegate.domain.identity import Commit

MAX_ENTRIES: Final = 2 * MAX_FILES  # folders count too, or nested empty ones would cost the earth
LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/v1\n"


class Checkout:
    """A commit's files by path; `links` maps a symbolic link's path to its target."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._blobs: dict[str, str] = {}
        self._measured: dict[str, tuple[int, str]] = {}
        self._total = 0
        self.files: dict[str, SourceFile] = {}
        self.links: dict[str, str] = {}
        self.pointers: list[str] = []

    @classmethod
    def of(cls, bundle: Bundle, commit_id: str) -> Self:
        """Walk the commit's whole tree; InvalidSource where it is incomplete, unsafe or too large."""
        checkout = cls(bundle)
        checkout._walk(bundle.root_of(commit_id))
        return checkout

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        return self._bundle.read(self._blobs[path], Blob)

    def read_text(self, path: str) -> str:
        """A file's text; InvalidSource where it is not UTF-8."""
        try:
            return self.read(path).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidSource(f"not UTF-8 text: {error}", file=path) from None

    def within(self, folder: str) -> list[SourceFile]:
        """The files in a folder (or the one file of that path) that can be part of an artifact."""
        found = (file for path, file in self.files.items() if is_within(path, folder))
        return [file for file in found if not is_left_out(file.path.removeprefix(f"{folder}/"))]

    def links_within(self, folder: str) -> list[str]:
        """The symbolic links in a folder, or of that path."""
        return [path for path in self.links if is_within(path, folder)]

    def write_zip(self, file: Path) -> None:
        """The whole source as a zip with the same bytes for the same files."""
        write_zip(file, (self.member(found, path) for path, found in self.files.items()))

    def member(self, file: SourceFile, name: str) -> Member:
        """A file as a zip's member of that name."""
        return Member(name, file.executable, partial(self.read, file.path))

    def _walk(self, root: str) -> None:
        waiting, entries = [("", root)], 0
        while waiting:
            folder, tree_id = waiting.pop()
            seen: set[str] = set()
            for name, mode, object_id in self._bundle.entries(tree_id):
                entries += 1
                path = check_name(name, folder)
                if path in seen or entries > MAX_ENTRIES or len(self.files) >= MAX_FILES:
                    raise InvalidSource(f"more than {MAX_FILES:,} files, or two of one name, at {path}")
                seen.add(path)
                if stat.S_ISDIR(mode):
                    waiting.append((path, object_id))
                else:
                    self._add(path, mode, object_id)

    def _add(self, path: str, mode: int, object_id: str) -> None:
        if S_ISGITLINK(mode):
            raise InvalidSource(f"{path} is a submodule; Tidegate does not release submodules")
        self._blobs[path] = object_id
        if stat.S_ISLNK(mode):
            self.links[path] = self.read_text(path)
            check_link(path, self.links[path])
            return
        size, digest = self._measure(path, object_id)
        self._total += size
        if self._total > MAX_UNPACKED:
            raise InvalidSource(f"the source unpacks to more than {MAX_UNPACKED:,} bytes")
        executable = bool(mode & stat.S_IXUSR)
        self.files[path] = SourceFile(path=path, executable=executable, size=size, sha256=digest)

    def _measure(self, path: str, object_id: str) -> tuple[int, str]:
        if object_id not in self._measured:
            body = self.read(path)
            if body.startswith(LFS_POINTER):
                self.pointers.append(path)
            self._measured[object_id] = (len(body), hashlib.sha256(body).hexdigest())
        return self._measured[object_id]


@contextmanager
def check_out(bundle_file: Path, commit_id: str) -> Iterator[Checkout]:
    """The commit's files, as long as the block runs."""
    with TemporaryDirectory(prefix="tidegate-") as name:
        bundle = open_bundle(bundle_file, Path(name))
        try:
            yield Checkout.of(bundle, commit_id)
        finally:
            bundle.close()


def download_bundle(sources: Documents, commit: Commit, file: Path) -> None:
    """Copy a commit's bundle into a file: the one that it names, else the one at the usual place."""
    key = commit.bundle.key if commit.bundle else bundle_key(commit.service, commit.branch, commit.id)
    size = sources.size(key)
    if size is None:
        remedy = "write it with `tidegate push`, or name the repository in the pipeline's configuration"
        raise InvalidSource(f"there is no bundle s3://{sources.bucket}/{key}; {remedy}")
    if size > MAX_BUNDLE:
        raise InvalidSource(f"the bundle has {size:,} bytes; at most {MAX_BUNDLE:,} are allowed")
    sources.download(key, file)
