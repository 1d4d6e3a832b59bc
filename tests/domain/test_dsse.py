"""Envelopes: the example of DSSE's own protocol.md, another library's reading of ours, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as Oracle
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner

from tidegate.domain.dsse import (
    Envelope,
    Signature,
    encode_authenticated,
    identify_key,
    open_envelope,
    read_envelope,
    write_envelope,
)
from tidegate.domain.errors import SignatureInvalid

if TYPE_CHECKING:
    from tidegate.domain.dsse import Verifier

KIND = "application/vnd.in-toto+json"
# "Test Vectors" of github.com/secure-systems-lab/dsse, protocol.md.
EXAMPLE = {
    "payload": "aGVsbG8gd29ybGQ=",
    "payloadType": "http://example.com/HelloWorld",
    "signatures": [
        {"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}
    ],
}
EXAMPLE_KEY = ec.EllipticCurvePublicNumbers(
    46950820868899156662930047687818585632848591499744589407958293238635476079160,
    5640078356564379163099075877009565129882514886557779369047442380624545832820,
    ec.SECP256R1(),
).public_key()


class Key:
    """A key pair of the test's own, as KMS has them."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.public = self.private.public_key()
        spki = self.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = identify_key(spki)

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message, ec.ECDSA(hashes.SHA256()))

    def verify(self, message: bytes, sig: bytes) -> bool:
        return verify(self.public, message, sig)

    def seal(self, payload: bytes, kind: str = KIND, keyid: str | None = None) -> Envelope:
        sig = self.sign(encode_authenticated(kind, payload))
        return Envelope(kind, payload, (Signature(self.id if keyid is None else keyid, sig),))


def verify(key: ec.EllipticCurvePublicKey, message: bytes, sig: bytes) -> bool:
    try:
        key.verify(sig, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def trust(*keys: Key) -> dict[str, Verifier]:
    return {key.id: key.verify for key in keys}


ALICE, BOB = Key(), Key()


def test_the_example_of_the_protocol() -> None:
    envelope = read_envelope(json.dumps(EXAMPLE).encode())
    message = encode_authenticated(envelope.payload_type, envelope.payload)
    assert message == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"

    def check(message: bytes, sig: bytes) -> bool:
        r, s = int.from_bytes(sig[:32]), int.from_bytes(sig[32:])  # its signatures are not in DER
        return verify(EXAMPLE_KEY, message, encode_dss_signature(r, s))

    kinds = ("http://example.com/HelloWorld",)
    assert open_envelope(envelope, {"example": check}, kinds) == {"example"}
    with pytest.raises(SignatureInvalid):
        open_envelope(envelope._replace(payload=b"hello world!"), {"example": check}, kinds)


@given(kind=st.text(max_size=40), payload=st.binary(max_size=200))
def test_lengths_are_of_bytes_and_nothing_is_ambiguous(kind: str, payload: bytes) -> None:
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in kind):
        return
    expected = Oracle(payload, kind, {}).pae()
    assert encode_authenticated(kind, payload) == expected


@given(
    payload=st.binary(max_size=300), sig=st.binary(min_size=1, max_size=80), keyid=st.text("0123456789abcdef")
)
def test_what_is_written_is_read_back_by_us_and_by_another(payload: bytes, sig: bytes, keyid: str) -> None:
    envelope = Envelope(KIND, payload, (Signature(keyid, sig),))
    body = write_envelope(envelope)
    assert read_envelope(body) == envelope
    other = Oracle.from_dict(json.loads(body))
    assert (other.payload, other.payload_type) == (payload, KIND)
    assert other.signatures[keyid].signature == sig.hex()


def test_another_library_verifies_ours_and_we_verify_its() -> None:
    signer = CryptoSigner(ALICE.private)
    signer.public_key.keyid = ALICE.id
    ours = Oracle.from_dict(json.loads(write_envelope(ALICE.seal(b"{}"))))
    assert set(ours.verify([signer.public_key], 1)) == {ALICE.id}
    changed = Oracle.from_dict(json.loads(write_envelope(ALICE.seal(b"{}")._replace(payload=b"[]"))))
    with pytest.raises(VerificationError):
        changed.verify([signer.public_key], 1)
    its = Oracle(b"payload", KIND, {})
    its.sign(signer)
    envelope = read_envelope(json.dumps(its.to_dict()).encode())
    assert open_envelope(envelope, trust(ALICE), (KIND,)) == {ALICE.id}


def test_either_alphabet_of_base64_is_read() -> None:
    payload = bytes(range(256))
    sealed = ALICE.seal(payload)
    body = json.loads(write_envelope(sealed))
    body["payload"] = base64.urlsafe_b64encode(payload).decode()
    body["signatures"][0]["sig"] = base64.urlsafe_b64encode(sealed.signatures[0].sig).decode()
    assert read_envelope(json.dumps(body).encode()) == sealed


def test_fields_that_are_not_known_are_ignored_and_a_key_id_may_be_absent() -> None:
    body = json.loads(write_envelope(ALICE.seal(b"x")))
    body |= {"later": 1}
    body["signatures"][0] |= {"keyid": None, "cert": "…"}
    envelope = read_envelope(json.dumps(body).encode())
    assert envelope.signatures[0].keyid == ""
    assert open_envelope(envelope, trust(BOB, ALICE), (KIND,)) == {ALICE.id}


REFUSED: dict[str, tuple[Envelope, str]] = {
    "another payload": (ALICE.seal(b"a")._replace(payload=b"b"), "one of them was changed"),
    "another type": (ALICE.seal(b"a", "text/plain")._replace(payload_type=KIND), "one of them was changed"),
    "a type that is none of ours": (ALICE.seal(b"a", "text/plain"), "which is no statement"),
    "no type": (ALICE.seal(b"a", ""), "which is no statement"),
    "a stranger's key": (BOB.seal(b"a"), "none of the trusted ones"),
    "a stranger's key under a trusted id": (BOB.seal(b"a", keyid=ALICE.id), "one of them was changed"),
    "a stranger's key without an id": (BOB.seal(b"a", keyid=""), "one of them was changed"),
    "no signature": (ALICE.seal(b"a")._replace(signatures=()), "is not signed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_trusted_key_signed_is_refused(case: str) -> None:
    envelope, words = REFUSED[case]
    with pytest.raises(SignatureInvalid, match=words):
        open_envelope(envelope, trust(ALICE), (KIND,))


def test_a_threshold_counts_keys_and_not_signatures() -> None:
    alice, bob = ALICE.seal(b"a"), BOB.seal(b"a", keyid="")
    both = alice._replace(signatures=alice.signatures + bob.signatures)
    assert open_envelope(both, trust(ALICE, BOB), (KIND,), threshold=2) == {ALICE.id, BOB.id}
    twice = alice._replace(signatures=alice.signatures * 2)
    with pytest.raises(SignatureInvalid):
        open_envelope(twice, trust(ALICE, BOB), (KIND,), threshold=2)


SIG = {"keyid": "k", "sig": "AA=="}
BROKEN: dict[str, Any] = {
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe",
    "another JSON": b"[]",
    "deep JSON": b"[" * 100_000,
    "no payload": {"payloadType": KIND, "signatures": [SIG]},
    "no list of signatures": {"payload": "", "payloadType": KIND, "signatures": 1},
    "a signature that is text": {"payload": "", "payloadType": KIND, "signatures": ["AA=="]},
    "an empty signature": {"payload": "", "payloadType": KIND, "signatures": [{"sig": ""}]},
    "a payload that is no base64": {"payload": "a b", "payloadType": KIND, "signatures": [SIG]},
    "a payload that is none": {"payload": None, "payloadType": KIND, "signatures": [SIG]},
    "a type that is a number": {"payload": "", "payloadType": 1, "signatures": [SIG]},
    "a type without bytes": {"payload": "", "payloadType": "\ud800", "signatures": [SIG]},
    "very many signatures": {"payload": "", "payloadType": KIND, "signatures": [SIG] * 11},
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_envelope_is_refused_by_name(case: str) -> None:
    body = BROKEN[case]
    with pytest.raises(SignatureInvalid):
        read_envelope(body if isinstance(body, bytes) else json.dumps(body).encode())


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(st.sampled_from(["payload", "payloadType", "signatures", "sig", "keyid"]), x)
        ),
    )
)
def test_whatever_is_read_is_an_envelope_or_refused(value: Any) -> None:
    try:
        found = read_envelope(json.dumps(value).encode())
    except SignatureInvalid:
        return
    assert isinstance(found, Envelope)
