from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from functions.smoke_test.handler import Request, check, choose_patience, handle
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.probing import Probe, invoke
from tidegate.domain.errors import ClaimLost, InvalidConfiguration, SmokeFailed

if TYPE_CHECKING:
    from tests.scene import Scene

CODE = """
def handler(event, context):
    if event.get("raise"):
        raise ValueError("no luck")
    return {"statusCode": event["status"], "number": {number}}
"""
UNSTARTABLE = "import absent\ndef handler(event, context):\n    return {number}\n"


def prepare(scene: Scene, stage: str, code: str = CODE, **events: dict[str, Any]) -> None:
    """A rollout of one function, and the events that the service declares for it."""
    scene.open()
    function = scene.function(code=code)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, event in events.items():
            archive.writestr(f"events/{name}.json", json.dumps(event))
    scene.tools.documents.write_bytes(f"{release_prefix(scene.ref)}source.zip", body.getvalue())
    declared = {stage: {"Place": [f"events/{name}.json" for name in events]}} if events else {}
    scene.snapshot(config={"smoke": declared})
    scene.plan(scene.stage_plan(stage, scene.function_plan(function)))
    scene.rollout(stage, function)


def smoke(scene: Scene, stage: str) -> int:
    return handle(Request(release=scene.ref, stage=stage), scene.tools).invocations


def test_declared_events_must_be_answered_well(scene: Scene) -> None:
    prepare(scene, scene.production, good={"status": 200}, refused={"status": 404})
    assert smoke(scene, scene.production) == 2
    assert scene.told() == ["2 smoke invocations passed"]


@pytest.mark.parametrize(
    ("event", "said"),
    [({"status": 503}, "it answered with status 503"), ({"raise": True}, "ValueError: no luck")],
)
def test_a_bad_answer_names_function_version_and_event(
    scene: Scene, event: dict[str, Any], said: str
) -> None:
    prepare(scene, scene.production, bad=event)
    with pytest.raises(SmokeFailed, match=f"Place version 2 with events/bad.json: {said}"):
        smoke(scene, scene.production)
    assert scene.told() == []


def test_production_is_not_invoked_without_a_declared_event(scene: Scene) -> None:
    prepare(scene, scene.production, code=UNSTARTABLE)
    assert smoke(scene, scene.production) == 0
    assert scene.told() == ["no event is declared safe: nothing was invoked"]


def test_elsewhere_a_start_is_tried_and_the_functions_own_error_says_nothing(scene: Scene) -> None:
    prepare(scene, scene.staging)
    assert smoke(scene, scene.staging) == 1


def test_a_function_that_cannot_start_fails(scene: Scene) -> None:
    prepare(scene, scene.staging, code=UNSTARTABLE)
    with pytest.raises(
        SmokeFailed, match=r"Place version 2 with a start with \{\}: Runtime.ImportModuleError"
    ):
        smoke(scene, scene.staging)


def test_an_event_that_is_not_in_the_repository_is_named(scene: Scene) -> None:
    prepare(scene, scene.production, good={"status": 200})
    scene.snapshot(config={"smoke": {scene.production: {"Place": ["events/absent.json"]}}})
    with pytest.raises(
        InvalidConfiguration, match=r"tidegate.yaml: smoke: the event events/absent.json is not"
    ):
        smoke(scene, scene.production)


def test_without_the_claim_nothing_is_invoked(scene: Scene) -> None:
    scene.open()
    scene.lose()
    with pytest.raises(ClaimLost):
        smoke(scene, scene.production)


class Answer:
    """Lambda that gives one answer."""

    def __init__(self, body: bytes, error: str = "") -> None:
        self.body, self.error = body, error

    def invoke(self, **_: Any) -> Any:
        answer = {"Payload": io.BytesIO(self.body), "ResponseMetadata": {"RequestId": "r"}}
        return answer | ({"FunctionError": self.error} if self.error else {})


@pytest.mark.parametrize(
    ("body", "error", "strict", "said"),
    [
        (b"", "", True, ""),
        (b'"text"', "", True, ""),
        (b"[500]", "", True, ""),
        (b'{"statusCode": "500"}', "", True, ""),
        (b'{"statusCode": 500}', "", False, ""),
        (b'{"statusCode": 499}', "", True, ""),
        (
            b'{"errorType": "Sandbox.Timedout", "errorMessage": "3 s"}',
            "Unhandled",
            False,
            "Sandbox.Timedout: 3 s",
        ),
        (b'{"errorType": "KeyError", "errorMessage": "id"}', "Unhandled", False, ""),
        (b'"broken"', "Unhandled", True, ": broken"),
    ],
)
def test_what_of_an_answer_is_a_failure(body: bytes, error: str, strict: bool, said: str) -> None:
    probe = Probe(function="F", physical="f", qualifier="2", name="e", payload=b"{}", strict=strict)
    client: Any = Answer(body, error)
    assert invoke(client, probe).failure == said


def test_a_version_that_hangs_is_refused_in_time(scene: Scene) -> None:
    function = scene.function(
        code="import time\ndef handler(event, context):\n    time.sleep(20 * {number})\n"
    )
    probe = Probe(
        function="Place", physical=function.name, qualifier="2", name="slow", payload=b"{}", strict=True
    )
    with pytest.raises(SmokeFailed, match="Place version 2 with slow: it did not answer within 1 s"):
        check(scene.tools.stage(scene.production), 1, probe)


@pytest.mark.parametrize(("probes", "patience"), [(0, 800), (1, 800), (10, 800), (11, 400), (500, 30)])
def test_all_invocations_end_before_the_task_does(probes: int, patience: int) -> None:
    assert choose_patience(probes) == patience
