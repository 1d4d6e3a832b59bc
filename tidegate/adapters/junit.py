"""Reads JUnit XML that foreign code has written: in one pass, with bounded memory, and without trusting it.

A document type is refused, so there are no entities to expand. Tests are counted one by one: the totals of
suites that stand in other suites would count twice, and not every tool writes them.
Source: the Jenkins and pytest dialects of JUnit XML; there is no schema that all of them keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from tidegate.domain.testing import Counts, Failed, Report

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_REPORT: Final = 100_000_000
MAX_DEPTH: Final = 100
SHOWN: Final = 20
LONGEST: Final = 300
KEPT_TEXT: Final = 20_000
COLLECTION: Final = "collection failure"
FAILURES: Final = frozenset({"failure", "error"})


class UnreadableReport(ValueError):
    """The file is no report of tests; the message says why."""


def read_report(file: Path) -> Report:
    """What a report tells; one that cannot be read tells why."""
    if file.is_symlink() or not file.is_file():
        return Report()
    size = file.stat().st_size
    if size > MAX_REPORT:
        return Report(fault=f"it has {size:,} bytes; at most {MAX_REPORT:,} are read")
    reader = _Reader()
    try:
        with file.open("rb") as body:
            reader.parser.ParseFile(body)
    except (expat.ExpatError, UnreadableReport, UnicodeError, LookupError) as error:
        return Report(fault=f"it is no JUnit XML: {error}"[:LONGEST])
    if not reader.is_report:
        return Report(fault="it is no JUnit XML: it holds no suite of tests")
    return Report(counts=reader.counts, failed=tuple(reader.failed))


class _Reader:
    """Counts the cases of a document as its elements go by; the first failed ones are kept by name."""

    def __init__(self) -> None:
        self.is_report = False
        self.failed: list[Failed] = []
        self._tally = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
        self._depth = 0
        self._case: dict[str, str] | None = None
        self._kind = ""
        self._message = ""
        self._text: list[str] = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._take

    @property
    def counts(self) -> Counts:
        return Counts(**self._tally)

    def _refuse(self, *_: object) -> None:
        raise UnreadableReport("it declares a document type")

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnreadableReport(f"its elements are nested more than {MAX_DEPTH} deep")
        self.is_report |= self._depth == 1 and tag in {"testsuite", "testsuites"}
        if tag == "testcase":
            self._tally["tests"] += 1
            self._case, self._kind, self._message, self._text = dict(attributes), "", "", []
        elif self._case is not None and not self._kind and tag in FAILURES | {"skipped"}:
            self._kind, self._message = tag, attributes.get("message", "")

    def _take(self, text: str) -> None:
        if self._kind in FAILURES and sum(map(len, self._text)) < KEPT_TEXT:
            self._text.append(text[:KEPT_TEXT])

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "testcase" and self._case is not None:
            if self._kind:
                self._tally[{"failure": "failures", "error": "errors"}.get(self._kind, self._kind)] += 1
            if self._kind in FAILURES and len(self.failed) < SHOWN:
                self.failed.append(self._describe(self._case))
            self._case, self._kind = None, ""

    def _describe(self, case: Mapping[str, str]) -> Failed:
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        text = "".join(self._text)
        told = self._message if self._message and self._message != COLLECTION else _last_line(text)
        reason = told.strip().splitlines()
        return Failed(
            name=name[:LONGEST] or "a test without a name", reason=reason[0][:LONGEST] if reason else ""
        )


def _last_line(text: str) -> str:
    """The line of a traceback that says what went wrong; pytest marks it with an E."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line.removeprefix("E ").strip() for line in lines if line.startswith("E ")]
    return (marked or lines[-1:] or [COLLECTION])[-1]
