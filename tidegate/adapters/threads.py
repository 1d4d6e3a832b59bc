"""The same call for many functions, side by side. May not decide what a failure means."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Item = TypeVar("Item")
Result = TypeVar("Result")
AT_ONCE: Final = 10  # as many as botocore keeps connections


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], at_once: int = AT_ONCE
) -> list[Result]:
    """What `work` gives for each item, in their order, ten at once or as many as are given.

    The first error leaves once the calls that had begun have ended; those behind it are never begun.
    """
    wanted = list(items)
    if len(wanted) == 1:
        return [work(wanted[0])]
    with ThreadPoolExecutor(min(at_once, max(1, len(wanted)))) as pool:
        return list(pool.map(work, wanted))
