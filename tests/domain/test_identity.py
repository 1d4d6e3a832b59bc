from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tidegate.domain.identity import (
    Commit,
    ReleaseRef,
    bundle_key,
    execution_name,
    parse_bundle_key,
    release_id,
)

services = st.from_regex(r"[a-z][a-z0-9-]{0,38}[a-z0-9]", fullmatch=True)
hashes = st.from_regex(r"[0-9a-f]{40}([0-9a-f]{24})?", fullmatch=True)
branches = st.from_regex(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,3}", fullmatch=True)
commits = st.builds(Commit, service=services, id=hashes, branch=branches)
attempts = st.integers(1, 10**6)


@given(commits, attempts)
def test_names_fit_and_say_which_release_it_is(commit: Commit, attempt: int) -> None:
    name = execution_name(commit, attempt)
    assert name == f"{commit.service}-{commit.id[:12]}-{attempt}"
    assert len(name) <= 80
    ReleaseRef(
        service=commit.service,
        id=release_id(commit, attempt),
        execution="arn",
        epoch=0,
        opened_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@given(services, branches, hashes)
def test_a_bundle_is_understood_by_its_key(service: str, branch: str, commit: str) -> None:
    assert parse_bundle_key(bundle_key(service, branch, commit)) == (service, branch, commit)


@pytest.mark.parametrize(
    "key",
    ["", "orders/main.bundle", "orders/main/abc.bundle", f"orders/{'a' * 40}.bundle", f"o/m/{'a' * 40}"],
)
def test_other_keys_are_no_bundles(key: str) -> None:
    assert parse_bundle_key(key) is None


@pytest.mark.parametrize(
    "service", ["", "o", "Orders", "orders-", "1orders", "o" * 41, "or/ders", "orders\n"]
)
def test_names_that_break_other_names_are_refused(service: str) -> None:
    with pytest.raises(ValidationError):
        Commit(service=service, id="a" * 40, branch="main")


def test_values_neither_change_nor_take_unknown_keys() -> None:
    commit = Commit(service="orders", id="a" * 40, branch="main")
    with pytest.raises(ValidationError, match="frozen"):
        commit.branch = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        Commit.model_validate({"service": "orders", "id": "a" * 40, "branch": "main", "tag": "v1"})
