"""GitHub's REST API: heads of branches, statuses of commits, secrets of webhooks, each by one small call.

Tokens are headers and nothing else: they stand in no address, no error and no log. What GitHub cannot answer
now is told as a call without an answer, which is tried again; what it refuses is `HostRefused`.
Source: GitHub Docs, "REST API".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from tidegate.adapters.answers import close
from tidegate.domain.errors import HostRefused
from tidegate.domain.intake import COMMIT_ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from tidegate.domain.statuses import Status

JSON: Final = "application/vnd.github+json"
SHA: Final = "application/vnd.github.sha"
VERSION: Final = "2022-11-28"
PAGE: Final = 100
TOO_MANY: Final = 429
FORBIDDEN: Final = 403
MISSING: Final = 404
NO_COMMIT: Final = 422
MOST_REDIRECTS: Final = 4


def make_pool() -> PoolManager:
    """Connections to a host of repositories; redirects are followed, as renamed repositories need it."""
    return PoolManager(
        maxsize=10, timeout=Timeout(connect=5, read=30), retries=Retry(total=3, redirect=3, status=0)
    )


class Answer(NamedTuple):
    """An answer with its status; `body` is what its JSON says, or its text."""

    status: int
    body: Any


class Api:
    """Calls of one GitHub's API, at `base`."""

    def __init__(self, base: str, pool: PoolManager) -> None:
        self._base = base
        self._pool = pool

    def find_head(self, token: str, name: str, branch: str, known: str) -> str | None:
        """The commit that a branch ends in; None where that is `known` still, which costs no quota."""
        headers = {"Accept": SHA} | ({"If-None-Match": f'"{known}"'} if known else {})
        path = f"/repos/{name}/commits/{quote(f'heads/{branch}', safe='/')}"
        answer = self.ask("GET", path, token, headers=headers, accept=(304,))
        if answer.status == 304:  # noqa: PLR2004 (Not Modified)
            return None
        head = str(answer.body).strip()
        if COMMIT_ID.fullmatch(head) is None:
            raise HostRefused(f"GitHub answers {head[:80]!r} for the head of {branch} of {name}")
        return head

    def has(self, token: str, name: str, head: str, commit: str) -> bool:
        """Whether a commit is in the history of `head`; one that only a fork or another branch has is not.

        Only the status is wanted: changed files stand on the first page alone.
        Source: GitHub Docs, "Compare two commits".
        """
        path = f"/repos/{name}/compare/{commit}...{head}?per_page=1&page=2"
        answer = self.ask("GET", path, token, accept=(MISSING, NO_COMMIT))
        return isinstance(answer.body, dict) and answer.body.get("status") in {"ahead", "identical"}

    def set_status(self, token: str, name: str, commit: str, status: Status) -> bool:
        """Give a commit a status; of several of one context the last one counts. False without the commit."""
        path, given = f"/repos/{name}/statuses/{commit}", status.model_dump()
        return self.ask("POST", path, token, given, accept=(NO_COMMIT,)).status != NO_COMMIT

    def set_app_secret(self, token: str, secret: str) -> None:
        """Have the App's own webhook sign with a secret from now on."""
        self.ask("PATCH", "/app/hook/config", token, {"secret": secret})

    def set_hook_secret(self, token: str, name: str, url: str, secret: str) -> None:
        """Have the repository's webhooks that post to `url` sign with a secret; there must be one."""
        hooks = [hook for hook in self._list(f"/repos/{name}/hooks", token) if _leads_to(hook, url)]
        if not hooks:
            raise HostRefused(f"{name} has no webhook that posts to {url}")
        for hook in hooks:
            self.ask("PATCH", f"/repos/{name}/hooks/{int(hook['id'])}/config", token, {"secret": secret})

    def ask(
        self,
        method: str,
        path: str,
        token: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
    ) -> Answer:
        """Make one call; HostRefused where GitHub refuses it, except by a status in `accept`."""
        sent = {
            "Accept": JSON,
            "Authorization": f"Bearer {token}",
            "User-Agent": "tidegate",
            "X-GitHub-Api-Version": VERSION,
            **(headers or {}),
        }
        given = None if body is None else json.dumps(body)
        found = self._send(method, path, sent, given)
        if found.status < 300 or found.status in accept:  # noqa: PLR2004
            return Answer(found.status, _parse(found.data))
        what = f"GitHub answers {found.status} to {method} {path}"
        told = _parse(found.data)
        if isinstance(told, dict):
            what += f": {str(told.get('message'))[:200]}"
        raise close(HTTPError(what)) if _passes(found.status, found.headers) else HostRefused(what)

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: str | None) -> BaseHTTPResponse:
        """An answer; what is sent, which may be a secret, follows a redirection on the same host alone."""
        url = f"{self._base}{path}"
        for _ in range(MOST_REDIRECTS):
            found = self._pool.request(method, url, headers=headers, body=body, redirect=False)
            place = found.get_redirect_location()
            if not place:
                return found
            former, url = url, urljoin(url, place)
            if urlsplit(url)[:2] != urlsplit(former)[:2]:
                break
        raise HostRefused(f"GitHub redirects {method} {path} to {urlsplit(url).netloc}; it is not followed")

    def _list(self, path: str, token: str) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            found = self.ask("GET", f"{path}?per_page={PAGE}&page={page}", token).body
            yield from found
            if len(found) < PAGE:
                return
            page += 1


def _passes(status: int, headers: Mapping[str, str]) -> bool:
    """Whether a refusal is one that passes."""
    if status >= 500 or status == TOO_MANY:  # noqa: PLR2004
        return True
    limited = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    return status == FORBIDDEN and limited


def _leads_to(hook: Mapping[str, Any], url: str) -> bool:
    return str(hook.get("config", {}).get("url", "")).rstrip("/") == url.rstrip("/")


def _parse(data: bytes) -> Any:  # noqa: ANN401
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text
