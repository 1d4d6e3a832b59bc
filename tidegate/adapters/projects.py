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
from tidegate.adapters.samconfig import read_samconfig
from tidegate.adapters.templates import parse
from tidegate.domain.artifacts import REQUIREMENTS, collect_requirements, platform, python_version
from tidegate.domain.config import ServiceConfig
from tidegate.domain.errors import InvalidConfiguration, InvalidSource, InvalidTemplate
from tidegate.domain.locks import LockRequest
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

if TYPE_CHECKING:
    from tidegate.adapters.checkouts import Checkout
    from tidegate.domain.templates.template import Template

SHOWN: Final = 6


class Override(NamedTuple):
    """What is built for whatever the template says; None where the template decides."""

    runtime: str | None = None
    architecture: str | None = None


class Project(NamedTuple):
    """A checkout with its configuration and template read."""

    checkout: Checkout
    config: ServiceConfig
    template: Template
    deployments: dict[str, Deployment]
    override: Override

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters that builds read: those of samconfig's default environment."""
        return self.deployments.get("default", Deployment()).parameters

    def place(self, path: str, line: int) -> str:
        """A path that the template names, relative to the source's root."""
        return place(self.checkout, self.template.file, path, line)

    @property
    def template_text(self) -> str:
        """The template as it is parsed later: its own text, or, where it includes files, one with these."""
        text = self.checkout.read_text(self.template.file)
        return text if self.template == parse(text, self.template.file) else write_template(self.template)

    def requirements(self, folder: str) -> dict[str, str]:
        """The texts of a code folder's requirements, and of what they include, by path; its own first."""
        checkout = self.checkout
        path = posixpath.normpath(posixpath.join(folder, REQUIREMENTS))
        if path not in checkout.files:
            return {}
        return collect_requirements(
            path, lambda name: checkout.read_text(name) if name in checkout.files else None
        )

    def lock_request(self, folder: str, runtime: str, architecture: str) -> LockRequest | None:
        """What the lock of a code folder is made from; None where it has no requirements."""
        texts = self.requirements(folder)
        if not texts:
            return None
        return LockRequest(texts, python_version(runtime), platform(runtime, architecture))


def open_project(checkout: Checkout, override: Override) -> Project:
    """Read a project that is to be released; UnsupportedTemplate where it asks for what is not."""
    project = read_project(checkout, override)
    manifest = _find_manifest(checkout, project.template.file)
    refuse_unsupported(project.template, project.parameters, asset_manifest=manifest is not None)
    return project


def read_project(checkout: Checkout, override: Override) -> Project:
    """Read configuration, template and samconfig; each error names its file, and its line if it has one."""
    config = ServiceConfig()
    is_folder = checkout.within(CONFIG_FILE) and CONFIG_FILE not in checkout.files
    if is_folder or checkout.links_within(CONFIG_FILE):
        raise InvalidConfiguration("must be a file, no folder and no link", file=CONFIG_FILE)
    if CONFIG_FILE in checkout.files:
        config = read_config(checkout.read_text(CONFIG_FILE), CONFIG_FILE)
    path = find_template(checkout, config)
    template = include_files(parse(checkout.read_text(path), path), checkout, partial(place, checkout, path))
    if manifest := _find_manifest(checkout, path):
        template = resolve_assets(template, read_manifest(checkout.read_text(manifest), manifest))
    folder = posixpath.dirname(path)
    places = [posixpath.join(place, name) for place in dict.fromkeys((folder, "")) for name in SAMCONFIGS]
    samconfig = next((place for place in places if place in checkout.files), None)
    deployments = read_samconfig(checkout.read_text(samconfig), samconfig) if samconfig else {}
    return Project(checkout, config, template, deployments, override)


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
