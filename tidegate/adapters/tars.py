"""Gzipped tars of others, read as streams: no more of one than is allowed, and damage under one name.

What a member may be, and where it goes, is its reader's to check.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final, cast

from tidegate.domain.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# The last one where headers of headers follow each other without end.
DAMAGE: Final = (
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,
)


class _Bounded:
    """A stream that ends with an error where it gives more bytes than are allowed."""

    def __init__(self, body: IO[bytes], most: int, too_much: BuildFailed) -> None:
        self._body = body
        self._left = most
        self._too_much = too_much

    def read(self, size: int = -1) -> bytes:
        piece = self._body.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise self._too_much
        return piece


@contextmanager
def open_tar(file: Path, most: int, too_much: BuildFailed, damaged: str) -> Iterator[tarfile.TarFile]:
    """The members of a tar in their order, of `most` bytes with their headers.

    `too_much` is raised beyond that; `damaged` begins the BuildFailed where it cannot be read, within the
    block too.
    """
    try:
        with gzip.open(file) as body:
            stream = _Bounded(cast("IO[bytes]", body), most, too_much)
            with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
                yield archive
    except DAMAGE as error:
        raise BuildFailed(f"{damaged}: {error}") from error
