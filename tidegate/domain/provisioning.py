"""Provisioned concurrency as a part of the rollout: which version gets it when, and what that costs.

It belongs to versions, never to the alias: Lambda does not let it be managed on an alias that has weights.
The new version gets its own before traffic shifts; the old version's goes after the bake, and the new one's
where the release is undone. Pure: what stands goes in, steps come out, none where all is as it should be.
Sources: AWS Lambda Developer Guide, "Configuring provisioned concurrency for a function";
https://aws.amazon.com/lambda/pricing/ (us-east-1).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import Field

from tidegate.domain.concurrency import Scaling
from tidegate.domain.identity import Frozen
from tidegate.domain.preflight import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PRICES: Final = {"x86_64": 0.0000041667, "arm64": 0.0000033334}  # dollars for a GB kept ready for a second
PRICE_PAGE: Final = "https://aws.amazon.com/lambda/pricing/"


class Provisioning(Frozen):
    """What one function of a stage has and is to have; amounts are executions that are kept ready.

    function_name, alias: empty for a function that this release brings. wanted: for each version, 0 for none.
    stable: what the stable version has of its own. on_alias: what the alias has, which moves to the versions;
    in_stack: the stack's template gave it, so a stack that is brought back gives it again. previous: the
    scaling of the stable version. memory: MB.
    """

    logical_id: str
    alias_logical_id: str
    function_name: str = ""
    alias: str = ""
    wanted: int = 0
    stable: int = 0
    on_alias: int = 0
    in_stack: bool = False
    memory: int = 128
    architecture: str = "x86_64"
    scaling: Scaling | None = None
    previous: Scaling | None = None

    @property
    def is_needed(self) -> bool:
        """Whether the rollout has anything to do with it."""
        return bool(self.wanted or self.stable or self.on_alias)


class Versions(Frozen):
    """The versions that it is about; `canary` is empty for a function that gets no new one."""

    stable: str
    canary: str = ""

    @property
    def newest(self) -> str:
        """The one that stays where the release is promoted."""
        return self.canary or self.stable


class Standing(Frozen):
    """What a qualifier has now; status as Lambda gives it: IN_PROGRESS, READY or FAILED."""

    requested: int
    status: str = "READY"
    reason: str = ""


class Act(StrEnum):
    """What a step does; `scale` registers a version for scaling, and `unscale` takes it out of that."""

    PUT = "put"
    DELETE = "delete"
    SCALE = "scale"
    UNSCALE = "unscale"


class Step(Frozen):
    """One call about one qualifier."""

    act: Act
    qualifier: str
    amount: int = 0
    scaling: Scaling | None = Field(None, description="of a step that scales")


def give(item: Provisioning, versions: Versions, found: Mapping[str, Standing]) -> tuple[Step, ...]:
    """Before traffic shifts: what the versions lack.

    What the stable version has stays as it is, since scaling may have changed it. One that has its amount
    from the alias gets it of its own, as Lambda gives a version but one.
    """
    steps = [Step(act=Act.DELETE, qualifier=item.alias)] if item.alias in found else []
    before = max(item.stable, item.on_alias)
    if versions.canary and before and versions.stable not in found:
        steps.append(Step(act=Act.PUT, qualifier=versions.stable, amount=before))
    if item.wanted:
        amount = max(item.wanted, before) if item.scaling else item.wanted
        steps += _put(versions.newest, amount, found, fixed=item.scaling is None)
        standing = found.get(versions.newest)
        if item.scaling and standing and standing.status == "READY":
            steps.append(Step(act=Act.SCALE, qualifier=versions.newest, scaling=item.scaling))
    return tuple(steps)


def _put(version: str, amount: int, found: Mapping[str, Standing], *, fixed: bool) -> list[Step]:
    standing = found.get(version)
    if standing is None or (fixed and standing.requested != amount):
        return [Step(act=Act.PUT, qualifier=version, amount=amount)]
    return []


def await_ready(item: Provisioning, versions: Versions) -> tuple[str, ...]:
    """The versions whose provisioned concurrency must be ready before traffic shifts."""
    stable = versions.canary and max(item.stable, item.on_alias)
    return (
        *((versions.stable,) if stable else ()),
        *((versions.newest,) if item.wanted else ()),
    )


def retire(item: Provisioning, versions: Versions, found: Mapping[str, Standing]) -> tuple[Step, ...]:
    """After the bake: the old version's, and all of it where none is wanted any more."""
    if not versions.canary and item.wanted:
        return ()
    return _remove(versions.stable, item.previous, found)


def _remove(version: str, scaling: Scaling | None, found: Mapping[str, Standing]) -> tuple[Step, ...]:
    if version not in found:
        return ()
    unscale = (Step(act=Act.UNSCALE, qualifier=version),) if scaling else ()
    return (*unscale, Step(act=Act.DELETE, qualifier=version))


def undo(item: Provisioning, versions: Versions, found: Mapping[str, Standing]) -> tuple[Step, ...]:
    """After traffic is restored: as it was before the release, nothing of the new version's left behind."""
    steps = list(_remove(versions.canary, item.scaling, found)) if versions.canary else []
    back = item.stable or (0 if item.in_stack else item.on_alias)
    if not back:
        return (*steps, *_remove(versions.stable, item.scaling or item.previous, found))
    steps += _put(versions.stable, back, found, fixed=item.previous is None and item.scaling is None)
    if item.previous:
        steps.append(Step(act=Act.SCALE, qualifier=versions.stable, scaling=item.previous))
    elif item.scaling and not versions.canary:
        steps.append(Step(act=Act.UNSCALE, qualifier=versions.stable))
    return tuple(steps)


def go_back(item: Provisioning, versions: Versions, found: Mapping[str, Standing]) -> tuple[Step, ...]:
    """After an order to go back: `wanted` for the version gone back to, nothing for the one that is left."""
    steps = list(_remove(versions.canary, item.previous, found)) if versions.canary else []
    if not item.wanted:
        return (*steps, *_remove(versions.stable, item.previous, found))
    steps += _put(versions.stable, item.wanted, found, fixed=item.scaling is None)
    if item.scaling:
        steps.append(Step(act=Act.SCALE, qualifier=versions.stable, scaling=item.scaling))
    return tuple(steps)


def cost(amount: int, memory: int, architecture: str) -> float:
    """Dollars for an hour in which `amount` executions of so many MB are kept ready, invoked or not."""
    return amount * memory / 1024 * 3600 * PRICES[architecture]


def total_cost(items: Iterable[Provisioning]) -> float:
    """Dollars for an hour of the rollout, with both versions' provisioned concurrency."""
    return sum(
        cost(max(item.stable, item.on_alias) + item.wanted, item.memory, item.architecture) for item in items
    )


def describe(item: Provisioning) -> Finding:
    """What the plan says of it, with the cost."""
    before = max(item.stable, item.on_alias)
    both = cost(before + item.wanted, item.memory, item.architecture)
    after = cost(item.wanted, item.memory, item.architecture)
    scaled = f", scaled up to {item.scaling.maximum}" if item.scaling else ""
    moved = "; what its alias has moves to the versions" if item.on_alias else ""
    return Finding(
        logical_id=item.logical_id,
        kind="provisioned",
        severity=Severity.REPAIR if item.on_alias else Severity.INFO,
        what=f"provisioned concurrency is {before} now and {item.wanted} for a new version{scaled}{moved}",
        action=(
            "the new version's is ready before traffic shifts, and the old one's goes after the bake; "
            f"${both:.4f} an hour with both, ${after:.4f} after (us-east-1, {PRICE_PAGE})"
        ),
    )
