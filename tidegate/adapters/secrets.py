"""Texts of Secrets Manager, read when they are needed and kept for a short time only; never logged.

Labels of versions: AWS Secrets Manager User Guide, "What's in a Secrets Manager secret?" (staging labels).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

CURRENT: Final = "AWSCURRENT"
PENDING: Final = "AWSPENDING"
PREVIOUS: Final = "AWSPREVIOUS"
LABELS: Final = (CURRENT, PREVIOUS, PENDING)
ABSENT: Final = "ResourceNotFoundException"
# How long a secret may be out of date, and how often at most it is read because a signature did not fit.
KEPT_SECONDS: Final = 60.0
REREAD_SECONDS: Final = 5.0


class Secrets:
    """Reads secrets; what was read is kept for a minute."""

    def __init__(self, client: Any, clock: Callable[[], float] = time.monotonic) -> None:  # noqa: ANN401 (no types of this client here)
        self.client = client
        self._clock = clock
        self._kept: dict[str, tuple[float, tuple[str, ...]]] = {}

    def read(self, name: str, label: str = CURRENT, version: str = "") -> str | None:
        """The text of a version; None where there is none of that label (and of that id)."""
        which = {"VersionStage": label} | ({"VersionId": version} if version else {})
        try:
            return str(self.client.get_secret_value(SecretId=name, **which)["SecretString"])
        except ClientError as error:
            if error.response["Error"]["Code"] == ABSENT:
                return None
            raise

    def stages(self, name: str) -> dict[str, list[str]]:
        """The labels of each version, by its id."""
        found: dict[str, list[str]] = self.client.describe_secret(SecretId=name)["VersionIdsToStages"]
        return found

    def add_pending(self, name: str, version: str, text: str) -> None:
        """Give the pending version its text."""
        self.client.put_secret_value(
            SecretId=name, ClientRequestToken=version, SecretString=text, VersionStages=[PENDING]
        )

    def make_current(self, name: str, version: str) -> None:
        """Let a version be the current one; the one before is the previous one then, by itself."""
        current = next((key for key, labels in self.stages(name).items() if CURRENT in labels), None)
        if current == version:
            return
        moved = {"RemoveFromVersionId": current} if current else {}
        self.client.update_secret_version_stage(
            SecretId=name, VersionStage=CURRENT, MoveToVersionId=version, **moved
        )

    def accepted(self, name: str, *, again: bool = False) -> tuple[str, ...]:
        """The texts that are valid now: the current one, the one before, and one that is about to be current.

        With `again`, they are read anew, though not within seconds of the last time: whoever sends signatures
        that do not fit must not make calls by the dozen.
        """
        read_at, kept = self._kept.get(name, (float("-inf"), ()))
        if self._clock() - read_at >= (REREAD_SECONDS if again else KEPT_SECONDS):
            found = (self.read(name, label) for label in LABELS)
            kept = tuple(dict.fromkeys(text for text in found if text))
            self._kept[name] = (self._clock(), kept)
        return kept
