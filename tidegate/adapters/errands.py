"""Errands of one share of a release's builds: what is given to CodeBuild, and who waits for it.

The ledger keeps who waits and which builds were started, so that whoever comes next, whatever died before,
goes on from there: no event and no token is needed to find out how a build stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidegate.adapters.codebuild import look, start
from tidegate.adapters.threads import side_by_side
from tidegate.domain.artifacts import record_key
from tidegate.domain.build_names import PROJECT
from tidegate.domain.errands import (
    ERRANDS,
    SIDE_BY_SIDE,
    URL_SECONDS,
    Order,
    Standing,
    Waiting,
    errand_prefix,
    is_fresh,
    stand,
    waiting_key,
    write_order,
)
from tidegate.domain.errors import BuildsPending

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tidegate.adapters.documents import Documents
    from tidegate.adapters.ledger import Ledger
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.snapshots import Snapshot


@dataclass(frozen=True)
class Share:
    """One of a release's builds that go side by side."""

    ref: ReleaseRef
    index: int
    snapshot: Snapshot

    @property
    def errands(self) -> list[str]:
        """The content keys of the share that CodeBuild makes."""
        share = self.snapshot.share(self.index)
        return [key for key in share if self.snapshot.function_of(key).method in ERRANDS]


def read_waiting(ledger: Ledger, service: str, release_id: str, index: int) -> Waiting:
    """What a share of a release's builds waits for; nothing where it never did."""
    body = ledger.document(service, waiting_key(release_id, index))
    return Waiting() if body is None else Waiting.model_validate_json(body)


def write_waiting(ledger: Ledger, ref: ReleaseRef, index: int, waiting: Waiting) -> None:
    """Keep what a share waits for."""
    ledger.put_document(ref.service, waiting_key(ref.id, index), waiting.model_dump_json())


def start_builds(
    share: Share,
    waiting: Waiting,
    documents: Documents,
    ledger: Ledger,
    client: Any,  # noqa: ANN401
    now: datetime,
) -> Waiting:
    """Start what is to be started of a share, some builds side by side; each is recorded once it is known.

    A build whose start was not recorded is started by the same order, which gives the same build for some
    minutes; a second one later does no harm. Of what is made by now nothing is waited for any more.
    BuildsPending where CodeBuild takes none and none is awaited.
    """
    made = side_by_side(lambda key: documents.exists(record_key(key)), share.errands)
    keys = [key for key, exists in zip(share.errands, made, strict=True) if not exists]
    if (kept := waiting.keep(keys)) != waiting:
        waiting = kept
        write_waiting(ledger, share.ref, share.index, waiting)
    builds = look(client, waiting.last)
    standing = {key: stand(waiting.builds.get(key, ()), builds) for key in keys}
    awaited = sum(one is Standing.AWAIT for one in standing.values())
    wanted = [key for key, one in standing.items() if one is Standing.START]
    for key in wanted[: max(SIDE_BY_SIDE - awaited, 0)]:
        order = _find_order(share, key, len(waiting.builds.get(key, ())) + 1, documents, now)
        try:
            build = start(client, PROJECT, order)
        except BuildsPending:
            if not awaited:
                raise
            break
        awaited += 1
        waiting = waiting.add(key, build)
        write_waiting(ledger, share.ref, share.index, waiting)
    return waiting


def _find_order(share: Share, key: str, attempt: int, documents: Documents, now: datetime) -> Order:
    """The order of an artifact's build: the one that stands, if it was just made, else a new one."""
    prefix = errand_prefix(share.ref, key)
    where = f"{prefix}order-{attempt}.json"
    standing = documents.find(where, Order)
    if standing is not None and is_fresh(standing, now):
        return standing
    digest = documents.digest(f"{prefix}input.tar.gz")
    if digest is None:
        message = f"s3://{documents.bucket}/{prefix}input.tar.gz does not exist"
        raise LookupError(message)
    paths: Mapping[str, str] = {
        "INPUT": documents.presign("get_object", f"{prefix}input.tar.gz", URL_SECONDS),
        "INPUT_SHA256": digest,
        "OUTPUT": documents.presign("put_object", f"{prefix}output.tar.gz", URL_SECONDS),
    }
    order = write_order(share.ref, share.index, share.snapshot.function_of(key), now, paths)
    documents.write(where, order)
    return order
