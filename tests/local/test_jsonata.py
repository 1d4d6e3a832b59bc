"""JSONata as Step Functions has it: bound values, its own functions, undefined as an error, plain JSON."""

from __future__ import annotations

import json
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.local.jsonata import QueryError, evaluate

INPUT = {
    "n": None,
    "items": [{"id": 1, "ok": True}, {"id": 2, "ok": False}],
    "one": [{"id": 7}],
    "text": 'a "b"\n{% c %}',
    "empty": [],
}


def ask(expression, **variables):
    return evaluate(expression, {"states": {"input": INPUT, "result": {"a": [1, None]}}, **variables})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$states.input.items.id", [1, 2]),
        ("$states.input.one.id", 7),
        ("[$states.input.one.id]", [7]),
        ("$states.input.items[ok].id", 1),
        ("$states.input.n", None),
        ("$states.result.a", [1, None]),
        ("$states.input.text", INPUT["text"]),
        ("$states.input.empty", []),
        ('{"a": $states.input.n, "b": $states.input.missing}', {"a": None}),
        ("$merge([$states.input.items[0], {'x': 1}])", {"id": 1, "ok": True, "x": 1}),
        ("$count($states.input.items[ok = false])", 1),
        ("$exists($states.input.missing)", False),
        ("6 / 2", 3),
        ("0.5 + 0.25", 0.75),
        ("[1..4]", [1, 2, 3, 4]),
        ("$v", {"deep": [None]}),
        ("$v.deep", [None]),
        ("$nothing", None),
        ("$partition([1,2,3,4,5], 2)", [[1, 2], [3, 4], [5]]),
        ("$partition([1], 5)", [[1]]),
        ("$range(1, 9, 2)", [1, 3, 5, 7, 9]),
        ("$range(5, 1, -2)", [5, 3, 1]),
        ("$hash('hi', 'SHA-256')", "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4"),
        ("$parse('{\"a\": [null, 1.5]}').a[1]", 1.5),
        ("$parse('null')", None),
        ("$random(3) = $random(3)", True),
        ("$random() < 1", True),
        ("$length($uuid())", 36),
        ("$uuid() = $uuid()", False),
    ],
)
def test_values(expression, value):
    assert ask(expression, v={"deep": [None]}, nothing=None) == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("$states.input.missing", "returned nothing (undefined)"),
        ("$states.input.items[id > 9]", "returned nothing (undefined)"),
        ("$sum(", "is not valid"),
        ("'a' + 1", "threw an error"),
        ("1 / 0", "threw an error"),
        ("$number('a')", "threw an error"),
        ("function($x) { $x }", "unsupported result type"),
        ("$sum", "unsupported result type"),
        ("/a/", "unsupported result type"),
        ("$eval('1')", "$eval is not supported"),
        ("$unknown()", "threw an error"),
        ("$error('mine')", "mine"),
        ("$hash('a', 'CRC')", "SHA-256"),
        ("$range(1, 5000, 1)", "1000"),
        ("$range(1, 2, 0)", "step"),
        ("$partition([1], 0)", "size"),
    ],
)
def test_errors(expression, message):
    with pytest.raises(QueryError) as error:
        ask(expression)
    assert message in str(error.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_value_passes_unchanged_and_as_a_copy(value):
    found = evaluate("$v", {"v": value})
    assert found == value
    assert json.loads(json.dumps(found)) == value
    if isinstance(value, (list, dict)) and value:
        assert found is not value


@given(st.lists(st.integers(), min_size=1, max_size=30), st.integers(1, 10))
def test_partitions_hold_all_items_in_their_order(items, size):
    parts = evaluate("$partition($items, $size)", {"items": items, "size": size})
    assert [item for part in parts for item in part] == items
    assert all(len(part) == size for part in parts[:-1])


def test_threads_do_not_see_each_other():
    wrong = []
    expression = "$map([1..3], function($i) { $i * $n + $s })"

    def work(number):
        expected = [[index * number + step for index in (1, 2, 3)] for step in range(200)]
        found = [evaluate(expression, {"n": number, "s": step}) for step in range(200)]
        wrong.append(found != expected)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [False] * 4


def test_the_clock_does_not_stand_still_in_a_kept_expression():
    first = evaluate("$millis()", {})
    time.sleep(0.003)
    assert evaluate("$millis()", {}) > first


def test_inputs_are_not_changed():
    value = {"a": [1, {"b": None}]}
    assert evaluate("$v ~> |$|{'a': 2}|", {"v": value}) == {"a": 2}
    assert value == {"a": [1, {"b": None}]}
