from __future__ import annotations

import pytest

from tidegate.domain.errors import SecretFound
from tidegate.domain.leaks import Allowance, Leak, Search, SecretsConfig, check_search

KEY = Leak(path="src/app.py", line=3, kind="AWS Access Key")
PEM = Leak(path="tests/keys/a.pem", line=1, kind="Private Key")


def allow(*given: tuple[str, str | None]) -> SecretsConfig:
    return SecretsConfig(
        allow=tuple(Allowance(path=path, kind=kind, reason="a sample") for path, kind in given)
    )


def test_a_secret_stops_the_release_by_its_place_and_kind() -> None:
    with pytest.raises(
        SecretFound, match=r"^the source holds src/app\.py:3: AWS Access Key\. Remedy: revoke it"
    ):
        check_search(Search(leaks=(KEY,)), SecretsConfig())
    many = tuple(KEY.model_copy(update={"line": line}) for line in range(1, 1001))
    with pytest.raises(SecretFound, match=r"app\.py:5: AWS Access Key; and 995 more") as caught:
        check_search(Search(leaks=many), SecretsConfig())
    assert len(str(caught.value)) < 600


def test_what_is_allowed_is_told_with_its_reason() -> None:
    assert check_search(Search(leaks=(KEY,)), allow(("src/*.py", None))) == (
        "src/app.py:3: AWS Access Key is allowed: a sample",
    )
    with pytest.raises(SecretFound):
        check_search(Search(leaks=(KEY,)), allow(("src/app.py", "Private Key")))


def test_an_allowance_that_covers_nothing_is_told() -> None:
    assert check_search(Search(), allow(("old.py", None))) == (
        "secrets.allow: old.py covers nothing that was found",
    )


def test_a_private_key_beside_tests_is_told_and_stops_nothing() -> None:
    assert check_search(Search(leaks=(PEM,)), SecretsConfig()) == (
        "1 private key beside tests, the first tests/keys/a.pem:1: Private Key",
    )
    with pytest.raises(SecretFound):
        check_search(Search(leaks=(PEM.model_copy(update={"path": "src/a.pem"}),)), SecretsConfig())


def test_files_that_were_not_searched_are_told() -> None:
    (note,) = check_search(Search(left_out=("a.csv", "b.csv")), SecretsConfig())
    assert note == "2 files too large to be searched for secrets, the first a.csv"
