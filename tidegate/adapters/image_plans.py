"""What the image of a function is made of: its Dockerfile and context read, its base looked up by digest.

Nothing is built here. What the builder needs later is in the snapshot; what can change the image's bytes is
counted into its content key.
"""

from __future__ import annotations

import posixpath
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from tidegate.domain.artifacts import platform, python_version
from tidegate.domain.errors import BuildFailed, InvalidSource, InvalidTemplate, UnsupportedTemplate
from tidegate.domain.images.contexts import place_copies
from tidegate.domain.images.dockerfiles import read_dockerfile
from tidegate.domain.images.ignores import is_ignored, read_patterns
from tidegate.domain.images.installs import check_settings
from tidegate.domain.images.keys import content_tree, image_key
from tidegate.domain.images.recipes import Build, find_base, interpret
from tidegate.domain.images.references import find_python, packages_folder
from tidegate.domain.images.starts import find_handler
from tidegate.domain.locks import Target
from tidegate.domain.snapshots import ImageSnapshot
from tidegate.domain.sources import resolve
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tidegate.adapters.bases import Base, Bases
    from tidegate.adapters.projects import Part, Project
    from tidegate.domain.images.recipes import Recipe
    from tidegate.domain.locks import Lock, LockRequest
    from tidegate.domain.sources import SourceFile
    from tidegate.domain.templates.functions import FunctionSource
    from tidegate.domain.templates.images import ImageSource

IGNORE: Final = ".dockerignore"


class PlannedImage(NamedTuple):
    """How a function's image is made, for what, and from which requirements."""

    snapshot: ImageSnapshot
    context: str
    runtime: str
    declared_runtime: str
    architecture: str
    handler: str
    request: LockRequest | None = None

    def key(self, lock: Lock) -> str:
        """Its content key, with the wheels that go in; BuildFailed where the lock has more than wheels."""
        image = self.snapshot
        if lock.needs_build and self.request:
            names = list_names([one.requirement for one in lock.sources]) or "what it requires"
            message = f"an image is made of wheels alone, and {names} would have to be built"
            raise BuildFailed(message, file=self.request.main)
        return image_key(image.digest, self.architecture, image.recipe, lock.hashes, image.tree)


def plan_image(project: Project, part: Part, source: FunctionSource, bases: Bases) -> PlannedImage:
    """Read what a function's image is made of; each error names its file and line."""
    image = source.image
    if image is None:
        raise TypeError(f"{source.logical_id} is no image")
    architecture = project.override.architecture or source.architecture
    if image.dockerfile:
        return _Planner(project, part, source, image, architecture).plan(bases)
    return _take(part, source, image, architecture, bases)


def _take(
    part: Part, source: FunctionSource, image: ImageSource, architecture: str, bases: Bases
) -> PlannedImage:
    """An image that stands already; what runs in it may be anything."""
    base = bases.find(image.uri, architecture, part.template.file, source.line)
    try:
        runtime = find_python(base.runtime, image.uri, part.template.file, source.line)
    except UnsupportedTemplate:
        runtime = ""  # it runs what it runs; nothing of it is installed or imported here
    snapshot = ImageSnapshot(base=image.uri, repository=base.repository, digest=base.manifest.digest)
    handler = find_handler(base.runtime, None, image.entrypoint, image.command)
    return PlannedImage(snapshot, ".", runtime, runtime, architecture, handler)


class _Planner:
    """Reads one Dockerfile over its context."""

    def __init__(
        self, project: Project, part: Part, source: FunctionSource, image: ImageSource, architecture: str
    ) -> None:
        self._project = project
        self._checkout = project.checkout
        self._image = image
        self._architecture = architecture
        self._template = part.template.file
        self._line = source.line
        self._context = self._find(posixpath.dirname(self._template) or ".", image.context)
        self._file = self._find(self._context, image.dockerfile)
        if self._file not in self._checkout.files:
            self._refuse(f"the Dockerfile {self._file} does not exist")

    def _find(self, base: str, path: str) -> str:
        found = resolve(base, path)
        if found is None:
            self._refuse(f"{path} is not in the source")
        return found

    def _refuse(self, message: str) -> NoReturn:
        raise InvalidTemplate(message, file=self._template, line=self._line)

    def plan(self, bases: Bases) -> PlannedImage:
        build = self._read()
        name = find_base(build)
        line = next(one.line for one in build.instructions if one.keyword == "FROM")
        base = bases.find(name, self._architecture, self._file, line)
        python = find_python(base.runtime, name, self._file, line)
        ignore_file = self._find_ignore()
        ignore = self._checkout.read_text(ignore_file) if ignore_file else ""
        recipe = interpret(build, base.runtime)
        paths = self._list(ignore, ignore_file)
        placed = place_copies(recipe.copies, paths, self._file)
        self._check_links(placed)
        recipe = _settle(recipe, base, python)
        runtime = self._project.override.runtime or python
        snapshot = ImageSnapshot(
            base=name,
            repository=base.repository,
            digest=base.manifest.digest,
            recipe=recipe,
            ignore=ignore,
            ignore_file=ignore_file,
            tree=content_tree(placed, self._files),
        )
        return PlannedImage(
            snapshot,
            self._context,
            runtime,
            python,
            self._architecture,
            find_handler(base.runtime, recipe, self._image.entrypoint, self._image.command),
            self._request(recipe, paths, runtime),
        )

    def _read(self) -> Build:
        text = self._checkout.read_text(self._file)
        image = self._image
        instructions = read_dockerfile(text, self._file)
        return Build(self._file, instructions, image.arguments, self._architecture, image.target)

    @cached_property
    def _files(self) -> Mapping[str, SourceFile]:
        """The context's files by their paths in it."""
        return {
            posixpath.relpath(file.path, self._context): file for file in self._checkout.within(self._context)
        }

    def _find_ignore(self) -> str:
        places = (f"{self._file}{IGNORE}", posixpath.normpath(posixpath.join(self._context, IGNORE)))
        return next((place for place in places if place in self._checkout.files), "")

    def _list(self, ignore: str, ignore_file: str) -> list[str]:
        """The paths of the context that nothing leaves out, links among them."""
        patterns = read_patterns(ignore, ignore_file)
        links = (
            posixpath.relpath(path, self._context) for path in self._checkout.links_within(self._context)
        )
        return [path for path in (*self._files, *links) if not is_ignored(path, patterns)]

    def _check_links(self, placed: Mapping[str, str]) -> None:
        for source in placed.values():
            path = posixpath.normpath(posixpath.join(self._context, source))
            if path in self._checkout.links:
                raise InvalidSource(f"{path} is a link; code that is deployed may hold none")

    def _request(self, recipe: Recipe, paths: Sequence[str], runtime: str) -> LockRequest | None:
        """What the lock is made from: the file of requirements, as it was copied before the RUN."""
        install = recipe.install
        if install is None:
            return None
        before = [copy for copy in recipe.copies if copy.line < install.line]
        placed = place_copies(before, paths, self._file)
        check_settings((), placed, self._file, install.line)
        source = placed.get(install.requirements)
        if source is None:
            message = f"/{install.requirements} is installed, but no COPY puts it there before"
            raise UnsupportedTemplate(message, file=self._file, line=install.line)
        path = posixpath.normpath(posixpath.join(self._context, source))
        target = Target(python_version(runtime), platform(runtime, self._architecture))
        return self._project.requirements.read_file(path, target)


def _settle(recipe: Recipe, base: Base, python: str) -> Recipe:
    """The recipe with the folder that the interpreter of the base looks for packages in."""
    install = recipe.install
    if install is None or install.folder:
        return recipe
    folder = packages_folder(base.runtime, python)
    if not folder:
        message = "where this image's pip installs to is not known; name the folder, by --target"
        raise UnsupportedTemplate(message, file=recipe.file, line=install.line)
    return recipe.model_copy(update={"install": install.model_copy(update={"folder": folder})})
