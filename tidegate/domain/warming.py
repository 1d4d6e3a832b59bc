"""Which requests are the first of their environment, and so tell nothing of how fast a version is.

An environment is slow at first: modules that are imported when they are needed, connections, caches, code
that is compiled as it runs. A new version has nearly all of the new environments, so these requests would
condemn it whatever its code does. The first `YOUNG` of each environment are left out of the marks for latency
and cost, of both versions alike; their errors and timeouts count.

An environment is a log stream, and its first requests are those since the rollout's first shift: what it did
before is not read, so one that existed before gives `YOUNG` requests too. Which these are depends on when
they began and on nothing else, so what is left is a fair comparison. Once told, it stays: a request that
comes late falls before or after the same moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

YOUNG: Final = 20
# An environment that served nothing for so long (ms) is gone, or gives its first requests again.
FORGOTTEN: Final = 3_600_000


class Age(NamedTuple):
    """How many of its first requests an environment has had; what began up to `until` (ms) is of them."""

    requests: int = 0
    until: int = -1


def grow(
    ages: Mapping[str, Age], served: Iterable[tuple[str, list[int]]], since: int, closed: int
) -> dict[str, Age]:
    """The ages after a look that read what began from `since` on, of which all up to `closed` is known.

    `served`: each environment, and when its requests began (ms). Ages of those that are gone are left out, so
    there are as many as environments in the last hour.
    """
    kept = {name: age for name, age in ages.items() if age.until >= since - FORGOTTEN}
    return kept | {name: _grow(kept.get(name, Age()), begun, since, closed) for name, begun in served}


def _grow(age: Age, begun: list[int], since: int, closed: int) -> Age:
    later = sorted(at for at in begun if age.until < at < closed)[: YOUNG - age.requests]
    until = later[-1] if later else age.until
    # Nothing that began before `since` is read again: the moment moves along, and tells of a living one.
    return Age(age.requests + len(later), max(until, since - 1))
