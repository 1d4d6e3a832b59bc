"""Envelopes of signed documents: DSSE, the Dead Simple Signing Envelope, version 1; pure.

What is signed is the pre-authentication encoding of type and payload, never the payload's JSON as somebody
else may write it. Signing and checking a signature are the callers': keys are none of this module's business.
A key's id is a hint that nothing is decided by. Source: github.com/secure-systems-lab/dsse, protocol.md and
envelope.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.domain.errors import SignatureInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    # Whether a signature is the key's over a message.
    Verifier = Callable[[bytes, bytes], bool]

MOST_SIGNATURES: Final = 10
URL_SAFE: Final = str.maketrans("-_", "+/")


class Signature(NamedTuple):
    """A signature's bytes, and the id of its key; empty where the signer named none."""

    keyid: str
    sig: bytes


class Envelope(NamedTuple):
    """A payload with its type, and the signatures over both."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]


def encode_authenticated(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: PAE of protocol.md. Lengths are those of bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def identify_key(public_key: bytes) -> str:
    """The id of a key: the SHA-256 (hex) of its DER SubjectPublicKeyInfo, wherever the key is kept."""
    return hashlib.sha256(public_key).hexdigest()


def write_envelope(envelope: Envelope) -> bytes:
    """The envelope as JSON."""
    body = {
        "payload": base64.b64encode(envelope.payload).decode(),
        "payloadType": envelope.payload_type,
        "signatures": [
            {"keyid": one.keyid, "sig": base64.b64encode(one.sig).decode()} for one in envelope.signatures
        ],
    }
    return json.dumps(body).encode()


def read_envelope(body: bytes) -> Envelope:
    """An envelope from its JSON; SignatureInvalid where it is none. Fields that are not known are ignored."""
    try:
        found: Any = json.loads(body)
        signatures = [_read_signature(one) for one in found["signatures"]]
        payload_type, payload = _text(found["payloadType"]), _decode(found["payload"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise SignatureInvalid(f"the statement is no DSSE envelope: {detail}") from None
    if len(signatures) > MOST_SIGNATURES:
        raise SignatureInvalid(f"the statement has more than {MOST_SIGNATURES} signatures")
    return Envelope(payload_type, payload, tuple(signatures))


def _read_signature(found: Any) -> Signature:  # noqa: ANN401 (whatever JSON holds)
    sig = _decode(found["sig"])
    if not sig:
        raise ValueError("a signature is empty")
    return Signature(keyid=_text(found.get("keyid") or ""), sig=sig)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    value.encode()  # a lone surrogate has no bytes that could have been signed
    return value


def _decode(value: object) -> bytes:
    """The bytes of base64 in either alphabet, as verifiers must take it."""
    try:
        return base64.b64decode(_text(value).translate(URL_SAFE), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def open_envelope(
    envelope: Envelope, keys: Mapping[str, Verifier], kinds: Collection[str], threshold: int = 1
) -> frozenset[str]:
    """The ids of the trusted keys that signed; SignatureInvalid where they are fewer than the threshold.

    `keys` are the trusted ones by id; `kinds` the types of payload that the caller can read. An id in the
    envelope narrows which key is tried; without one, all are.
    """
    message = encode_authenticated(envelope.payload_type, envelope.payload)
    accepted = frozenset(
        keyid
        for one in envelope.signatures
        for keyid, verify in keys.items()
        if one.keyid in {"", keyid} and verify(message, one.sig)
    )
    if len(accepted) < threshold:
        raise SignatureInvalid(_explain(envelope, keys))
    if envelope.payload_type not in kinds or not envelope.payload_type:
        raise SignatureInvalid(f"what is signed is {envelope.payload_type!r}, which is no statement")
    return accepted


def _explain(envelope: Envelope, keys: Mapping[str, Verifier]) -> str:
    named = [one.keyid for one in envelope.signatures]
    if not named:
        return "the statement is not signed"
    strangers = [keyid for keyid in named if keyid and keyid not in keys]
    if len(strangers) == len(named):
        return f"the statement is signed by the key {strangers[0][:16]}…, which is none of the trusted ones"
    return "the signature is not that of a trusted key over this statement: one of them was changed"
