"""Makes locks with uv, and keeps each under the key of what it was made from: written once, then only read.

Only wheels are resolved, so that no foreign code runs. Where two make a lock at once, the first one written
is the lock of both.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tidegate.adapters.installs import compile_lock
from tidegate.adapters.lock_files import parse_lock
from tidegate.adapters.threads import side_by_side
from tidegate.domain.locks import check_pins, is_empty

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.adapters.documents import Documents
    from tidegate.domain.locks import Lock, LockRequest, Target

LOCK_FILE: Final = "pylock.toml"


def find_locks(documents: Documents, requests: Iterable[LockRequest]) -> dict[str, Lock]:
    """The lock of each request, by its key; made where there is none yet. Many requests may be equal."""
    wanted = {request.key: request for request in requests}
    found = side_by_side(lambda request: find_lock(documents, request), wanted.values())
    return dict(zip(wanted, found, strict=True))


def find_lock(documents: Documents, request: LockRequest) -> Lock:
    """The lock of a request: the one that stands, else one that is made and stored."""
    text = documents.find_bytes(request.key)
    if text is None:
        with TemporaryDirectory(prefix="tidegate-") as name:
            file = make_lock(request, Path(name))
            if not documents.write_once(request.key, file):
                documents.download(request.key, file)
            text = file.read_bytes()
    return parse_lock(text.decode(), request.main, request.target)


def read_lock(documents: Documents, key: str, target: Target) -> Lock:
    """The lock under a key, for a target; LookupError where there is none."""
    text = documents.find_bytes(key)
    if text is None:
        message = f"s3://{documents.bucket}/{key} does not exist"
        raise LookupError(message)
    return parse_lock(text.decode(), key, target)


def make_lock(request: LockRequest, folder: Path) -> Path:
    """Resolve a request into a lock file in `folder`; BuildFailed says why there is none."""
    root, file = folder / "source", folder / LOCK_FILE
    for path, text in request.texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    if is_empty(request.texts.values()):
        file.write_text('lock-version = "1.0"\n')
    else:
        compile_lock(root / request.main, file, root=root, python=request.python, platform=request.platform)
    check_pins(parse_lock(file.read_text(), request.main, request.target), request.texts)
    return file
