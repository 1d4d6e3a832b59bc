"""Runs a service's own tests, in a place that has no rights; makes no AWS call and imports no AWS client.

Source and results go by presigned URLs. The command gets an environment of its own without credentials, in a
process group that is killed when it is over. What the tests leave in their folder is removed.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import time
import urllib.request
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from urllib.error import URLError

from tidegate.adapters.archives import unpack
from tidegate.adapters.installs import make_environment
from tidegate.adapters.junit import read_report
from tidegate.adapters.programs import Outcome, foreign, run
from tidegate.adapters.sandbox_installs import install
from tidegate.domain.errors import BuildFailed
from tidegate.domain.sources import MAX_UNPACKED
from tidegate.domain.testing import SandboxRequest, SandboxResult

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse

MAX_OUTPUT: Final = 1_000_000
# Of a report that is kept; a larger one is still read.
MAX_REPORT: Final = 10_000_000
HALF: Final = MAX_OUTPUT // 2
TAIL: Final = 4_000
NETWORK_SECONDS: Final = 60
GUARD: Final = Path(__file__).with_name("network_guard.py")
# Left for the results after the tests have been killed.
RESERVE: Final = 20
CALLS: Final = re.compile(
    r"the sandbox has no network, and \S+ was (?:called|looked up)|NoCredentialsError|EndpointConnectionError"
    r"|Connect(?:ion)?Timeout(?:Error)?|ENOTFOUND|EAI_AGAIN|CredentialsProviderError"
)
# A region, since clients cannot be made without one; no credentials, and no place where some could be had.
BARE: Final = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_METADATA_SERVICE_TIMEOUT": "1",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


def run_tests(request: SandboxRequest, seconds: float) -> SandboxResult:
    """Run the tests within `seconds`, whatever their own timeout; store their output and report."""
    deadline = time.monotonic() + seconds - RESERVE
    with TemporaryDirectory(prefix="tidegate-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        source = folder / "source"
        download(request.source_url, folder / "source.zip")
        unpack(folder / "source.zip", source)
        try:
            prepare(folder, source, request, deadline)
        except BuildFailed as error:
            upload(request.output_url, str(error).encode())
            return SandboxResult(exit_code=1, not_installed=str(error))
        allowed = max(1.0, min(request.timeout, deadline - time.monotonic()))
        outcome = run(
            ["/bin/sh", "-c", request.command],
            folder=source,
            environment=environment_of(folder, source),
            seconds=allowed,
            limit=MAX_OUTPUT,
        )
        report = source / request.report if request.report else folder / "report.xml"
        return keep(outcome, report, request)


def prepare(folder: Path, source: Path, request: SandboxRequest, deadline: float) -> None:
    """Make the tests' virtual environment, with pytest if the command is pytest's, and close its network."""
    make_environment(folder / "environment")
    (folder / "home").mkdir()
    (folder / "tmp").mkdir()
    extra = ["pytest"] if re.search(r"\bpytest\b", request.command) else []
    seconds = deadline - time.monotonic()
    install(folder / "environment", source, request.requirements, extra, seconds=seconds)
    close_network(folder / "environment")


def close_network(environment: Path) -> None:
    """Have every Python of a virtual environment refuse the network as it starts; it is installed by then."""
    for packages in (environment / "lib").glob("python*/site-packages"):
        shutil.copyfile(GUARD, packages / "_tidegate_network.py")
        (packages / "_tidegate_network.pth").write_text(
            "import _tidegate_network; _tidegate_network.refuse()\n"
        )


def environment_of(folder: Path, source: Path) -> dict[str, str]:
    """What the command sees: its own interpreter, home and region, and no credentials."""
    python = folder / "environment"
    return foreign(
        PATH=f"{python / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        VIRTUAL_ENV=str(python),
        PYTHONPATH=str(source),
        PYTHONDONTWRITEBYTECODE="1",
        PYTHONUNBUFFERED="1",
        PYTEST_ADDOPTS=f"--junitxml={folder / 'report.xml'} -p no:cacheprovider",
        HOME=str(folder / "home"),
        TMPDIR=str(folder / "tmp"),
        **BARE,
    )


def keep(outcome: Outcome, file: Path, request: SandboxRequest) -> SandboxResult:
    """Store the output (its head and tail) and the report, and answer what they say."""
    output = outcome.output
    if len(output) > MAX_OUTPUT:
        output = output[:HALF] + b"\n[... output left out ...]\n" + output[-HALF:]
    upload(request.output_url, output)
    report = read_report(file)
    if report.counts is not None and file.stat().st_size <= MAX_REPORT:
        upload(request.report_url, file.read_bytes())
    return SandboxResult(
        exit_code=outcome.code,
        timed_out=outcome.timed_out,
        too_much_output=outcome.too_much,
        output_tail=output[-TAIL:].decode(errors="replace"),
        called_out=find_call(output.decode(errors="replace")),
        failed=report.failed,
        counts=report.counts,
        report_fault=report.fault,
    )


def find_call(output: str) -> str:
    """The first word of an output that tells of the network or of missing credentials; empty without."""
    found = CALLS.search(output)
    return found[0] if found else ""


def download(url: str, file: Path) -> None:
    """Copy what a URL holds into a file; ConnectionError where it does not come, or not whole."""
    with _open(_request(url, "GET")) as answer:
        length = int(answer.headers.get("Content-Length") or 0)
        if length > MAX_UNPACKED:
            message = f"the source has {length:,} bytes"
            raise ValueError(message)
        with file.open("wb") as body:
            shutil.copyfileobj(answer, body)
            if body.tell() < length:
                message = f"{body.tell()} of {length} bytes have come"
                raise ConnectionError(message)


def upload(url: str, body: bytes) -> None:
    """Write bytes to a URL that was presigned for it; ConnectionError where it is not taken."""
    with _open(_request(url, "PUT", body)) as answer:
        answer.read()


@contextmanager
def _open(request: urllib.request.Request) -> Iterator[HTTPResponse]:
    """The answer to a request. Whatever is wrong with it has one name: it may be asked again."""
    try:
        with urllib.request.urlopen(request, timeout=NETWORK_SECONDS) as answer:  # noqa: S310
            yield answer
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        message = f"{request.get_method()}: {type(error).__name__}: {error}"
        raise ConnectionError(message) from error


def _request(url: str, method: str, body: bytes | None = None) -> urllib.request.Request:
    if not url.startswith(("https://", "http://")):
        message = "the sandbox reads and writes by http and https alone"
        raise ValueError(message)
    # urllib's own content type would not be the one that was signed.
    headers = {"Content-Type": ""}
    if body is not None:
        # A bucket with object lock takes nothing without a sum of its bytes.
        headers["Content-MD5"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    return urllib.request.Request(url, data=body, method=method, headers=headers)  # noqa: S310
