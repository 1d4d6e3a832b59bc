from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidegate.adapters.configuration import json_schema, read_config
from tidegate.domain.config import ServiceConfig
from tidegate.domain.errors import InvalidConfiguration

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + chr(ord(name) - 1)] * 9)}]\n" for name in "bcdefgh"
)


def test_an_empty_file_is_all_defaults() -> None:
    assert read_config("") == read_config("# nothing\n") == ServiceConfig()


def test_durations_and_aliases_are_read() -> None:
    config = read_config(
        "stages:\n  staging: &one {least_time: 90s, bake: 5m}\n  production: {<<: *one, approval: required}\n"
    )
    production = config.stages["production"]
    assert (production.least_time, production.bake, production.approval) == (90, 300, "required")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("servce: x", 1, "servce is unknown; did you mean service?"),
        ("x: 1", 1, "x is unknown; known are audit, branches, failure_mark, keep_releases, "),
        ("stages:\n  production:\n    stratgy: adaptive", 3, "did you mean strategy?"),
        ("stages:\n  production:\n    alarms:\n      error_rat: 1", 4, "did you mean error_rate?"),
        ("stages:\n  production:\n    least_time: 5x", 3, "'5x' is no duration; write it as 90s"),
        ("stages:\n  production:\n    strategy: Canary", 3, "is no strategy; write adaptive, AllAtOnce"),
        (
            "stages:\n  production:\n    alarms:\n      error_rate: 101",
            4,
            "stages.production.alarms.error_rate: must be 100 at most (it is 101)",
        ),
        (
            "stages:\n  production:\n    parameters:\n      A: 007",
            4,
            "must be text; write the value in quotes",
        ),
        ("stages:\n  Prod: {}", 2, "stages.Prod"),
        ("tests:\n  timeout: 9h", 2, "tests.timeout: must be 14m at most (it is '9h')"),
        ("tests:\n  requirements: a.txt", 2, "tests.requirements: must be a list"),
        (
            "stages: {production: {bake: 5d}}",
            1,
            "stages.production.bake: a bake lasts 3d at most (it is '5d')",
        ),
        ("stages: {production: {approval_timeout: 0}}", 1, "approval_timeout: must be 1 or more (it is 0)"),
        (
            "stages: {production: {margin: 0.5%}}",
            1,
            "percent as it is, so write it without the sign (it is '0.5%')",
        ),
        (
            "stages: {production: {probes: 1.5}}",
            1,
            "stages.production.probes: must be a whole number (it is 1.5)",
        ),
        ("stages: {production: {approval: maybe}}", 1, "must be 'none' or 'required' (it is 'maybe')"),
        (
            "service: Orders",
            1,
            "service: must be lower-case letters, digits, hyphens; a letter first, 40 at most",
        ),
        (
            "stages:\n  production:\n    strategy: Canary0Percent5Minutes",
            3,
            "stages.production.strategy: Canary0Percent5Minutes makes no schedule: a weight is above 0",
        ),
        (
            "stages:\n  production:\n    longest_hold: 1h\n    least_time: 5h",
            4,
            "stages.production.least_time is longer than longest_hold, which is 1h",
        ),
        (
            "stages:\n  a1: &x {approval: required, approval_timeout: 14d}\n  a2: *x\n  a3: *x",
            1,
            "a release could take 42 days; 28 at most",
        ),
        ("service: a\nservice: b", 2, "service stands twice; it stood in line 1 already"),
        ("- a", 1, "must hold names and values"),
        ("a: [", 1, "not valid YAML"),
        ("a: b\n\tc: d", 2, "not valid YAML"),
        ("a: !!python/object:os.system x", 1, "not valid YAML"),
        ("? [a]\n: b", 1, "a key must be plain text"),
        ("a: &a [*a]", 1, "nested deeper than 30"),
        ("[" * 100_000, 1, "not valid YAML"),
        (BOMB, 0, "more than 10,000 values"),
        ("#" * 300_000, 0, "larger than 256,000 characters"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_a_remedy(text: str, line: int, message: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read_config(text, "tidegate.yaml")
    assert message in str(caught.value)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"tidegate.yaml:{line}: " if line else "tidegate.yaml: ")


def test_several_mistakes_are_told_in_the_order_of_their_lines() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        read_config("a: 1\nb: 2\nc: 3\nd: 4\nservice: UPPER\n")
    assert caught.value.line == 1
    assert str(caught.value).endswith("; and 2 more")
    assert "; line 2: b is unknown" in str(caught.value)


@given(st.text("ab:-{}[],&*!#'\"|>%@ \n\t0é", max_size=60))
@example("a: 2020-99-99")
@example("=")
@example("a: \x00")
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    with suppress(InvalidConfiguration):
        assert read_config(text)


def test_the_schema_knows_durations_as_they_are_written() -> None:
    least = json.loads(json_schema())["$defs"]["StageConfig"]["properties"]["least_time"]
    assert {option["type"] for option in least["anyOf"]} == {"integer", "string"}
