"""`python -m benchmarks.build_once`: a build of all functions of a folder, as a release's tasks do it.

The bucket may be a folder, so that what is measured is the build and not a server. Prints how many artifacts
were built, the seconds and CPU seconds without the start of the interpreter and its imports, and the most
memory that the process had, in MiB. A warm environment has built something else before: that is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tidegate.adapters.bases import Bases
from tidegate.adapters.builds import Builder
from tidegate.adapters.documents import Documents
from tidegate.adapters.projects import Override
from tidegate.adapters.sessions import make_client
from tidegate.adapters.snapshots import take_snapshot
from tidegate.cli.working_trees import WorkingTree
from tidegate.domain.identity import Commit
from tidegate.domain.images.references import Images

SOURCE = "source.zip"


class FolderDocuments(Documents):
    """A bucket that is a folder; objects appear whole."""

    def __init__(self, folder: Path) -> None:
        self.bucket = folder.name
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def find_bytes(self, key: str) -> bytes | None:
        """An object's bytes, or None."""
        try:
            return (self._folder / key).read_bytes()
        except FileNotFoundError:
            return None

    def write_bytes(self, key: str, body: bytes, content_type: str = "") -> None:  # noqa: ARG002
        """Write an object."""
        with self._begin(key) as begun:
            begun.write_bytes(body)
            begun.replace(self._folder / key)

    def size(self, key: str) -> int | None:
        """The size of the object under the key in bytes, or None."""
        path = self._folder / key
        return path.stat().st_size if path.exists() else None

    def write_once(self, key: str, file: Path) -> bool:
        """Copy a file in, unless the key is taken."""
        with self._begin(key) as begun:
            shutil.copyfile(file, begun)
            try:
                os.link(begun, self._folder / key)
            except FileExistsError:
                return False
        return True

    def upload(self, key: str, file: Path) -> None:
        """Copy a file in."""
        with self._begin(key) as begun:
            shutil.copyfile(file, begun)
            begun.replace(self._folder / key)

    def download(self, key: str, file: Path) -> None:
        """Copy an object into a file."""
        shutil.copyfile(self._folder / key, file)

    def find_file(self, key: str, file: Path) -> bool:
        """Copy an object into a file; False where there is no such object."""
        try:
            self.download(key, file)
        except FileNotFoundError:
            return False
        return True

    def _begin(self, key: str) -> _Begun:
        (self._folder / key).parent.mkdir(parents=True, exist_ok=True)
        return _Begun(dir=self._folder)


class _Begun(TemporaryDirectory[str]):
    """A place for a file that is being written."""

    def __enter__(self) -> Path:  # type: ignore[override]
        return Path(super().__enter__()) / "begun"


def build(repository: Path, documents: Documents) -> int:
    """Snapshot a folder, and build what has no artifact yet; the number of these."""
    checkout = WorkingTree(repository)
    commit = Commit(service="bench", id="0" * 40, branch="main")
    snapshot = take_snapshot(
        checkout, commit, documents, Override(), Bases(dict, Images(account="", region=""))
    )
    with TemporaryDirectory(prefix="tidegate-") as name:
        packed = Path(name) / "packed.zip"
        checkout.write_zip(packed)
        documents.upload(SOURCE, packed)
        builder = Builder(documents, SOURCE, snapshot, Path(name))
        return sum(bool(builder.build(key)) for key in snapshot.to_build)


def warm() -> None:
    """Build a function without dependencies, so that all is imported that a build needs."""
    with TemporaryDirectory(prefix="tidegate-") as name:
        repository = Path(name) / "service"
        (repository / "src").mkdir(parents=True)
        (repository / "src" / "app.py").write_text("def handler(event, context):\n    return event\n")
        properties = {"CodeUri": "src", "Handler": "app.handler", "Runtime": "python3.13"}
        functions = {"Function": {"Type": "AWS::Serverless::Function", "Properties": properties}}
        template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": functions}
        (repository / "template.yaml").write_text(json.dumps(template))
        build(repository, FolderDocuments(Path(name) / "store"))


def count_cpu() -> float:
    """The CPU seconds of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def find_peak() -> float:
    """The most memory that this process ever had, in MiB; rusage has the parent's in it (proc(5))."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


def main() -> None:
    """Build, and tell how long it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.build_once", description=__doc__)
    parser.add_argument("repository", type=Path)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--store", type=Path, help="the folder that stands for the bucket")
    place.add_argument("--bucket", help="a bucket of the account at hand")
    parser.add_argument("--warm", action="store_true", help="build something else first")
    given = parser.parse_args()
    store = Documents(make_client("s3"), given.bucket) if given.bucket else FolderDocuments(given.store)
    if given.warm:
        warm()
    cpu, began = count_cpu(), time.perf_counter()
    built = build(given.repository, store)
    seconds, cpu = time.perf_counter() - began, count_cpu() - cpu
    print(json.dumps({"built": built, "seconds": seconds, "cpu": cpu, "peak": find_peak()}))  # noqa: T201


if __name__ == "__main__":
    main()
