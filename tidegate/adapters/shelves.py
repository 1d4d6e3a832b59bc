"""Wheels by their hash, and the fragments made of them: each fetched, checked and made once for all services.

In the artifact bucket a wheel lies at wheels/<sha256> and its fragment at fragments/<builder>/<sha256>, each
written once and whole or not at all. So two builders, or one that dies and another, leave the same objects.
On disk there are only the fragments that builds at hand use.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Final

from tidegate.adapters.assembly import Part, read_part
from tidegate.adapters.downloads import fetch
from tidegate.adapters.fragments import make_fragment
from tidegate.adapters.threads import side_by_side
from tidegate.domain.artifacts import BUILDER, MAX_UNZIPPED
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import normalize
from tidegate.domain.versions import is_same_version
from tidegate.domain.wheels import find_distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tidegate.adapters.documents import Documents
    from tidegate.adapters.downloads import Algorithm
    from tidegate.domain.locks import Lock, Wheel

KEPT: Final = 4 * MAX_UNZIPPED  # bytes of fragments that stay on disk between two builds


def wheel_key(sha256: str) -> str:
    """Where a wheel lies."""
    return f"wheels/{sha256}"


def fragment_key(digest: str) -> str:
    """Where the fragment of what has a hash lies."""
    return f"fragments/{BUILDER}/{digest}"


def obtain(
    documents: Documents | None,
    key: str,
    file: Path,
    named: tuple[Algorithm, str],
    get: Callable[[Path], None],
) -> None:
    """Write what has the `named` hash into a file: from the bucket, else by `get`, and into the bucket then.

    BuildFailed where the bucket holds other bytes under that name.
    """
    if documents and documents.find_file(key, file):
        with file.open("rb") as body:
            if hashlib.file_digest(body, named[0]).hexdigest() != named[1]:
                raise BuildFailed(f"s3://{documents.bucket}/{key} has not the bytes of its name")
        return
    get(file)
    if documents:
        documents.write_once(key, file)


class Fragments:
    """Fragments in a folder, by the hash of what each is made of; shared through `documents`, if any."""

    def __init__(self, folder: Path, documents: Documents | None) -> None:
        self._folder = folder
        self._documents = documents
        self._parts: dict[str, Part] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, digest: str, name: str, make: Callable[[Path], None]) -> Part:
        """The fragment of a hash: from the folder, from the bucket, or as `make` writes it into a file."""
        part = self._parts.get(digest)
        if part is None:
            file, documents = self._folder / f"{digest}.zip", self._documents
            if not (documents and documents.find_file(fragment_key(digest), file)):
                make(file)
                if documents:
                    documents.write_once(fragment_key(digest), file)
            part = self._parts[digest] = read_part(file, name)
        return part

    def make_room(self, used: Iterable[str]) -> None:
        """Drop the fragments but for those of these hashes, where too much lies here."""
        if sum(part.file.stat().st_size for part in self._parts.values()) > KEPT:
            for digest in self._parts.keys() - set(used):
                self._parts.pop(digest).file.unlink()


class Shelf:
    """The fragments of locks in a folder; shared through `documents` where there are any.

    `most` is how many bytes the wheels of a lock may have, by default what Lambda allows of a zip.
    """

    def __init__(self, folder: Path, documents: Documents | None = None, most: int | None = None) -> None:
        self._most = most
        self._documents = documents
        self._fragments = Fragments(folder, documents)

    def parts(self, lock: Lock) -> list[Part]:
        """The fragments of a lock's wheels, in its order; they stay until the next call."""
        stated = sum(wheel.size or 0 for wheel in lock.wheels)
        if stated > (self._most or MAX_UNZIPPED):
            allowed = f"{self._most:,} are allowed" if self._most else f"Lambda allows {MAX_UNZIPPED:,}"
            message = f"the wheels of the lock have {stated:,} bytes packed; {allowed}"
            raise BuildFailed(message)
        self._fragments.make_room(wheel.sha256 for wheel in lock.wheels)
        return side_by_side(self._part, lock.wheels)

    def _part(self, wheel: Wheel) -> Part:
        part = self._fragments.take(wheel.sha256, wheel.filename, partial(self._make, wheel))
        name, version = find_distribution((entry.path for entry in part.entries), wheel.filename)
        if normalize(name) != wheel.name:
            raise BuildFailed(f"{wheel.filename} holds {name}; the lock names it {wheel.name}")
        if wheel.version and not is_same_version(version, wheel.version):
            raise BuildFailed(f"{wheel.filename} holds version {version}; the lock names {wheel.version}")
        return part

    def _make(self, wheel: Wheel, file: Path) -> None:
        """Write the fragment of a wheel."""
        packed = file.with_suffix(".whl")
        try:
            get = partial(fetch, wheel, most=self._most)
            obtain(self._documents, wheel_key(wheel.sha256), packed, ("sha256", wheel.sha256), get)
            make_fragment(packed, file, wheel.filename, self._most)
        finally:
            packed.unlink(missing_ok=True)
