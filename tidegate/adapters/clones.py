"""Fetches one commit of a repository over HTTPS, without its history, as a bundle like any other.

What comes is bounded while it comes, and written to one file; whether it is the commit that was asked for is
then found out by reading the bundle, whose objects are known by hashes of their content. Credentials are sent
to the repository's own host only, and stand in no address.
Formats: git's "gitprotocol-http", "gitprotocol-v2" and "gitformat-bundle".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dulwich.client import Urllib3HttpGitClient
from dulwich.errors import GitProtocolError, HangupException
from dulwich.object_store import ObjectStoreGraphWalker
from urllib3.exceptions import HTTPError

from tidegate.adapters.answers import close
from tidegate.domain.errors import HostRefused, InvalidSource
from tidegate.domain.sources import MAX_BUNDLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from urllib3 import PoolManager

REFERENCE: Final = "refs/heads/tidegate"
SHA256_LENGTH: Final = 64
# References and what else is said beside the pack; they are held in memory.
MAX_TALK: Final = 16_000_000
LONGEST_ERROR: Final = 200
# What reading an answer that keeps to no protocol can end in.
GARBLED: Final = (AssertionError, IndexError, KeyError, OverflowError, TypeError, ValueError)
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
MISSING: Final = 404
TOO_MANY: Final = 429


@dataclass(frozen=True)
class Remote:
    """A repository at a host: its folder's address, its name there, and what one is let in by.

    `suffix` is what its address has after the name.
    """

    folder: str
    name: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    suffix: str = ""


class Pack:
    """The bundle that is being written: its header, then the pack as it comes, up to the limit."""

    def __init__(self, file: Path, commit_id: str) -> None:
        version, capability = (
            ("3", "@object-format=sha256\n") if len(commit_id) == SHA256_LENGTH else ("2", "")
        )
        self._out = file.open("wb")
        self._out.write(f"# v{version} git bundle\n{capability}{commit_id} {REFERENCE}\n\n".encode())
        self.size = 0

    def write(self, data: bytes) -> int:
        """Write what has come; InvalidSource where it is more than a bundle may have."""
        self.size += len(data)
        if self.size > MAX_BUNDLE:
            raise InvalidSource(
                f"the commit has more than {MAX_BUNDLE:,} bytes packed; leave large files out"
            )
        return self._out.write(data)

    def close(self) -> None:
        """Close the file."""
        self._out.close()


class Client(Urllib3HttpGitClient):  # type: ignore[misc]
    """dulwich's client, with answers told apart by what is to be done, and bounded."""

    def __init__(self, remote: Remote, pool: PoolManager) -> None:
        super().__init__(
            remote.folder,
            pool_manager=pool,
            username=remote.username,
            password=remote.password,
            thin_packs=False,
            quiet=True,
        )
        self._name = remote.name
        self._read = 0
        self._began = b""

    def _http_request(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: Any = None,  # noqa: ANN401 (bytes, or an iterator of them)
        raise_for_status: bool = True,
    ) -> tuple[Any, Callable[[int], bytes]]:
        answer, read = super()._http_request(url, headers, data, raise_for_status=False)
        if raise_for_status:
            self._check(answer.status)
        self._began = b""

        def read_on(size: int) -> bytes:
            got: bytes = read(size)
            self._read += len(got)
            self._began += got[: LONGEST_ERROR - len(self._began)]
            if self._read > MAX_BUNDLE + MAX_TALK:
                raise InvalidSource(f"{self._name} answers with more than {self._read:,} bytes")
            return got

        return answer, read_on

    @property
    def refusal(self) -> str:
        """What the server said instead of an answer: an error packet, which dulwich passes over, or ""."""
        said = self._began[4:]
        return said[4:].decode("utf-8", "replace") if said.startswith(b"ERR ") else ""

    def _check(self, status: int) -> None:
        if status in {UNAUTHORIZED, FORBIDDEN}:
            raise HostRefused(f"{self._name}: the credentials are not valid, or may not read it ({status})")
        if status == MISSING:
            raise HostRefused(f"there is no repository {self._name}, or the credentials may not read it")
        if status == TOO_MANY or status >= 500:  # noqa: PLR2004
            raise close(HTTPError(f"{self._name}: its host answers {status}"))
        if status != 200:  # noqa: PLR2004
            raise HostRefused(f"{self._name}: its host answers {status}")


def clone(remote: Remote, pool: PoolManager, commit_id: str, branch: str, file: Path) -> None:
    """Write a bundle of a commit; InvalidSource where the repository has it no longer or it is too large.

    The commit is asked for by its id, wherever the branch points by now. ConnectionClosedError where the host
    does not answer, which is tried again.
    """
    pack, client = Pack(file, commit_id), Client(remote, pool)
    nothing = ObjectStoreGraphWalker([], lambda _: [])
    try:
        client.fetch_pack(
            f"{remote.name}{remote.suffix}",
            lambda _refs, **_given: [commit_id.encode()],
            nothing,
            pack.write,
            depth=1,
            ref_prefix=[f"refs/heads/{branch}".encode()],
        )
    except (GitProtocolError, *GARBLED) as error:
        raise _explain(error, client.refusal, remote.name, commit_id) from error
    finally:
        pack.close()
    if not pack.size:
        raise InvalidSource(f"{remote.name} gives nothing for commit {commit_id}")


def _explain(error: Exception, refusal: str, name: str, commit_id: str) -> Exception:
    """What a transfer that failed means: the commit is not to be had, or the answer did not come whole."""
    if not refusal and isinstance(error.__cause__, HTTPError | OSError):
        return close(error.__cause__)
    if not refusal and isinstance(error, HangupException):
        return close(HTTPError(f"{name}: its host broke off"))
    reason = " ".join((refusal or str(error)).split())[:LONGEST_ERROR]
    return InvalidSource(f"{name} does not give commit {commit_id}: {reason}")
