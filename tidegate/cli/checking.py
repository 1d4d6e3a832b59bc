"""What `tidegate check` finds out, with no AWS: the same code that a release runs, over the same files.

Problems are those that would end the release; notices are what its plan would say. Artifacts are not built
and tests are not run, so a dependency that does not resolve is found by the release alone.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from functions.plan_release.templates import build_templates, read_sources, want
from tidegate.adapters.checkouts import check_out
from tidegate.adapters.documents import Documents
from tidegate.adapters.projects import Override, open_project
from tidegate.adapters.snapshots import take_snapshot
from tidegate.cli.assumed_bases import AssumedBases
from tidegate.cli.bundling import make_bundle, resolve_commit
from tidegate.cli.repositories import name_service
from tidegate.cli.working_trees import WorkingTree
from tidegate.domain.artifacts import Method
from tidegate.domain.build_names import IMAGES
from tidegate.domain.config import OnMissingTests
from tidegate.domain.errors import TidegateError
from tidegate.domain.handlers import find_fault, find_node_fault
from tidegate.domain.identity import Commit, Frozen
from tidegate.domain.nesting import qualify
from tidegate.domain.preflight import Severity, inspect_template
from tidegate.domain.sources import CONFIG_FILE
from tidegate.domain.templates.features import read_features
from tidegate.settings import StageTarget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.checkouts import Checkout
    from tidegate.domain.snapshots import FunctionSnapshot, Snapshot

PLACE: Final = {"account": "123456789012", "region": "us-east-1"}  # any: nothing is asked there
UNCOMMITTED: Final = "0" * 40
STAGE: Final = "production"
# A zip is not looked into, a bundle's entry points are checked when it is planned, an image when it is built,
# and what CodeBuild makes is seen in the finished artifact alone.
UNCHECKED: Final = frozenset({Method.ARCHIVE, Method.ESBUILD, Method.IMAGE, Method.MAKEFILE, Method.SAM})


class Found(Frozen):
    """A function as it would be built."""

    logical_id: str
    code: str
    handler: str
    runtime: str
    architecture: str


class Notice(Frozen):
    """What the plan would say about a stage."""

    stage: str
    logical_id: str
    kind: str
    text: str


class Findings(Frozen):
    """Everything that was found; the service can be released where there are no problems."""

    service: str
    template: str = ""
    functions: tuple[Found, ...] = ()
    tests: str | None = None
    stages: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


class NoDocuments(Documents):
    """A bucket that holds everything already: nothing is uploaded, and nothing is asked of AWS."""

    def __init__(self) -> None:
        self.bucket = "none"

    def exists(self, key: str) -> bool:  # noqa: ARG002 (as documents ask)
        """Yes."""
        return True

    def write_once(self, key: str, file: Path) -> bool:  # noqa: ARG002 (as documents ask)
        """It is there already."""
        return False

    def find_bytes(self, key: str) -> bytes:  # noqa: ARG002 (as documents ask)
        """A lock without wheels: what requirements resolve to is asked of no registry."""
        return b'lock-version = "1.0"\n'


def check_repository(repository: Path, commit: str | None = None) -> Findings:
    """Check a commit, or the folder as it stands where `commit` is None."""
    if commit is None:
        return check_source(WorkingTree(repository), repository, UNCOMMITTED)
    commit_id = resolve_commit(repository, commit)
    with TemporaryDirectory(prefix="tidegate-") as name:
        bundle = Path(name) / "commit.bundle"
        bundle.write_bytes(make_bundle(repository, commit_id))
        with check_out(bundle, commit_id) as checkout:
            return check_source(checkout, repository, commit_id)


def check_source(checkout: Checkout, repository: Path, commit_id: str) -> Findings:
    """Read the source as CheckOutSource does, then its handlers, then the template of each stage."""
    try:
        service = open_project(checkout, Override(images=IMAGES)).config.service or name_service(repository)
        commit = Commit(service=service, id=commit_id, branch="main")
        snapshot = take_snapshot(checkout, commit, NoDocuments(), Override(images=IMAGES), AssumedBases())
    except TidegateError as error:
        return Findings(service=repository.resolve().name, problems=(str(error),))
    problems = [*find_handler_faults(checkout, snapshot)]
    if snapshot.tests is None and snapshot.config.tests.missing is OnMissingTests.FAIL:
        problems.append(f"{CONFIG_FILE}: tests.missing is fail, and there are no tests")
    stages = tuple(dict.fromkeys((*snapshot.config.stages, *snapshot.config.smoke))) or (STAGE,)
    notices: list[Notice] = []
    for stage in stages:
        try:
            found = check_stage(snapshot, stage)
            notices += found
            problems += [f"{stage}: {one.text}" for one in found if one.kind == Severity.REFUSE]
        except TidegateError as error:
            problems.append(f"{stage}: {error}")
    return Findings(
        service=service,
        template=snapshot.template,
        functions=tuple(_describe(function) for function in snapshot.functions),
        tests=snapshot.tests.command if snapshot.tests else None,
        stages=stages,
        notices=tuple(notices),
        notes=snapshot.notes,
        problems=tuple(dict.fromkeys(problems)),
    )


def find_handler_faults(checkout: Checkout, snapshot: Snapshot) -> Iterator[str]:
    """What the builder would refuse of handlers; one that a requirement may bring is left to it."""
    for function in snapshot.functions:
        if function.method in UNCHECKED or not function.runtime.startswith(("python", "nodejs")):
            continue
        folder = "" if function.code_uri == "." else f"{function.code_uri}/"
        files = [file.path.removeprefix(folder) for file in checkout.within(function.code_uri)]
        if function.runtime.startswith("nodejs"):
            fault = find_node_fault(function.handler, files)
        else:
            fault = find_fault(function.handler, files, partial(_read, checkout, folder))
        if fault and not function.has_layers and not (function.lock and "has no module" in fault[0]):
            place = f"{snapshot.file_of(function)}:{function.line}"
            yield f"{place}: {function.logical_id} in {function.code_uri}: {fault[0]}"


def _read(checkout: Checkout, folder: str, path: str) -> bytes:
    return checkout.read(folder + path)


def check_stage(snapshot: Snapshot, stage: str) -> list[Notice]:
    """What the plan would say of a stage's normalized template, as for a stack that does not exist yet.

    The preflight's findings are among them, as far as the template alone tells them.
    """
    target = StageTarget(name=stage, **PLACE)
    wanted = want(snapshot, target, snapshot.config.stage(stage, production=False))
    given = read_sources(snapshot, target, wanted.parameters).given
    templates = build_templates(snapshot, target, wanted.parameters, {})
    found: list[Notice] = []
    for path, normalized in templates.items():
        features = read_features(normalized.template, normalized.functions, given[path])
        findings = [one for function in features.values() for one in inspect_template(function)]
        told = [(one.logical_id, one.kind.value, one.text) for one in normalized.notices]
        told += [(one.logical_id, one.severity.value, one.text) for one in findings]
        found += [
            Notice(stage=stage, logical_id=qualify(path, key), kind=kind, text=text)
            for key, kind, text in told
        ]
    return found


def _describe(function: FunctionSnapshot) -> Found:
    return Found(
        logical_id=function.logical_id,
        code=function.code_uri,
        handler=function.handler,
        runtime=function.runtime,
        architecture=function.architecture,
    )
