"""Where a running local cloud says how it can be reached; `tidegate local up` writes it, every verb reads it.

May not import the local cloud: a verb that only talks to it starts fast.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import Field

import tidegate
from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    import boto3

VARIABLE: Final = "TIDEGATE_LOCAL_STATE"
NOBODY: Final = "local"
REMEDY: Final = "start one with `tidegate local up` and leave it running"


class LocalState(Frozen):
    """A running local cloud: its address, place and process, and the outputs of the pipeline's stack."""

    endpoint_url: str
    account: str
    region: str
    pid: int
    outputs: dict[str, str] = Field(default_factory=dict)

    @property
    def session(self) -> boto3.Session:
        """A session for the local cloud; it takes any credentials, and these are nobody's."""
        import boto3

        return boto3.Session(aws_access_key_id=NOBODY, aws_secret_access_key=NOBODY, region_name=self.region)

    def write(self, file: Path | None = None) -> Path:
        """Say that this local cloud runs; in one step, so that no reader sees half of it."""
        place = file or state_file()
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_suffix(f".{os.getpid()}")
        draft.write_text(self.model_dump_json(indent=2) + "\n")
        draft.replace(place)
        return place


def state_file() -> Path:
    """The file: `build/local/cloud.json` in Tidegate's checkout, or what TIDEGATE_LOCAL_STATE names."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path(tidegate.__file__).parents[1] / "build" / "local" / "cloud.json"


def read_state(file: Path | None = None) -> LocalState:
    """The running local cloud; LookupError with the remedy where none runs."""
    place = file or state_file()
    try:
        state = LocalState.model_validate_json(place.read_bytes())
    except FileNotFoundError:
        raise LookupError(f"no local cloud is running; {REMEDY}") from None
    except ValueError:
        raise LookupError(f"{place} is damaged; {REMEDY}") from None
    if not _runs(state.pid):
        raise LookupError(f"the local cloud of process {state.pid} has ended; {REMEDY}")
    return state


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
