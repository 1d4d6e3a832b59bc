"""Public keys at a desk: read from PEM files or from KMS, and what checks their signatures without AWS."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import click
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from tidegate.adapters.signing import read_public_key
from tidegate.domain.dsse import identify_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tidegate.cli.pipeline import Pipeline
    from tidegate.domain.dsse import Verifier

CURVE: Final = ec.SECP256R1.name


def read_keys(files: Iterable[Path]) -> list[ec.EllipticCurvePublicKey]:
    """The keys of PEM files; wrong usage where one holds no public key of the curve P-256."""
    return [_read_key(file) for file in files]


def _read_key(file: Path) -> ec.EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(file.read_bytes())
    except ValueError:
        raise click.UsageError(f"--key {file} holds no public key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != CURVE:
        raise click.UsageError(f"--key {file} is no key of the curve P-256, and so of no pipeline")
    return key


def fetch_keys(pipeline: Pipeline) -> list[ec.EllipticCurvePublicKey]:
    """The keys that a pipeline trusts."""
    client = pipeline.client("kms")
    found = (load_der_public_key(read_public_key(client, key)) for key in pipeline.resources.trusted_keys)
    return [key for key in found if isinstance(key, ec.EllipticCurvePublicKey)]


def make_verifiers(keys: Iterable[ec.EllipticCurvePublicKey]) -> dict[str, Verifier]:
    """What checks signatures of these keys, by their ids."""
    return {identify(key): partial(_verify, key) for key in keys}


def identify(key: ec.EllipticCurvePublicKey) -> str:
    """The id of a key in statements."""
    return identify_key(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def write_key(key: ec.EllipticCurvePublicKey) -> bytes:
    """A key in PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _verify(key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
