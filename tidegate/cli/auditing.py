"""What `tidegate audit dependencies` does: reads a folder as a release would read its commit, and audits it.

What cannot be read is a problem of its own and ends nothing else: the rest is looked up, and the problem is
told, so that it cannot count as clean.
"""

from __future__ import annotations

import posixpath
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.adapters.advisory_records import RecordScanner, list_folder
from tidegate.adapters.audits import audit
from tidegate.adapters.bills import open_zip, read_distributions
from tidegate.adapters.installs import RegistryUnreachable
from tidegate.adapters.lock_files import parse_lock
from tidegate.adapters.locks import list_given, list_texts, make_lock
from tidegate.adapters.manifests import take_versioned
from tidegate.adapters.npm_locks import FILE, parse_npm_lock
from tidegate.adapters.osv import OsvScanner
from tidegate.adapters.projects import Override, read_project
from tidegate.cli.pins import resolve_by_line
from tidegate.cli.working_trees import WorkingTree
from tidegate.domain.audits.advisories import KINDS, Package
from tidegate.domain.audits.gates import AuditReport
from tidegate.domain.distributions import is_metadata, read_distribution
from tidegate.domain.errors import BuildFailed, TidegateError, UnsupportedTemplate
from tidegate.domain.identity import Frozen
from tidegate.domain.locks import GIVEN, Kind
from tidegate.domain.module_locks import list_wanted
from tidegate.domain.modules import read_json
from tidegate.domain.nesting import qualify
from tidegate.domain.projects import well_formed
from tidegate.domain.templates.functions import read_functions
from tidegate.domain.templates.packages import read_packages
from tidegate.domain.versions import NPM, PYPI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import date

    from tidegate.adapters.projects import Part, Project
    from tidegate.domain.audits.findings import Scanner
    from tidegate.domain.audits.policies import AuditConfig
    from tidegate.domain.locks import LockRequest

EVERY: Final = 5000  # records between two lines of progress
ZIPS: Final = (".zip", ".jar")


class Audited(Frozen):
    """The report, and what could not be read, so that not everything was looked up."""

    report: AuditReport
    problems: tuple[str, ...] = ()


def audit_repository(
    repository: Path, advisories: Path | None, day: date, say: Callable[[str], None], *, osv: bool
) -> Audited | None:
    """Audit a folder as it stands; None where there is nobody to ask."""
    project = read_project(WorkingTree(repository), Override())
    policy = project.config.audit
    scanners = list(find_scanners(repository, advisories, policy, say, osv=osv))
    if not scanners:
        return None
    collection = Collection(project, say)
    collection.collect()
    inventory = take_versioned({one: tuple(names) for one, names in collection.packages.items()})
    say(f"looking up {len(inventory.packages):,} packages")
    report = audit(inventory, scanners, policy, day)
    return Audited(report=report, problems=tuple(dict.fromkeys(collection.problems)))


def find_scanners(
    repository: Path, advisories: Path | None, policy: AuditConfig, say: Callable[[str], None], *, osv: bool
) -> Iterator[Scanner]:
    """Those that are asked for, else the records that the configuration names."""
    if advisories is None and not osv and policy.advisories is not None:
        advisories = repository / policy.advisories
    if advisories is not None:

        def tell(count: int) -> None:
            if count % EVERY == 0:
                say(f"read {count:,} records")

        yield RecordScanner(list_folder(advisories), str(advisories), tell)
    if osv:
        yield OsvScanner()


class _Code(NamedTuple):
    """Code of a function or layer; no path is an image, no runtime is what is not built."""

    part: Part
    name: str
    path: str | None
    line: int
    runtime: str = ""
    architecture: str = "x86_64"
    is_layer: bool = False


def _list_codes(project: Project) -> Iterator[_Code]:
    """The local code of all templates, and their images."""
    for part in project.parts:
        name = partial(qualify, part.path)
        for one in read_functions(part.template, part.parameters):
            if one.code_uri is not None or one.package_type == "Image":
                runtime = "" if one.skip_build else one.runtime or ""
                found = name(one.logical_id)
                yield _Code(part, found, one.code_uri, one.line, runtime, one.architecture)
        for layer in read_packages(part.template, part.parameters):
            if layer.resource_type.endswith("::LayerVersion"):
                found = name(layer.key.logical_id)
                yield _Code(part, found, layer.path, layer.line, layer.build_method or "", is_layer=True)


class Collection:
    """The packages of a project, each with the functions and layers that have it."""

    def __init__(self, project: Project, say: Callable[[str], None]) -> None:
        self._project = project
        self._say = say
        self._locked: dict[str, tuple[Package, ...]] = {}
        self.packages: dict[Package, dict[str, None]] = {}
        self.problems: list[str] = []

    def collect(self) -> None:
        """Look at every function and layer of the template."""
        for code in _list_codes(self._project):
            try:
                self._look(code)
            except TidegateError as error:
                self.problems.append(f"{code.name}: {error}")

    def _look(self, code: _Code) -> None:
        if code.path is None:
            raise UnsupportedTemplate("it is an image, which is not looked into")
        path, checkout = self._project.place(code.part, code.path, code.line), self._project.checkout
        if path in checkout.files and path.endswith(ZIPS):
            self._add(code.name, self._read_zip(path))
            return
        self._add(code.name, self._read_metadata(path))
        if code.runtime.startswith("python"):
            self._add(code.name, self._lock(code, path))
        elif code.runtime.startswith("nodejs"):
            self._add(code.name, self._lock_modules(code, path))

    def _add(self, name: str, packages: Iterable[Package]) -> None:
        for package in packages:
            self.packages.setdefault(package, {})[name] = None

    def _read_zip(self, path: str) -> list[Package]:
        with open_zip(BytesIO(self._project.checkout.read(path))) as archive:
            return [
                Package(ecosystem=KINDS[one.kind], name=one.name, version=one.version)
                for one in read_distributions(archive)
            ]

    def _read_metadata(self, folder: str) -> Iterator[Package]:
        """Distributions that lie in the source itself."""
        checkout = self._project.checkout
        for file in checkout.within(folder):
            if is_metadata(file.path):
                one = read_distribution(file.path, checkout.read(file.path))
                yield Package(ecosystem=KINDS[one.kind], name=one.name, version=one.version)

    def _lock_modules(self, code: _Code, folder: str) -> tuple[Package, ...]:
        """What would be built of a lock of npm's; where none would be, what the nearest one names."""
        folders = (folder,) if code.is_layer else self._project.folders(code.part, folder)
        try:
            request = self._project.modules.find(folders).request
            if request is None:
                return self._read_npm_lock(folder)
            modules = self._project.modules.lock(request, code.architecture).modules
        except BuildFailed as error:
            packages = self._read_npm_lock(folder)
            self.problems.append(f"{error}; what the lock names is looked up all the same")
            return packages
        found = [Package(ecosystem=NPM, name=one.name, version=one.version) for one in modules]
        return tuple(dict.fromkeys(found))

    def _read_npm_lock(self, folder: str) -> tuple[Package, ...]:
        """The nearest lock on the way up; BuildFailed where packages are named and none is locked."""
        checkout, place = self._project.checkout, folder
        while True:
            path, manifest = (
                posixpath.normpath(posixpath.join(place, name)) for name in (FILE, "package.json")
            )
            if path in checkout.files:
                return parse_npm_lock(checkout.read_text(path), path)
            if manifest in checkout.files:
                with well_formed(manifest):
                    wanted = list_wanted(read_json(checkout.read_text(manifest), manifest))
                if wanted:
                    raise BuildFailed("there is no package-lock.json beside it", file=manifest)
            if place in {"", "."}:
                return ()
            place = posixpath.dirname(place)

    def _lock(self, code: _Code, folder: str) -> tuple[Package, ...]:
        folders = (folder,) if code.is_layer else self._project.folders(code.part, folder)
        try:
            request = self._project.lock_request(folders, code.runtime, code.architecture)
        except (BuildFailed, UnsupportedTemplate) as error:
            path = posixpath.normpath(posixpath.join(folder, Kind.REQUIREMENTS))
            if path not in self._project.checkout.files:
                raise
            return self._resolve({path: self._project.checkout.read_text(path)}, None, error)
        if request is None:
            return ()
        if request.key not in self._locked:
            self._say(f"resolving {request.main} for Python {request.python}")
            self._locked[request.key] = self._make_lock(request)
        return self._locked[request.key]

    def _make_lock(self, request: LockRequest) -> tuple[Package, ...]:
        try:
            with TemporaryDirectory(prefix="tidegate-") as folder:
                text = make_lock(request, Path(folder)).read_text()
            wheels = parse_lock(text, request.main, request.target).wheels
        except BuildFailed as error:
            if request.kind in GIVEN:
                return self._take_pins(request, error)
            return self._resolve(list_texts(request), request, error)
        except RegistryUnreachable as error:
            raise BuildFailed(f"the package registry does not answer: {error}", file=request.main) from error
        return tuple(Package(ecosystem=PYPI, name=one.name, version=one.version) for one in wheels)

    def _take_pins(self, request: LockRequest, error: TidegateError) -> tuple[Package, ...]:
        """What a given lock names, besides the problem that it cannot be built."""
        pins = list_given(request)
        self.problems.append(f"{error}; what the lock names is looked up all the same")
        self.problems += [f"{one.name} has no version in {request.main}" for one in pins if not one.version]
        return tuple(
            Package(ecosystem=PYPI, name=one.name, version=one.version) for one in pins if one.version
        )

    def _resolve(
        self, texts: Mapping[str, str], request: LockRequest | None, error: TidegateError
    ) -> tuple[Package, ...]:
        """What can be told of requirements that cannot be locked, besides the problem itself."""
        self.problems.append(f"{error}; its exact pins are looked up all the same")
        packages, unknown = resolve_by_line(texts, request, self._say)
        self.problems += [f"{one} has no exact version" for one in unknown]
        return packages
