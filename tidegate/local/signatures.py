"""Signatures over digests, as KMS makes and checks them: moto hashes what is a digest already once more.

A digest of another length than its algorithm's is refused, and a signature that is not the key's is an error,
both in KMS's words. Source: AWS KMS API Reference, "Sign", "Verify".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.core.exceptions import JsonRESTError
from moto.kms import responses, utils

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud

# By how the names of algorithms end.
HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "SHA_256": hashes.SHA256(),
    "SHA_384": hashes.SHA384(),
    "SHA_512": hashes.SHA512(),
}
KEYS: Final = (utils.ECDSAPrivateKey, utils.RSAPrivateKey)
ORIGINAL: Final[dict[tuple[str, str], Callable[..., Any]]] = {}


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
        ORIGINAL["KmsResponse", name] = cloud.patch(responses.KmsResponse, name, _reading(name))
    for key in KEYS:
        ORIGINAL[key.__name__, "sign"] = cloud.patch(key, "sign", sign)
        ORIGINAL[key.__name__, "verify"] = cloud.patch(key, "verify", verify)


def _reading(name: str) -> Callable[[Any], Any]:
    def answer(self: Any) -> Any:  # noqa: ANN401
        parameter = self._get_param

        def read(key: str, *rest: Any) -> Any:  # noqa: ANN401
            found = parameter(key, *rest)
            return Digest(found) if key == "Message" and parameter("MessageType") == "DIGEST" else found

        self._get_param = read
        return ORIGINAL["KmsResponse", name](self)

    return answer


def sign(self: Any, message: bytes, signing_algorithm: str) -> bytes:  # noqa: ANN401
    """Sign a message, or a digest as it is."""
    if not isinstance(message, Digest):
        return bytes(ORIGINAL[type(self).__name__, "sign"](self, message, signing_algorithm))
    return bytes(self.private_key.sign(message, *_scheme(message, signing_algorithm)))


def verify(self: Any, message: bytes, signature: bytes, signing_algorithm: str) -> bool:  # noqa: ANN401
    """Check a signature over a message, or over a digest."""
    if not isinstance(message, Digest):
        if not ORIGINAL[type(self).__name__, "verify"](self, message, signature, signing_algorithm):
            raise InvalidSignatureException
        return True
    scheme = _scheme(message, signing_algorithm)
    try:
        self.private_key.public_key().verify(signature, message, *scheme)
    except InvalidSignature:
        raise InvalidSignatureException from None
    return True


def _scheme(digest: bytes, algorithm: str) -> tuple[Any, ...]:
    kind = HASHES[algorithm[-len("SHA_256") :]]
    if len(digest) != kind.digest_size:
        raise JsonRESTError("ValidationException", f"Digest is invalid length for algorithm {algorithm}.")
    if algorithm.startswith("ECDSA"):
        return (ec.ECDSA(Prehashed(kind)),)
    if "_PSS_" in algorithm:
        return (padding.PSS(padding.MGF1(kind), kind.digest_size), Prehashed(kind))
    return (padding.PKCS1v15(), Prehashed(kind))
