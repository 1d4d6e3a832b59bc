"""Synchronous invocation: who may run, in which sandbox, and what is told of it.

It is the one way to a process: the API, asynchronous events and event source mappings all go through it.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moto.awslambda import models
from moto.awslambda.exceptions import InvalidParameterValueException
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from tidegate.local.compute.aliases import Target, resolve
from tidegate.local.compute.blueprint import Blueprint, Credentials, Logging
from tidegate.local.compute.commands import NODE, RUNTIMES
from tidegate.local.compute.configuration import logging_config
from tidegate.local.compute.errors import (
    InvalidRequestContentException,
    InvalidRuntimeException,
    InvalidZipFileException,
    RequestTooLargeException,
    RuntimeIncompleteException,
    TooManyRequestsException,
)
from tidegate.local.compute.images import Start, open_image
from tidegate.local.compute.node_sdk import SdkUnavailable
from tidegate.local.compute.sandbox import Invocation
from tidegate.local.compute.telemetry import Subject
from tidegate.local.compute.versions import blueprint_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.local.compute.code_store import CodeStore
    from tidegate.local.compute.pool import Pool
    from tidegate.local.compute.sandbox import Outcome
    from tidegate.local.compute.telemetry import Telemetry

SYNCHRONOUS_LIMIT: Final = 6_291_456
IMAGE: Final = "Image"
ASYNCHRONOUS_LIMIT: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class Call:
    """One request to invoke, as it came in; `request_id` stays the same over retries."""

    account_id: str
    region: str
    function: str
    payload: bytes
    qualifier: str | None = None
    tenant_id: str | None = None
    client_context: str | None = None
    request_id: str = ""

    def numbered(self) -> Call:
        """Give the call with a request id."""
        if self.request_id:
            return self
        return Call(
            self.account_id, self.region, self.function, self.payload or b"{}", self.qualifier,
            self.tenant_id, self.client_context, str(uuid.uuid4()),
        )  # fmt: skip

    def backend(self) -> models.LambdaBackend:
        """Give moto's backend of the call's account and region."""
        return models.lambda_backends[self.account_id][self.region]


class Invoker:
    """Runs calls; `account_concurrency` bounds all functions of an account and region together."""

    def __init__(self, store: CodeStore, pool: Pool, telemetry: Telemetry) -> None:
        self.account_concurrency = 1000
        self._store = store
        self._pool = pool
        self._telemetry = telemetry
        self._blueprints: dict[str, Blueprint] = {}
        self._running: dict[tuple[str, str], dict[str, int]] = {}
        self._lock = threading.Lock()

    def check(self, call: Call, *, limit: int = SYNCHRONOUS_LIMIT) -> Target:
        """Refuse what Lambda refuses before anything runs; gives what the call would run."""
        target = resolve(call.backend(), call.function, call.qualifier)
        if len(call.payload) > limit:
            raise RequestTooLargeException(len(call.payload), limit)
        try:
            json.loads(call.payload or b"{}")
        except ValueError as error:
            raise InvalidRequestContentException(str(error)) from error
        self._check_tenant(target.function, call.tenant_id)
        return target

    def _check_tenant(self, function: Any, tenant_id: str | None) -> None:  # noqa: ANN401
        isolated = function.tenancy_config.get("TenantIsolationMode") == "PER_TENANT"
        if isolated and not tenant_id:
            raise InvalidParameterValueException(
                "The invoked function is enabled with tenancy configuration. "
                "Add a valid tenant ID in your request and try again."
            )
        if tenant_id and not isolated:
            raise InvalidParameterValueException(
                "The invoked function is not enabled with tenancy configuration. "
                "Remove the tenant ID from your request and try again."
            )

    def run(self, call: Call) -> tuple[Target, Outcome]:
        """Run a call to its end; raises Lambda's errors for what never reaches the function's code."""
        call = call.numbered()
        target = self.check(call)
        return target, self.run_target(target, call)

    def run_target(self, target: Target, call: Call) -> Outcome:
        """Run a call on a version that is already chosen."""
        function = target.function
        version = str(function.version)
        executed = version if target.alias else None
        subject = Subject(call.account_id, call.region, function.function_name, target.resource, executed)
        started = time.time()
        blueprint = self._blueprint(function)
        with self._slot(subject, started):
            sandbox = self._pool.borrow(blueprint, call.tenant_id)
            try:
                outcome = sandbox.invoke(
                    Invocation(
                        call.request_id,
                        call.payload or b"{}",
                        target.arn,
                        call.tenant_id,
                        call.client_context,
                    )
                )
            finally:
                self._pool.give_back(sandbox)
        self._telemetry.count(
            subject, started, {"Invocations": 1, "Errors": outcome.status != "success", "Throttles": 0}
        )
        self._telemetry.duration(subject, started, outcome.duration)
        return outcome

    @contextmanager
    def _slot(self, subject: Subject, started: float) -> Iterator[None]:
        """Hold one of the function's executions; raises TooManyRequestsException if none is left."""
        with self._lock:
            running = self._running.setdefault((subject.account_id, subject.region), {})
            free, claimed = self._claim(subject, running)
            if free:
                running[subject.name] = running.get(subject.name, 0) + 1
            now = running.get(subject.name, 0)
        if not free:
            self._telemetry.count(subject, started, {"Throttles": 1})
            raise TooManyRequestsException
        self._telemetry.count(subject, started, {"ConcurrentExecutions": now})
        account = Subject(subject.account_id, subject.region, "", "")
        self._telemetry.count(account, started, {"ClaimedAccountConcurrency": claimed})
        try:
            yield
        finally:
            with self._lock:
                running[subject.name] -= 1

    def _claim(self, subject: Subject, running: dict[str, int]) -> tuple[bool, int]:
        """Whether an execution is free, and how many of the account are then no longer for anybody else."""
        backend = models.lambda_backends[subject.account_id][subject.region]
        reserved = {
            name: int(group["latest"].reserved_concurrency)
            for name, group in list(backend._lambdas._functions.items())
            if group["latest"].reserved_concurrency is not None
        }
        shared = sum(count for name, count in running.items() if name not in reserved)
        claimed = shared + sum(reserved.values())
        if subject.name in reserved:
            return running.get(subject.name, 0) < reserved[subject.name], claimed
        return claimed < self.account_concurrency, claimed + 1

    def _blueprint(self, function: Any) -> Blueprint:  # noqa: ANN401
        key = blueprint_key(function)
        blueprint = self._blueprints.get(key)
        if blueprint is None:
            self._blueprints[key] = blueprint = self._make_blueprint(key, function)
        return blueprint

    def forget(self, keys: set[str]) -> None:
        """Drop the blueprints of what is gone."""
        for key in keys:
            self._blueprints.pop(key, None)

    def _make_blueprint(self, key: str, function: Any) -> Blueprint:  # noqa: ANN401
        start = self._open(function)
        logging = logging_config(function)
        return Blueprint(
            key=key,
            account_id=function.account_id,
            region=function.region,
            name=function.function_name,
            version=str(function.version),
            runtime=start.runtime,
            handler=start.handler,
            role=function.role,
            memory_size=int(function.memory_size),
            timeout=int(function.timeout),
            variables={**start.variables, **function.environment_vars},
            logging=Logging(
                group=logging["LogGroup"],
                json=logging["LogFormat"] == "JSON",
                application_level=logging.get("ApplicationLogLevel"),
                system_level=logging.get("SystemLogLevel", "INFO"),
            ),
            task_root=start.task_root,
            layers_root=start.layers_root,
            runtime_root=start.runtime_root,
        )

    def _open(self, function: Any) -> Start:  # noqa: ANN401
        """Unpack what a function runs, a zip or an image."""
        runtime = function.run_time or ""
        if function.package_type == IMAGE:
            try:
                return open_image(function, self._store)
            except LookupError as error:
                raise InvalidRuntimeException(f"{function.function_name}: {error}") from error
        if not runtime.startswith(RUNTIMES):
            raise InvalidRuntimeException(
                f"{function.function_name} ({function.package_type}, {runtime or 'no runtime'})"
            )
        try:
            task_root = self._store.function(function.code_bytes)
            layers_root = self._store.layers(_layer_archives(function))
            is_node = runtime.startswith(NODE)
            runtime_root = self._store.clients(task_root, layers_root) if is_node else self._store.runtime
        except zipfile.BadZipFile as error:
            raise InvalidZipFileException(function.function_name) from error
        except SdkUnavailable as error:
            raise RuntimeIncompleteException(function.function_name, str(error)) from error
        return Start(runtime, function.handler, task_root, layers_root, runtime_root, {})


def _layer_archives(function: Any) -> list[bytes]:  # noqa: ANN401
    backend = models.lambda_backends[function.account_id][function.region]
    found = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
    return [layer.code_bytes for layer in found]


class RoleCredentials:
    """Temporary credentials of functions' roles, one set per role and function."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Credentials] = {}

    def __call__(self, blueprint: Blueprint) -> Credentials:
        """Give credentials of the blueprint's role; ones without any right if IAM does not know the role."""
        with self._lock:
            known = self._known.get((blueprint.role, blueprint.name))
            if known is None:
                known = _assume(blueprint)
                self._known[blueprint.role, blueprint.name] = known
            return known


def _assume(blueprint: Blueprint) -> Credentials:
    partition = blueprint.role.split(":")[1]
    try:
        iam_backends[blueprint.account_id][partition].get_role_by_arn(blueprint.role)
    except NotFoundException:
        return Credentials("testing", "testing", "testing")
    assumed = sts_backends[blueprint.account_id][partition].assume_role(
        region_name=blueprint.region,
        role_session_name=blueprint.name,
        role_arn=blueprint.role,
        policy="",
        duration=43_200,
        external_id="",
    )
    return Credentials(assumed.access_key_id, assumed.secret_access_key, assumed.session_token)
