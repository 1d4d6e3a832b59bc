"""Keys in KMS: the one that signs, and those whose signatures are trusted. Private keys never leave KMS.

A message is hashed here, since KMS takes 4,096 bytes at most: it signs and checks the digest. Signatures are
checked by KMS too: there is one for each release and stage, and no task has to load a library for it.
Source: AWS KMS API Reference, "Sign", "Verify", "GetPublicKey".
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from tidegate.domain.dsse import Envelope, Signature, encode_authenticated, identify_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.literals import MessageTypeType, SigningAlgorithmSpecType

    from tidegate.domain.dsse import Verifier

ALGORITHM: Final[SigningAlgorithmSpecType] = "ECDSA_SHA_256"
DIGEST: Final[MessageTypeType] = "DIGEST"
INVALID: Final = "KMSInvalidSignatureException"
UNUSABLE: Final = frozenset({"DisabledException", "KMSInvalidStateException", "NotFoundException"})


def sign(client: KMSClient, key: str, payload_type: str, payload: bytes) -> Envelope:
    """A payload in an envelope, signed with a key, which may be an alias.

    The key's id is that of the key that did sign: an alias may be moved at any time.
    """
    message = hashlib.sha256(encode_authenticated(payload_type, payload)).digest()
    answer = client.sign(KeyId=key, Message=message, MessageType=DIGEST, SigningAlgorithm=ALGORITHM)
    keyid = identify_key(read_public_key(client, answer["KeyId"]))
    return Envelope(payload_type, payload, (Signature(keyid, answer["Signature"]),))


def read_public_key(client: KMSClient, key: str) -> bytes:
    """A public key as DER SubjectPublicKeyInfo."""
    return client.get_public_key(KeyId=key)["PublicKey"]


def find_verifiers(client: KMSClient, keys: Iterable[str]) -> dict[str, Verifier]:
    """What checks signatures of these keys (ARNs and aliases, some of them perhaps the same key), by id.

    A key that somebody has disabled or lets be deleted is trusted no more; the others are.
    """
    found = ((key, _find_public_key(client, key)) for key in keys)
    return {identify_key(public): partial(_verify, client, key) for key, public in found if public}


def _find_public_key(client: KMSClient, key: str) -> bytes | None:
    try:
        return read_public_key(client, key)
    except ClientError as error:
        if error.response["Error"]["Code"] in UNUSABLE:
            return None
        raise


def _verify(client: KMSClient, key: str, message: bytes, signature: bytes) -> bool:
    digest = hashlib.sha256(message).digest()
    try:
        answer = client.verify(
            KeyId=key,
            Message=digest,
            MessageType=DIGEST,
            Signature=signature,
            SigningAlgorithm=ALGORITHM,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == INVALID:
            return False
        raise
    return answer["SignatureValid"]
