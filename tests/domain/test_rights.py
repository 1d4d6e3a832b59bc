"""The algebra of rights, against an evaluator of single requests that knows nothing of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.domain.rights import (
    Right,
    covers,
    is_known,
    list_rights,
    make_statements,
    may_be,
    overlap,
    shorten,
    subtract,
)

ACTIONS = ("s3:GetObject", "s3:GetObjectAcl", "s3:PutObject", "sqs:SendMessage", "sqs:*")
PATTERNS = (*ACTIONS, "*", "s3:*", "s3:Get*", "s3:GetObject?cl", "S3:getobject")
RESOURCES = ("arn:a", "arn:ab", "arn:b/x", "arn:*")
ON = (*RESOURCES, "*", "arn:a*", "arn:?", "arn:b/*")
CONDITIONS = (
    {},
    {"StringEquals": {"aws:SourceAccount": "1"}},
    {"StringEquals": {"aws:SourceAccount": ["2", "1"]}},
)


def some(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(values), st.lists(st.sampled_from(values), min_size=1, max_size=3))


@st.composite
def statements(draw: st.DrawFn, effect: str = "Allow") -> dict[str, Any]:
    verb, noun = (
        draw(st.sampled_from(["Action"] * 4 + ["NotAction"])),
        draw(st.sampled_from(["Resource"] * 4 + ["NotResource"])),
    )
    found = {"Effect": effect, verb: draw(some(PATTERNS)), noun: draw(some(ON))}
    condition = draw(st.sampled_from(CONDITIONS))
    return {
        **found,
        **({"Condition": condition} if condition else {}),
        **draw(st.sampled_from([{}, {"Sid": "S"}])),
    }


documents = st.lists(statements(), max_size=4).map(
    lambda found: {"Version": "2012-10-17", "Statement": found}
)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def glob(pattern: str, text: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in pattern)
    return re.fullmatch(expression, text) is not None


def meets(condition: Any, account: str) -> bool:
    return all(account in listed(keys["aws:SourceAccount"]) for keys in (condition or {}).values())


def allows(found: Any, request: tuple[str, str, str]) -> bool:
    """Whether a document's statements allow a request: (action, resource, account)."""
    action, resource, account = request
    for statement in found["Statement"]:
        acts = any(
            glob(p.lower(), action.lower())
            for p in listed(statement.get("Action", statement.get("NotAction")))
        )
        on = any(glob(p, resource) for p in listed(statement.get("Resource", statement.get("NotResource"))))
        if (
            acts == ("Action" in statement)
            and on == ("Resource" in statement)
            and meets(statement.get("Condition"), account)
        ):
            return True
    return False


requests = st.tuples(
    st.sampled_from(ACTIONS[:4]), st.sampled_from(RESOURCES[:3]), st.sampled_from(["1", "2", "3"])
)


@settings(deadline=None)
@given(documents, documents, requests)
def test_what_is_lost_and_what_is_new_give_what_was_there(old: Any, new: Any, request: Any) -> None:
    lost = subtract(list_rights(old), list_rights(new))
    held = {"Statement": make_statements(lost)}
    assert not allows(old, request) or allows(held, request) or allows(new, request)
    assert not allows(held, request) or allows(old, request)


@settings(deadline=None)
@given(documents)
def test_what_is_lost_to_itself_is_nothing(old: Any) -> None:
    assert subtract(list_rights(old), list_rights(old)) == ()


@settings(deadline=None)
@given(documents, documents)
def test_subtracting_twice_is_subtracting_once(old: Any, new: Any) -> None:
    lost = subtract(list_rights(old), list_rights(new))
    assert subtract(lost, list_rights(new)) == lost


@settings(deadline=None)
@given(documents, requests)
def test_statements_of_rights_give_the_same_rights(old: Any, request: Any) -> None:
    rights = list(list_rights(old))
    made = {"Statement": make_statements(rights)}
    assert set(list_rights(made)) == set(rights)
    assert allows(made, request) == allows(old, request)
    assert make_statements(reversed(rights)) == made["Statement"]


@settings(deadline=None)
@given(statements(), statements(), requests)
def test_requests_under_both_mean_an_overlap(one: Any, other: Any, request: Any) -> None:
    if allows({"Statement": [one]}, request) and allows({"Statement": [other]}, request):
        assert any(overlap(a, b) for a in list_rights([one]) for b in list_rights([other]))


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("s3:Get*", "s3:*Object", True),
        ("s3:Get*", "s3:Put*", False),
        ("a?c", "a*", True),
        ("a?", "a", False),
        ("*a*", "b*c", True),
        ("\0x\0", "b", True),
    ],
)
def test_patterns_with_a_text_in_common_overlap(one: str, other: str, both: bool) -> None:
    first, second = (Right("Allow", "Action", (text,), "Resource", ("*",), "") for text in (one, other))
    assert overlap(first, second) is both
    assert overlap(second, first) is both


@pytest.mark.parametrize(
    ("wide", "narrow", "so"),
    [
        ("s3:*", "s3:get*", True),
        ("a?", "a*", False),
        ("a?", "ab", True),
        ("a*", "a?", True),
        ("*", "\0x\0", True),
        ("??????????", "\0x\0", False),
        ("a\0x\0", "a\0x\0", True),
        ("a\0x\0", "a\0y\0", False),
    ],
)
def test_a_pattern_covers_what_is_certain(wide: str, narrow: str, so: bool) -> None:
    first, second = (Right("Allow", "Action", ("x",), "Resource", (text,), "") for text in (wide, narrow))
    assert covers(first, second) is so


def test_sids_order_case_and_lists_of_one_say_nothing() -> None:
    one = {"Sid": "A", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["b", "a"]}
    other = {"Effect": "Allow", "Resource": ["a", "b"], "Action": ["s3:putobject", "S3:GetObject"]}
    assert set(list_rights({"Statement": one})) == set(list_rights({"Statement": [other]}))


def test_a_statement_that_is_not_known_may_be_anything_and_covers_nothing() -> None:
    (unknown,) = list_rights({"Statement": "\0{}\0"})
    (known,) = list_rights(
        {
            "Statement": {
                "Effect": "Allow",
                "Action": "a:b",
                "Resource": "c",
                "Condition": {"Bool": {"x": True}},
            }
        }
    )
    assert not is_known(unknown)
    assert may_be(unknown, known)
    assert not covers(unknown, known)
    assert subtract([known, unknown], [unknown]) == (known, unknown)
    assert subtract([unknown], [unknown]) == (unknown,)


def test_a_right_with_a_symbol_may_be_what_fits_around_it() -> None:
    def right(resource: str, condition: str = "") -> Right:
        return Right("Allow", "Action", ("sqs:sendmessage",), "Resource", (resource,), condition)

    symbol = right("arn:\0" + json.dumps({"Ref": "Q"}) + "\0:x")
    assert may_be(symbol, right("arn:aws:x"))
    assert not may_be(symbol, right("arn:aws:y"))
    assert not may_be(symbol, right("arn:aws:x", '{"Bool": {}}'))
    assert may_be(right("{{resolve:ssm:name}}"), right("anything"))


def test_many_rights_are_told_by_the_first_few() -> None:
    rights = [Right("Allow", "Action", (f"a:{n}",), "Resource", ("\0x\0",), "") for n in range(7)]
    assert shorten(rights[:1]) == "a:0 on …"
    assert shorten(rights).endswith("a:4 on …; and 2 more")


def test_a_large_policy_is_compared_quickly() -> None:
    """Linear where rights are the same; a thousand roles have a thousand such documents."""
    old = {
        "Effect": "Allow",
        "Action": [f"s3:A{n}" for n in range(60)],
        "Resource": [f"arn:{n}" for n in range(60)],
    }
    new = {**old, "Action": old["Action"][1:]}
    assert len(subtract(list_rights([old]), list_rights([new]))) == 60
