"""How a function in Node is built: by what method, of which packages, with which arguments for esbuild.

Reads what the template and the source say; nothing is fetched and nothing is run.
"""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.domain.artifacts import Method, content_key
from tidegate.domain.bundles import ESBUILD, METHOD, SOURCE_MAPS, Asked, read_options
from tidegate.domain.errors import UnsupportedTemplate
from tidegate.domain.locks import Lock
from tidegate.domain.modules import is_source
from tidegate.domain.sources import tree_hash
from tidegate.domain.templates.sam_globals import function_properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.module_locks import ModuleRequest
    from tidegate.adapters.projects import Part, Project
    from tidegate.domain.sources import SourceFile
    from tidegate.domain.templates.functions import FunctionSource

NODE: Final = "nodejs"
NODE_METHODS: Final = frozenset({Method.NPM, Method.ESBUILD})
SHOWN: Final = 5


class NodePlan(NamedTuple):
    """What an artifact is made of; `options` are esbuild's arguments, `notes` what the plan tells."""

    artifact: str
    request: ModuleRequest | None
    options: tuple[str, ...]
    notes: tuple[str, ...]


def choose_node_method(part: Part, source: FunctionSource) -> Method:
    """UnsupportedTemplate where the template names another way to build."""
    if source.build_method == METHOD:
        return Method.ESBUILD
    if source.build_method is None or str(source.build_method).startswith(NODE):
        return Method.NPM
    message = f"{source.logical_id} has BuildMethod {source.build_method}, which Tidegate does not build"
    raise UnsupportedTemplate(message, file=part.template.file, line=source.line)


def plan_node(
    project: Project, part: Part, source: FunctionSource, code: str, method: Method, architecture: str
) -> NodePlan:
    """How a function is built; BuildFailed or InvalidTemplate where that cannot be."""
    request, note = project.modules.find(project.folders(part, code))
    lock = project.modules.lock(request, architecture) if request else Lock()
    files = [file for file in project.checkout.within(code) if _is_source(file, code, request)]
    options: tuple[str, ...] = ()
    notes, inputs = [note, _tell_scripts(lock)], list(lock.hashes)
    if method is Method.ESBUILD:
        asked = _ask(part, source)
        options = read_options(asked, {posixpath.relpath(file.path, code) for file in files})
        inputs.append(json.dumps([METHOD, ESBUILD, *options]))
        notes += _tell_bundling(project, request, options, asked.node_options)
    runtime = source.runtime or ""
    key = content_key(method, runtime, architecture, inputs, tree_hash(files, code))
    return NodePlan(key, request, options, tuple(text for text in notes if text))


def _is_source(file: SourceFile, code: str, request: ModuleRequest | None) -> bool:
    return is_source(posixpath.relpath(file.path, code), locked=request is not None)


def _ask(part: Part, source: FunctionSource) -> Asked:
    metadata: Any = part.template.resources[source.logical_id].get("Metadata") or {}
    variables: Any = (function_properties(part.template, source.logical_id).get("Environment") or {}).get(
        "Variables"
    )
    options = variables.get("NODE_OPTIONS") if isinstance(variables, dict) else None
    return Asked(
        logical_id=source.logical_id,
        properties=metadata.get("BuildProperties") or {},
        handler=source.handler or "",
        node_options=options if isinstance(options, str) else "",
    )


def _tell_bundling(
    project: Project, request: ModuleRequest | None, options: tuple[str, ...], node_options: str
) -> Iterator[str]:
    """What differs from the service's own esbuild, and from what `sam build` adds to the template."""
    locked = project.modules.version_of(request, METHOD) if request else ""
    if locked not in {"", ESBUILD}:
        yield f"bundled by esbuild {ESBUILD}, and not by the lock's {locked}"
    mapped = any(option.startswith("--sourcemap") for option in options)
    if mapped and SOURCE_MAPS not in node_options.split():
        yield f"its source map is not read unless NODE_OPTIONS has {SOURCE_MAPS}"


def _tell_scripts(lock: Lock) -> str:
    """Which packages npm would run something of to install them."""
    names = [module.title for module in lock.modules if module.has_script and module.sha512]
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    optional = any(module.has_script and module.is_optional for module in lock.modules)
    left = "; an optional package that makes native code by one is left out" if optional else ""
    return f"the install scripts of {', '.join(names[:SHOWN])}{more} are not run{left}"
