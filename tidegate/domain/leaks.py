"""Secrets in a commit's source: what was found where, what the service allows, and what stops the release.

A finding never holds the secret. Once pushed it has left: allowing it makes no secret of it again.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from pydantic import Field

from tidegate.domain.errors import SecretFound
from tidegate.domain.identity import Frozen
from tidegate.domain.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN: Final = 5
PRIVATE_KEY: Final = "Private Key"
# Folders whose private keys are nearly always made for the tests beside them.
TEST_FOLDERS: Final = frozenset({"test", "tests", "__tests__", "testdata", "fixtures"})


class Allowance(Frozen):
    """What looks like a secret and is none, or is known and harmless."""

    path: str = Field(min_length=1, description="of the file, or a pattern of paths such as `tests/*.pem`")
    kind: str | None = Field(None, description="as the finding names it; default: every kind")
    reason: str = Field(min_length=1, description="why it may stay; stands in the plan")

    def covers(self, leak: Leak) -> bool:
        """Whether a finding is meant."""
        return fnmatchcase(leak.path, self.path) and self.kind in {None, leak.kind}


class SecretsConfig(Frozen):
    """Secrets in the source."""

    allow: tuple[Allowance, ...] = Field((), description="findings that do not stop a release")


class Leak(Frozen):
    """What looks like a secret, by its place and kind alone."""

    path: str
    line: int
    kind: str

    @property
    def text(self) -> str:
        """Such as `src/app.py:3: AWS Access Key`."""
        return f"{self.path}:{self.line}: {self.kind}"

    @property
    def is_of_tests(self) -> bool:
        """Whether it is a private key beside tests: told, but no reason to stop."""
        return self.kind == PRIVATE_KEY and not TEST_FOLDERS.isdisjoint(self.path.split("/")[:-1])


class Search(Frozen):
    """What a search of the source found, and the files that it left out."""

    leaks: tuple[Leak, ...] = ()
    left_out: tuple[str, ...] = ()


def check_search(search: Search, config: SecretsConfig) -> tuple[str, ...]:
    """What is to be said of a search, a sentence each; SecretFound names what stops the release."""
    allowed = {leak: next((one for one in config.allow if one.covers(leak)), None) for leak in search.leaks}
    found = [leak for leak, allowance in allowed.items() if allowance is None and not leak.is_of_tests]
    if found:
        raise SecretFound(describe(found))
    notes = [f"{leak.text} is allowed: {one.reason}" for leak, one in allowed.items() if one is not None]
    beside = [leak for leak, allowance in allowed.items() if allowance is None]
    if beside:
        notes.append(f"{count(len(beside), 'private key')} beside tests, the first {beside[0].text}")
    used = set(allowed.values())
    notes += [
        f"secrets.allow: {one.path} covers nothing that was found" for one in config.allow if one not in used
    ]
    if search.left_out:
        number = count(len(search.left_out), "file")
        notes.append(f"{number} too large to be searched for secrets, the first {search.left_out[0]}")
    return tuple(notes)


def describe(found: Sequence[Leak]) -> str:
    """The first findings in a line, and the way on."""
    more = f"; and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    way = (
        "Remedy: revoke it, for whoever has the commit has it, and take it out; what is none is marked "
        "`pragma: allowlist secret` in its line, or named under `secrets.allow` in tidegate.yaml"
    )
    return f"the source holds {'; '.join(leak.text for leak in found[:SHOWN])}{more}. {way}"
