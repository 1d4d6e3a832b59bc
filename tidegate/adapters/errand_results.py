"""Errands as BuildFunction sees them: given to CodeBuild, looked at, and taken in when they are made.

What a build left becomes an artifact here and nowhere else.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from tidegate.adapters.assembly import assemble
from tidegate.adapters.codebuild import look, read_tail
from tidegate.adapters.errand_inputs import write_input
from tidegate.adapters.errand_outputs import read_wheels, zip_output
from tidegate.adapters.errands import read_waiting
from tidegate.domain.artifacts import MAX_UNZIPPED, Method, platform, python_version
from tidegate.domain.errands import ERRANDS, OWN_LINE, Standing, errand_prefix, explain, stand
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Target
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_logs import CloudWatchLogsClient

    from tidegate.adapters.assembly import Part
    from tidegate.adapters.documents import Documents
    from tidegate.adapters.errands import Share
    from tidegate.adapters.ledger import Ledger
    from tidegate.adapters.shelves import Shelf
    from tidegate.domain.errands import Build, Waiting
    from tidegate.domain.locks import Lock
    from tidegate.domain.snapshots import FunctionSnapshot

    # The files of a code folder.
    CodeOf: TypeAlias = Callable[[str], Part]


class Errands:
    """The errands of a share, as BuildFunction sees them: given, looked at, collected."""

    def __init__(
        self,
        share: Share,
        documents: Documents,
        ledger: Ledger,
        client: Callable[[], Any],
        logs: Callable[[], CloudWatchLogsClient],
    ) -> None:
        self._share = share
        self._documents = documents
        self._ledger = ledger
        self._client = client
        self._logs = logs

    @cached_property
    def _waiting(self) -> Waiting:
        share = self._share
        return read_waiting(self._ledger, share.ref.service, share.ref.id, share.index)

    @cached_property
    def _builds(self) -> dict[str, Build]:
        return look(self._client(), self._waiting.last) if self._waiting.builds else {}

    def make(self, function: FunctionSnapshot, lock: Lock, source: CodeOf, shelf: Shelf, built: Path) -> bool:
        """Write a function's zip out of what its build left; False where there is nothing yet.

        Its input is stored then, the same each time. BuildFailed says why there will be nothing.
        """
        key, place = function.artifact, f"{function.logical_id} in {function.code_uri}"
        output, files = built.with_name("output.tar.gz"), built.with_name("output")
        if not self._fetch(key, place, output):
            given = f"{errand_prefix(self._share.ref, key)}input.tar.gz"
            if not self._documents.exists(given):
                file = built.with_name("input.tar.gz")
                write_input(file, function, source(function.code_uri), lock)
                self._documents.write_once(given, file)
            return False
        files.mkdir()
        if function.method is Method.SOURCES:
            target = Target(
                python_version(function.runtime), platform(function.runtime, function.architecture)
            )
            wheels = [*shelf.parts(lock), *read_wheels(output, files, lock, target, place)]
            assemble(built, wheels, source(function.code_uri), place)
        else:
            zip_output(output, files, built, place)
        return True

    def _fetch(self, key: str, place: str, file: Path) -> bool:
        standing = stand(self._waiting.builds.get(key, ()), self._builds)
        if standing is Standing.FAIL:
            raise BuildFailed(self._explain(key))
        if standing is not Standing.COLLECT:
            return False
        output = f"{errand_prefix(self._share.ref, key)}output.tar.gz"
        size = self._documents.size(output)
        if size is None:
            raise BuildFailed(f"{place}: the build succeeded and left nothing")
        if size > MAX_UNZIPPED:
            raise BuildFailed(f"{place}: the build left {size:,} bytes; Lambda takes {MAX_UNZIPPED:,}")
        self._documents.download(output, file)
        return True

    def find_build(self, key: str) -> Build | None:
        """The build that made an artifact, where there was one in this release."""
        if self._share.snapshot.function_of(key).method not in ERRANDS:
            return None
        attempts = self._waiting.builds.get(key, ())
        return self._builds.get(attempts[-1]) if attempts else None

    def _names(self, key: str) -> str:
        functions = self._share.snapshot.functions
        return list_names([one.logical_id for one in functions if one.artifact == key])

    def _explain(self, key: str) -> str:
        build = self.find_build(key)
        tail = () if build is None else read_tail(self._logs(), build, OWN_LINE)
        return explain(self._names(key), build, tail)
