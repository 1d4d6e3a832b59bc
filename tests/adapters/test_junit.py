from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters import junit
from tidegate.adapters.junit import read_report
from tidegate.domain.testing import Counts, Failed

if TYPE_CHECKING:
    from pathlib import Path

LAUGHS = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>
<testsuite><testcase name="&c;"/></testsuite>"""
OUTSIDE = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><testsuite/>'


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "report.xml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_cases_of_several_suites_and_of_suites_in_suites_count_once(tmp_path: Path) -> None:
    text = """<testsuites tests="99"><testsuite tests="3">
      <testsuite tests="2"><testcase classname="a" name="x"/>
        <testcase classname="a" name="y"><failure message="1 is 2&#10;more">text</failure></testcase></testsuite>
      <testcase name="z"><skipped/></testcase></testsuite>
      <testsuite><testcase classname="b" name="w"><error>Traceback\n ValueError: no</error></testcase></testsuite>
    </testsuites>"""
    found = read_report(write(tmp_path, text))
    assert found.counts == Counts(tests=4, failures=1, errors=1, skipped=1)
    assert found.failed == (
        Failed(name="a::y", reason="1 is 2"),
        Failed(name="b::w", reason="ValueError: no"),
    )


def test_a_module_that_cannot_be_collected_is_told_by_its_last_line(tmp_path: Path) -> None:
    case = "<testcase classname='' name='tests.test_a'><error message='collection failure'>x = 1\nE   ImportError: no b\ny"
    found = read_report(write(tmp_path, f"<testsuite>{case}</error></testcase></testsuite>"))
    assert found.failed == (Failed(name="tests.test_a", reason="ImportError: no b"),)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (LAUGHS, "declares a document type"),
        (OUTSIDE, "declares a document type"),
        ("<testsuite><testcase>", "no element found"),
        ("", "no element found"),
        ("not xml", "syntax error"),
        ("<html/>", "holds no suite"),
        ("<testsuite>" + "<a>" * 200_000, "nested more than 100 deep"),
        (b"\xff\xfe<\x00t\x00", ""),
        ('<?xml version="1.0" encoding="no-such"?><testsuite/>', "no-such|encoding"),
    ],
)
def test_what_is_no_report_is_told_and_raises_nothing(text: str, fault: str, tmp_path: Path) -> None:
    found = read_report(write(tmp_path, text))
    assert found.counts is None
    assert found.failed == ()
    assert found.fault
    assert any(part in found.fault for part in fault.split("|"))


def test_no_file_a_folder_and_a_link_are_no_report(tmp_path: Path) -> None:
    (tmp_path / "link.xml").symlink_to(write(tmp_path, "<testsuite/>"))
    for name in ("none.xml", "link.xml", "."):
        assert read_report(tmp_path / name).counts is None


def test_a_huge_report_is_read_in_little_memory_and_a_larger_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = f"<testcase name='a'><failure>{'x' * 1000}\nlast</failure></testcase>"
    file = write(tmp_path, f"<testsuite>{case * 5000}</testsuite>")
    tracemalloc.start()
    found = read_report(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.counts == Counts(tests=5000, failures=5000)
    assert len(found.failed) == junit.SHOWN
    assert peak < 2_000_000
    monkeypatch.setattr(junit, "MAX_REPORT", 1000)
    assert "at most 1,000 are read" in read_report(file).fault


@given(st.binary(max_size=200), st.integers(0, 150))
def test_whatever_the_bytes_something_is_answered(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, cut: int
) -> None:
    good = b"<testsuite><testcase name='a'><failure message='m'>t</failure></testcase></testsuite>"
    for body in (noise, good[:cut] + noise, good[:cut] + noise + good[cut:]):
        found = read_report(write(tmp_path_factory.getbasetemp(), body))
        assert (found.counts is None) or found.counts.tests >= len(found.failed)
