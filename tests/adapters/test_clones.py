from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ConnectionClosedError

from tests.git_host import TOKEN, GitHost
from tidegate.adapters import clones
from tidegate.adapters.checkouts import check_out
from tidegate.adapters.clones import Remote, clone
from tidegate.adapters.github import make_pool
from tidegate.domain.errors import HostRefused, InvalidSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Repository


@pytest.fixture
def host(tmp_path: Path, repository: Repository) -> Iterator[GitHost]:
    repository.commit({"a.txt": "first", "large.bin": b"\x00" * 1000})
    repository.commit({"a.txt": "second"})
    with GitHost(tmp_path / "host") as serving:
        serving.publish("acme/orders", repository.folder)
        yield serving


def fetch(host: GitHost, file: Path, commit: str, *, name: str = "acme/orders", token: str = TOKEN) -> None:
    remote = Remote(f"{host.url}/", name, "x-access-token", token, suffix=".git")
    clone(remote, make_pool(), commit, "main", file)


def read(file: Path, commit: str) -> dict[str, bytes]:
    with check_out(file, commit) as checkout:
        return {path: checkout.read(path) for path in checkout.files}


def test_a_commit_without_its_history(host: GitHost, repository: Repository, tmp_path: Path) -> None:
    head = repository.git("rev-parse", "HEAD")
    fetch(host, tmp_path / "b", head)
    assert read(tmp_path / "b", head)["a.txt"] == b"second"
    with pytest.raises(InvalidSource, match="no reference of the bundle"):
        read(tmp_path / "b", repository.git("rev-parse", "HEAD~1"))
    assert [method for method, _ in host.asked] == ["GET", "POST", "POST"]


def test_a_commit_that_the_branch_has_left_behind(
    host: GitHost, repository: Repository, tmp_path: Path
) -> None:
    former = repository.git("rev-parse", "HEAD~1")
    fetch(host, tmp_path / "b", former)
    assert read(tmp_path / "b", former)["a.txt"] == b"first"


def test_a_commit_of_a_branch_that_was_rewritten_is_had_while_it_exists(
    host: GitHost, repository: Repository, tmp_path: Path
) -> None:
    left = repository.git("rev-parse", "HEAD")
    repository.git("reset", "--quiet", "--hard", "HEAD~1")
    host.publish("acme/orders", repository.folder)
    fetch(host, tmp_path / "b", left)
    assert read(tmp_path / "b", left)["a.txt"] == b"second"
    host.git("-C", str(host.path("acme/orders")), "reflog", "expire", "--expire=now", "--all")
    host.git("-C", str(host.path("acme/orders")), "gc", "--quiet", "--prune=now")
    with pytest.raises(InvalidSource, match=f"acme/orders does not give commit {left}"):
        fetch(host, tmp_path / "b", left)


def test_a_server_of_the_older_protocol(
    host: GitHost, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dulwich.client.DEFAULT_GIT_PROTOCOL_VERSION_FETCH", 0)
    head = repository.git("rev-parse", "HEAD")
    fetch(host, tmp_path / "b", head)
    assert read(tmp_path / "b", head)["a.txt"] == b"second"


def test_what_is_too_large_ends_while_it_comes(
    host: GitHost, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    head = repository.commit({"noise.bin": os.urandom(3_000_000)})
    host.publish("acme/orders", repository.folder)
    monkeypatch.setattr(clones, "MAX_BUNDLE", 100_000)
    with pytest.raises(InvalidSource, match="more than 100,000 bytes packed"):
        fetch(host, tmp_path / "b", head)
    assert (tmp_path / "b").stat().st_size < 200_000


def test_a_host_that_talks_without_end(
    host: GitHost, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clones, "MAX_BUNDLE", 10_000)
    monkeypatch.setattr(clones, "MAX_TALK", 10_000)
    line = b"0" * 36 + b" refs/heads/x\n"
    host.garbage = f"{len(line) + 4:04x}".encode() + line
    host.garbage = host.garbage * 1000
    with pytest.raises(InvalidSource, match="answers with more than"):
        fetch(host, tmp_path / "b", repository.git("rev-parse", "HEAD"))


@pytest.mark.parametrize(
    "garbage", [b"nonsense", b"0000", b"0004", b"fff0short", b"001eERR access denied or not so"]
)
def test_a_host_that_does_not_keep_to_the_protocol(
    host: GitHost, repository: Repository, tmp_path: Path, garbage: bytes
) -> None:
    host.garbage = garbage
    with pytest.raises((InvalidSource, ConnectionClosedError)):
        fetch(host, tmp_path / "b", repository.git("rev-parse", "HEAD"))


def test_refusals_name_the_repository_and_never_the_token(
    host: GitHost, repository: Repository, tmp_path: Path
) -> None:
    head = repository.git("rev-parse", "HEAD")
    wrong = TOKEN.replace("tests", "nobody")
    told = []
    for name, token in (("acme/orders", wrong), ("acme/other", TOKEN)):
        with pytest.raises(HostRefused, match=name) as caught:
            fetch(host, tmp_path / "b", head, name=name, token=token)
        told.append(str(caught.getrepr(style="native")) + repr(caught.value))
    basic = [base64.b64encode(f"x-access-token:{token}".encode()).decode() for token in (TOKEN, wrong)]
    assert not any(secret in text for text in told for secret in (TOKEN, wrong, *basic))
    assert TOKEN not in repr(Remote("https://x/", "a/b", "u", TOKEN))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_host_in_trouble_is_asked_again_by_the_state_machine(
    host: GitHost, repository: Repository, tmp_path: Path, status: int
) -> None:
    host.failures = [status]
    with pytest.raises(ConnectionClosedError, match=f"answers {status}"):
        fetch(host, tmp_path / "b", repository.git("rev-parse", "HEAD"))


def test_a_host_that_is_not_there(tmp_path: Path) -> None:
    remote = Remote("http://127.0.0.1:9/", "acme/orders", "x-access-token", TOKEN)
    with pytest.raises(ConnectionClosedError):
        clone(remote, make_pool(), "0" * 40, "main", tmp_path / "b")
