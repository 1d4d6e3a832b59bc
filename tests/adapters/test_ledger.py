from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tidegate.adapters.healthy import find_healthy, forget_healthy, read_chain, write_healthy
from tidegate.adapters.ledger import Ledger
from tidegate.domain.errors import ClaimLost
from tidegate.domain.healthy import Healthy
from tidegate.domain.ledger import Claim, ClaimState, Entry, Outcome, Release

if TYPE_CHECKING:
    from tests.scene import Scene

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def ledger(scene: Scene) -> Ledger:
    return scene.tools.ledger


def entry(scene: Scene, key: str, second: int = 0, **changes: Any) -> Entry:
    values = {
        "service": scene.service,
        "release_id": scene.ref.id,
        "key": key,
        "at": NOW + timedelta(seconds=second),
        "step": "JudgeCanary",
        "what": key,
    }
    return Entry.model_validate(values | changes)


def test_an_entry_is_added_once(scene: Scene, ledger: Ledger) -> None:
    first = entry(scene, "a", evidence={"numbers": [1, 2.5], "nested": {"x": None}})
    assert ledger.append(first)
    assert not ledger.append(entry(scene, "a", 9, what="again"))
    assert ledger.entries(scene.service, scene.ref.id) == [first]


def test_entries_come_by_time_and_of_one_release(scene: Scene, ledger: Ledger) -> None:
    for key, second in (("a", 3), ("b", 1), ("c", 2)):
        ledger.append(entry(scene, key, second))
    ledger.append(entry(scene, "d", release_id=f"{scene.ref.id}0"))
    ledger.append(entry(scene, "e", service="another"))
    assert [found.key for found in ledger.entries(scene.service, scene.ref.id)] == ["b", "c", "a"]


def test_a_long_release_is_read_page_by_page(scene: Scene, ledger: Ledger) -> None:
    for number in range(12):
        ledger.append(entry(scene, f"{number:02}", number, evidence={"text": "x" * 150_000}))
    found = ledger.entries(scene.service, scene.ref.id)
    assert [item.key for item in found] == [f"{number:02}" for number in range(12)]


def test_releases_are_opened_once_and_come_newest_first(scene: Scene, ledger: Ledger) -> None:
    assert list(ledger.releases(scene.service)) == []
    made = []
    for number in range(3):
        ref = scene.make_ref(release_id=f"{number:012x}-1").model_copy(
            update={"opened_at": NOW + timedelta(milliseconds=500 * number)}
        )
        made.append(Release(ref=ref, commit=scene.commit, attempt=1))
        ledger.open_release(made[-1])
    ledger.open_release(made[0].model_copy(update={"attempt": 7}))
    assert list(ledger.releases(scene.service)) == made[::-1]
    assert ledger.services() == [scene.service]
    with pytest.raises(LookupError, match=f"no release {scene.ref.id}"):
        ledger.release(scene.ref)


def test_a_rollback_after_promotion_replaces_the_outcome(scene: Scene, ledger: Ledger) -> None:
    scene.open()
    ledger.close_release(scene.ref, Outcome.PROMOTED, "done", NOW, under=None)
    later = scene.ref.model_copy(update={"epoch": 9})
    ledger.close_release(later, Outcome.ROLLED_BACK, "alarm", NOW, under=None)
    found = ledger.release(scene.ref)
    assert (found.outcome, found.reason, found.closed_at) == (Outcome.ROLLED_BACK, "alarm", NOW)
    assert found.ref == scene.ref


def test_a_handler_that_was_held_up_writes_over_nothing_that_a_rollback_has_recorded(
    scene: Scene, ledger: Ledger
) -> None:
    scene.open()
    for _ in range(2):
        ledger.close_release(scene.ref, Outcome.PROMOTED, "done", NOW, under=scene.ref)
    taken = scene.ref.model_copy(update={"epoch": 2})
    ledger.close_release(taken, Outcome.ROLLED_BACK, "alarm", NOW, under=taken)
    with pytest.raises(ClaimLost):
        ledger.close_release(scene.ref, Outcome.PROMOTED, "done", NOW, under=scene.ref)
    assert ledger.release(scene.ref).outcome is Outcome.ROLLED_BACK


def test_a_handler_that_was_held_up_names_nothing_healthy_that_was_taken_back(
    scene: Scene, ledger: Ledger
) -> None:
    earlier, documents = scene.make_ref(release_id="aaaaaaaaaaaa-1"), scene.tools.documents
    state = Healthy(stage=scene.staging, release_id=earlier.id, artifacts={}, functions={})
    write_healthy(ledger, documents, earlier, state)
    taken = scene.ref.model_copy(update={"epoch": 2})
    forget_healthy(ledger, documents, scene.ref, scene.staging, taken)
    with pytest.raises(ClaimLost):
        write_healthy(ledger, documents, scene.ref, state.model_copy(update={"release_id": scene.ref.id}))
    assert find_healthy(ledger, documents, scene.service, scene.staging) == state


def test_a_first_release_that_is_taken_back_leaves_nothing_healthy(scene: Scene, ledger: Ledger) -> None:
    documents = scene.tools.documents
    state = Healthy(stage=scene.staging, release_id=scene.ref.id, artifacts={}, functions={})
    write_healthy(ledger, documents, scene.ref, state)
    taken = scene.ref.model_copy(update={"epoch": 2})
    for _ in range(2):
        forget_healthy(ledger, documents, scene.ref, scene.staging, taken)
        assert find_healthy(ledger, documents, scene.service, scene.staging) is None
        assert list(read_chain(ledger, documents, scene.service, scene.staging)) == []
    with pytest.raises(ClaimLost):
        write_healthy(ledger, documents, scene.ref, state)
    later = scene.make_ref(release_id="bbbbbbbbbbbb-1").model_copy(update={"epoch": 3})
    write_healthy(ledger, documents, later, state.model_copy(update={"release_id": later.id}))
    found = find_healthy(ledger, documents, scene.service, scene.staging)
    assert found is not None
    assert (found.release_id, found.previous) == (later.id, None)


def test_a_handler_that_was_held_up_names_nothing_healthy_where_nothing_was_before(
    scene: Scene, ledger: Ledger
) -> None:
    documents, taken = scene.tools.documents, scene.ref.model_copy(update={"epoch": 2})
    forget_healthy(ledger, documents, scene.ref, scene.staging, taken)
    with pytest.raises(ClaimLost):
        write_healthy(
            ledger,
            documents,
            scene.ref,
            Healthy(stage=scene.staging, release_id=scene.ref.id, artifacts={}, functions={}),
        )
    assert find_healthy(ledger, documents, scene.service, scene.staging) is None


def test_small_documents(scene: Scene, ledger: Ledger) -> None:
    assert ledger.document(scene.service, "queue") is None
    ledger.put_document(scene.service, "queue", "1")
    ledger.put_document(scene.service, "queue", "2")
    assert ledger.document(scene.service, "queue") == "2"
    assert [ledger.replace_document(scene.service, "queue", "3", over=over) for over in (None, "1", "2")] == [
        False,
        False,
        True,
    ]
    assert ledger.document(scene.service, "queue") == "3"
    assert ledger.replace_document(scene.service, "new", "1", over=None)
    assert [ledger.reserve(scene.service, "opened#1", body) for body in ("a", "b", "a")] == ["a", "a", "a"]


def test_a_claim_is_replaced_only_by_who_has_seen_it(scene: Scene, ledger: Ledger) -> None:
    assert ledger.read_claim(scene.service) is None
    first = scene.claim()
    assert ledger.read_claim(scene.service) == first
    second = first.model_copy(update={"epoch": 2})
    assert not ledger.write_claim(second, over=None)
    assert not ledger.write_claim(second, over=second)
    assert ledger.write_claim(second, over=first)
    assert not ledger.write_claim(first.model_copy(update={"epoch": 3}), over=first)
    assert ledger.read_claim(scene.service) == second


@pytest.mark.parametrize("claimed", [False, True])
def test_of_many_at_once_one_gets_the_claim(scene: Scene, ledger: Ledger, claimed: bool) -> None:
    over = scene.claim(state=ClaimState.FREE) if claimed else None

    def take(number: int) -> bool:
        claim = Claim(
            service=scene.service, epoch=2, state=ClaimState.HELD, holder=f"{number}", release=scene.ref
        )
        return ledger.write_claim(claim, over=over)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(take, range(8)))
    assert won.count(True) == 1
    held = ledger.read_claim(scene.service)
    assert held is not None
    assert held.holder == str(won.index(True))


def test_the_epoch_tells_who_may_write(scene: Scene, ledger: Ledger) -> None:
    with pytest.raises(ClaimLost, match=f"release {scene.ref.id} of {scene.service} .*; nobody does"):
        ledger.check_epoch(scene.ref)
    claim = scene.claim()
    assert ledger.check_epoch(scene.ref) == claim
    scene.claim(state=ClaimState.OPERATOR)
    ledger.check_epoch(scene.ref)
    scene.claim(state=ClaimState.FREE)
    with pytest.raises(ClaimLost, match="nobody does"):
        ledger.check_epoch(scene.ref)
    scene.lose()
    with pytest.raises(ClaimLost, match="tidegate-rollback:r1 does"):
        ledger.check_epoch(scene.ref)


def test_a_claim_is_freed_by_its_holder_only(scene: Scene, ledger: Ledger) -> None:
    ledger.free_claim(scene.ref)
    claim = scene.claim()
    ledger.free_claim(scene.ref)
    ledger.free_claim(scene.ref)
    assert ledger.read_claim(scene.service) == claim.model_copy(update={"state": ClaimState.FREE})
    scene.lose()
    ledger.free_claim(scene.ref)
    held = ledger.read_claim(scene.service)
    assert held is not None
    assert held.state is ClaimState.HELD


def test_faults_of_the_table_are_not_swallowed(scene: Scene) -> None:
    absent = Ledger(scene.cloud.client("dynamodb"), "absent")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        absent.append(entry(scene, "a"))
