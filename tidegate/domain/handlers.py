"""Whether a function's handler can exist in its code, judged by reading the code and never by running it."""

from __future__ import annotations

import ast
import posixpath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

NODE_KINDS: Final = (".js", ".mjs", ".cjs", "")
NODE_INDEXES: Final = ("index.js", "package.json")


def find_fault(
    handler: str, paths: Collection[str], read: Callable[[str], bytes], *, syntax: bool = True
) -> tuple[str, int] | None:
    """What is wrong with a handler, and in which line of its module; None where nothing speaks against it.

    `paths` are those of the artifact, and `read` gives one's bytes. `syntax`: whether what the Python at hand
    cannot parse is a mistake; it is none in code for a newer Python.
    """
    module, _, name = handler.rpartition(".")
    if not module or not name:
        return f"the handler {handler!r} is not written module.function", 0
    place = find_module(module, paths)
    if place is None:
        return f"the handler {handler!r} has no module {module.replace('.', '/')}.py in the code", 0
    if not place.endswith(".py"):
        return None
    try:
        names = set(_names(ast.parse(read(place)).body))
    except (SyntaxError, ValueError, RecursionError) as error:
        told = error.msg if isinstance(error, SyntaxError) else str(error)
        return (f"{place} does not parse: {told}", getattr(error, "lineno", 0) or 0) if syntax else None
    if {name, "*", "__getattr__"}.isdisjoint(names):
        return f"{place} defines no {name}, which the handler names", 1
    return None


def find_module(module: str, paths: Collection[str]) -> str | None:
    """The path of a module, as a source file, a package, or something compiled."""
    base = module.replace(".", "/")
    usual = (f"{base}.py", f"{base}/__init__.py", f"{base}.pyc", f"{base}.so")
    found = next((path for path in usual if path in paths), None)
    return found or next((path for path in paths if path.startswith(f"{base}.cpython-")), None)


def find_node_fault(handler: str, paths: Collection[str]) -> tuple[str, int] | None:
    """The same for Node, whose modules are not parsed: only whether the handler's module is there.

    Source: aws-lambda-nodejs-runtime-interface-client, "UserFunction.js": the name ends at the first dot of
    its last part; the module is that file, or one of its kinds.
    """
    folder, _, last = handler.rpartition("/")
    stem, dot, name = last.partition(".")
    if not (stem and dot and name) or ".." in handler:
        return f"the handler {handler!r} is not written module.function", 0
    module = posixpath.normpath(posixpath.join(folder, stem))
    if handler.startswith("/") or any(f"{module}{kind}" in paths for kind in NODE_KINDS):
        return None
    folders = (f"{module}/", f"node_modules/{module}/")
    if any(f"{folder}{file}" in paths for folder in folders for file in NODE_INDEXES):
        return None
    return f"the handler {handler!r} has no module {module}.js in the code", 0


def _names(body: list[ast.stmt]) -> Iterator[str]:
    """The names that a module's statements bind, those in its branches too."""
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield statement.name
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.split(".")[0] for alias in statement.names)
        else:
            yield from (
                node.id
                for node in ast.walk(statement)
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            )
            yield from _names([node for node in ast.walk(statement) if isinstance(node, _DEFINING)])


_DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
