"""The local cloud itself: one moto server in this process, extended, started and stopped as one thing.

moto's backends are globals of the process, so at most one cloud runs per process at a time.
An extension is a module with `install(cloud)`; it replaces parts of moto through `cloud.patch`, which
`stop` takes back, and it runs its background work through `cloud.every` and `cloud.on_stop`.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import boto3
from botocore.config import Config

from tidegate.local.compute.blueprint import network_environment
from tidegate.local.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOG: Final = logging.getLogger(__name__)
ACCOUNT_ID: Final = "123456789012"
REGION: Final = "us-east-1"
MISSING: Final = object()

# In the order of installation; each adds the one thing that its name says.
EXTENSIONS: Final = (
    "tidegate.local.identities",
    "tidegate.local.functions",
    "tidegate.local.function_urls",
    "tidegate.local.public_layers",
    "tidegate.local.mappings",
    "tidegate.local.queue_metrics",
    "tidegate.local.jsonata",
    "tidegate.local.machines",
    "tidegate.local.events",
    "tidegate.local.alarms",
    "tidegate.local.log_patterns",
    "tidegate.local.signatures",
    "tidegate.local.subscriptions",
    "tidegate.local.appconfig",
    "tidegate.local.codebuild",
    "tidegate.local.registries",
    "tidegate.local.stacks",
    "tidegate.local.resources",
    "tidegate.local.server",
    "tidegate.local.dynamodb_answers",
)


class LocalCloud:
    """A running local cloud; a context manager. `home` is the folder for its working files.

    `network_environment` is what every process that the cloud starts gets of this machine's network set-up
    (proxies, certificate bundles, package index settings); change it before `start` to give more or less.
    `pace` is the factor on Wait states and Retry intervals of state machines; time limits are not paced.
    `parameters` are values for those parameters of templates that have no default and are given none.
    """

    def __init__(self, home: Path, pace: float = 1.0, extensions: Sequence[str] = EXTENSIONS) -> None:
        self.home = home
        self.pace = pace
        self.extensions = extensions
        self.network_environment = network_environment(os.environ, str(Path.home()))
        self.parameters: dict[str, str] = {}
        self.endpoint_url = ""
        self._server: Server | None = None
        self._patches: list[tuple[Any, str, Any]] = []
        self._on_stop: list[Callable[[], None]] = []
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, port: int = 0) -> None:
        """Start the server on a free port of the loopback interface (or `port`), and the extensions."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._server = Server(port)
        self._server.start()
        self.endpoint_url = self._server.url
        for name in self.extensions:
            importlib.import_module(name).install(self)

    def stop(self) -> None:
        """Stop what runs in the background, the server last, and give moto back as it was."""
        self._stopping.set()
        for callback in reversed(self._on_stop):
            callback()
        if self._server is not None:
            self._server.stop()
        for owner, name, original in reversed(self._patches):
            if original is MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        self._patches.clear()
        reset_backends()

    def patch(self, owner: Any, name: str, replacement: Any) -> Any:  # noqa: ANN401
        """Replace an attribute of moto until the cloud stops; gives what stood there, or None."""
        original = owner.__dict__.get(name, MISSING)
        self._patches.append((owner, name, original))
        setattr(owner, name, replacement)
        return None if original is MISSING else original

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Run `callback` when the cloud stops, the last registered first."""
        self._on_stop.append(callback)

    def every(self, seconds: float, name: str, work: Callable[[], None]) -> None:
        """Run `work` in its own thread every `seconds` until the cloud stops; faults are logged."""

        def loop() -> None:
            while not self._stopping.wait(seconds):
                try:
                    work()
                except Exception:
                    LOG.exception("%s failed", name)

        thread = threading.Thread(target=loop, name=f"tidegate-{name}", daemon=True)
        thread.start()
        self.on_stop(lambda: thread.join(timeout=5))

    @property
    def server(self) -> Server:
        """What answers its calls; only while it runs."""
        if self._server is None:
            raise RuntimeError("the cloud has not been started")
        return self._server

    @property
    def stopping(self) -> threading.Event:
        """Set once the cloud is going down; background work waits on it instead of sleeping."""
        return self._stopping

    def environment(self) -> dict[str, str]:
        """What a process needs in its environment so that its AWS clients reach this cloud."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self, service: str) -> Any:  # noqa: ANN401
        """Make a boto3 client of this cloud."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106
            config=Config(retries={"max_attempts": 0}, max_pool_connections=50, read_timeout=900),
        )


def reset_backends() -> None:
    """Forget everything that the emulated services hold."""
    from moto.moto_api._internal.models import moto_api_backend

    moto_api_backend.reset()
