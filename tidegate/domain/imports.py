"""Whether a function's handler can be imported from its finished artifact: what is asked, and what it means.

An import that fails because the sandbox is not the function's own account (no network, no credentials, values
that only the deployment knows) says nothing about the release: it is a warning. What would fail in every
account stops it. Answers come from an environment in which foreign code has run.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from tidegate.domain.artifacts import NATIVE, Method
from tidegate.domain.errors import ImportFailed
from tidegate.domain.identity import Frozen
from tidegate.domain.wording import list_names, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate.domain.snapshots import FunctionSnapshot

SHOWN: Final = 5
# What fails for these reasons fails wherever the code runs; the second kind not if it is about None.
DEFINITE: Final = frozenset({"ImportError", "SyntaxError", "NameError"})
LIKELY: Final = frozenset({"AttributeError", "TypeError"})
# No credentials, no region, no profile: botocore's names, and those of errors that it wraps.
AWS_ERRORS: Final = frozenset(
    {
        "ClientError",
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "CredentialRetrievalError",
        "EndpointConnectionError",
        "HTTPClientError",
        "NoAuthTokenError",
        "NoCredentialsError",
        "NoRegionError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "ProxyConnectionError",
        "ReadTimeoutError",
        "SSLError",
        "TokenRetrievalError",
    }
)
# Given for a variable whose value only the deployment knows.
PLACEHOLDER: Final = "tidegate-placeholder"
KILLED: Final = -9


class ImportCheck(Frozen):
    """One handler in one artifact with one environment; `functions` share it.

    `uncertain` variables have a placeholder or a default; `is_open`: the template does not even name all.
    """

    key: str
    artifact: str
    handler: str
    architecture: str
    environment: dict[str, str]
    uncertain: tuple[str, ...]
    is_open: bool
    has_layers: bool
    functions: tuple[str, ...]


class ImportTarget(Frozen):
    """An artifact by its presigned URL, and what is imported from it."""

    url: str
    checks: tuple[ImportCheck, ...]


class ImportRequest(Frozen):
    """What the sandbox is asked; it is another request than one for tests by this key."""

    artifacts: tuple[ImportTarget, ...]


class ImportOutcome(Frozen):
    """How an import ended. errors: the names of the error and of what led to it; bases: its own classes.

    absent: variables that the code asked for in vain; assumed: those that it read a placeholder or default
    of; refused: hosts that it called. outside: about a file that is not in the artifact. code: of a process
    that ended without an answer.
    """

    kind: Literal["imported", "no attribute", "raised", "ended", "timed out", "unchecked"]
    errors: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    message: str = ""
    file: str = ""
    line: int = 0
    module: str = ""
    outside: bool = False
    absent: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    code: int = 0


class ImportAnswer(Frozen):
    """What the sandbox found, by the keys of the checks; what it had no time for is not among it."""

    outcomes: dict[str, ImportOutcome]


class ImportVerdict(Frozen):
    """What an outcome means for the release: warned and unchecked let it go on, and are told in the plan."""

    status: Literal["imported", "warned", "unchecked", "failed"]
    text: str = ""


class ImportReport(Frozen):
    """The verdicts of a release by their checks: imports.json among its documents.

    known: how many of them are from earlier releases.
    """

    verdicts: dict[str, ImportVerdict] = Field(default_factory=dict)
    known: int = 0

    def texts(self, status: str) -> tuple[str, ...]:
        """What is said of the verdicts of one kind, each sentence once."""
        found = (verdict.text for verdict in self.verdicts.values() if verdict.status == status)
        return tuple(dict.fromkeys(found))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the plan says."""
        return (*self.texts("warned"), *self.texts("unchecked"))

    @property
    def summary(self) -> str:
        """The report in one line."""
        statuses = [verdict.status for verdict in self.verdicts.values()]
        names = {"imported": "imported", "warned": "uncertain", "unchecked": "unchecked", "failed": "failed"}
        parts = [f"{statuses.count(key):,} {name}" for key, name in names.items() if key in statuses]
        parts += [f"{self.known:,} known from before"] if self.known else []
        return f"imports of handlers: {', '.join(parts) or 'none to make'}"


class KnownImports(Frozen):
    """The checks of a service that let a release go on: releases/<service>/imports.json."""

    verdicts: dict[str, ImportVerdict] = Field(default_factory=dict)


def list_checks(functions: Iterable[FunctionSnapshot]) -> tuple[ImportCheck, ...]:
    """The distinct checks of a release's Python functions, in a fixed order."""
    found: dict[str, ImportCheck] = {}
    for function in functions:
        if not function.runtime.startswith("python") or function.method is Method.IMAGE:
            continue
        check = _check_of(function)
        other = found.get(check.key)
        names = (*other.functions, function.logical_id) if other else (function.logical_id,)
        found[check.key] = check.model_copy(update={"functions": names})
    return tuple(sorted(found.values(), key=lambda check: (check.artifact, check.key)))


def _check_of(function: FunctionSnapshot) -> ImportCheck:
    told = {
        "artifact": function.artifact,
        "handler": function.handler,
        "architecture": function.architecture,
        "environment": function.environment,
        "uncertain": function.uncertain,
        "is_open": function.is_open,
        "has_layers": function.has_layers,
    }
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return ImportCheck.model_validate({**told, "key": key, "functions": ()})


def find_misfits(
    functions: Iterable[FunctionSnapshot], runtime: str, machine: str
) -> dict[str, ImportVerdict]:
    """The functions that no sandbox here can import, one verdict for each reason."""
    misfits: dict[str, list[str]] = {}
    for function in functions:
        if function.method is Method.IMAGE:
            misfits.setdefault("packaged as a container image", []).append(function.logical_id)
        elif function.runtime != runtime:
            why = f"runs on {function.runtime}, the sandbox on {runtime} ({machine})"
            misfits.setdefault(why, []).append(function.logical_id)
    return {
        why: ImportVerdict(status="unchecked", text=f"not checked: {list_names(names)}: {why}")
        for why, names in misfits.items()
    }


def is_foreign(architecture: str, machine: str) -> bool:
    """Whether native code for an architecture cannot run on a machine."""
    return architecture not in {NATIVE, machine}


def judge(check: ImportCheck, outcome: ImportOutcome) -> ImportVerdict:
    """What an outcome means for the functions of its check."""
    names = list_names(check.functions)
    if outcome.kind == "imported":
        return ImportVerdict(status="imported")
    if outcome.kind == "unchecked":
        return ImportVerdict(status="unchecked", text=f"not checked: {names}: {outcome.message}")
    place = f" ({outcome.file}:{outcome.line} of its artifact)" if outcome.file else ""
    told = plain(f"{names}: {check.handler} {_describe(check, outcome)}{place}")
    doubt = find_doubt(check, outcome)
    if doubt:
        return ImportVerdict(status="warned", text=f"{told}; no verdict, since {doubt}")
    return ImportVerdict(status="failed", text=told)


def _describe(check: ImportCheck, outcome: ImportOutcome) -> str:
    match outcome.kind:
        case "no attribute":
            module, _, name = check.handler.rpartition(".")
            return f"cannot be imported: {module} has no {name}"
        case "timed out":
            return f"was not imported within {outcome.message}"
        case "ended":
            return f"cannot be imported: the import ends the process ({_explain_code(outcome.code)})"
        case _:
            error = outcome.errors[0] if outcome.errors else "an error"
            lines = outcome.message.strip().splitlines()
            return f"cannot be imported: {error}{': ' + lines[0] if lines else ''}"


def _explain_code(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def find_doubt(check: ImportCheck, outcome: ImportOutcome) -> str:
    """Why an import that failed in the sandbox may work in the function's account; empty where it cannot."""
    if outcome.kind == "timed out":
        return "it may wait for what the sandbox does not reach"
    if outcome.kind == "ended":
        return "it may need more memory than the sandbox gives" if outcome.code == KILLED else ""
    if outcome.kind == "no attribute":
        return ""
    if "ImportError" in outcome.bases and not outcome.refused:
        return _doubt_import(check, outcome)
    return _doubt_surroundings(check, outcome)


def _doubt_import(check: ImportCheck, outcome: ImportOutcome) -> str:
    if check.has_layers or "PYTHONPATH" in check.environment:
        return "a layer may hold it"
    return "its name is a variable's" if PLACEHOLDER in outcome.module else ""


def _doubt_surroundings(check: ImportCheck, outcome: ImportOutcome) -> str:
    kinds = {error.rpartition(".")[2] for error in outcome.errors}
    aws = sorted(AWS_ERRORS & kinds)
    if outcome.refused:
        return f"the sandbox has no network, and it called {outcome.refused[0]}"
    if aws:
        return f"the sandbox has no AWS credentials ({aws[0]})"
    if "MemoryError" in kinds:
        return "it may need more memory than the sandbox gives"
    likely = LIKELY & set(outcome.bases) and "NoneType" not in outcome.message
    return "" if likely or DEFINITE & set(outcome.bases) else _doubt_values(check, outcome)


def _doubt_values(check: ImportCheck, outcome: ImportOutcome) -> str:
    missing_file = {"FileNotFoundError", "PermissionError"} & set(outcome.bases) and outcome.outside
    doubts = {
        f"the template gives it no variable {list_names(outcome.absent)}": outcome.absent,
        f"only the deployment knows the value of {list_names(outcome.assumed)}": outcome.assumed,
        "only the deployment knows its variables": check.is_open,
        "it is about a file that is not in the artifact": missing_file,
    }
    return next((text for text, holds in doubts.items() if holds), "")


def check_report(report: ImportReport) -> str:
    """The summary of a report; ImportFailed where a handler cannot be imported."""
    failed: Sequence[str] = report.texts("failed")
    if failed:
        more = f"; and {len(failed) - SHOWN:,} more, in imports.json" if len(failed) > SHOWN else ""
        raise ImportFailed("; ".join(failed[:SHOWN]) + more)
    return report.summary
