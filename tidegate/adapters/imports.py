"""Imports handlers from finished artifacts, in the sandbox: each in a process of its own, without rights.

Makes no AWS call and imports no AWS client. A process gets a time, an amount of memory, the variables of the
template, no network and no credentials; it sees the artifact, the standard library, and what Lambda's runtime
brings along.
"""

from __future__ import annotations

import importlib.util
import json
import platform
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from tidegate.adapters.archives import unpack
from tidegate.adapters.programs import foreign, run
from tidegate.adapters.sandbox import BARE, download
from tidegate.domain.artifacts import MACHINES
from tidegate.domain.errors import InvalidSource
from tidegate.domain.imports import ImportAnswer, ImportOutcome, is_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.programs import Outcome
    from tidegate.domain.imports import ImportCheck, ImportRequest, ImportTarget

PROBE: Final = Path(__file__).with_name("import_probe.py")
LAMBDA_RUNTIME: Final = Path("/var/runtime")
# Lambda gives an import 10 seconds before it begins again with the function's own timeout.
SECONDS: Final = 15
# Left for the answer, an artifact's download and one import.
RESERVE: Final = 60
MEMORY: Final = 1_500_000_000
MAX_ANSWER: Final = 100_000
# AWS Lambda Developer Guide, "Python runtimes": the SDK is included, and what it needs.
PROVIDED: Final = (
    "awslambdaric",
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot_restore_py",
    "urllib3",
)


def own_runtime() -> str:
    """The runtime that this process is, as Lambda names it."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def own_machine() -> str:
    """The architecture that this process runs on, as Lambda names it."""
    names = {machine: name for name, machine in MACHINES.items()}
    return names.get(platform.machine(), platform.machine())


def import_handlers(request: ImportRequest, seconds: float) -> ImportAnswer:
    """Import what is asked for, as far as `seconds` allow."""
    until = time.monotonic() + seconds - RESERVE
    outcomes: dict[str, ImportOutcome] = {}
    for target in request.artifacts:
        if outcomes and time.monotonic() > until:
            break
        outcomes |= dict(_import_from(target, until))
    return ImportAnswer(outcomes=outcomes)


def _import_from(target: ImportTarget, until: float) -> Iterator[tuple[str, ImportOutcome]]:
    with TemporaryDirectory(prefix="tidegate-", ignore_cleanup_errors=True) as name:
        place = Path(name).resolve()
        packed, folder = place / "function.zip", place / "task"
        download(target.url, packed)
        try:
            unpack(packed, folder)
        except InvalidSource as error:
            yield from (
                (one.key, ImportOutcome(kind="unchecked", message=str(error))) for one in target.checks
            )
            return
        packed.unlink()
        for number, check in enumerate(target.checks):
            if number and time.monotonic() > until:
                return
            yield check.key, import_one(check, place, folder)


def import_one(check: ImportCheck, place: Path, folder: Path) -> ImportOutcome:
    """Import one handler from an unpacked artifact; what it leaves in the artifact stays for the next."""
    machine = own_machine()
    if is_foreign(check.architecture, machine) and next(folder.rglob("*.so*"), None):
        message = f"it holds native code for {check.architecture}, and the sandbox is {machine}"
        return ImportOutcome(kind="unchecked", message=message)
    result = place / f"{check.key}.json"
    (place / "tmp").mkdir(exist_ok=True)
    asked = {
        "folder": str(folder),
        "result": str(result),
        "handler": check.handler,
        "runtime": find_runtime(),
        "provided": PROVIDED,
        "uncertain": [*check.uncertain, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
        "memory": MEMORY,
    }
    command = [sys.executable, "-I", "-S", "-B", str(PROBE), json.dumps(asked)]
    variables = environment_of(check, place, folder)
    ended = run(command, folder=folder, environment=variables, seconds=SECONDS)
    return _read(ended, result)


def _read(ended: Outcome, result: Path) -> ImportOutcome:
    """What the process has told; foreign code ran in it and may have told anything, or nothing."""
    if ended.timed_out:
        return ImportOutcome(kind="timed out", message=f"{SECONDS} seconds")
    if result.is_file() and not result.is_symlink() and result.stat().st_size <= MAX_ANSWER:
        try:
            return ImportOutcome.model_validate_json(result.read_bytes())
        except ValidationError:
            return ImportOutcome(kind="ended", code=ended.code)
    return ImportOutcome(kind="ended", code=ended.code)


def environment_of(check: ImportCheck, place: Path, folder: Path) -> dict[str, str]:
    """What the handler sees: Lambda's own variables, and over them the template's; no credentials.

    Source: AWS Lambda Developer Guide, "Defined runtime environment variables".
    """
    name = check.functions[0].rpartition("/")[2] if check.functions else "function"
    own = {
        "HOME": str(place),
        "TMPDIR": str(place / "tmp"),
        "TZ": ":UTC",
        "_HANDLER": check.handler,
        "LAMBDA_TASK_ROOT": str(folder),
        "LAMBDA_RUNTIME_DIR": str(LAMBDA_RUNTIME),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{own_runtime()}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "import",
    }
    return foreign(**{**BARE, **own, **check.environment})


def find_runtime() -> str:
    """The folder with what Lambda's runtime brings along: its own place on Lambda, else where boto3 lies."""
    if LAMBDA_RUNTIME.is_dir():
        return str(LAMBDA_RUNTIME)
    spec = importlib.util.find_spec("boto3")
    return str(Path(spec.origin).parents[1]) if spec and spec.origin else ""
