"""The process's one session of botocore, and the clients that it makes.

boto3 would add resources and managed transfers to it: nothing here needs them, and a cold start would wait
for their import. A second session would read all service models again.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any, Final

from botocore.session import Session, get_session

_LOCK: Final = threading.Lock()


@lru_cache(maxsize=1)
def find_session() -> Session:
    """The session; made when it is first asked for."""
    return get_session()


def make_client(service: str, **options: Any) -> Any:  # noqa: ANN401 (each service has a type of its own)
    """A client of this service; options as botocore's `create_client` takes them."""
    with _LOCK:  # a session makes one client at a time
        return find_session().create_client(service, **options)
