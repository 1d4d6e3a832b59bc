from __future__ import annotations

import pytest

from tidegate.domain.handlers import find_fault, find_node_fault

FILES = {
    "app.py": b"import os\ndef handler(event, context): ...\nother = handler\n",
    "pkg/__init__.py": b"from .inner import handler as run\n",
    "pkg/branches.py": b"try:\n  from a import first\nexcept ImportError: ...\nif 1:\n  class Second: ...\n",
    "pkg/star.py": b"from .other import *\n",
    "pkg/lazy.py": b"def __getattr__(name): ...\n",
    "broken.py": b"x = 1\ndef handler(:\n",
    "fast.cpython-313-x86_64-linux-gnu.so": b"\x7fELF",
}


@pytest.mark.parametrize(
    "handler",
    [
        "app.handler",
        "app.other",
        "pkg.run",
        "pkg.branches.first",
        "pkg/branches.Second",
        "pkg.star.anything",
        "pkg.lazy.anything",
        "fast.handler",
    ],
)
def test_a_handler_that_can_exist_has_no_fault(handler: str) -> None:
    assert find_fault(handler, FILES, FILES.__getitem__) is None


@pytest.mark.parametrize(
    ("handler", "fault", "line"),
    [
        ("handler", "not written module.function", 0),
        ("missing.handler", "no module missing.py", 0),
        ("pkg/deep/missing.handler", "no module pkg/deep/missing.py", 0),
        ("app.handle", "app.py defines no handle", 1),
        ("broken.handler", "broken.py does not parse", 2),
    ],
)
def test_a_handler_that_cannot_exist_is_told(handler: str, fault: str, line: int) -> None:
    found = find_fault(handler, FILES, FILES.__getitem__)
    assert found is not None
    assert fault in found[0]
    assert found[1] == line


def test_what_only_a_newer_python_parses_is_left_to_it() -> None:
    assert find_fault("broken.handler", FILES, FILES.__getitem__, syntax=False) is None


NODE_FILES = ("app.js", "src/a.mjs", "lib/index.js", "node_modules/wrap/package.json", "plain")


@pytest.mark.parametrize(
    "handler",
    [
        "app.handler",
        "./app.handler",
        "src/a.b.handler",
        "lib.handler",
        "wrap.handler",
        "plain.x",
        "/opt/nodejs/x.y",
    ],
)
def test_modules_of_node_are_found_where_lambda_looks(handler: str) -> None:
    assert find_node_fault(handler, NODE_FILES) is None


@pytest.mark.parametrize(
    ("handler", "fault"),
    [
        ("app", "is not written module.function"),
        ("app.", "is not written module.function"),
        ("../app.handler", "is not written module.function"),
        ("src/app.handler", "has no module src/app.js"),
        ("a.handler", "has no module a.js"),
    ],
)
def test_modules_of_node_that_cannot_be_found_are_told(handler: str, fault: str) -> None:
    found = find_node_fault(handler, NODE_FILES)
    assert found is not None
    assert fault in found[0]
