"""Imports one handler as Lambda's bootstrap would, and writes down what happened; a program of its own.

It runs as a script under `python -I -S`, so it may import the standard library alone: whatever it imported
besides would be visible to the handler, which on AWS would not have it. What it writes comes from a process
in which foreign code has run.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import FrameType, ModuleType, TracebackType

LONGEST = 300
MOST = 10
# Never of the service's own making: looked for by the runtime and by the SDK.
OTHERS = ("AWS_", "BOTO", "PYTHON", "LC_", "LANG", "HTTP", "http", "NO_PROXY", "no_proxy", "_")


class Runtime:
    """Finds what Lambda's runtime brings along in a folder that holds more than that."""

    def __init__(self, folder: str, names: frozenset[str]) -> None:
        self._folder = folder
        self._names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A module of the runtime, by its own name."""
        known = path is None and name in self._names
        return PathFinder.find_spec(name, [self._folder], target) if known else None


class Watch:
    """Which variables of the environment the code in a folder asked for, and did not find or not for sure."""

    def __init__(self, folder: str, uncertain: frozenset[str]) -> None:
        self.absent: dict[str, None] = {}
        self.assumed: dict[str, None] = {}
        self._folder = folder
        self._uncertain = uncertain

    def begin(self) -> None:
        """Watch every look into os.environ from here on."""
        kind: Any = type(os.environ)
        read = kind.__getitem__

        def look(environ: Any, key: str) -> Any:  # noqa: ANN401
            if key in self._uncertain:
                self.assumed[key] = None
            try:
                return read(environ, key)
            except KeyError:
                self._miss(key, sys._getframe(1))  # noqa: SLF001
                raise

        kind.__getitem__ = look

    def _miss(self, key: str, frame: FrameType | None) -> None:
        """A look that has a default other than None misses nothing."""
        while frame is not None and not frame.f_code.co_filename.startswith(self._folder):
            if frame.f_code.co_name == "get" and frame.f_locals.get("default") is not None:
                return
            frame = frame.f_back
        if frame is not None and isinstance(key, str) and not key.startswith(OTHERS):
            self.absent[key] = None


def probe(folder: str, handler: str) -> dict[str, Any]:
    """How the import of a handler ends: `imported`, `no attribute` or `raised`."""
    place, name = handler.rsplit(".", 1)
    try:
        module = importlib.import_module(place.replace("/", "."))
    except BaseException as error:  # noqa: BLE001 (SystemExit is an end of the import too)
        return {"kind": "raised", **_describe(error, folder)}
    return {"kind": "imported" if hasattr(module, name) else "no attribute"}


def _describe(error: BaseException, folder: str) -> dict[str, Any]:
    file, line = _locate(error, folder)
    missing = error.name if isinstance(error, ModuleNotFoundError) and isinstance(error.name, str) else ""
    opened = str(error.filename or "") if isinstance(error, OSError) else ""
    return {
        "errors": [_name(one) for one in _chain(error)][:MOST],
        "bases": [kind.__name__ for kind in type(error).__mro__][:MOST],
        "message": _text(error)[:LONGEST],
        "file": file,
        "line": line,
        "module": missing[:LONGEST],
        "outside": opened.startswith("/") and not opened.startswith(folder),
    }


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as other:  # noqa: BLE001 (foreign code answers)
        return f"its message raises {type(other).__name__}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def _name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _locate(error: BaseException, folder: str) -> tuple[str, int]:
    """The innermost line in the folder; of a SyntaxError the line that is wrong."""
    if isinstance(error, SyntaxError) and str(error.filename).startswith(folder):
        return _relative(str(error.filename), folder), error.lineno or 0
    found, trace = ("", 0), error.__traceback__
    for file, line in _lines(trace):
        if file.startswith(folder):
            found = (_relative(file, folder), line)
    return found


def _lines(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def _relative(file: str, folder: str) -> str:
    return file[len(folder) :].lstrip("/")


def _load(path: Path) -> Any:  # noqa: ANN401
    spec = importlib.util.spec_from_file_location("_tidegate_network", path)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def limit(memory: int) -> None:
    """Bound the bytes that the process may take, and let it leave no core dump."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Probe what the first argument asks for (JSON), and write the answer to the file that it names."""
    asked = json.loads(sys.argv[1])
    del sys.argv[1:]
    folder, result = asked["folder"], Path(asked["result"])
    guard = _load(Path(__file__).with_name("network_guard.py"))
    limit(asked["memory"])
    guard.refuse()
    watch = Watch(folder, frozenset(asked["uncertain"]))
    watch.begin()
    sys.path[0:1] = [folder]
    sys.meta_path.append(Runtime(asked["runtime"], frozenset(asked["provided"])))
    found = probe(folder, asked["handler"])
    found |= {"absent": [*watch.absent][:MOST], "assumed": [*watch.assumed][:MOST]}
    found["refused"] = guard.refused[:MOST]
    result.write_text(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # threads that the import has left would keep the process


if __name__ == "__main__":
    main()
