"""The proxy between functions and AWS: it counts the calls of a service's functions, and strikes at one.

It stands where botocore hands a signed request to the network, so that everything above is real: retries,
parsing, errors. One call is all the attempts that botocore makes of it.
"""

from __future__ import annotations

import json
import random
import threading
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.endpoint
import botocore.httpsession
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.retries import bucket
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

from tests.faults import answers
from tests.faults.network import copy_request, text
from tests.faults.plans import EVENT_KINDS, OUTAGES, STATE_KINDS
from tests.faults.processes import CURRENT, SERVICE, Killed
from tidegate.adapters import sessions
from tidegate.local import deliveries

if TYPE_CHECKING:
    from tests.faults.plans import Call, Plan
    from tests.faults.processes import Run
    from tidegate.local.cloud import LocalCloud

DELAY = 0.6  # seconds; at the harness's pace more than half a minute
LATE = (0.3, 1.0, 5.0)
MOMENT = 0.15
LATENESS = 1.5
STOPPING = 2.0


class Proxy:
    """All plans, by service."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.plans: dict[str, Plan] = {}
        self._network = botocore.httpsession.URLLib3Session(timeout=900, max_pool_connections=200)
        sessions.find_session().register("before-send", self.send)
        # botocore's own waits are of real seconds; they follow the pace of everything else.
        paced = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds * cloud.pace))
        cloud.patch(botocore.endpoint, "time", paced)
        cloud.patch(bucket.TokenBucket, "acquire", lambda *_, **__: True)
        self._send_event = cloud.patch(deliveries, "send", self.send_event)
        proxy = self

        def enter(state: Any, env: Any) -> None:
            proxy.enter_state(state, env)

        self._enter_state = cloud.patch(CommonStateField, "_eval_state_input", enter)

    def send(self, request: Any, event_name: str, **_: Any) -> Any:
        """Botocore's `before-send`: None lets the request go on."""
        run = CURRENT.get()
        if run is None:
            return None
        if run.killed_as:
            raise Killed
        plan = self.plans.get(run.service)
        if plan is None:
            return None
        operation = event_name.removeprefix("before-send.")
        call, first = plan.take(text(request.headers["amz-sdk-invocation-id"]), run, operation)
        answer = self._strike(plan, call, first, run, request)
        if run.killed_as:
            raise Killed
        return answer

    def send_event(self, delivery: deliveries.Delivery) -> None:
        """An event on its way to a target; EventBridge delivers at least once, and in no order."""
        found = SERVICE.search(delivery.text)
        plan = self.plans.get(found.group()) if found else None
        if plan is None or plan.kind not in EVENT_KINDS:
            self._send_event(delivery)
            return
        for copy in (delivery, replace(delivery, token=plan.again(delivery.token))):
            for post in deliveries._posts:
                post.send(copy, plan.chance.random() * LATENESS)

    def enter_state(self, state: Any, env: Any) -> None:
        """An execution has entered a state; the engine hands it its input."""
        execution = env.states.context_object.context_object_data["Execution"]
        found = SERVICE.search(execution["Name"]) or SERVICE.search(json.dumps(execution["Input"]))
        plan = self.plans.get(found.group()) if found else None
        if plan is not None:
            machine = "rollback" if ":tidegate-rollback:" in execution["Id"] else "release"
            entry, stop = plan.enter(machine, state.name), plan.stop
            if plan.kind in STATE_KINDS and stop is not None and plan.hits(entry):
                plan.struck, plan.stop = entry, None
                stopping = threading.Thread(target=stop, args=(machine,), daemon=True)
                stopping.start()
                stopping.join(STOPPING)
        self._enter_state(state, env)

    def _strike(self, plan: Plan, call: Call, first: bool, run: Run, request: Any) -> Any:
        if plan.kind in OUTAGES:
            return self._black_out(plan, call, run, request)
        if plan.kind in STATE_KINDS or not plan.hits(call):
            return None
        plan.struck = call
        run.spoiled = True  # its clients have learnt to wait
        if plan.kind.startswith("stop"):
            self._stop(plan, run)
            return None
        if plan.kind.endswith("-once"):
            return self._fail(plan, run, request) if first else None
        if plan.kind == "late":
            return self._delay(plan, first, request)
        return self._fail(plan, run, request)

    def _fail(self, plan: Plan, run: Run, request: Any) -> Any:
        match plan.kind.removesuffix("-once"):
            case "throttle":
                return answers.throttle(request, random.Random(plan.seed))  # noqa: S311
            case "error":
                return answers.fail(request)
            case "refuse":
                return answers.refuse(request)
            case "timeout":
                raise ReadTimeoutError(endpoint_url=request.url)
            case "lost":
                self._network.send(request)
                raise ConnectionClosedError(endpoint_url=request.url)
            case "cut":
                return answers.cut(request, self._network.send(request))
            case "delay":
                time.sleep(DELAY)
            case "kill":
                self._network.send(request)
                run.kill("Runtime.ExitError")
            case "die":
                run.kill("Sandbox.Timedout")
        return None

    def _delay(self, plan: Plan, first: bool, request: Any) -> Any:
        """The client gives up; what it sent first is carried out long after."""
        copy = copy_request(request)

        def send() -> None:
            time.sleep(plan.chance.choice(LATE))
            try:
                self._network.send(copy)
            finally:
                plan.pending -= 1

        if first:
            plan.pending += 1
            threading.Thread(target=send, daemon=True).start()
        raise ReadTimeoutError(endpoint_url=request.url)

    def _stop(self, plan: Plan, run: Run) -> None:
        """Somebody stops the execution that the call is of; its function does not know."""
        stop = plan.stop
        if stop is None:
            return
        plan.stop = None
        if plan.kind == "stop":
            stop(run.machine)
            time.sleep(plan.chance.choice(LATE))
            return

        def soon() -> None:
            time.sleep(MOMENT * random.Random(plan.seed + plan.k).random())  # noqa: S311
            stop(run.machine)
            plan.pending -= 1

        plan.pending += 1
        threading.Thread(target=soon, daemon=True).start()

    def _black_out(self, plan: Plan, call: Call, run: Run, request: Any) -> Any:
        service, seconds = OUTAGES[plan.kind]
        now = time.monotonic()
        if not plan.until and plan.hits(call):
            plan.until = now + seconds
            plan.struck = call
        if not call.operation.startswith(service) or now >= plan.until:
            return None
        run.spoiled = True
        return answers.fail(request)
