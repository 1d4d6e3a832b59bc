"""Tokens for GitHub: those of an App's installation, made for an hour, or one that somebody put in a secret.

An App's private key is in KMS and never leaves it: this module asks for signatures. Tokens are kept in this
process's memory until shortly before they expire, and nowhere else.
Sources: GitHub Docs, "Generating a JSON Web Token (JWT) for a GitHub App" and "Generating an installation
access token for a GitHub App"; AWS KMS API Reference, "Sign".
"""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.errors import HostRefused
from tidegate.domain.pipeline import TOKEN_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tidegate.adapters.github import Api
    from tidegate.adapters.secrets import Secrets
    from tidegate.domain.origins import App

ALGORITHM: Final = "RSASSA_PKCS1_V1_5_SHA_256"
# GitHub takes ten minutes at most, and its clock may be behind.
VALID: Final = timedelta(minutes=9)
DRIFT: Final = timedelta(minutes=1)
# A token is not handed out for its last minutes: a clone may take some.
RESERVE: Final = timedelta(minutes=10)
READ: Final = {"contents": "read"}
REPORT: Final = {"statuses": "write"}


class AppTokens:
    """Tokens of an App's installations."""

    def __init__(self, app: App, api: Api, keys: Any, now: Callable[[], datetime]) -> None:  # noqa: ANN401 (no types of KMS's client here)
        self._app = app
        self._api = api
        self._keys = keys
        self._now = now
        self._installations: dict[str, int] = {}
        self._made: dict[str, tuple[datetime, str]] = {}

    def token(self, name: str, permissions: Mapping[str, str], *, alone: bool = True) -> str:
        """A token for a repository with these permissions, or (not `alone`) for all of its owner's."""
        owner, _, repository = name.partition("/")
        wanted: dict[str, Any] = {"permissions": dict(permissions)}
        if alone:
            wanted["repositories"] = [repository]
        key = f"{owner.lower()} {json.dumps(wanted, sort_keys=True)}"
        expires, token = self._made.get(key, (None, ""))
        if expires is None or expires - self._now() < RESERVE:
            path = f"/app/installations/{self._installation(owner)}/access_tokens"
            made = self._api.ask("POST", path, self.sign_in(), wanted).body
            token = str(made["token"])
            self._made[key] = (datetime.fromisoformat(made["expires_at"]), token)
        return token

    def sign_in(self) -> str:
        """What the App itself is known by: a JSON Web Token, signed by its key in KMS (RFC 7519, RS256)."""
        now = self._now()
        claims = {
            "iss": self._app.client_id,
            "iat": int((now - DRIFT).timestamp()),
            "exp": int((now + VALID).timestamp()),
        }
        signed = f"{_encode({'alg': 'RS256', 'typ': 'JWT'})}.{_encode(claims)}"
        answer = self._keys.sign(
            KeyId=self._app.key, Message=signed.encode(), MessageType="RAW", SigningAlgorithm=ALGORITHM
        )
        return f"{signed}.{_encode_bytes(answer['Signature'])}"

    def _installation(self, owner: str) -> int:
        key = owner.lower()
        if key not in self._installations:
            found = self._api.ask("GET", f"/users/{owner}/installation", self.sign_in())
            self._installations[key] = int(found.body["id"])
        return self._installations[key]


class StoredToken:
    """The fine-grained token that somebody put in the secret; it may do what its owner has given it."""

    def __init__(self, secrets: Secrets, now: Callable[[], datetime]) -> None:
        self._secrets = secrets
        self._now = now
        self._read: tuple[datetime, str] | None = None

    def token(self, name: str, permissions: Mapping[str, str], *, alone: bool = True) -> str:  # noqa: ARG002
        """The token; HostRefused where there is none. It is read anew after a minute."""
        if self._read is None or self._now() - self._read[0] > DRIFT:
            found = (self._secrets.read(TOKEN_SECRET) or "").strip()
            if not found:
                raise HostRefused(f"the secret {TOKEN_SECRET} holds no token")
            self._read = (self._now(), found)
        return self._read[1]


Tokens = AppTokens | StoredToken


def _encode(value: Mapping[str, object]) -> str:
    return _encode_bytes(json.dumps(value, separators=(",", ":")).encode())


def _encode_bytes(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
