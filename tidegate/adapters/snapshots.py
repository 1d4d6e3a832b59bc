"""Takes the snapshot of a commit: what later tasks read instead of its source.

Reads the service's configuration and template out of the checkout, refuses a source that holds secrets
before anything of it is stored, locks the functions' requirements, finds what has to be built by its content
key, and stores the other files that the template refers to. Every key comes from content, and a lock is
written once, so that a second run of the task finds what the first did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.adapters.declarations import check_advisories, check_smoke, check_waves
from tidegate.adapters.errand_plans import note_errands, read_metadata, tell_build
from tidegate.adapters.image_plans import plan_image
from tidegate.adapters.leaks import search_source
from tidegate.adapters.locks import find_locks
from tidegate.adapters.module_locks import keep_locks
from tidegate.adapters.node_plans import NODE, NODE_METHODS, choose_node_method, plan_node
from tidegate.adapters.packages import store_packages
from tidegate.adapters.projects import Override, Part, Project, open_project
from tidegate.adapters.requirements import tell_choice
from tidegate.adapters.threads import side_by_side
from tidegate.domain.artifacts import (
    Method,
    content_key,
    python_version,
    record_key,
)
from tidegate.domain.build_names import name_image
from tidegate.domain.errands import ERRANDS, choose_image, errand_key
from tidegate.domain.errors import InvalidConfiguration, InvalidTemplate
from tidegate.domain.imports import PLACEHOLDER
from tidegate.domain.leaks import check_search
from tidegate.domain.locks import Lock
from tidegate.domain.nesting import qualify
from tidegate.domain.snapshots import ChildTemplate, FunctionSnapshot, Snapshot, TestsSnapshot
from tidegate.domain.sources import (
    CONFIG_FILE,
    find_other_tests,
    find_test_command,
    find_test_requirements,
    resolve,
    tree_hash,
)
from tidegate.domain.templates.functions import ASSET_PATH, FunctionSource, read_functions
from tidegate.domain.templates.refusals import find_errand
from tidegate.domain.templates.sam_globals import function_properties
from tidegate.domain.templates.variables import read_variables
from tidegate.domain.testing import NO_TESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tidegate.adapters.bases import Bases
    from tidegate.adapters.checkouts import Checkout
    from tidegate.adapters.documents import Documents
    from tidegate.adapters.image_plans import PlannedImage
    from tidegate.adapters.node_plans import NodePlan
    from tidegate.domain.config import ServiceConfig
    from tidegate.domain.identity import Commit
    from tidegate.domain.locks import LockRequest

SHOWN: Final = 5


def take_snapshot(
    checkout: Checkout, commit: Commit, documents: Documents, override: Override, bases: Bases
) -> Snapshot:
    """Read a checkout into a snapshot; stores the packages, and looks up which artifacts exist."""
    project = open_project(checkout, override)
    _check_service(project.config, commit)
    told = check_search(search_source(checkout), project.config.secrets)
    sources = [
        (part, source) for part in project.parts for source in read_functions(part.template, part.parameters)
    ]
    names = [qualify(part.path, source.logical_id) for part, source in sources]
    check_smoke(checkout, project.config, names)
    check_waves(checkout, project.config, names)
    check_advisories(checkout, project.config)
    builds = [_plan(project, part, source, bases) for part, source in sources if source.is_built]
    requests = (build.request for build in builds if build.request)
    locks = find_locks(documents, requests, sources=bool(override.images))
    keep_locks(documents, (build.node.request for build in builds if build.node and build.node.request))
    functions = tuple(_describe(project, build, locks, commit.service) for build in builds)
    tests = find_tests(project, functions)
    return Snapshot(
        commit=commit,
        template=project.template.file,
        template_text=project.text_of(project.parts[0]),
        children=tuple(
            ChildTemplate(path=part.path, file=part.template.file, text=project.text_of(part))
            for part in project.parts[1:]
        ),
        config=project.config,
        deployments=project.deployments,
        functions=functions,
        packages=store_packages(project, documents),
        to_build=find_missing(documents, {function.artifact for function in functions}),
        has_tests=tests is not None,
        tests=tests,
        notes=(
            *_notes(project, functions, has_tests=tests is not None),
            *_note_requirements(project, builds),
            *told,
        ),
    )


def find_missing(documents: Documents, keys: set[str]) -> tuple[str, ...]:
    """Those artifacts that have no record yet, sorted."""
    ordered = sorted(keys)
    exist = side_by_side(lambda key: documents.exists(record_key(key)), ordered)
    return tuple(key for key, exists in zip(ordered, exist, strict=True) if not exists)


def find_tests(project: Project, functions: tuple[FunctionSnapshot, ...]) -> TestsSnapshot | None:
    """How the service's tests are run; None where there are none."""
    config, files = project.config.tests, project.checkout.files
    for path in config.requirements or ():
        if path not in files:
            raise InvalidConfiguration(f"tests.requirements: {path} does not exist", file=CONFIG_FILE)
    command = config.command or find_test_command(files)
    if command is None:
        return None
    default = find_test_requirements(files, (one for found in functions for one in found.requirements))
    requirements = default if config.requirements is None else config.requirements
    report = resolve(".", config.report or ".")
    if report is None:
        raise InvalidConfiguration(f"tests.report: {config.report} is not in the source", file=CONFIG_FILE)
    return TestsSnapshot(
        command=command,
        requirements=requirements,
        timeout=config.timeout,
        report=report if config.report else "",
    )


class _Build(NamedTuple):
    """How a function is built; `request` is what its lock is made from, None where nothing is required.

    `node` is there for a function in Node alone, which has its lock already, `image` for an image alone.
    """

    part: Part
    source: FunctionSource
    code: str
    method: Method
    runtime: str
    architecture: str
    request: LockRequest | None
    node: NodePlan | None = None
    image: PlannedImage | None = None


def _plan(project: Project, part: Part, source: FunctionSource, bases: Bases) -> _Build:
    if source.image:
        image = plan_image(project, part, source, bases)
        place = (image.context, Method.IMAGE, image.runtime, image.architecture)
        return _Build(part, source, *place, image.request, image=image)
    code = project.place(part, source.code_uri or ".", source.line)
    if not source.handler:
        message = f"{source.logical_id} has no Handler"
        raise InvalidTemplate(message, file=part.template.file, line=source.line)
    method, runtime, architecture = (
        _choose_method(project, part, source, code),
        source.runtime or "",
        source.architecture,
    )
    request = node = None
    if method in NODE_METHODS:
        architecture = project.override.architecture or architecture
        node = plan_node(project, part, source, code, method, architecture)
    if method in ERRANDS:
        runtime = (project.override.runtime or runtime) if runtime.startswith("python") else runtime
        architecture = project.override.architecture or architecture
    if method is Method.PYTHON:
        python_version(runtime)
        runtime = project.override.runtime or runtime
        architecture = project.override.architecture or architecture
        request = project.lock_request(project.folders(part, code), runtime, architecture)
    return _Build(part, source, code, method, runtime, architecture, request, node)


def _describe(project: Project, build: _Build, locks: Mapping[str, Lock], service: str) -> FunctionSnapshot:
    part, source, code, method, runtime, architecture, request, node, packed = build
    lock = locks[request.key] if request else Lock()
    method = Method.SOURCES if lock.needs_build and not packed else method
    image = _find_image(project, build, method)
    metadata = read_metadata(part, source) if method is Method.SAM else {}
    if packed:
        artifact = packed.key(lock)
    elif node:
        artifact = node.artifact
    else:
        tree = tree_hash(project.checkout.within(code), code)
        artifact = content_key(method, runtime, architecture, lock.hashes, tree)
        if method in ERRANDS:
            told = tell_build(method, source, lock, metadata)
            artifact = errand_key(method, service, (runtime, architecture, image), told, tree)
    found = node.request if node else request
    variables = read_variables(part.template, source.logical_id, part.parameters, PLACEHOLDER)
    return FunctionSnapshot(
        logical_id=qualify(part.path, source.logical_id),
        code_uri=code,
        handler=packed.handler if packed else source.handler or "",
        runtime=runtime,
        declared_runtime=packed.declared_runtime if packed else source.runtime or "",
        architecture=architecture,
        artifact=artifact,
        method=method,
        requirements=(request.main,) if request else (),
        lock=found.key if found else "",
        member=node.request.member if node and node.request else ".",
        options=node.options if node else (),
        has_layers=bool(function_properties(part.template, source.logical_id).get("Layers")),
        environment=variables.values,
        uncertain=variables.uncertain,
        is_open=variables.is_open,
        built_in=image,
        build_metadata=metadata,
        line=source.line,
        image=packed.snapshot if packed else None,
    )


def _find_image(project: Project, build: _Build, method: Method) -> str:
    if method not in ERRANDS:
        return ""
    tools = choose_image(method, build.source.build_method, build.runtime)
    return name_image(tools, build.architecture, project.override.images)


def _choose_method(project: Project, part: Part, source: FunctionSource, code: str) -> Method:
    metadata: Mapping[str, object] = part.template.resources[source.logical_id].get("Metadata") or {}
    if code.endswith((".zip", ".jar")) and code in project.checkout.files:
        return Method.ARCHIVE
    if source.skip_build or ASSET_PATH in metadata:
        return Method.PLAIN
    if found := find_errand(part.template, source):
        return found
    return choose_node_method(part, source) if (source.runtime or "").startswith(NODE) else Method.PYTHON


def _check_service(config: ServiceConfig, commit: Commit) -> None:
    if config.service not in {None, commit.service}:
        message = f"service: the name is {config.service}, but the commit was pushed as {commit.service}"
        raise InvalidConfiguration(message, file=CONFIG_FILE)


def _notes(project: Project, functions: tuple[FunctionSnapshot, ...], *, has_tests: bool) -> list[str]:
    checkout = project.checkout
    changed = sorted({(one.declared_runtime, one.runtime, one.architecture) for one in functions})
    notes = [
        f"built for {runtime} on {architecture} instead of {declared}, by the local override"
        for declared, runtime, architecture in changed
        if declared != runtime
    ]
    notes += note_errands(functions)
    if not has_tests:
        notes.append(NO_TESTS)
    others = find_other_tests(checkout.files)
    if others and project.config.tests.command is None:
        notes.append(f"the tests in {', '.join(others)} are not run; `tests.command` may name them")
    notes += [
        f"stages.{name}.probes does nothing: `smoke` declares no event for {name}"
        for name, stage in project.config.stages.items()
        if stage.probes and not any(project.config.smoke.get(name, {}).values())
    ]
    if checkout.links:
        notes.append(f"symbolic links are left out of the source: {', '.join(sorted(checkout.links)[:5])}")
    if checkout.pointers:
        notes.append(f"Git LFS files are in the source as pointers only: {', '.join(checkout.pointers[:5])}")
    return notes


def _note_requirements(project: Project, builds: Iterable[_Build]) -> Iterator[str]:
    """Which file says what functions require, where that is not plain."""
    told: dict[str, list[str]] = {}
    for build in builds:
        part, source, code = build.part, build.source, build.code
        texts = build.node.notes if build.node else ()
        if build.method is Method.PYTHON:
            unread = project.requirements.unread(project.folders(part, code))
            texts = (tell_choice(code, build.request, unread),)
        for text in texts:
            told.setdefault(text, []).append(qualify(part.path, source.logical_id))
    for text, names in told.items():
        if text:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            yield f"{text} ({', '.join(names[:SHOWN])}{more})"
