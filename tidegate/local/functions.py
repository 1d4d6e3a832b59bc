"""The extension that makes Lambda functions real: each sandbox is a process that runs the function's code.

The parts are in `compute`; this module puts them together and gives other extensions `invoke`.
Out of its reach: function URLs, enforcing Lambda's resource policies, runtimes other than Python and Node,
streamed responses, memory limits, and a `/tmp` at that very path (a sandbox's folder is in TMPDIR and HOME).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import CloudWatchBackend
from moto.logs.models import LogStream

from tidegate.local import metrics
from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.local.compute import (
    access,
    aliases,
    api,
    callers,
    concurrency,
    configuration,
    downloads,
    event_configs,
    versions,
)
from tidegate.local.compute.code_store import CodeStore
from tidegate.local.compute.deliveries import Deliveries
from tidegate.local.compute.destinations import Destinations
from tidegate.local.compute.invoker import Call, Invoker, RoleCredentials
from tidegate.local.compute.logs import STREAM_LOCK
from tidegate.local.compute.pool import Pool
from tidegate.local.compute.sandbox import Host
from tidegate.local.compute.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud


@dataclass(frozen=True, slots=True)
class Compute:
    """The parts of a running cloud that run functions; their attributes hold limits that tests may lower."""

    pool: Pool
    invoker: Invoker
    deliveries: Deliveries
    telemetry: Telemetry


@dataclass(frozen=True, slots=True)
class Answer:
    """What Invoke answers; for an event only the request id is known. `payload` is a JSON document."""

    request_id: str
    payload: bytes = b""
    function_error: str | None = None
    executed_version: str | None = None
    log_tail: bytes = b""


RUNNING: dict[str, Compute] = {}


def install(cloud: LocalCloud) -> None:
    """Make the functions of `cloud` run."""
    pool = Pool(Host(cloud.home, cloud.endpoint_url, cloud.network_environment), RoleCredentials())
    telemetry = Telemetry()
    invoker = Invoker(CodeStore(cloud.home), pool, telemetry)
    deliveries = Deliveries(invoker, telemetry, Destinations(cloud).send)
    RUNNING["compute"] = Compute(pool, invoker, deliveries, telemetry)

    def drop(keys: set[str]) -> None:
        invoker.forget(keys)
        pool.retire(keys)

    configuration.install(cloud, drop)
    versions.install(cloud, drop)
    aliases.install(cloud)
    event_configs.install(cloud)
    access.install(cloud)
    concurrency.install(cloud)
    api.install(cloud, invoker, deliveries)
    downloads.install(cloud)
    callers.install(cloud, invoker, deliveries)
    metrics.install(cloud)
    _flush_on_reading(cloud, telemetry)
    _order_log_writes(cloud)
    cloud.on_stop(lambda: _stop(pool, deliveries))
    cloud.every(0.05, "events", deliveries.release)
    cloud.every(0.2, "telemetry", telemetry.flush)
    cloud.every(0.2, "sandboxes", pool.sweep)


def compute() -> Compute:
    """Give the parts of the running cloud. Raises KeyError if none runs."""
    return RUNNING["compute"]


def invoke(
    function_arn_or_name: str,
    payload: bytes,
    *,
    invocation_type: str = "RequestResponse",
    region: str = REGION,
    account: str = ACCOUNT_ID,
    tenant_id: str | None = None,
) -> Answer:
    """Invoke a function from inside the cloud, as Invoke does; an ARN's own region and account win.

    A qualified ARN or `name:qualifier` is taken. Raises moto's LambdaClientError with Lambda's code.
    """
    parts = function_arn_or_name.split(":")
    if parts[0] == "arn":
        region, account = parts[3], parts[4]
    call = Call(account, region, function_arn_or_name, payload, tenant_id=tenant_id).numbered()
    if invocation_type == "Event":
        return Answer(compute().deliveries.accept(call))
    target, outcome = compute().invoker.run(call)
    version = str(target.function.version)
    return Answer(call.request_id, outcome.payload, outcome.function_error, version, outcome.log_tail)


def _stop(pool: Pool, deliveries: Deliveries) -> None:
    deliveries.close()
    pool.close()
    RUNNING.pop("compute", None)


def _flush_on_reading(cloud: LocalCloud, telemetry: Telemetry) -> None:
    for name in ("get_metric_data", "get_metric_statistics", "get_filtered_metrics"):
        cloud.patch(CloudWatchBackend, name, _after(telemetry.flush, CloudWatchBackend.__dict__[name]))


def _after(first: Callable[[], None], method: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        first()
        return method(*arguments, **named)

    return run


def _order_log_writes(cloud: LocalCloud) -> None:
    """Let one writer at a time number log events, whose ids readers tell them apart by."""
    original = LogStream.__dict__["put_log_events"]

    def put_log_events(self: LogStream, log_events: list[dict[str, Any]]) -> str:
        with STREAM_LOCK:
            written: str = original(self, log_events)
            return written

    cloud.patch(LogStream, "put_log_events", put_log_events)
