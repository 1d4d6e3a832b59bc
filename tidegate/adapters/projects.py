"""A commit's configuration, template and samconfig, read together; where a template's paths lead.

What the CLI checks before a push and what CheckOutSource refuses come from here, so that both say the same.
"""

from __future__ import annotations

import posixpath
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.adapters.assets import read_manifest
from tidegate.adapters.configuration import read_config
from tidegate.adapters.includes import include_files, write_template
from tidegate.adapters.module_locks import ModuleRequests
from tidegate.adapters.requirements import Requirements
from tidegate.adapters.samconfig import read_samconfig
from tidegate.adapters.templates import parse
from tidegate.domain.artifacts import platform, python_version
from tidegate.domain.config import ServiceConfig
from tidegate.domain.errors import InvalidConfiguration, InvalidSource, InvalidTemplate, UnsupportedTemplate
from tidegate.domain.locks import Target
from tidegate.domain.nesting import qualify
from tidegate.domain.snapshots import Deployment
from tidegate.domain.sources import (
    CONFIG_FILE,
    SAMCONFIGS,
    TEMPLATES,
    find_templates,
    has_functions,
    may_be_template,
    resolve,
)
from tidegate.domain.templates.assets import resolve_assets
from tidegate.domain.templates.refusals import refuse_unsupported
from tidegate.domain.templates.tree import MAX_STACKS, check_place, find_children, pass_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tidegate.adapters.checkouts import Checkout
    from tidegate.domain.locks import LockRequest
    from tidegate.domain.templates.template import Template
    from tidegate.domain.templates.tree import ChildSource

SHOWN: Final = 6


class Override(NamedTuple):
    """What is built for whatever the template says; None where the template decides.

    `images` is the version of the images that CodeBuild builds in; empty where it builds nothing.
    """

    runtime: str | None = None
    architecture: str | None = None
    images: str = ""


class Part(NamedTuple):
    """A template of the service by the path of its stack: its own at "", or that of a nested stack.

    parameters: what is known of its parameters for builds.
    """

    path: str
    template: Template
    parameters: dict[str, str]


class Project(NamedTuple):
    """A checkout with its configuration and its templates read, parents before the children."""

    checkout: Checkout
    config: ServiceConfig
    parts: tuple[Part, ...]
    deployments: dict[str, Deployment]
    override: Override
    requirements: Requirements
    modules: ModuleRequests

    @property
    def template(self) -> Template:
        """The service's own template."""
        return self.parts[0].template

    def place(self, part: Part, path: str, line: int) -> str:
        """A path that a template names, relative to the source's root."""
        return place(self.checkout, part.template.file, path, line)

    def text_of(self, part: Part) -> str:
        """A template as it is parsed later: its own text, or, where it includes files, one with these."""
        template = part.template
        text = self.checkout.read_text(template.file)
        return text if template == parse(text, template.file) else write_template(template)

    def folders(self, part: Part, code: str) -> tuple[str, ...]:
        """Where the requirements of a function may stand: beside its code, then at the templates' roots."""
        roots = (posixpath.dirname(one.template.file) or "." for one in (part, self.parts[0]))
        return tuple(dict.fromkeys((code, *roots)))

    def lock_request(self, folders: Sequence[str], runtime: str, architecture: str) -> LockRequest | None:
        """What the lock of code is made from, found in the first of the folders; None where it needs none."""
        target = Target(python_version(runtime), platform(runtime, architecture))
        return self.requirements.find(folders, target)


def open_project(checkout: Checkout, override: Override) -> Project:
    """Read a project that is to be released; UnsupportedTemplate where it asks for what is not."""
    project = read_project(checkout, override)
    manifest = _find_manifest(checkout, project.template.file)
    for part in project.parts:
        refuse_unsupported(
            part.template,
            part.parameters,
            asset_manifest=manifest is not None,
            errands=bool(override.images),
        )
    return project


def read_project(checkout: Checkout, override: Override) -> Project:
    """Read configuration, templates and samconfig; each error names its file, and its line if it has one."""
    config = ServiceConfig()
    is_folder = checkout.within(CONFIG_FILE) and CONFIG_FILE not in checkout.files
    if is_folder or checkout.links_within(CONFIG_FILE):
        raise InvalidConfiguration("must be a file, no folder and no link", file=CONFIG_FILE)
    if CONFIG_FILE in checkout.files:
        config = read_config(checkout.read_text(CONFIG_FILE), CONFIG_FILE)
    path = find_template(checkout, config)
    folder = posixpath.dirname(path)
    places = [posixpath.join(place, name) for place in dict.fromkeys((folder, "")) for name in SAMCONFIGS]
    samconfig = next((place for place in places if place in checkout.files), None)
    deployments = read_samconfig(checkout.read_text(samconfig), samconfig) if samconfig else {}
    parts = _Parts(checkout, path)
    parts.open("", path, lambda _: deployments.get("default", Deployment()).parameters, ())
    found = (Requirements(checkout, sources=bool(override.images)), ModuleRequests(checkout))
    return Project(checkout, config, tuple(parts.opened), deployments, override, *found)


class _Parts:
    """Reads the tree of templates from its root on; all of a CDK app's stack have one asset manifest."""

    def __init__(self, checkout: Checkout, root: str) -> None:
        self._checkout = checkout
        file = _find_manifest(checkout, root)
        self._manifest = read_manifest(checkout.read_text(file), file) if file else None
        self.opened: list[Part] = []

    def open(
        self, path: str, file: str, know: Callable[[Template], dict[str, str]], above: tuple[str, ...]
    ) -> None:
        """Read a template and those nested in it; `know` gives its parameters, `above` its parents' files."""
        checkout = self._checkout
        template = parse(checkout.read_text(file), file)
        template = include_files(template, checkout, partial(place, checkout, file))
        if self._manifest:
            template = resolve_assets(template, self._manifest)
        parameters = know(template)
        self.opened.append(Part(path, template, parameters))
        if len(self.opened) > MAX_STACKS:
            raise UnsupportedTemplate(f"more than {MAX_STACKS} templates are nested in each other", file=file)
        for child in find_children(template):
            inner = self._place(template, child)
            check_place(template, child, inner, (*above, file))
            pass_on = partial(pass_parameters, template, parameters, child.logical_id)
            self.open(qualify(path, child.logical_id), inner, pass_on, (*above, file))

    def _place(self, template: Template, child: ChildSource) -> str:
        found = place(self._checkout, template.file, child.file, child.line)
        if found not in self._checkout.files:
            message = f"{child.logical_id} must name a template, and {child.file} is a folder"
            raise InvalidTemplate(message, file=template.file, line=child.line)
        return found


def _find_manifest(checkout: Checkout, template: str) -> str | None:
    """The asset manifest that the CDK writes beside a template."""
    name = f"{template.removesuffix('.template.json')}.assets.json"
    return name if template.endswith(".template.json") and name in checkout.files else None


def place(checkout: Checkout, template: str, path: str, line: int) -> str:
    """A path that a template names, relative to the source's root; InvalidTemplate if it is not there."""
    found = resolve(posixpath.dirname(template) or ".", path)
    if found is None:
        raise InvalidTemplate(f"{path} is not in the source", file=template, line=line)
    if found not in checkout.files and not checkout.within(found):
        alike = next((one for one in checkout.files if one.lower().startswith(found.lower())), "")
        hint = f"; there is {alike}, but case matters" if alike else ""
        raise InvalidTemplate(f"{path} does not exist{hint}", file=template, line=line)
    for link in checkout.links_within(found):
        raise InvalidSource(f"{link} is a link; code that is deployed may hold none")
    return found


def find_template(checkout: Checkout, config: ServiceConfig) -> str:
    """The template's path: the configured one, else the first usual one."""
    if config.template is not None:
        path = posixpath.normpath(config.template)
        if path not in checkout.files:
            raise InvalidConfiguration(f"template: {path} does not exist", file=CONFIG_FILE)
        return path
    found = find_templates(checkout.files) or _search_templates(checkout)
    if not found:
        usual = ", ".join(TEMPLATES)
        raise InvalidTemplate(
            f"no template; name it in {CONFIG_FILE} (`template: path`), or use one of {usual}"
        )
    if len(found) > 1 and found[0] not in TEMPLATES:
        shown = ", ".join(found[:SHOWN]) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
        raise InvalidTemplate(f"several templates: name one in {CONFIG_FILE} (`template:`): {shown}")
    return found[0]


def _search_templates(checkout: Checkout) -> tuple[str, ...]:
    """The files anywhere in the source that are templates with functions, whatever their names."""
    likely = (path for path, file in checkout.files.items() if may_be_template(path, file.size))
    return tuple(sorted(path for path in likely if has_functions(checkout.read(path))))
