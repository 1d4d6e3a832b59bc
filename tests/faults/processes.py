"""Functions in this process: an invocation is a thread, and a sandbox is what a process would have kept.

A release through real processes takes twenty seconds, and every call of a release is to be tried. Handlers run
as they are, each sandbox with its own tools, settings and clients; what is not real is the end of a process.
A killed invocation answers at once as Lambda does, and its thread finds every further call closed.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import copy
import functools
import importlib
import importlib.util
import json
import re
import threading
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

from botocore import useragent
from botocore.client import ClientCreator
from moto.dynamodb.models.table import Table
from samtranslator.policy_template_processor.processor import PolicyTemplatesProcessor

from tidegate import task
from tidegate.local.compute import code_store, pool
from tidegate.local.compute.logs import Report, SandboxLog
from tidegate.local.compute.sandbox import Outcome
from tidegate.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud
    from tidegate.local.compute.blueprint import Blueprint
    from tidegate.local.compute.sandbox import Invocation

OURS = "functions."
SERVICE = re.compile(r"\bs[0-9a-f]{8}\b")
INDEX_NAME = 6  # where moto's query has the index's name, after the key
ROLLBACK = re.compile("tidegate-rollback|DiagnoseRollback")
CODE: dict[str, Callable[[Any, Any], Any]] = {}
# Invocations of ours that run now, by service.
ACTIVE: Counter[str] = Counter()


class Killed(BaseException):
    """The process that this thread stands for is gone; nothing of ours may catch it."""


class Run:
    """One invocation: whom it works for, and whether its process still lives."""

    def __init__(self, function: str, payload: str) -> None:
        found = SERVICE.search(payload)
        self.function = function
        self.service = found.group() if found else ""
        self.machine = "rollback" if ROLLBACK.search(payload) else "release"
        self.ended = threading.Event()
        self.answer: tuple[str, Any] = ("failure", None)
        self.killed_as = ""
        self.spoiled = False
        self.ordinal = 0
        self.calls = 0

    def kill(self, how: str) -> None:
        """End the process, as `Runtime.ExitError` or `Sandbox.Timedout`."""
        self.killed_as = self.killed_as or how
        self.ended.set()


CURRENT: contextvars.ContextVar[Run | None] = contextvars.ContextVar("run", default=None)


class Process:
    """A sandbox without a process; a sandbox of Tidegate's own has tools, as its process would."""

    def __init__(
        self, blueprint: Blueprint, _host: object, _credentials: object, tenant_id: str | None
    ) -> None:
        self.blueprint = blueprint
        self.tenant_id = tenant_id
        self.idle_since = 0.0
        self.alive = True
        self.log = SandboxLog(blueprint)
        self._fresh = True
        self._ours = blueprint.handler.startswith(OURS)
        variables = {key: value for key, value in blueprint.variables.items() if key.startswith(PREFIX)}
        self.tools = task.Tools(Settings(variables)) if self._ours else None
        self._handler = find_handler(blueprint)

    def kill(self) -> None:
        self.alive = False
        self.log.flush()

    def invoke(self, invocation: Invocation) -> Outcome:
        run = Run(self.blueprint.name, invocation.payload.decode())
        self.log.start(invocation.request_id)
        begun = time.monotonic()
        if self._ours:
            ACTIVE[run.service] += 1
            threading.Thread(target=self._work, args=(run, invocation), daemon=True).start()
            if not run.ended.wait(self.blueprint.timeout):
                run.kill("Sandbox.Timedout")
            ACTIVE[run.service] -= 1
        else:
            self._work(run, invocation)
        duration = (time.monotonic() - begun) * 1000
        status, body = run.answer
        if run.killed_as:
            message = f"RequestId: {invocation.request_id} Error: the process was ended"
            status, body = "failure", {"errorType": run.killed_as, "errorMessage": message}
        self.alive = self.alive and not run.killed_as and not run.spoiled
        init, self._fresh = (1.0 if self._fresh else None), False
        report = Report(invocation.request_id, status, duration, init, self.blueprint.memory_size, 1)
        self.log.report(report)
        return Outcome(json.dumps(body).encode(), status, duration, init, b"")

    def _work(self, run: Run, invocation: Invocation) -> None:
        CURRENT.set(run)
        PROCESS.set(self)
        try:
            run.answer = ("success", self._handler(json.loads(invocation.payload or b"{}"), Context()))
        except Killed:
            run.kill("Runtime.ExitError")
        except Exception as error:  # noqa: BLE001
            about = {"errorType": type(error).__name__, "errorMessage": str(error)}
            run.answer = ("error", {**about, "requestId": invocation.request_id, "stackTrace": []})
        finally:
            CURRENT.set(None)
            run.ended.set()


PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class Context:
    """Lambda's context, as far as handlers look at it."""

    def get_remaining_time_in_millis(self) -> int:
        return 100_000


def find_handler(blueprint: Blueprint) -> Callable[[Any, Any], Any]:
    """The function's code: ours is what is imported here anyway, a service's is that of its version."""
    module, _, name = blueprint.handler.rpartition(".")
    if module.startswith(OURS):
        found: Callable[[Any, Any], Any] = getattr(importlib.import_module(module), name)
        return found
    if blueprint.key not in CODE:
        path = blueprint.task_root / f"{module.replace('.', '/')}.py"
        spec = importlib.util.spec_from_file_location(f"service_{uuid.uuid4().hex}", path)
        assert spec is not None
        assert spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        CODE[blueprint.key] = getattr(loaded, name)
    return CODE[blueprint.key]


def keep_client_classes(cloud: LocalCloud) -> None:
    """Make the class of a service's clients once in a session: its many methods are most of making one."""
    original = ClientCreator._create_client_class
    classes: dict[tuple[int, str, str], Any] = {}
    sessions: list[Any] = []

    def create(creator: Any, name: str, model: Any) -> Any:
        emitter = creator._event_emitter  # its handlers add methods, boto3's to the clients of S3
        key = (id(emitter), name, model.api_version)
        if key not in classes:
            sessions.append(emitter)
            classes[key] = original(creator, name, model)
        return classes[key]

    cloud.patch(ClientCreator, "_create_client_class", create)


def query_partitions(cloud: LocalCloud) -> None:
    """Look for the items of a key among its own: moto sorts all of a table for each query."""
    original = Table.query

    def query(table: Any, hash_key: Any, *args: Any, **named: Any) -> Any:
        index = args[INDEX_NAME] if len(args) > INDEX_NAME else named.get("index_name")
        if index or hash_key is None:
            return original(table, hash_key, *args, **named)
        part = copy.copy(table)
        part.items = {hash_key: table.items[hash_key]} if hash_key in table.items else {}
        return original(part, hash_key, *args, **named)

    cloud.patch(Table, "query", query)


def install(cloud: LocalCloud) -> None:
    """Let the cloud's functions run here. Threads of an executor belong to the invocation that made them."""
    submit = concurrent.futures.ThreadPoolExecutor.submit

    @functools.wraps(submit)
    def inherit(executor: Any, work: Callable[..., Any], /, *args: Any, **named: Any) -> Any:
        if CURRENT.get() is None:
            return submit(executor, work, *args, **named)
        return submit(executor, contextvars.copy_context().run, work, *args, **named)

    keep_client_classes(cloud)
    query_partitions(cloud)
    cloud.patch(concurrent.futures.ThreadPoolExecutor, "submit", inherit)
    cloud.patch(pool, "Sandbox", Process)
    cloud.patch(code_store.CodeStore, "layers", lambda store, _: store.runtime)  # imported here already
    # Two things that cost a fifth of a run and tell nothing: who asks, and whether SAM's own files are sound.
    cloud.patch(useragent.UserAgentString, "to_string", lambda _: "tidegate-faults")
    cloud.patch(PolicyTemplatesProcessor, "_is_valid_templates_dict", staticmethod(lambda *_: True))
    cloud.patch(task, "keep_tools", lambda: PROCESS.get().tools)
