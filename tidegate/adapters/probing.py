"""Invocations that Tidegate makes itself, with events that the service declares safe, and their answers.

An answer with a status of 500 or more is a failure although Lambda takes it for a success.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, ReadTimeoutError

from tidegate.adapters.answers import UNANSWERED
from tidegate.adapters.documents import release_prefix
from tidegate.domain.errors import InvalidConfiguration
from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_lambda import LambdaClient

    from tidegate.adapters.documents import Documents
    from tidegate.domain.identity import ReleaseRef

TENANT: Final = "tidegate-smoke"  # of functions whose environments are kept apart by tenant
SERVER_ERROR: Final = 500
THROTTLED: Final = 429
# What the runtime reports before any of the function's own code has handled the event.
START_ERRORS: Final = ("Runtime.", "Sandbox.", "Extension.")


class Probe(Frozen):
    """One invocation; `strict` where the answer itself must be good, `tenant` where it must name one."""

    function: str
    physical: str
    qualifier: str
    name: str
    payload: bytes
    strict: bool
    tenant: str = ""


class Answer(Frozen):
    """`failure` says what was wrong with it, empty where it was good.

    `request` is Lambda's id of it, empty where there was no answer to read it from.
    """

    failure: str
    request: str


def read_events(documents: Documents, ref: ReleaseRef, paths: Iterable[str]) -> dict[str, bytes]:
    """The event files of the release's commit by their paths; InvalidConfiguration where one is not there."""
    wanted = sorted(set(paths))
    if not wanted:
        return {}
    source = documents.find_bytes(f"{release_prefix(ref)}source.zip") or b""
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        names = set(archive.namelist())
        for path in wanted:
            if path not in names:
                message = f"smoke: the event {path} is not in the repository"
                raise InvalidConfiguration(message, file="tidegate.yaml")
        return {path: archive.read(path) for path in wanted}


def invoke(client: LambdaClient, probe: Probe) -> Answer:
    """Invoke a version and look at its answer."""
    tenant: Any = {"TenantId": probe.tenant} if probe.tenant else {}
    answer = client.invoke(
        FunctionName=probe.physical, Qualifier=probe.qualifier, Payload=probe.payload, **tenant
    )
    body = json.loads(answer["Payload"].read() or b"null")
    failure = _find_failure(body, probe, erred="FunctionError" in answer)
    return Answer(failure=failure, request=answer["ResponseMetadata"]["RequestId"])


def ask(client: LambdaClient, probe: Probe, patience: float) -> Answer | None:
    """Invoke a version once, and wait for so many seconds, which is `client`'s time to read.

    No answer in that time is a failure. None where nothing is known of the version: Lambda throttled the call
    or failed itself, or the answer was lost. `client` must not try again: an invocation would be made twice.
    """
    try:
        return invoke(client, probe)
    except ReadTimeoutError:
        return Answer(failure=f"it did not answer within {patience:g} s", request="")
    except UNANSWERED:
        return None
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status != THROTTLED and status < SERVER_ERROR:
            raise
        return None


def _find_failure(body: object, probe: Probe, *, erred: bool) -> str:
    if erred:
        kind = str(body.get("errorType", "")) if isinstance(body, dict) else ""
        message = body.get("errorMessage", body) if isinstance(body, dict) else body
        if probe.strict or kind.startswith(START_ERRORS) or _is_of_init(body):
            return f"{kind}: {message}"
        return ""
    status = body.get("statusCode") if isinstance(body, dict) else None
    if probe.strict and isinstance(status, int) and status >= SERVER_ERROR:
        return f"it answered with status {status}"
    return ""


def _is_of_init(body: object) -> bool:
    """Whether an error left the module and not its handler: the Python runtime knows no request then."""
    return isinstance(body, dict) and body.get("requestId") == ""
