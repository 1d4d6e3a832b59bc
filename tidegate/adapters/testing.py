"""Asks the sandbox to run a release's tests, by presigned URLs, and keeps its answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NoReturn

from botocore.exceptions import ConnectionClosedError

from tidegate.adapters.documents import release_prefix
from tidegate.adapters.installs import RegistryUnreachable
from tidegate.domain.testing import SandboxRequest, SandboxResult, tenant_of

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from pydantic import BaseModel

    from tidegate.adapters.documents import Documents
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.snapshots import TestsSnapshot

URL_SECONDS: Final = 1200  # longer than a function may run
# How Lambda tells that the environment itself ended: by its timeout, by its memory, or because it was killed.
TIMED_OUT: Final = "Task timed out"
ENDED: Final = frozenset({"Runtime.ExitError", "Runtime.OutOfMemory"})
# The source did not come, or a result was not taken.
UNREACHED: Final = "ConnectionError"


def test_release(
    documents: Documents, functions: LambdaClient, sandbox: str, ref: ReleaseRef, tests: TestsSnapshot
) -> SandboxResult:
    """How a release's tests ended; they run once, a second call reads the answer of the first."""
    key = f"{release_prefix(ref)}tests.json"
    known = documents.find(key, SandboxResult)
    if known is not None:
        return known
    result = _run(functions, sandbox, ref, _make_request(documents, ref, tests))
    documents.write(key, result)
    return result


test_release.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it by its name


def _make_request(documents: Documents, ref: ReleaseRef, tests: TestsSnapshot) -> SandboxRequest:
    prefix = release_prefix(ref)
    return SandboxRequest(
        source_url=documents.presign("get_object", f"{prefix}source.zip", URL_SECONDS),
        output_url=documents.presign("put_object", f"{prefix}tests/output.txt", URL_SECONDS),
        report_url=documents.presign("put_object", f"{prefix}tests/report.xml", URL_SECONDS),
        command=tests.command,
        requirements=tests.requirements,
        timeout=tests.timeout,
        report=tests.report,
    )


class SandboxEnded(Exception):
    """Foreign code ended its environment: by its timeout (`timed_out`), by its memory, or by killing it."""

    def __init__(self, message: str, *, timed_out: bool) -> None:
        super().__init__(message)
        self.timed_out = timed_out


def invoke_sandbox(functions: LambdaClient, sandbox: str, ref: ReleaseRef, request: BaseModel) -> Any:  # noqa: ANN401
    """The sandbox's answer (JSON) for a release; SandboxEnded where there is none for what it ran.

    What it could not fetch leaves as an error that is tried again.
    """
    answer = functions.invoke(
        FunctionName=sandbox, TenantId=tenant_of(ref), Payload=request.model_dump_json().encode()
    )
    body: Any = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        _explain(body if isinstance(body, dict) else {})
    return body


def _run(functions: LambdaClient, sandbox: str, ref: ReleaseRef, request: SandboxRequest) -> SandboxResult:
    """How the tests ended; what they do to their environment is their failure."""
    try:
        return SandboxResult.model_validate(invoke_sandbox(functions, sandbox, ref, request))
    except SandboxEnded as error:
        if error.timed_out:
            return SandboxResult(exit_code=1, timed_out=True)
        return SandboxResult(exit_code=1, output_tail=f"the tests ended the sandbox: {error}")


def _explain(error: dict[str, Any]) -> NoReturn:
    kind, message = str(error.get("errorType", "")), str(error.get("errorMessage", ""))
    if TIMED_OUT in message or kind == "Sandbox.Timedout":
        raise SandboxEnded(message, timed_out=True)
    if kind in ENDED or "Runtime exited" in message:
        raise SandboxEnded(message, timed_out=False)
    if kind == RegistryUnreachable.__name__:
        raise RegistryUnreachable(message)
    if kind == UNREACHED:
        raise ConnectionClosedError(endpoint_url=message)
    text = f"the sandbox failed: {kind}: {message}"
    raise RuntimeError(text)
