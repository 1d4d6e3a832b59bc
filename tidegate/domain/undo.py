"""What an undo needs to know of a stack before the release changed it."""

from __future__ import annotations

from pydantic import Field

from tidegate.domain.identity import Frozen


class PreviousStack(Frozen):
    """A stack as it was: it lies at stages/<stage>/previous.json, written before the first change."""

    stack_name: str
    existed: bool
    template: str = ""
    parameters: dict[str, str] = Field(default_factory=dict)
    capabilities: tuple[str, ...] = ()


class UndoMark(Frozen):
    """Written before the change set back is executed: stages/<stage>/undo.json."""

    change_set: str
