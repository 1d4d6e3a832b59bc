"""`python -m benchmarks builds`: Python builds beside `sam build`, on the same service and the same mirror.

Eight functions for the interpreter at hand, so that sam can build them at all; sam is installed into an
environment of its own, which is thrown away. Each build is a whole process, wall and CPU with its children;
ours is also given as a warm function has it, without the process's start and its imports.
Ours writes zips, records, wheels and the source into a folder that stands for the bucket; sam writes folders.
With an upload both write into a bucket of the local cloud, sam by `sam package`. Cold: no cache holds
anything but the mirror that packages come from.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from benchmarks.build_once import FolderDocuments
from benchmarks.mirror import Mirror
from tidegate.adapters.assembly import assemble, read_part
from tidegate.adapters.locks import find_lock
from tidegate.adapters.programs import find_uv
from tidegate.adapters.shelves import Shelf
from tidegate.cli.screens import show_json, show_table
from tidegate.domain.locks import LockRequest
from tidegate.local.cloud import LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parent.parent
HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
FUNCTIONS: Final = {
    "orders": "aws-lambda-powertools\n",
    "payments": "aws-lambda-powertools\npydantic\n",
    "mails": "aws-lambda-powertools\njinja2\n",
    "reports": "boto3\n",
    "fetch": "requests\npyyaml\n",
    "relay": "httpx\n",
    "tokens": "cryptography\npyjwt\n",
    "checks": "jsonschema\nboto3\npydantic\n",
}
HANDLER: Final = "def handler(event, context):\n    return event\n"
COLD, WARM, TIMES = 3, 5, 25
PIECE: Final = 1 << 20
COLUMNS: Final = (
    "what",
    "builder",
    "seconds",
    "CPU seconds",
    "times ours",
    "times ours, warm",
    "times our CPU",
)
OURS: Final = "tidegate"
OURS_WARM: Final = "tidegate, warm"


Command: TypeAlias = tuple[str, ...]


class Took(NamedTuple):
    """Seconds of the clock, and of all processors."""

    wall: float
    cpu: float


class Row(NamedTuple):
    """A figure of one builder; `ours` and `warm` are ours of it, as a process and in a warm function."""

    what: str
    builder: str
    took: Took
    ours: Took
    warm: Took

    def cells(self) -> tuple[str, ...]:
        """The row as text; other builders are measured as they are called, from their start to their end."""
        took, ours = self.took, self.ours
        ratios = (took.wall / ours.wall, took.wall / self.warm.wall, took.cpu / ours.cpu)
        return (
            self.what,
            self.builder,
            f"{took.wall:.3f}",
            f"{took.cpu:.3f}",
            *(f"{one:.1f}" for one in ratios),
        )


class Builder(NamedTuple):
    """A way to build: its commands by what they are for, and its folder with all its caches."""

    name: str
    cold: Command
    later: Command
    uploading: tuple[Command, ...]
    folder: Path
    environment: Mapping[str, str]

    def run(self, *commands: Command) -> Took:
        """One build; a failed one ends the benchmark."""
        took = [self._run(command) for command in commands]
        return Took(sum(one.wall for one in took), sum(one.cpu for one in took))

    def _run(self, command: Command) -> Took:
        before, began = _children(), time.perf_counter()
        environment = {**os.environ, **self.environment}
        done = subprocess.run(  # noqa: S603 (our own commands)
            command, cwd=self.folder / "service", env=environment, capture_output=True, text=True, check=False
        )
        wall, cpu = time.perf_counter() - began, _children() - before
        if done.returncode:
            message = f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
            raise RuntimeError(message)
        if self.name != OURS_WARM:
            return Took(wall, cpu)
        told = json.loads(done.stdout)
        return Took(told["seconds"], told["cpu"])

    def forget(self) -> None:
        """Empty the caches, and what was built."""
        for name in ("cache", "store", "service/.aws-sam"):
            shutil.rmtree(self.folder / name, ignore_errors=True)


def measure(*, as_json: bool) -> None:
    """Build cold, unchanged and changed, and print how long each took."""
    with (
        TemporaryDirectory(prefix="tidegate-bench-") as name,
        Mirror() as mirror,
        LocalCloud(Path(name) / "cloud", extensions=()) as cloud,
    ):
        builders = list(_builders(Path(name), mirror, cloud))
        figures = {builder.name: _measure(builder) for builder in builders}
        rows = [
            Row(what, builder, took, figures[OURS][what], figures[OURS_WARM][what])
            for what in figures[OURS]
            for builder, found in figures.items()
            if (took := found[what])
        ]
        rows += _measure_assembly(Path(name))
    table = [row.cells() for row in rows]
    if as_json:
        show_json({"builds": [dict(zip(COLUMNS, cells, strict=True)) for cells in table]})
    else:
        show_table(COLUMNS, table)


def _builders(folder: Path, mirror: Mirror, cloud: LocalCloud) -> Iterator[Builder]:
    sam = _install_sam(folder / "sam")
    ours = (sys.executable, "-m", "benchmarks.build_once", ".")
    built = (sam, "build", "--parallel", "--cache-dir", "../cache/sam")
    ways = {
        OURS: (ours, ours, ""),
        OURS_WARM: ((*ours, "--warm"), (*ours, "--warm"), ""),
        "sam --parallel, uv": (
            (*built, "--beta-features"),
            (*built, "--beta-features", "--cached"),
            "python-uv",
        ),
        "sam --parallel, pip": (built, (*built, "--cached"), ""),
    }
    for name, (cold, later, method) in ways.items():
        place, bucket = folder / re.sub(r"\W+", "-", name), re.sub(r"\W+", "-", name)
        cloud.client("s3").create_bucket(Bucket=bucket)
        _write_service(place / "service", method)
        environment = {
            **cloud.environment(),
            "PATH": f"{Path(sam).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT) if name in {OURS, OURS_WARM} else "",
            "PIP_CACHE_DIR": str(place / "cache" / "pip"),
            "UV_CACHE_DIR": str(place / "cache" / "uv"),
            "UV_DEFAULT_INDEX": mirror.index,
            "PIP_INDEX_URL": mirror.index,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": "",
            "HOME": str(folder),
            "SAM_CLI_TELEMETRY": "0",
        }
        if name in {OURS, OURS_WARM}:
            store, uploading = ("--store", "../store"), ((*later, "--bucket", bucket),)
            yield Builder(name, (*cold, *store), (*later, *store), uploading, place, environment)
        else:
            package = (sam, "package", "--s3-bucket", bucket, "--output-template-file", "../packaged.yaml")
            yield Builder(name, cold, later, (later, package), place, environment)


def _install_sam(folder: Path) -> str:
    uv, python = find_uv(), str(folder / "bin" / "python")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)  # noqa: S603
    command = [uv, "pip", "install", "--quiet", "--python", python, "aws-sam-cli", "uv", "pip"]
    subprocess.run(command, check=True)  # noqa: S603
    return str(folder / "bin" / "sam")


def _write_service(folder: Path, method: str) -> None:
    resources = {}
    for name, requirements in FUNCTIONS.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "app.py").write_text(HANDLER)
        (folder / name / "requirements.txt").write_text(requirements)
        properties = {"CodeUri": name, "Handler": "app.handler", "Runtime": f"python{HERE}"}
        resources[name.title()] = {"Type": "AWS::Serverless::Function", "Properties": properties} | (
            {"Metadata": {"BuildMethod": method}} if method else {}
        )
    template = {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}
    (folder / "template.yaml").write_text(json.dumps(template))


def _measure(builder: Builder) -> dict[str, Took]:
    builder.run(builder.cold)  # fills the mirror
    found = {"cold": [_measure_cold(builder) for _ in range(COLD)]}
    for uploaded, commands in (("", (builder.later,)), (", with upload", builder.uploading)):
        found |= _measure_later(builder, uploaded, commands)
    return {what: _middle(took) for what, took in found.items()}


def _measure_cold(builder: Builder) -> Took:
    builder.forget()
    return builder.run(builder.cold)


def _measure_later(builder: Builder, uploaded: str, commands: tuple[Command, ...]) -> dict[str, list[Took]]:
    """Builds after another one, by what has changed since."""
    found: dict[str, list[Took]] = {"no change": [], "one source file changed": []}
    builder.run(*commands)
    for number in range(WARM):
        found["no change"].append(builder.run(*commands))
        code = builder.folder / "service" / "orders" / "app.py"
        code.write_text(f"{HANDLER}# {number}{uploaded}\n")
        found["one source file changed"].append(builder.run(*commands))
    return {what + uploaded: took for what, took in found.items()}


def _measure_assembly(folder: Path) -> list[Row]:
    """The zip of the largest function out of its fragments, beside a copy of that zip that is hashed."""
    documents = FolderDocuments(folder / OURS / "store")
    request = LockRequest({"requirements.txt": FUNCTIONS["checks"]}, HERE, None)
    shelf, zipped, copy = Shelf(folder / "shelf", documents), folder / "out.zip", folder / "copy.zip"
    lock = find_lock(documents, request)
    shelf.parts(lock)

    def put_together() -> None:
        assemble(zipped, [read_part(part.file, part.name) for part in shelf.parts(lock)], None, "it")

    def copy_hashed() -> None:
        digest = hashlib.sha256()
        with zipped.open("rb") as source, copy.open("wb") as target:
            while piece := source.read(PIECE):
                digest.update(piece)
                target.write(piece)

    pairs = [(_time(put_together), _time(copy_hashed)) for _ in range(TIMES)]
    ours, limit = _middle([pair[0] for pair in pairs]), _middle([pair[1] for pair in pairs])
    what = f"zip of {zipped.stat().st_size / 1e6:.0f} MB"
    return [Row(what, OURS, ours, ours, ours), Row(what, "copy and SHA-256", limit, ours, ours)]


def _time(work: Callable[[], None]) -> Took:
    cpu, began = time.process_time(), time.perf_counter()
    work()
    wall = time.perf_counter() - began
    return Took(wall, time.process_time() - cpu)


def _middle(took: list[Took]) -> Took:
    return Took(*(median(values) for values in zip(*took, strict=True)))


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
