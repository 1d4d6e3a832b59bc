from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidegate.domain.artifacts import Method
from tidegate.domain.errands import (
    Build,
    Standing,
    Waiting,
    choose_errand,
    choose_image,
    errand_key,
    explain,
    has_news,
    is_fresh,
    is_over,
    read_event,
    stand,
    write_order,
)
from tidegate.domain.errors import MalformedEvent, UnsupportedTemplate
from tidegate.domain.identity import ReleaseRef
from tidegate.domain.snapshots import FunctionSnapshot

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REF = ReleaseRef(
    service="orders",
    id="0123456789ab-1",
    execution="arn:execution",
    epoch=3,
    opened_at=datetime(2026, 1, 1, tzinfo=UTC),
)
FUNCTION = FunctionSnapshot(
    logical_id="Child/Make",
    code_uri="src",
    handler="bootstrap",
    runtime="provided.al2023",
    declared_runtime="provided.al2023",
    architecture="arm64",
    artifact="ab" * 32,
    method=Method.MAKEFILE,
    built_in="image",
)
RUNNING, GOOD, BAD = (Build(id=f"p:{one}", status=one) for one in ("IN_PROGRESS", "SUCCEEDED", "FAILED"))


@pytest.mark.parametrize(
    ("build_method", "runtime", "expected"),
    [
        ("makefile", "python3.13", Method.MAKEFILE),
        ("makefile", "provided.al2023", Method.MAKEFILE),
        ("go1.x", "provided.al2023", Method.SAM),
        (None, "java21", Method.SAM),
        ("java21", "java21", Method.SAM),
        (None, "ruby3.3", Method.SAM),
        (None, "dotnet8", Method.SAM),
        ("dotnet8", "provided.al2023", Method.SAM),
        (None, "python3.13", None),
        ("python3.13", "python3.13", None),
        (None, "nodejs22.x", None),
        ("esbuild", "nodejs22.x", None),
    ],
)
def test_who_builds_follows_from_the_template(
    build_method: str | None, runtime: str, expected: Method | None
) -> None:
    assert choose_errand("F", build_method, runtime) is expected


@pytest.mark.parametrize(
    ("method", "build_method", "runtime", "expected"),
    [
        (Method.SAM, "dotnet8", "provided.al2023", "dotnet8"),
        (Method.SAM, "go1.x", "provided.al2023", "provided.al2023"),
        (Method.SAM, "java21", "java21", "java21"),
        (Method.SAM, None, "ruby3.3", "ruby3.3"),
        (Method.MAKEFILE, "makefile", "provided.al2", "provided.al2"),
        (Method.SOURCES, None, "python3.13", "python3.13"),
    ],
)
def test_a_build_has_the_image_with_its_tools(
    method: Method, build_method: str | None, runtime: str, expected: str
) -> None:
    assert choose_image(method, build_method, runtime) == expected


@pytest.mark.parametrize(
    ("build_method", "runtime", "words"),
    [
        (None, "provided.al2023", "says not how it is built"),
        ("rust-cargolambda", "provided.al2023", "set BuildMethod to makefile"),
    ],
)
def test_what_nobody_builds_is_named_with_its_remedy(
    build_method: str | None, runtime: str, words: str
) -> None:
    with pytest.raises(UnsupportedTemplate, match=words):
        choose_errand("F", build_method, runtime)


def test_a_key_is_of_one_service_and_of_everything_that_the_build_is_told() -> None:
    place = ("provided.al2023", "arm64", "image:1")
    keys = {
        errand_key(Method.MAKEFILE, "orders", place, ["F"], "tree"),
        errand_key(Method.SAM, "orders", place, ["F"], "tree"),
        errand_key(Method.MAKEFILE, "others", place, ["F"], "tree"),
        errand_key(Method.MAKEFILE, "orders", (*place[:2], "image:2"), ["F"], "tree"),
        errand_key(Method.MAKEFILE, "orders", place, ["G"], "tree"),
        errand_key(Method.MAKEFILE, "orders", place, ["F"], "bush"),
    }
    assert len(keys) == 6


def test_an_order_names_the_function_as_its_makefile_does_and_no_token_of_a_state() -> None:
    order = write_order(REF, 2, FUNCTION, NOW, {"INPUT": "https://in"})
    assert order.variables == {
        "TIDEGATE_SERVICE": "orders",
        "TIDEGATE_RELEASE": "0123456789ab-1",
        "TIDEGATE_BUILD": "2",
        "TIDEGATE_METHOD": "makefile",
        "TIDEGATE_FUNCTION": "Make",
        "TIDEGATE_INPUT": "https://in",
    }
    assert (order.image, order.machine) == ("image", "ARM_CONTAINER")
    later = NOW + timedelta(minutes=5)
    again = write_order(REF, 2, FUNCTION, later, {})
    assert order.token == write_order(REF, 2, FUNCTION, NOW, {}).token != again.token
    assert len(order.token) == 64
    assert is_fresh(order, NOW)
    assert not is_fresh(order, later)


@pytest.mark.parametrize(
    ("attempts", "builds", "expected"),
    [
        ((), {}, Standing.START),
        (("p:a",), {}, Standing.START),  # CodeBuild has forgotten it
        (("p:a",), {"p:a": RUNNING}, Standing.AWAIT),
        (("p:a",), {"p:a": GOOD}, Standing.COLLECT),
        (("p:a",), {"p:a": BAD}, Standing.FAIL),
        (("p:a",), {"p:a": Build(id="p:a", status="STOPPED")}, Standing.FAIL),
        (("p:a",), {"p:a": Build(id="p:a", status="FAULT")}, Standing.START),
        (("p:a", "p:b"), {"p:b": Build(id="p:b", status="FAULT")}, Standing.FAIL),
        (("p:a",), {"p:a": Build(id="p:a", status="TIMED_OUT", phase="QUEUED")}, Standing.START),
        (("p:a",), {"p:a": Build(id="p:a", status="FAILED", phase="PROVISIONING")}, Standing.START),
        (("p:b", "p:a"), {"p:a": Build(id="p:a", status="FAILED", phase="PROVISIONING")}, Standing.FAIL),
        (("p:a",), {"p:a": Build(id="p:a", status="STOPPED", phase="QUEUED")}, Standing.FAIL),
        (("p:a",), {"p:a": Build(id="p:a", status="FAILED", phase="INSTALL")}, Standing.FAIL),
        (("p:a",), {"p:a": Build(id="p:a", status="TIMED_OUT", phase="BUILD")}, Standing.FAIL),
        (("p:a",), {"p:a": Build(id="p:a", status="IN_PROGRESS", age=1e5)}, Standing.FAIL),
        (("p:a", "p:b"), {"p:a": BAD, "p:b": GOOD}, Standing.COLLECT),
    ],
)
def test_how_an_errand_stands_follows_from_its_last_build(
    attempts: tuple[str, ...], builds: dict[str, Build], expected: Standing
) -> None:
    assert stand(attempts, builds) is expected


def test_who_waits_goes_on_with_the_first_failure_or_the_last_end() -> None:
    waiting = Waiting(token="t").add("one", "p:a").add("two", "p:b").add("two", "p:b")
    assert waiting.last == ("p:a", "p:b")
    assert not is_over(waiting, {"p:a": GOOD, "p:b": RUNNING})
    assert is_over(waiting, {"p:a": BAD, "p:b": RUNNING})
    assert is_over(waiting, {"p:a": GOOD, "p:b": GOOD})
    assert is_over(Waiting(token="t"), {})
    assert has_news(waiting, {"p:a": GOOD, "p:b": RUNNING})
    assert has_news(waiting, {"p:a": BAD, "p:b": RUNNING})
    assert not has_news(waiting, {"p:a": RUNNING, "p:b": RUNNING})
    assert has_news(waiting.keep(()), {})


def event(**variables: str) -> dict[str, Any]:
    listed = [{"name": f"TIDEGATE_{name}", "value": value} for name, value in variables.items()]
    return {"detail": {"additional-information": {"environment": {"environment-variables": listed}}}}


def test_an_event_names_whom_its_build_was_for() -> None:
    assert read_event(event(SERVICE="orders", RELEASE="r", BUILD="3")) == ("orders", "r", 3)
    for broken in ({}, event(SERVICE="orders"), event(SERVICE="s", RELEASE="r", BUILD="x"), {"detail": None}):
        with pytest.raises(MalformedEvent):
            read_event(broken)


def test_a_failure_is_one_line_with_what_was_printed_and_the_log() -> None:
    build = Build(id="p:a", status="FAILED", phase="BUILD", link="https://log")
    tail = ("[Container] Running command make", "cc -c a.c", "a.c:1: error: no such type", "")
    said = explain("Make", build, tail)
    assert said == (
        "Make: the build failed in BUILD: cc -c a.c | a.c:1: error: no such type; its log: https://log"
    )
    assert "printed nothing" in explain("Make", build, ())
    coloured = ("\x1b[1;31merror\x1b[0m:\tno\x1b]0;mine\x07 \u202esuch\x9b2J", "\x1b[2K\x08")
    assert "BUILD: error: no such2J; its" in explain("Make", build, coloured)
    unmade = Build(id="p:a", status="FAILED", phase="PROVISIONING", reason="no image\nof that tag")
    assert "failed in PROVISIONING: no image of that tag; its log: p:a" in explain("Make", unmade, ())
    assert "\n" not in explain("Make", build, ("x\n" * 5,))
    assert len(explain("Make", build, ("x" * 5000,))) < 900
    late = Build(id="p:a", status="TIMED_OUT", phase="QUEUED")
    assert "found no free machine" in explain("Make", late, ())
    assert "knows nothing" in explain("Make", None, ())
