from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.errors import MalformedEvent
from tidegate.domain.intake import Ignored
from tidegate.domain.origins import Origin, Origins
from tidegate.domain.webhooks import Pushed, is_signed, read_delivery, sign

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ZERO = "0" * 40
ORIGINS = Origins(
    repositories=(
        Origin(host="github", name="Acme/Orders", service="orders", branches=("main", "release/1")),
    )
)
SAMPLES = Path(
    os.environ.get("TIDEGATE_SAMPLES", Path(__file__).parents[3] / "shared" / "events" / "eventbridge")
)
VECTORS = SAMPLES.with_name("hmac_vectors.json")


def push(**changes: Any) -> bytes:
    payload = {
        "ref": "refs/heads/main",
        "after": COMMIT,
        "deleted": False,
        "repository": {"full_name": "acme/orders"},
        **changes,
    }
    return json.dumps(payload).encode()


@pytest.mark.parametrize("branch", ["main", "release/1"])
def test_a_push_to_a_configured_branch(branch: str) -> None:
    found = read_delivery("push", push(ref=f"refs/heads/{branch}"), ORIGINS)
    assert found == Pushed(service="orders", commit=COMMIT, branch=branch)


@pytest.mark.parametrize(
    ("event", "body", "reason"),
    [
        ("ping", b'{"zen": "Keep it"}', "ping: the webhook is set up"),
        ("issues", b"{", "issues is no push"),
        ("push", push(ref="refs/tags/v1"), "push of the tag v1"),
        ("push", push(ref="refs/tags/v1", deleted=True, after=ZERO), "deletion of the tag v1"),
        ("push", push(deleted=True, after=ZERO), "deletion of the branch main"),
        ("push", push(after=ZERO), "deletion of the branch main"),
        ("push", push(ref="refs/notes/commits"), "refs/notes/commits is no branch"),
        ("push", push(ref="refs/heads/topic"), "branch topic of acme/orders is not configured"),
        ("push", push(ref="refs/heads/refs/heads/main"), "branch refs/heads/main of acme/orders is not"),
        ("push", push(repository={"full_name": "evil/orders"}), "repository evil/orders is not configured"),
    ],
)
def test_what_is_no_push_to_a_configured_branch_is_ignored_by_name(
    event: str, body: bytes, reason: str
) -> None:
    found = read_delivery(event, body, ORIGINS)
    assert isinstance(found, Ignored)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is no JSON"),
        (b"\xff\xfe", "the body is no JSON"),
        (b"[" * 100_000, "the body is no JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "ref is missing"),
        (push(after=None), "after is missing"),
        (push(after="HEAD"), "no full commit id"),
        (push(repository="acme/orders"), "repository.full_name is missing"),
    ],
)
def test_a_broken_push_says_where(body: bytes, reason: str) -> None:
    with pytest.raises(MalformedEvent, match=reason):
        read_delivery("push", body, ORIGINS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["full_name", "x"]), inner),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["ref", "after", "deleted", "repository"]), JSON))
def test_whatever_is_sent_is_read_ignored_or_malformed(changes: dict[str, Any]) -> None:
    with suppress(MalformedEvent):
        assert read_delivery("push", push(**changes), ORIGINS)


@given(st.binary(max_size=200), st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_a_signature_fits_its_bytes_and_its_secret_alone(body: bytes, secret: str, other: str) -> None:
    signature = sign(body, secret)
    assert is_signed(body, signature, (secret,))
    assert is_signed(body, signature, (other, secret))
    assert not is_signed(body + b" ", signature, (secret,))
    assert is_signed(body, signature, (other,)) == (other == secret)


@pytest.mark.parametrize(
    "signature", ["", "sha256=", "sha1=00", "é" * 70, sign(b"x", "s").removeprefix("sha256="), "\ud800"]
)
def test_no_signature_fits_nothing(signature: str) -> None:
    assert not is_signed(b"x", signature, ("s",))
    assert not is_signed(b"x", signature, ())


def test_an_empty_secret_signs_nothing() -> None:
    assert not is_signed(b"x", sign(b"x", ""), ("",))


def test_the_documented_signature() -> None:
    """GitHub Docs, "Validating webhook deliveries": "Testing the webhook payload validation"."""
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert is_signed(b"Hello, World!", signature, ("It's a Secret to Everybody",))


@pytest.mark.conformance
@pytest.mark.skipif(not VECTORS.is_file(), reason="the public samples are not beside the checkout")
def test_public_signatures() -> None:
    known = json.loads(VECTORS.read_text())
    cases = [(one, [one["secret"]]) for one in known["vectors"]]
    cases += [(one, one["secrets"]) for one in known["rotation_vectors"]]
    assert len(cases) >= 9
    for case, secrets in cases:
        assert is_signed(case["body"].encode(), case["header"], secrets) is case["expected"], case["name"]
