"""What a user's mistake or a missing right looks like, told in one line with its remedy.

Only errors that a user can cause are told; what is left is a fault of Tidegate and keeps its traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 (botocore's own name)
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)

from tidegate.domain.errors import TidegateError

if TYPE_CHECKING:
    from collections.abc import Callable

CREDENTIALS: Final = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
)
DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
EXPIRED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
)
ABSENT: Final = frozenset({"ResourceNotFoundException", "NoSuchBucket", "StateMachineDoesNotExist"})
SIGN_IN: Final = "sign in (`aws sso login`, `aws configure`), name a profile with --profile, or use --local"


def explain(error: Exception) -> str | None:
    """The line for the user, or None where the error is no user's doing."""
    for kinds, tell in TOLD:
        if isinstance(error, kinds):
            return tell(error)
    # A KeyError is a LookupError too, but never meant for a reader.
    return str(error) if type(error) is LookupError else None


def _explain_answer(error: ClientError) -> str:
    answer = error.response.get("Error", {})
    code, message = answer.get("Code", "unknown"), answer.get("Message", "no message")
    call = error.operation_name
    if code in DENIED:
        return f"AWS denies {call}: {message}; the identity that calls needs the right to"
    if code in EXPIRED:
        return f"AWS does not accept these credentials ({call}: {message}); {SIGN_IN}"
    if code in ABSENT:
        return f"a part of the pipeline is missing ({call}: {message}); is it deployed here?"
    return f"AWS answered {call} with {code}: {message}"


# The first that fits tells; each kind stands before those that it is a case of.
TOLD: Final[tuple[tuple[Any, Callable[[Any], str]], ...]] = (
    (ClientError, _explain_answer),
    (CREDENTIALS, lambda error: f"no AWS credentials: {error}; {SIGN_IN}"),
    (NoRegionError, lambda _: "no AWS region; name it with --region or AWS_REGION, or use --local"),
    (ProfileNotFound, lambda error: f"{error}; the profiles are those of ~/.aws/config"),
    ((ConnectionError, HTTPClientError), lambda error: f"AWS, or the local cloud, does not answer: {error}"),
    ((BotoCoreError, TidegateError, OSError), str),
)
