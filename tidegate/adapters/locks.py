"""Makes locks with uv, and keeps each under the key of what it was made from: written once, then only read.

Only wheels are resolved, so that no foreign code runs. A lock that the service gives is taken as it says:
nothing is resolved, and only what it does not say, the addresses of poetry.lock, is looked up. Where two make
a lock at once, the first one written is the lock of both.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tidegate.adapters.installs import WheelMissing, compile_lock, export_lock
from tidegate.adapters.lock_files import find_itself, list_pins, parse_lock, write_texts
from tidegate.adapters.poetry_locks import read_poetry_lock, render_pins
from tidegate.adapters.threads import side_by_side
from tidegate.domain.artifacts import names_commit
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Kind, check_pins, is_empty
from tidegate.domain.projects import check_python, list_requirements, read_toml, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tidegate.adapters.documents import Documents
    from tidegate.domain.locks import Lock, LockRequest, Pin, Target

LOCK_FILE: Final = "pylock.toml"
LISTED: Final = "requirements.in"
# At once: each uses several processors, and what one has read of the index the next one need not.
RESOLVERS: Final = 4
NOTHING: Final = 'lock-version = "1.0"\n'


def find_locks(
    documents: Documents, requests: Iterable[LockRequest], *, sources: bool = False
) -> dict[str, Lock]:
    """The lock of each request, by its key; made where there is none yet. Many requests may be equal."""
    wanted = {request.key: request for request in requests}
    find = partial(find_lock, documents, sources=sources)
    found = side_by_side(find, wanted.values(), RESOLVERS)
    return dict(zip(wanted, found, strict=True))


def find_lock(documents: Documents, request: LockRequest, *, sources: bool = False) -> Lock:
    """The lock of a request: the one that stands, else one that is made and stored.

    Where `sources` are allowed it may name what has no wheel, or be left to whoever builds (`Lock`).
    """
    text = documents.find_bytes(request.key)
    if text is None:
        with TemporaryDirectory(prefix="tidegate-") as name:
            file = make_lock(request, Path(name), sources=sources)
            if not documents.write_once(request.key, file):
                documents.download(request.key, file)
            text = file.read_bytes()
    return parse_lock(text.decode(), request.main, request.target, sources=sources)


def read_lock(documents: Documents, key: str, target: Target) -> Lock:
    """The lock under a key, for a target; LookupError where there is none."""
    text = documents.find_bytes(key)
    if text is None:
        message = f"s3://{documents.bucket}/{key} does not exist"
        raise LookupError(message)
    return parse_lock(text.decode(), key, target, sources=True)


def make_lock(request: LockRequest, folder: Path, *, sources: bool = False) -> Path:
    """Make a request's lock file in `folder`; BuildFailed says why there is none."""
    file = folder / LOCK_FILE
    if request.kind in {Kind.PYLOCK, Kind.UV}:
        file.write_text(_take(request, folder))
        parse_lock(file.read_text(), request.main, request.target, sources=sources)
        return file
    texts = list_texts(request)
    try:
        if not any(names_commit(text) for text in texts.values()):
            _resolve(request, texts, file, folder)
            return file
    except WheelMissing as error:
        if not sources:
            raise BuildFailed(str(error)) from error
    file.write_text(write_texts(texts))
    return file


def _resolve(request: LockRequest, texts: Mapping[str, str], file: Path, folder: Path) -> None:
    """Write the lock of requirement texts; WheelMissing where one of them has no wheel."""
    if is_empty(texts.values()):
        file.write_text(NOTHING)
    else:
        source, is_whole = _write(texts, folder), request.kind is Kind.POETRY
        compile_lock(
            source / next(iter(texts)),
            file,
            root=source,
            target=request.target,
            named=request.main,
            is_whole=is_whole,
        )
    check_pins(parse_lock(file.read_text(), request.main, request.target), texts)


def list_given(request: LockRequest) -> tuple[Pin, ...]:
    """The versions that a given lock names for its target, those among them that cannot be built.

    BuildFailed where the lock cannot be read at all.
    """
    if request.kind is Kind.POETRY:
        return read_poetry_lock(request)
    with TemporaryDirectory(prefix="tidegate-") as name:
        return list_pins(_take(request, Path(name)), request.main, request.target)


def _take(request: LockRequest, folder: Path) -> str:
    """A lock that is a pylock.toml, or that uv writes as one."""
    if request.kind is Kind.PYLOCK:
        return request.texts[request.main]
    source = _write(request.texts, folder)
    # Beside the lock, since the paths in it are relative to it.
    file = source / request.folder / LOCK_FILE
    data = read_toml(request.texts[request.project], request.project)
    name = str(table(data, "project").get("name", ""))
    export_lock(source / request.folder, file, root=source, project=name)
    text = file.read_text()
    if (root := find_itself(text, request.main)) is not None:
        message = f"{root}, the workspace's root, is depended on; its code is not part of the function's"
        raise BuildFailed(message, file=request.main)
    return text


def _write(texts: Mapping[str, str], folder: Path) -> Path:
    """Write files into a folder of their own; that folder."""
    root = folder / "source"
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def list_texts(request: LockRequest) -> Mapping[str, str]:
    """The requirement texts of what is no lock that uv reads, the main one first.

    Those that are made have a name of their own: uv would take a pyproject.toml for a project.
    """
    match request.kind:
        case Kind.POETRY:
            return {LISTED: render_pins(read_poetry_lock(request))}
        case Kind.PROJECT:
            data = read_toml(request.texts[request.main], request.main)
            check_python(table(data, "project").get("requires-python"), request.python, request.main)
            return {LISTED: "\n".join(list_requirements(data, request.main))}
        case _:
            return request.texts
