"""The benchmark of builds: what it builds with, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.build_once import FolderDocuments, build
from benchmarks.builds import COLUMNS, HANDLER, OURS_WARM, ROOT, Builder, Row, Took

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        name: {
            "Type": "AWS::Serverless::Function",
            "Properties": {"CodeUri": name, "Handler": "app.handler", "Runtime": "python3.13"},
        }
        for name in ("one", "two")
    },
}


def test_a_build_is_that_of_a_release(tmp_path: Path) -> None:
    service, store = tmp_path / "service", tmp_path / "store"
    for name in ("one", "two"):
        (service / name).mkdir(parents=True)
        (service / name / "app.py").write_text(f"{HANDLER}# {name}\n")
    (service / "template.yaml").write_text(json.dumps(TEMPLATE))
    assert build(service, FolderDocuments(store)) == 2
    assert build(service, FolderDocuments(store)) == 0
    (service / "one" / "app.py").write_text(f"{HANDLER}# other\n")
    assert build(service, FolderDocuments(store)) == 1
    assert len(list(store.glob("artifacts/*.zip"))) == 3
    assert not [path for path in store.iterdir() if path.name.startswith("tmp")]


def write_many(service: Path, count: int, megabytes: int = 0) -> None:
    """A service of so many functions, each with code of its own that no compression makes smaller."""
    resources = {}
    for number in range(count):
        folder = service / f"f{number}"
        folder.mkdir(parents=True)
        (folder / "app.py").write_text(f"{HANDLER}# {number}\n")
        if megabytes:
            (folder / "data.bin").write_bytes(os.urandom(megabytes << 20))
        properties = {"CodeUri": folder.name, "Handler": "app.handler", "Runtime": "python3.13"}
        resources[f"F{number}"] = {"Type": "AWS::Serverless::Function", "Properties": properties}
    (service / "template.yaml").write_text(json.dumps({**TEMPLATE, "Resources": resources}))


@pytest.mark.slow
def test_of_a_thousand_functions_the_one_that_changed_is_built(tmp_path: Path) -> None:
    write_many(tmp_path / "service", 1000)
    assert build(tmp_path / "service", FolderDocuments(tmp_path / "store")) == 1000
    (tmp_path / "service" / "f7" / "app.py").write_text(f"{HANDLER}# other\n")
    assert build(tmp_path / "service", FolderDocuments(tmp_path / "store")) == 1


@pytest.mark.slow
def test_memory_grows_with_the_largest_artifact_and_not_with_the_service(tmp_path: Path) -> None:
    peaks = {}
    for name, count, megabytes in (("small", 2, 1), ("many", 20, 1), ("large", 2, 20)):
        write_many(tmp_path / name, count, megabytes)
        command = [sys.executable, "-m", "benchmarks.build_once", name, "--store", f"store-{name}"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        told = json.loads(done.stdout)
        assert told["built"] == count
        peaks[name] = told["peak"]
    assert peaks["many"] - peaks["small"] < 10
    assert peaks["large"] - peaks["small"] < 4 * 20


def test_the_folder_keeps_what_was_written_first(tmp_path: Path) -> None:
    documents = FolderDocuments(tmp_path / "store")
    (tmp_path / "a").write_text("first")
    (tmp_path / "b").write_text("second")
    assert documents.write_once("x/y", tmp_path / "a")
    assert not documents.write_once("x/y", tmp_path / "b")
    assert documents.find_bytes("x/y") == b"first"
    assert not documents.find_file("x/z", tmp_path / "c")
    assert documents.size("x/z") is None


def test_a_row_says_how_many_times_ours_the_other_took() -> None:
    row = Row("cold", "other", Took(6.0, 8.0), Took(2.0, 1.0), Took(0.5, 0.5))
    assert dict(zip(COLUMNS, row.cells(), strict=True))["times ours"] == "3.0"
    assert row.cells()[-2:] == ("12.0", "8.0")


def test_a_build_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    builder = Builder("other", ("false",), ("false",), (), tmp_path, {})
    with pytest.raises(RuntimeError, match="false failed"):
        builder.run(builder.cold)


def test_several_commands_are_one_build(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    builder = Builder("other", ("true",), ("true",), (), tmp_path, {})
    assert builder.run(("touch", "a"), ("touch", "b")).wall > 0
    assert {path.name for path in (tmp_path / "service").iterdir()} == {"a", "b"}


def test_ours_in_a_warm_function_is_what_it_says_itself(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    told = ("echo", json.dumps({"built": 0, "seconds": 0.25, "cpu": 0.5}))
    assert Builder(OURS_WARM, told, told, (), tmp_path, {}).run(told) == Took(0.25, 0.5)
