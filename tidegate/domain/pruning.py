"""Which versions nobody needs any more, and why the others stay. In doubt a version stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import Field

from tidegate.domain.healthy import list_distinct
from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tidegate.domain.healthy import Healthy

# Of every version that a release publishes; see the adapter of aliases and PublishVersions.
MARK: Final = "Tidegate: release "
DOCUMENT_DAYS: Final = 400
STALE: Final = "nobody needs it"
PROVISIONED: Final = "it has provisioned concurrency"


class Published(Frozen):
    """A published version as Lambda lists it."""

    version: str
    description: str = ""
    durable: bool = False


class Progress(Frozen):
    """How far the janitor has come: under which epoch of the claim, after which function, and whether all."""

    epoch: int
    after: str = ""
    done: bool = False


class Fate(Frozen):
    """What becomes of a version, and why."""

    stage: str
    function: str
    version: str
    goes: bool
    reason: str


class PruneReport(Frozen):
    """What the janitor did about a service, or would do in a dry run."""

    service: str
    note: str = ""
    fates: tuple[Fate, ...] = ()
    documents: tuple[str, ...] = Field((), description="releases whose documents go")
    tidied: tuple[str, ...] = Field((), description="what releases left behind besides versions")
    unfinished: bool = False

    @property
    def gone(self) -> int:
        """How many versions go."""
        return sum(fate.goes for fate in self.fates)


def is_own(found: Published) -> bool:
    """Whether a release has published it."""
    return found.description.startswith(MARK)


def choose_kept(chain: Iterable[tuple[str, Healthy]], keep: int) -> tuple[tuple[str, Healthy], ...]:
    """The newest releases of a chain that stay, the live one among them; with their keys."""
    kept: list[tuple[str, Healthy]] = []
    for item in list_distinct(chain):
        kept.append(item)
        if len(kept) == keep:
            break
    return tuple(kept)


def judge_versions(
    versions: Sequence[Published], needs: Mapping[str, str]
) -> tuple[tuple[Published, str], ...]:
    """Each version with why it stays; empty where nothing that is listed here needs it.

    The newest version stays: Lambda gives it again to a release that changes nothing since.
    """
    newest = max((int(found.version) for found in versions), default=0)

    def judge(found: Published) -> str:
        if found.version in needs:
            return needs[found.version]
        if int(found.version) == newest:
            return "the newest: a release that changes nothing is given it again"
        return "" if is_own(found) else "not published by Tidegate"

    return tuple((found, judge(found)) for found in versions)
