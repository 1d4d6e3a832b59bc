"""Scanner: the API of osv.dev. Off by default, since it tells a third party what a service is made of.

It says which records affect each package; the records are fetched once each and read as those at hand are.
Source: https://google.github.io/osv.dev/api/ (at most 1,000 queries at once, answers in pages).
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from tidegate.adapters.threads import side_by_side
from tidegate.domain.audits.advisories import UnreadableAdvisory, read_advisory
from tidegate.domain.audits.findings import Scan, combine
from tidegate.domain.audits.matching import Hit, find_hit
from tidegate.domain.errors import ScannerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tidegate.domain.audits.advisories import Advisory, Package

ADDRESS: Final = "https://api.osv.dev"
AT_ONCE: Final = 1000
MOST_PAGES: Final = 100
SECONDS: Final = 30
NAME: Final = "osv.dev"


class OsvScanner:
    """Looks packages up at osv.dev, or at another address that speaks like it."""

    def __init__(self, address: str = ADDRESS) -> None:
        self._address = address.rstrip("/")

    def scan(self, packages: Sequence[Package]) -> Scan:
        """The known vulnerabilities; ScannerUnavailable where the API does not answer."""
        named = dict(
            _pair
            for start in range(0, len(packages), AT_ONCE)
            for _pair in self._query(packages[start : start + AT_ONCE])
        )
        ids = sorted({one for found in named.values() for one in found})
        notices: list[str] = []
        known: dict[str, Advisory] = {}
        for name, record in zip(ids, side_by_side(self._fetch, ids), strict=True):
            try:
                known[name] = read_advisory(record)
            except UnreadableAdvisory as error:
                notices.append(f"{name} cannot be read: {error}")
        hits = [
            hit
            for package, found in named.items()
            for one in found
            if one in known
            for hit in _hits(package, known[one])
        ]
        return Scan(scanner=NAME, findings=combine(hits), notices=tuple(notices))

    def _query(self, packages: Sequence[Package]) -> Iterator[tuple[Package, set[str]]]:
        """The ids of what affects each package, page by page."""
        found: dict[Package, set[str]] = {}
        waiting = [(package, "") for package in packages]
        for _ in range(MOST_PAGES):
            if not waiting:
                break
            answer = self._ask("/v1/querybatch", {"queries": [_make_query(*one) for one in waiting]})
            results = answer.get("results") or []
            if len(results) != len(waiting):
                raise ScannerUnavailable(f"{NAME} answered {len(results)} of {len(waiting)} queries")
            for (package, _page), result in zip(waiting, results, strict=True):
                found.setdefault(package, set()).update(one["id"] for one in result.get("vulns") or ())
            pages = (result.get("next_page_token") for result in results)
            waiting = [(package, page) for (package, _), page in zip(waiting, pages, strict=True) if page]
        if waiting:
            raise ScannerUnavailable(f"{NAME} does not come to an end with {waiting[0][0].title}")
        yield from found.items()

    def _fetch(self, name: str) -> Any:  # noqa: ANN401 (a record, not read yet)
        return self._ask(f"/v1/vulns/{name}")

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 (the configured address)
            f"{self._address}{path}", data, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
                found: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise ScannerUnavailable(f"{NAME} answered {path} with {error.code} {error.reason}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ScannerUnavailable(f"{NAME} does not answer {path}: {error}") from error
        return found


def _make_query(package: Package, page: str) -> dict[str, Any]:
    query = {"package": {"ecosystem": package.ecosystem, "name": package.name}, "version": package.version}
    return {**query, **({"page_token": page} if page else {})}


def _hits(package: Package, advisory: Advisory) -> Iterator[Hit]:
    """The API has decided; what is read here is the entry that holds, and what fixes it."""
    entries = [] if advisory.withdrawn else [one for one in advisory.affected if one.key == package.key]
    hits = [hit for one in entries for hit in [find_hit(package, advisory, one)[0]] if hit]
    yield from hits or [Hit(package, advisory, one, None) for one in entries[:1]]
