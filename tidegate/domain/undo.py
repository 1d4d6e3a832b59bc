"""What is kept of a stack while it changes: what it was, and how far an update has come."""

from __future__ import annotations

from pydantic import Field

from tidegate.domain.identity import Frozen


class PreviousStack(Frozen):
    """A stack as it was: it lies at stages/<stage>/previous.json, written before the release's own update.

    A stack that is adopted first is kept at stages/<stage>/original.json too, as it was before that: nothing
    goes back to it, since an adopted stack runs the same code.
    """

    stack_name: str
    existed: bool
    template: str = ""
    parameters: dict[str, str] = Field(default_factory=dict)
    capabilities: tuple[str, ...] = ()


class Asked(Frozen):
    """The change set that a plan is made of, at stages/<stage>/asked.json: written before it is asked for.

    A release may end before there is a plan; then this says what to delete.
    """

    stack_name: str
    change_set: str


class ChangeMark(Frozen):
    """Written before a change set is executed: from then on one that is missing is one that has ended.

    The way back lies at stages/<stage>/undo.json, the updates of an adoption at
    stages/<stage>/<update>-begun.json and, once each has ended, <update>-ended.json.
    """

    change_set: str
