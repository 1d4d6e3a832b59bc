"""Faults on order, inside the process that runs the local cloud: a handler dies, an execution is stopped.

A fault names the function (or the state) that it befalls and the moment. It strikes at the seams that AWS has
too: the end of a process, the calls that a process makes, StopExecution. Handlers and machines know nothing.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.local.compute import pool
from tidegate.local.compute.runtime_api import Kind, Signal
from tidegate.local.compute.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tidegate.local.cloud import LocalCloud
    from tidegate.local.compute.sandbox import Invocation

MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:tidegate-"


@dataclass
class Fault:
    """What goes wrong, once per `times` after `skip` occasions.

    `at`: `start` and `end` kill the process of `function` before its code runs, and after it has done
    everything but answer; `call` kills it after its AWS call number `calls` was carried out; `stop` stops the
    execution of `machine` before the handler begins, which it does only `seconds` later; `state` stops the
    execution as soon as it has entered the state `function`. `words` must all stand in the payload.
    """

    function: str
    at: str
    words: list[str] = field(default_factory=list)
    calls: int = 1
    machine: str = "release"
    seconds: float = 0
    skip: int = 0
    times: int = 1
    struck: int = 0


class Faults:
    """The orders, and the seams that look at them."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()
        self._orders: list[Fault] = []
        self._watched: dict[str, tuple[Fault, Sandbox]] = {}
        self._install()

    def order(self, given: Iterable[dict[str, Any]]) -> None:
        """Replace all orders."""
        with self._lock:
            self._orders = [Fault(**one) for one in given]
            self._watched.clear()

    def struck(self) -> list[int]:
        """How often each order has struck."""
        with self._lock:
            return [fault.struck for fault in self._orders]

    def take(self, name: str, text: str, moments: set[str]) -> Fault | None:
        """The order that befalls this occasion, counted."""
        with self._lock:
            for fault in self._orders:
                fits = fault.function == name and fault.at in moments
                fits = fits and (fault.at == "state" or all(word in text for word in fault.words))
                if not fits or fault.struck >= fault.times:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                if fault.at != "state":
                    fault.struck += 1
                return fault
        return None

    def watch(self, fault: Fault, request_id: str, sandbox: Sandbox) -> None:
        """Kill the sandbox after the calls that the fault counts."""
        with self._lock:
            self._watched[request_id.replace("-", "")[:24]] = (fault, sandbox)

    def called(self, trace: str) -> None:
        """A call of an invocation has been carried out."""
        with self._lock:
            fault, sandbox = self._watched.get(trace, (None, None))
            if fault is None or sandbox is None:
                return
            fault.calls -= 1
            if fault.calls:
                return
            del self._watched[trace]
        sandbox._end_group()

    def stop(self, fault: Fault) -> bool:
        """Stop the running executions of the fault's machine that speak of its words."""
        client = self._cloud.client("stepfunctions")
        found = client.list_executions(
            stateMachineArn=MACHINE + fault.machine, statusFilter="RUNNING"
        )["executions"]  # fmt: skip
        stopped = False
        for execution in found:
            arn = execution["executionArn"]
            text = client.describe_execution(executionArn=arn)["input"]
            if all(word in text for word in fault.words[:1]):
                client.stop_execution(executionArn=arn, error="Stopped", cause="by hand")
                stopped = True
        return stopped

    def entered(self, state: str) -> None:
        """An execution has entered a state; whose it is, is found out by who runs."""
        fault = self.take(state, "", {"state"})
        if fault is not None:
            threading.Thread(target=self._stop_entered, args=(fault,), daemon=True).start()

    def _stop_entered(self, fault: Fault) -> None:
        stopped = self.stop(fault)
        with self._lock:
            fault.struck += stopped

    def _install(self) -> None:
        faults = self
        self._cloud.patch(pool, "Sandbox", _sandbox_type(faults))
        server = self._cloud._server
        app = server.app

        def watch(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
            body = app(environ, start_response)
            trace = environ.get("HTTP_X_AMZN_TRACE_ID", "")
            if trace and faults._watched:
                faults.called(trace.rpartition("-")[2].partition(";")[0])
            return body

        server.app = watch
        _install_states(self._cloud, faults)


def _sandbox_type(faults: Faults) -> type[Sandbox]:
    class Mortal(Sandbox):
        """A sandbox whose process may be ended on order."""

        def _run(self, invocation: Invocation) -> Signal | None:
            text = json.dumps(json.loads(invocation.payload or b"{}"))
            moments = {"start", "end", "call", "stop"}
            fault = faults.take(self.blueprint.name, text, moments)
            if fault is None:
                return super()._run(invocation)
            if fault.at == "start":
                self._end_group()
            if fault.at == "call":
                faults.watch(fault, invocation.request_id, self)
            if fault.at == "stop":
                faults.stop(fault)
                faults._cloud.stopping.wait(fault.seconds)
            answer = super()._run(invocation)
            if fault.at != "end":
                return answer
            self._end_group()
            return Signal(Kind.EXIT, body=b"Runtime exited with error: signal: killed")

    return Mortal


def _install_states(cloud: LocalCloud, faults: Faults) -> None:
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

    original = EventManager.__dict__["add_event"]

    def add(manager: Any, context: Any, event_type: Any, *args: Any, **named: Any) -> int:
        number: int = original(manager, context, event_type, *args, **named)
        details = (args[0] if args else named.get("event_details")) or {}
        entered = details.get("stateEnteredEventDetails")
        if entered:
            faults.entered(entered["name"])
        return number

    cloud.patch(EventManager, "add_event", add)
