"""Fetches wheels and tarballs by their addresses, and keeps nothing that has not the bytes of the lock.

Which index answers is the installer's usual setting: its variables (UV_DEFAULT_INDEX, UV_INDEX and their
older names, UV_INDEX_<NAME>_USERNAME and _PASSWORD) and `.netrc` say who asks, per host. A registry that does
not answer is a fault of its own kind, since trying again can help there.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import netrc
import re
import ssl
import urllib.error
import urllib.request
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from tidegate.adapters.installs import RegistryUnreachable
from tidegate.adapters.programs import inherited
from tidegate.domain.artifacts import MAX_UNZIPPED, hide_credentials
from tidegate.domain.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tidegate.domain.locks import Wheel

Algorithm: TypeAlias = Literal["sha256", "sha512"]
LABELS: Final[dict[Algorithm, str]] = {"sha256": "SHA-256", "sha512": "SHA-512"}
PIECE: Final = 1 << 20
SECONDS: Final = 60  # without an answer, or without another byte
INDICES: Final = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
BUSY: Final = 429
SERVER_ERROR: Final = 500


def fetch(wheel: Wheel, file: Path, most: int | None = None) -> None:
    """Download a wheel into a file; BuildFailed where its bytes are not those that the lock names.

    `most` is how many bytes it may have, by default what Lambda allows.
    """
    fetch_file(wheel.url, "sha256", wheel.sha256, wheel.filename, file, most)


def fetch_file(
    url: str, algorithm: Algorithm, expected: str, name: str, file: Path, most: int | None = None
) -> None:
    """Download what has an expected hash (hex) into a file; BuildFailed where its bytes have another."""
    digest, size = hashlib.new(algorithm), 0
    with file.open("wb") as out:
        for piece in _read(url, name):
            size += len(piece)
            if size > (most or MAX_UNZIPPED):
                raise BuildFailed(f"{name} has more than {most or MAX_UNZIPPED:,} bytes, which are allowed")
            digest.update(piece)
            out.write(piece)
    if digest.hexdigest() != expected:
        shown = f"{hide_credentials(url)} has the {LABELS[algorithm]} {digest.hexdigest()}"
        raise BuildFailed(f"{shown}; the lock names {expected}")


def _read(url: str, name: str) -> Iterator[bytes]:
    """The bytes at an address; RegistryUnreachable where they break off."""
    place = hide_credentials(url)
    size = 0
    try:
        with _open(url) as answer:
            expected = int(answer.headers.get("Content-Length") or -1)
            while piece := answer.read(PIECE):
                size += len(piece)
                yield piece
    except urllib.error.HTTPError as error:
        said = f"{place} answered {error.code} {error.reason}"
        if error.code == BUSY or error.code >= SERVER_ERROR:
            raise RegistryUnreachable(said) from None
        raise BuildFailed(f"{name} cannot be had: {said}") from None
    except (OSError, http.client.HTTPException) as error:
        raise RegistryUnreachable(f"{place} does not answer: {error}") from error
    if expected not in {-1, size}:
        raise RegistryUnreachable(f"{place} broke off after {size:,} of {expected:,} bytes")


def _open(url: str) -> http.client.HTTPResponse:
    """The answer of an address; credentials go to the host that they are for, and to none it redirects to."""
    parts = urlsplit(url)
    netloc = parts.netloc.rpartition("@")[2]
    request = urllib.request.Request(parts._replace(netloc=netloc).geturl())  # noqa: S310 (the lock's schemes)
    if credentials := _own(parts) or _find(parts.hostname or "", netloc):
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(credentials).decode()}")
    answer: http.client.HTTPResponse = _opener().open(request, timeout=SECONDS)
    return answer


@lru_cache(maxsize=1)
def _opener() -> urllib.request.OpenerDirector:
    """What opens addresses; whom it trusts is read once, since that takes longer than most wheels."""
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=ssl.create_default_context()))


def _own(parts: SplitResult) -> bytes:
    """The credentials that an address itself holds, as user:password; none are empty."""
    if parts.username is None:
        return b""
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()


def _find(host: str, netloc: str) -> bytes:
    """The credentials that the installer's settings hold for a host."""
    settings = inherited()
    for name, parts in _indices(settings):
        if parts.netloc.rpartition("@")[2] == netloc:
            prefix = f"UV_INDEX_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}"
            user, password = (settings.get(f"{prefix}_{what}", "") for what in ("USERNAME", "PASSWORD"))
            found = f"{user}:{password}".encode() if name and (user or password) else _own(parts)
            if found:
                return found
    try:
        entry = netrc.netrc(settings.get("NETRC")).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        entry = None
    return f"{entry[0]}:{entry[2]}".encode() if entry else b""


def _indices(settings: Mapping[str, str]) -> Iterator[tuple[str, SplitResult]]:
    """The indices of the installer's settings: the name of each, where it has one, and its address."""
    for variable in INDICES:
        for word in settings.get(variable, "").split():
            named = re.fullmatch(r"([A-Za-z0-9._-]+)=(.+)", word)
            yield (named[1] if named else "", urlsplit(named[2] if named else word))
