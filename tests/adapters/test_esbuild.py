"""What esbuild is kept from, and what is told of how it ended."""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING

import pytest

from tests.zips import code_part
from tidegate.adapters import esbuild
from tidegate.adapters.esbuild import write_tree
from tidegate.adapters.programs import Outcome
from tidegate.domain.bundles import find_folder, find_program, list_inputs
from tidegate.domain.errors import BuildFailed, UnsupportedTemplate

if TYPE_CHECKING:
    from pathlib import Path

QUOTED = """\u2718 [ERROR] Expected ";" but found "KEY"

    {file}:3:7:
      3 \u2502 AWS_SECRET KEY
"""


def ended(code: int, output: bytes = b"", **more: bool) -> Outcome:
    return Outcome(code=code, output=output, **{"timed_out": False, "too_much": False, **more})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can conceal a process")
def test_this_process_is_concealed_only_while_it_runs() -> None:
    def state() -> int:
        return int(ctypes.CDLL(None).prctl(esbuild.PR_GET_DUMPABLE, 0, 0, 0, 0))

    before = state()
    with esbuild._concealed():
        assert state() == 0
    assert state() == before


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (
            ended(1, QUOTED.format(file="src/a.ts").encode()),
            r'^src/a\.ts:3: F: Expected ";" but found "KEY"$',
        ),
        (
            ended(1, QUOTED.format(file="../../etc/x").encode()),
            r"^F imports \.\./\.\./etc/x, which is neither",
        ),
        (
            ended(1, QUOTED.format(file="/proc/1/environ").encode()),
            r"^F imports /proc/1/environ, which",
        ),
        (ended(-9, timed_out=True), "^F: esbuild did not end within 120 seconds"),
        (ended(-9, too_much=True), "^F: esbuild ended with -9"),
    ],
)
def test_how_it_ended_is_told_in_one_line(outcome: Outcome, message: str) -> None:
    with pytest.raises(BuildFailed, match=message) as caught:
        esbuild._check(outcome, "F")
    assert "SECRET" not in str(caught.value)


def test_a_tree_is_bounded_and_unmixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    file, folder = code_part(tmp_path / "1", {"a": b"123"}), code_part(tmp_path / "2", {"a/b": b"123"})
    with pytest.raises(BuildFailed, match="a/b is a file in the code and a folder elsewhere"):
        write_tree(tmp_path / "x", [file, folder])
    monkeypatch.setattr(esbuild, "MOST", 5)
    with pytest.raises(BuildFailed, match="more than 5 bytes"):
        write_tree(tmp_path / "y", [folder, code_part(tmp_path / "1", {"c": b"123"})])


def test_what_went_in_is_told_by_the_outputs() -> None:
    metafile = {
        "inputs": {"src/a.ts": {}, "node_modules/unused/x.js": {}},
        "outputs": {
            "../out/a.js": {"inputs": {"src/a.ts": {}, "node_modules/@s/b/x.js": {}, "<runtime>": {}}}
        },
    }
    assert list_inputs(metafile) == ("node_modules/@s/b/x.js", "src/a.ts")
    assert find_folder("node_modules/@s/b/x.js") == "node_modules/@s/b"
    assert find_folder("node_modules/a/node_modules/b/lib/x.js") == "node_modules/a/node_modules/b"
    assert find_folder("src/a.ts") is None


def test_a_machine_without_a_program_is_named() -> None:
    with pytest.raises(UnsupportedTemplate, match="not for aix-ppc64"):
        find_program("aix-ppc64")
