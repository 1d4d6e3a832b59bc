from __future__ import annotations

import pytest

from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Lock, LockRequest, Wheel, check_pins, is_empty

ONE, TWO = "1" * 64, "2" * 64
URL = "https://files.example.com/a/idna-3.10-py3-none-any.whl"


def request(texts: dict[str, str], python: str = "3.13", platform: str | None = "x") -> str:
    return LockRequest(texts, python, platform).key


def test_equal_requirements_share_a_lock_wherever_they_lie() -> None:
    texts = {"a/requirements.txt": "-r ../common.txt", "common.txt": "idna"}
    moved = {"b/requirements.txt": "-r ../common.txt", "common.txt": "idna"}
    assert request(texts) == request(moved)
    others = [
        request(texts, python="3.12"),
        request(texts, platform=None),
        request({**texts, "common.txt": "idna==3.10"}),
        request({"requirements.txt": "-r common.txt", "common.txt": "idna"}),
        request({"requirements.txt": "idna"}),
    ]
    assert len({request(texts), *others}) == 6


def test_comments_require_nothing() -> None:
    assert is_empty(["", "# one\n\n  # two\n"])
    assert not is_empty(["# one", "idna"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"idna==3.10 --hash=sha256:{ONE} --hash=sha256:{TWO}\n", ""),
        (f"other==1 --hash=sha256:{TWO}\nidna\n", ""),
        (f"idna==3.10 \\\n    --hash=sha256:{TWO}\n", "none of those pinned"),
        (f"Idna @ https://example.com/x.whl#sha256={TWO}\n", "none of those pinned"),
        (f"idna==3.10 --hash=sha512:{TWO}\n", "pinned by sha512"),
        (f"other==1 --hash=sha256:{TWO}\n", r"idna==3\.10 is required too, .* pin it"),
    ],
)
def test_hashes_that_requirements_pin_are_kept(text: str, message: str) -> None:
    lock = Lock(wheels=(Wheel(name="idna", version="3.10", url=URL, sha256=ONE),))
    if not message:
        check_pins(lock, {"r.txt": text})
        return
    with pytest.raises(BuildFailed, match=message):
        check_pins(lock, {"r.txt": text})
