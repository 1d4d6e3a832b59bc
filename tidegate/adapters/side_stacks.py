"""The side stacks of a service and stage: made for one release, and taken away again, one look at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.stacks import create, delete, find_stack
from tidegate.domain.errors import ChangeSetFailed
from tidegate.domain.holds import hold_name
from tidegate.domain.undo import ChangeMark

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

    from tidegate.adapters.documents import Documents
    from tidegate.adapters.ledger import Ledger
    from tidegate.domain.guards import GuardStack
    from tidegate.domain.identity import ReleaseRef

RELEASE_TAG: Final = "tidegate:release"


class Removal(NamedTuple):
    """Whether the removal of a side stack has ended, and why something is left all the same."""

    ended: bool
    left: str = ""


@dataclass(frozen=True)
class SideStacks:
    """Those of one stage, for one release.

    ledger: who may stand one up. documents: the pipeline's, for marks. templates: the stage's own, from which
    CloudFormation reads.
    """

    client: CloudFormationClient
    ledger: Ledger
    documents: Documents
    templates: Documents
    ref: ReleaseRef
    stage: str
    role: str

    @property
    def _prefix(self) -> str:
        return stage_prefix(self.ref, self.stage)

    def stand_up(self, stack: GuardStack) -> bool:
        """One step towards the stack; True once it is there. One of an earlier release is deleted first.

        Raises ChangeSetFailed where it cannot be made; ClaimLost right before a change that is no longer the
        release's: a handler that was held up would leave a stack behind, or take away a later release's.
        """
        found = find_stack(self.client, stack.name)
        if found is None:
            # Given inline, a template may have 51,200 bytes: the alarms of 27 functions.
            key = f"{self._prefix}{stack.name}.json"
            self.templates.write_bytes(key, json.dumps(stack.template).encode(), "application/json")
            tags = {RELEASE_TAG: self.ref.id}
            self.ledger.check_epoch(self.ref)
            create(self.client, stack.name, self.templates.url(key), self.role, tags)
            return False
        if found.is_busy:
            return False
        if found.tags.get(RELEASE_TAG) != self.ref.id or found.needs_operator:
            self.ledger.check_epoch(self.ref)
            if left := self.take_away(stack.name).left:
                raise ChangeSetFailed(left)
            return False
        if not found.is_healthy:
            message = f"the side stack {stack.name} could not be made: {found.status} {found.reason}"
            raise ChangeSetFailed(message)
        return True

    def take_away(self, name: str) -> Removal:
        """One step towards a stage without the stack; a deletion that failed is tried once more."""
        found = find_stack(self.client, name)
        if found is None:
            return Removal(ended=True)
        if found.is_busy:
            return Removal(ended=False)
        if found.needs_operator:
            mark = f"{self._prefix}{name}-removal.json"
            if self.documents.exists(mark):
                return Removal(ended=True, left=f"the side stack {name} cannot be deleted: {found.reason}")
            self.documents.write(mark, ChangeMark(change_set=name))
        delete(self.client, name, self.role)
        return Removal(ended=False)

    def has_holds(self) -> bool:
        """Whether any rights are held."""
        return find_stack(self.client, hold_name(self.ref.service, self.stage)) is not None

    def take_holds(self) -> Removal:
        """One step towards a stage without held rights, whichever release has held them.

        The last stack goes first: the first one stands as long as any does.
        """
        names: list[str] = []
        while find_stack(self.client, hold_name(self.ref.service, self.stage, len(names))):
            names.append(hold_name(self.ref.service, self.stage, len(names)))
        return self.take_away(names[-1]) if names else Removal(ended=True)
