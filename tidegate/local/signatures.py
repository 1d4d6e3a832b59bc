"""Signatures over digests, as KMS makes and checks them: moto hashes what is a digest already once more.

It is so for elliptic-curve keys. A digest of another length than the algorithm's is refused as KMS does it,
and digests for RSA keys are not available here.
Source: AWS KMS API Reference, "Sign", "Verify".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.core.exceptions import JsonRESTError
from moto.kms import responses, utils

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

ALGORITHMS: Final[dict[str, hashes.HashAlgorithm]] = {
    "ECDSA_SHA_256": hashes.SHA256(),
    "ECDSA_SHA_384": hashes.SHA384(),
    "ECDSA_SHA_512": hashes.SHA512(),
}
ORIGINAL: Final[dict[str, Any]] = {}


class Digest(bytes):
    """A message that has been hashed by its sender."""

    __slots__ = ()


class InvalidSignatureException(JsonRESTError):  # type: ignore[misc]
    """What KMS answers where a signature is not the key's over the message."""

    code = 400

    def __init__(self) -> None:
        super().__init__("KMSInvalidSignatureException", "")


def install(cloud: LocalCloud) -> None:
    """Mark digests where a request is read, and take them as they are where a key is used."""
    for name in ("sign", "verify"):
        ORIGINAL[name] = cloud.patch(responses.KmsResponse, name, _reading(name))
    for name in ("sign", "verify"):
        ORIGINAL[f"rsa {name}"] = cloud.patch(utils.RSAPrivateKey, name, _refusing(name))
    ORIGINAL["key sign"] = cloud.patch(utils.ECDSAPrivateKey, "sign", sign)
    ORIGINAL["key verify"] = cloud.patch(utils.ECDSAPrivateKey, "verify", verify)


def _reading(name: str) -> Any:  # noqa: ANN401
    def answer(self: Any) -> Any:  # noqa: ANN401
        parameter = self._get_param

        def read(key: str, *rest: Any) -> Any:  # noqa: ANN401
            found = parameter(key, *rest)
            return Digest(found) if key == "Message" and parameter("MessageType") == "DIGEST" else found

        self._get_param = read
        return ORIGINAL[name](self)

    return answer


def _refusing(name: str) -> Any:  # noqa: ANN401
    def use(self: Any, message: bytes, *rest: Any) -> Any:  # noqa: ANN401
        if isinstance(message, Digest):
            text = "MessageType DIGEST of RSA keys is not available in the local cloud"
            raise JsonRESTError("UnsupportedOperationException", text)
        return ORIGINAL[f"rsa {name}"](self, message, *rest)

    return use


def sign(self: Any, message: bytes, signing_algorithm: str) -> bytes:  # noqa: ANN401
    """Sign a digest as it is."""
    if not isinstance(message, Digest):
        signed: bytes = ORIGINAL["key sign"](self, message, signing_algorithm)
        return signed
    made: bytes = self.private_key.sign(message, _prehashed(message, signing_algorithm))
    return made


def verify(self: Any, message: bytes, signature: bytes, signing_algorithm: str) -> bool:  # noqa: ANN401
    """Check a signature; one that is not the key's is an error, as KMS answers."""
    if not isinstance(message, Digest):
        if not ORIGINAL["key verify"](self, message, signature, signing_algorithm):
            raise InvalidSignatureException
        return True
    try:
        self.private_key.public_key().verify(signature, message, _prehashed(message, signing_algorithm))
    except InvalidSignature:
        raise InvalidSignatureException from None
    return True


def _prehashed(message: bytes, algorithm: str) -> ec.ECDSA:
    kind = ALGORITHMS[algorithm]
    if len(message) != kind.digest_size:
        raise JsonRESTError("ValidationException", f"Digest is invalid length for algorithm {algorithm}.")
    return ec.ECDSA(Prehashed(kind))
