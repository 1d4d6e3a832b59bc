"""The one way in which a verb says that what it was asked for did not happen."""

from __future__ import annotations

from typing import Any

import click


class Failed(click.ClickException):
    """Shown as one line on stderr, `error: …`; 1 is the exit code where the outcome has none of its own."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(" ".join(message.split()))
        self.exit_code = exit_code  # type: ignore[misc] # declared for the class, read from the instance

    def show(self, file: Any = None) -> None:  # noqa: ANN401 (as click declares it)
        """Print the line on stderr."""
        click.echo(f"error: {self.message}", err=True, file=file)
