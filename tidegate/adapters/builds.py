"""Makes artifacts: a folder of the source and its requirements, as a zip that is the same each time.

Where code and a dependency hold the same path the code wins, as with `sam build`. The zip is stored before
its record, each whole or not at all; what stands under a key already is kept, and the record is read off the
zip that stands there. So two builders, or one that dies and another, leave one artifact and its own record.
"""

from __future__ import annotations

import hashlib
import posixpath
import sys
import zipfile
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tidegate.adapters.archives import Member, members_of, unpack, unpacked_size, write_zip
from tidegate.adapters.installs import install
from tidegate.domain.artifacts import (
    INSTALLER_FILES,
    MAX_UNZIPPED,
    Method,
    archive_key,
    installed,
    platform,
    python_version,
    record_key,
)
from tidegate.domain.errors import BuildFailed
from tidegate.domain.handlers import find_fault
from tidegate.domain.snapshots import Artifact, FunctionSnapshot
from tidegate.domain.sources import is_left_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.adapters.documents import Documents
    from tidegate.domain.snapshots import Snapshot


class Builder:
    """Builds artifacts of one snapshot in a folder; the source is fetched once, for the first of them."""

    def __init__(self, documents: Documents, source_key: str, snapshot: Snapshot, folder: Path) -> None:
        self._documents = documents
        self._source_key = source_key
        self._snapshot = snapshot
        self._folder = folder

    @cached_property
    def _source(self) -> Path:
        packed, source = self._folder / "source.zip", self._folder / "source"
        self._documents.download(self._source_key, packed)
        unpack(packed, source)
        return source

    def build(self, key: str) -> bool:
        """Build an artifact and store it with its record; False where it stood there already."""
        documents = self._documents
        if documents.exists(record_key(key)):
            return False
        function = self._snapshot.function_of(key)
        with TemporaryDirectory(dir=self._folder) as name:
            built = make_zip(function, self._source, Path(name))
            if not documents.write_once(archive_key(key), built):
                built = Path(name) / "stands.zip"
                documents.download(archive_key(key), built)
            users = (one for one in self._snapshot.functions if one.artifact == key)
            check_handlers(built, users, self._snapshot.template)
            documents.write(record_key(key), describe(built, function))
        return True


def make_zip(function: FunctionSnapshot, source: Path, folder: Path) -> Path:
    """A function's zip, made in `folder` from its code and requirements in `source`."""
    code = source / function.code_uri
    if function.method is Method.ARCHIVE:
        _check_size(unpacked_size(code), function)
        return code
    members = {member.path: member for member in _dependencies(function, source, folder)}
    members |= {member.path: member for member in _code(code)}
    built = folder / "function.zip"
    _check_size(write_zip(built, members.values()), function)
    return built


def describe(built: Path, function: FunctionSnapshot) -> Artifact:
    """The record of a zip, read off its bytes alone."""
    with zipfile.ZipFile(built) as archive:
        members = archive.infolist()
    with built.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
    return Artifact(
        key=function.artifact,
        sha256=digest,
        size=built.stat().st_size,
        unzipped_size=sum(member.file_size for member in members),
        runtime=function.runtime,
        architecture=function.architecture,
        lock=installed(member.filename for member in members),
    )


def check_handlers(built: Path, functions: Iterable[FunctionSnapshot], template: str) -> None:
    """BuildFailed where a function's handler cannot be in the zip; a handler may also come from a layer."""
    with zipfile.ZipFile(built) as archive:
        paths = set(archive.namelist())
        for function in functions:
            if function.has_layers or not function.runtime.startswith("python"):
                continue
            minor = int(python_version(function.runtime).partition(".")[2])
            fault = find_fault(function.handler, paths, archive.read, syntax=minor <= sys.version_info.minor)
            if fault:
                message = f"{function.logical_id} in {function.code_uri}: {fault[0]}"
                raise BuildFailed(message, file=template, line=function.line)


def _dependencies(function: FunctionSnapshot, source: Path, folder: Path) -> list[Member]:
    if not function.requirements:
        return []
    target = folder / "dependencies"
    install(
        [source / path for path in function.requirements],
        target,
        root=source,
        python=python_version(function.runtime),
        platform=platform(function.runtime, function.architecture),
    )
    return [member for member in dependency_members(target) if not is_left_out(member.path)]


def dependency_members(target: Path) -> list[Member]:
    """What an installation put into a folder, without the installer's own files and without scripts.

    Scripts name the interpreter of the machine that installed them.
    """
    scripts = {path for record in target.glob("*.dist-info/RECORD") for path in _scripts(record)}
    return [
        member
        for member in members_of(target)
        if member.path not in scripts and member.path != ".lock" and not _is_installers(member.path)
    ]


def _is_installers(path: str) -> bool:
    folder, name = posixpath.split(path)
    return folder.endswith(".dist-info") and "/" not in folder and name in INSTALLER_FILES


def _scripts(record: Path) -> list[str]:
    paths = (
        line.rpartition(",")[0].rpartition(",")[0].strip('"') for line in record.read_text().splitlines()
    )
    return [path for path in paths if path.startswith("bin/")]


def _code(code: Path) -> list[Member]:
    if code.is_file():
        return [Member(code.name, executable=False, read=code.read_bytes)]
    return [member for member in members_of(code) if not is_left_out(member.path)]


def _check_size(size: int, function: FunctionSnapshot) -> None:
    if size > MAX_UNZIPPED:
        place = f"{function.logical_id} in {function.code_uri}"
        raise BuildFailed(f"{place} unpacks to {size:,} bytes; Lambda allows {MAX_UNZIPPED:,}")
