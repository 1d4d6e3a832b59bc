"""What a build at CodeBuild is given: one archive with the files that its key names, and nothing else.

The archive is a tar, since every image can unpack it, and the same each time: sorted, without times and
owners.
"""

from __future__ import annotations

import gzip
import io
import json
import posixpath
import tarfile
from typing import TYPE_CHECKING, Final

from tidegate.adapters.assembly import read_entry
from tidegate.domain.artifacts import Method
from tidegate.domain.nesting import split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tidegate.adapters.assembly import Part
    from tidegate.domain.locks import Lock
    from tidegate.domain.snapshots import FunctionSnapshot

LEVEL: Final = 6
# What is taken by its hash, what by its commit, and the name of the requirement texts that a build resolves.
HASHED: Final = "hashed.txt"
COMMITS: Final = "commits.txt"
LISTED: Final = "listed.txt"


def write_input(file: Path, function: FunctionSnapshot, code: Part, lock: Lock) -> None:
    """Write the input of a function's build; `code` are the files of its code folder."""
    with (
        file.open("wb") as body,
        gzip.GzipFile("", "wb", LEVEL, body, mtime=0) as packed,
        tarfile.open(mode="w|", fileobj=packed, format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, executable, content in sorted(_list(function, code, lock)):
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(content), 0o755 if executable else 0o644
            archive.addfile(info, io.BytesIO(content))


def _list(function: FunctionSnapshot, code: Part, lock: Lock) -> Iterator[tuple[str, bool, bytes]]:
    if function.method is Method.SOURCES:
        for path, text in list_requirements(lock):
            yield path, False, text.encode()
        return
    for entry in code.entries:
        yield f"code/{entry.path}", entry.executable, read_entry(code.file, entry)
    if function.method is Method.SAM:
        yield "template.json", False, json.dumps(describe_template(function), sort_keys=True).encode()


def list_requirements(lock: Lock) -> Iterable[tuple[str, str]]:
    """The requirement files of a build out of sources, as pip reads them."""
    hashed = [one.requirement for one in lock.sources if one.sha256]
    commits = [one.requirement for one in lock.sources if not one.sha256]
    files = [(HASHED, "\n".join(hashed)), (COMMITS, "\n".join(commits))]
    found = [(path, f"{text}\n") for path, text in files if text]
    found += [(LISTED, next(iter(lock.texts)))] if lock.texts else []
    return [*found, *((posixpath.join("texts", path), text) for path, text in lock.texts.items())]


def describe_template(function: FunctionSnapshot) -> dict[str, object]:
    """A template of the one function, as `sam build` needs it."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            split(function.logical_id)[1]: {
                "Type": "AWS::Serverless::Function",
                "Metadata": function.build_metadata,
                "Properties": {
                    "CodeUri": "code",
                    "Handler": function.handler,
                    "Runtime": function.runtime,
                    "Architectures": [function.architecture],
                },
            }
        },
    }
