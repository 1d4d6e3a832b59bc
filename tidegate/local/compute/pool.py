"""The sandboxes that are alive: reused last in, first out, ended when idle for long, stale, or too many.

A sandbox belongs to one blueprint and, with tenant isolation, to one tenant; it is never lent across.
The cap bounds processes that idle: one that is needed now is started even if all others are busy.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from tidegate.local.compute.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.compute.blueprint import Blueprint, Credentials
    from tidegate.local.compute.sandbox import Host


class Stopping(RuntimeError):
    """The local cloud takes no further invocation."""


class Pool:
    """Lends sandboxes; safe to use from many threads."""

    def __init__(self, host: Host, credentials: Callable[[Blueprint], Credentials]) -> None:
        self.cap = 48
        self.idle_seconds = 300.0
        self._host = host
        self._credentials = credentials
        self._lock = threading.Lock()
        self._idle: list[Sandbox] = []
        self._busy: set[Sandbox] = set()
        self._retired: set[str] = set()
        self._closed = False

    def borrow(self, blueprint: Blueprint, tenant_id: str | None) -> Sandbox:
        """Give an idle sandbox, the one used last, or a new one. Raises RuntimeError once closed."""
        with self._lock:
            sandbox = self._take(blueprint.key, tenant_id)
            surplus = [] if sandbox else self._overflow()
        for old in surplus:
            old.kill()
        if sandbox is None:
            sandbox = Sandbox(blueprint, self._host, self._credentials(blueprint), tenant_id)
        with self._lock:
            if not self._closed:
                self._busy.add(sandbox)
                return sandbox
        sandbox.kill()
        raise Stopping("the local cloud is stopping")

    def _take(self, key: str, tenant_id: str | None) -> Sandbox | None:
        for index in range(len(self._idle) - 1, -1, -1):
            sandbox = self._idle[index]
            if sandbox.blueprint.key == key and sandbox.tenant_id == tenant_id and sandbox.alive:
                return self._idle.pop(index)
        return None

    def _overflow(self) -> list[Sandbox]:
        count = max(0, min(len(self._idle), len(self._idle) + len(self._busy) + 1 - self.cap))
        surplus, self._idle = self._idle[:count], self._idle[count:]
        return surplus

    def give_back(self, sandbox: Sandbox) -> None:
        """Take a sandbox back after its invocation."""
        with self._lock:
            self._busy.discard(sandbox)
            keep = sandbox.alive and not self._closed and sandbox.blueprint.key not in self._retired
            if keep:
                sandbox.idle_since = time.monotonic()
                self._idle.append(sandbox)
        if not keep:
            sandbox.kill()

    def retire(self, keys: set[str]) -> None:
        """End the sandboxes of blueprints that are stale, busy ones after their invocation."""
        with self._lock:
            self._retired |= keys
            stale = [sandbox for sandbox in self._idle if sandbox.blueprint.key in keys]
            self._idle = [sandbox for sandbox in self._idle if sandbox.blueprint.key not in keys]
        for sandbox in stale:
            sandbox.kill()

    def sweep(self) -> None:
        """End what idled too long or died while idle, and write out what idle and busy sandboxes logged."""
        oldest = time.monotonic() - self.idle_seconds
        with self._lock:
            gone = [sandbox for sandbox in self._idle if sandbox.idle_since < oldest]
            self._idle = [sandbox for sandbox in self._idle if sandbox.idle_since >= oldest]
            living = [*self._idle, *self._busy]
        for sandbox in gone:
            sandbox.kill()
        for sandbox in living:
            sandbox.log.flush()

    def close(self) -> None:
        """End all sandboxes, the busy ones too."""
        with self._lock:
            self._closed = True
            sandboxes = [*self._idle, *self._busy]
            self._idle = []
        for sandbox in sandboxes:
            sandbox.kill()

    def __len__(self) -> int:
        with self._lock:
            return len(self._idle) + len(self._busy)
