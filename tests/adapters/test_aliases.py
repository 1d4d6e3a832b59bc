"""Writes of aliases are fenced: by the claim, by the revision, and by the mark of the epoch."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tidegate.adapters.aliases import ATTEMPTS, AliasWriter, find_alias, parse_alias, publish, read_version
from tidegate.domain.errors import ClaimLost, ForeignChange
from tidegate.domain.rollouts import Pointing, RollingFunction, point

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scene import Scene


class Interrupted:
    """Lambda's client, with something that happens between a reading of the alias and the write."""

    def __init__(self, client: Any, happens: Callable[[], None], times: int = 1) -> None:
        self.client, self.happens, self.left, self.writes = client, happens, times, 0

    def get_alias(self, **arguments: Any) -> Any:
        answer = self.client.get_alias(**arguments)
        if self.left:
            self.left -= 1
            self.happens()
        return answer

    def update_alias(self, **arguments: Any) -> Any:
        self.writes += 1
        return self.client.update_alias(**arguments)


class Deaf:
    """Lambda's client whose answers to writes are lost."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.get_alias = client.get_alias

    def update_alias(self, **arguments: Any) -> Any:
        self.client.update_alias(**arguments)
        return self.client.update_alias(**arguments)  # botocore sends it again by itself


@pytest.fixture
def function(scene: Scene) -> RollingFunction:
    return scene.function(versions=3)


def writer(scene: Scene, client: Any = None, epoch: int = 1) -> AliasWriter:
    ref = scene.ref.model_copy(update={"epoch": epoch})
    return AliasWriter(client or scene.lambdas, scene.tools.ledger, ref)


def move(writer: AliasWriter, function: RollingFunction, before: float, weight: float, revision: str) -> str:
    """A shift from one weight in percent to another."""
    return writer.shift(function, point(function, before), point(function, weight), revision)


def describe(scene: Scene, function: RollingFunction) -> str:
    answer = scene.lambdas.get_alias(FunctionName=function.name, Name="live")
    return str(answer["Description"])


def revise(scene: Scene, function: RollingFunction) -> str:
    """The alias's revision."""
    return str(scene.lambdas.get_alias(FunctionName=function.name, Name="live")["RevisionId"])


class WriteOnly:
    """Lambda's client that is only written to."""

    def __init__(self, client: Any) -> None:
        self.update_alias = client.update_alias


def test_who_remembers_the_revision_needs_one_call_for_a_shift(
    scene: Scene, function: RollingFunction
) -> None:
    scene.claim()
    revision = revise(scene, function)
    for before, weight in pairwise((0, 10, 50, 100)):
        client = WriteOnly(scene.lambdas)
        revision = move(writer(scene, client), function, before, weight, revision)
        assert (scene.pointing(function), revision) == (point(function, weight), revise(scene, function))


def test_a_shift_whose_answer_is_lost_is_understood(scene: Scene, function: RollingFunction) -> None:
    scene.claim()
    client = Deaf(scene.lambdas)
    revision = move(writer(scene, client), function, 0, 10, revise(scene, function))
    assert (scene.pointing(function), revision) == (point(function, 10), revise(scene, function))


def test_a_shift_that_remembers_a_revision_of_the_past_looks_again(
    scene: Scene, function: RollingFunction
) -> None:
    """It was made before by an invocation that died; or somebody has written since, and changed nothing."""
    scene.claim()
    old = revise(scene, function)
    first = move(writer(scene), function, 0, 10, old)
    assert move(writer(scene), function, 0, 10, old) == first
    scene.move(function, "1", v2=0.1)
    assert move(writer(scene), function, 10, 50, first) == revise(scene, function)
    assert scene.pointing(function) == point(function, 50)
    scene.lambdas.delete_alias(FunctionName=function.name, Name="live")
    with pytest.raises(ForeignChange, match="is gone"):
        move(writer(scene), function, 50, 100, first)


@pytest.mark.parametrize(("version", "weights"), [("1", {}), ("1", {"v2": 0.2}), ("2", {}), ("3", {})])
@pytest.mark.parametrize("remembers", [True, False])
def test_a_shift_does_not_fight_whoever_moved_traffic_since(
    scene: Scene, function: RollingFunction, version: str, weights: dict[str, float], remembers: bool
) -> None:
    """An operator who takes it back by hand, or a later shift of the release, if this one was given up."""
    scene.claim()
    revision = move(writer(scene), function, 0, 10, revise(scene, function))
    scene.move(function, version, **weights)
    with pytest.raises(ForeignChange, match="somebody else moved"):
        move(writer(scene), function, 10, 50, revision if remembers else "")
    assert scene.pointing(function).version == version


@pytest.mark.parametrize("weight", [10, 100])
def test_a_late_shift_cannot_follow_a_rollback(scene: Scene, function: RollingFunction, weight: int) -> None:
    """It knows the revision and has looked at its claim; then a rollback takes the claim and restores."""
    scene.claim()

    class Late(WriteOnly):
        def __init__(self, client: Any) -> None:
            super().__init__(client)
            self.write, self.get_alias = client.update_alias, client.get_alias
            self.update_alias = self.roll_back_first

        def roll_back_first(self, **arguments: Any) -> Any:
            scene.lose()
            writer(scene, epoch=2).restore(function)
            return self.write(**arguments)

    with pytest.raises(ClaimLost):
        move(writer(scene, Late(scene.lambdas)), function, 0, weight, revise(scene, function))
    assert scene.pointing(function) == Pointing(version="1")
    assert describe(scene, function).endswith("epoch 2")


def test_a_shift_without_the_claim_writes_nothing(scene: Scene, function: RollingFunction) -> None:
    scene.claim()
    scene.lose()
    with pytest.raises(ClaimLost):
        move(writer(scene), function, 0, 10, revise(scene, function))
    assert scene.pointing(function) == Pointing(version="1")


def test_a_release_goes_through_its_weights_and_is_promoted(scene: Scene, function: RollingFunction) -> None:
    scene.claim()
    for weight in (10, 50, 100):
        assert writer(scene).point(function, point(function, weight))
        assert scene.pointing(function) == point(function, weight)
    assert describe(scene, function) == f"Tidegate: release {scene.ref.id}, epoch 1"


def test_the_same_twice_is_written_once(scene: Scene, function: RollingFunction) -> None:
    scene.claim()
    client = Interrupted(scene.lambdas, lambda: None)
    written = [writer(scene, client).point(function, point(function, 10)) for _ in range(3)]
    assert written == [written[0]] * 3
    assert client.writes == 1


def test_a_write_whose_answer_is_lost_is_understood(scene: Scene, function: RollingFunction) -> None:
    scene.claim()
    revision = writer(scene, Deaf(scene.lambdas)).point(function, point(function, 10))
    assert revision == revise(scene, function)
    assert scene.pointing(function) == point(function, 10)


def test_without_the_claim_nothing_is_written(scene: Scene, function: RollingFunction) -> None:
    with pytest.raises(ClaimLost):
        writer(scene).point(function, point(function, 10))
    scene.claim()
    scene.lose()
    with pytest.raises(ClaimLost):
        writer(scene).point(function, point(function, 10))
    with pytest.raises(ClaimLost):
        writer(scene).point(function, point(function, 0), force=True)
    assert scene.pointing(function) == Pointing(version="1")


def test_a_foreign_version_is_not_fought(scene: Scene, function: RollingFunction) -> None:
    scene.claim()
    for version, weights in (("3", {}), ("1", {"v3": 0.5})):
        scene.move(function, version, **weights)
        before = scene.pointing(function)
        with pytest.raises(ForeignChange, match=f"somebody else moved {function.name}:live"):
            writer(scene).point(function, point(function, 10))
        assert scene.pointing(function) == before


def test_a_rollback_overrules_a_foreign_version(scene: Scene, function: RollingFunction) -> None:
    scene.claim()
    scene.move(function, "3", v2=0.5)
    assert writer(scene).point(function, point(function, 0), force=True)
    assert scene.pointing(function) == Pointing(version="1")


def test_an_alias_that_is_gone_is_named(scene: Scene, function: RollingFunction) -> None:
    scene.claim()
    scene.lambdas.delete_alias(FunctionName=function.name, Name="live")
    with pytest.raises(ForeignChange, match=f"alias {function.name}:live is gone"):
        writer(scene).point(function, point(function, 10))


def test_who_writes_in_between_is_seen(scene: Scene, function: RollingFunction) -> None:
    """The other one writes between the reading and the write: the revision no longer fits."""
    scene.claim()
    client = Interrupted(scene.lambdas, lambda: scene.move(function, "2"))
    assert writer(scene, client).point(function, point(function, 10))
    assert client.writes == 2
    client = Interrupted(scene.lambdas, lambda: scene.move(function, "3"))
    with pytest.raises(ForeignChange):
        writer(scene, client).point(function, point(function, 50))
    assert scene.pointing(function) == Pointing(version="3")


def test_an_alias_that_keeps_moving_is_given_up(scene: Scene, function: RollingFunction) -> None:
    scene.claim()
    client = Interrupted(scene.lambdas, lambda: scene.move(function, "1"), times=ATTEMPTS)
    with pytest.raises(ForeignChange, match=f"moved by somebody else {ATTEMPTS} times"):
        writer(scene, client).point(function, point(function, 10))
    assert scene.pointing(function) == Pointing(version="1")


@pytest.mark.parametrize("weight", [10, 100])
def test_a_late_write_cannot_follow_a_rollback_that_wrote_the_same(
    scene: Scene, function: RollingFunction, weight: int
) -> None:
    """The release has read the alias and its claim; then a rollback restores what stands there already.

    That write changes nothing but the mark of its epoch, and with it the revision: the late write is refused,
    and the next reading of the claim ends it.
    """
    scene.claim()

    def roll_back() -> None:
        scene.lose()
        assert writer(scene, epoch=2).point(function, point(function, 0), force=True)

    class Late(Interrupted):
        def update_alias(self, **arguments: Any) -> Any:
            if self.writes == 0:
                roll_back()
            return super().update_alias(**arguments)

    late = Late(scene.lambdas, lambda: None)
    with pytest.raises(ClaimLost):
        writer(scene, late).point(function, point(function, weight))
    assert late.writes == 1
    assert scene.pointing(function) == Pointing(version="1")
    assert describe(scene, function).endswith("epoch 2")


def test_a_rollback_that_comes_between_reading_and_claim_wins_too(
    scene: Scene, function: RollingFunction
) -> None:
    scene.claim()
    with pytest.raises(ClaimLost):
        writer(scene, Interrupted(scene.lambdas, scene.lose)).point(function, point(function, 10))
    assert scene.pointing(function) == Pointing(version="1")


def test_other_faults_pass(scene: Scene, function: RollingFunction) -> None:
    scene.claim()
    absent = function.model_copy(update={"stable": "77"})
    with pytest.raises(ClientError, match="ResourceNotFound"):
        writer(scene).point(absent, Pointing(version="77"), force=True)


def test_aliases_and_versions_are_read(scene: Scene, function: RollingFunction) -> None:
    client = scene.lambdas
    scene.move(function, "1", v2=0.25)
    found = find_alias(client, function.name, "live")
    assert found is not None
    assert found.pointing == Pointing(version="1", weights={"2": 0.25})
    assert find_alias(client, function.name, "absent") is None
    assert find_alias(client, "absent", "live") is None
    version = read_version(client, function.name, "2")
    assert (version.version, version.state, version.log_group) == ("2", "Active", function.log_group)
    assert read_version(client, function.name, "live").version in {"1", "2"}
    assert parse_alias(f"arn:aws:lambda:us-east-1:1:function:{function.name}:live") == (function.name, "live")


def test_a_version_is_published_of_the_expected_code_only(scene: Scene, function: RollingFunction) -> None:
    latest = read_version(scene.lambdas, function.name, "$LATEST")
    assert publish(scene.lambdas, function.name, latest.sha256, "again").version == "3"
    scene.change(function.name, "def handler(event, context): return 'new'")
    with pytest.raises(ClientError):
        publish(scene.lambdas, function.name, latest.sha256, "too late")
    new = read_version(scene.lambdas, function.name, "$LATEST")
    assert publish(scene.lambdas, function.name, new.sha256, "new").version == "4"
