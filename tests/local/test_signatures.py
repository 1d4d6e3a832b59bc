"""Digests are signed and checked as KMS does it, which another library can tell."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import load_der_public_key

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

BODY = b"what is signed"
DIGEST = hashlib.sha256(BODY).digest()
ECDSA = {"SigningAlgorithm": "ECDSA_SHA_256"}


@pytest.fixture
def kms(cloud: LocalCloud) -> Any:
    return cloud.client("kms")


def make(kms: Any, spec: str = "ECC_NIST_P256") -> str:
    return str(kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"])


@pytest.mark.parametrize(
    "how", [{"Message": BODY, "MessageType": "RAW"}, {"Message": DIGEST, "MessageType": "DIGEST"}]
)
def test_a_digest_is_signed_as_it_is_and_a_message_is_hashed(kms: Any, how: dict[str, Any]) -> None:
    key = make(kms)
    sig = kms.sign(KeyId=key, **how, **ECDSA)["Signature"]
    public: Any = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    public.verify(sig, BODY, ec.ECDSA(hashes.SHA256()))
    for again in ({"Message": BODY, "MessageType": "RAW"}, {"Message": DIGEST, "MessageType": "DIGEST"}):
        assert kms.verify(KeyId=key, Signature=sig, **again, **ECDSA)["SignatureValid"]


@pytest.mark.parametrize("kind", ["RAW", "DIGEST"])
def test_a_wrong_signature_is_an_error(kms: Any, kind: str) -> None:
    key, other = make(kms), make(kms)
    sig = kms.sign(KeyId=other, Message=DIGEST, MessageType=kind, **ECDSA)["Signature"]
    for wrong in (sig, b"no DER at all"):
        with pytest.raises(ClientError) as caught:
            kms.verify(KeyId=key, Message=DIGEST, MessageType=kind, Signature=wrong, **ECDSA)
        assert caught.value.response["Error"]["Code"] == "KMSInvalidSignatureException"


def test_a_digest_has_the_length_of_its_algorithm(kms: Any) -> None:
    with pytest.raises(ClientError, match="invalid length for algorithm ECDSA_SHA_256"):
        kms.sign(KeyId=make(kms), Message=b"short", MessageType="DIGEST", **ECDSA)


@pytest.mark.parametrize("algorithm", ["RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PSS_SHA_256"])
def test_it_is_the_same_for_rsa(kms: Any, algorithm: str) -> None:
    key, how = make(kms, "RSA_2048"), {"SigningAlgorithm": algorithm}
    sig = kms.sign(KeyId=key, Message=DIGEST, MessageType="DIGEST", **how)["Signature"]
    public: Any = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    public.verify(sig, BODY, pss if "PSS" in algorithm else padding.PKCS1v15(), hashes.SHA256())
    assert kms.verify(KeyId=key, Message=DIGEST, MessageType="DIGEST", Signature=sig, **how)["SignatureValid"]
    with pytest.raises(ClientError, match="KMSInvalidSignatureException"):
        kms.verify(KeyId=key, Message=DIGEST[::-1], MessageType="DIGEST", Signature=sig, **how)
