"""What runs when a function of an image is invoked: its entrypoint, its handler, and where its code lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .references import TASK_ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .documents import Runtime
    from .recipes import Recipe

# The entrypoint of Lambda's own images, and the module that starts the runtime in all others.
LAMBDA_ENTRYPOINT: Final = "/lambda-entrypoint.sh"
RUNTIME_CLIENT: Final = "awslambdaric"


def starts_python(entrypoint: Sequence[str]) -> bool:
    """Whether an entrypoint hands its command to Lambda's runtime for Python, as a handler."""
    last = entrypoint[-1].rpartition("/") if entrypoint else ("", "", "")
    return entrypoint[-1:] == (LAMBDA_ENTRYPOINT,) or last[2] == RUNTIME_CLIENT


def find_handler(
    base: Runtime, recipe: Recipe | None, entrypoint: Sequence[str] | None, command: Sequence[str] | None
) -> str:
    """The handler of a function; empty where its entrypoint is none that takes one.

    `entrypoint` and `command` are ImageConfig's, which go before the image's own.
    """
    own = recipe.entrypoint if recipe else None
    started = tuple(entrypoint or own or base.entrypoint)
    given = command or (recipe.command if recipe else None) or (() if own else base.command)
    return given[0] if starts_python(started) and len(given) == 1 else ""


def find_task_root(base: Runtime, recipe: Recipe) -> str:
    """Where the handler's module is looked for first, without the first slash."""
    variables = base.environment | recipe.environment
    return variables.get(TASK_ROOT, recipe.working_folder).strip("/")
