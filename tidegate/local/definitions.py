"""State machine definitions: what AWS refuses at creation, and the parsed program of what it accepts.

moto's parser takes a `Next` to nowhere, states that cannot be reached and JSONata with syntax errors; they
are refused here before it is asked. Parsing is slow, so that a program is kept per
definition; it holds no state.
Source: https://states-language.net/spec.html
"""

from __future__ import annotations

import functools
import json
import threading
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tidegate.local.jsonata import QueryError, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.local.cloud import LocalCloud

Json: TypeAlias = dict[str, Any]
Program: TypeAlias = Any
LOCK: Final = threading.Lock()
TYPES: Final = {"Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}
TERMINAL: Final = {"Succeed", "Fail"}
JSONPATH_ONLY: Final = ("InputPath", "OutputPath", "ResultPath", "ResultSelector", "Parameters", "ItemsPath")
JSONATA_ONLY: Final = ("Arguments", "Output", "Items")
NAME_LENGTH: Final = 80


def check(definition: str) -> list[str]:
    """Name everything that AWS would refuse, in AWS's words and with the place."""
    try:
        machine = json.loads(definition)
    except ValueError as error:
        return [f"INVALID_JSON_DESCRIPTION: {error}"]
    if not isinstance(machine, dict):
        return ["INVALID_JSON_DESCRIPTION: the definition is not an object"]
    faults = list(_check_machine(machine, "", machine.get("QueryLanguage", "JSONPath")))
    names = list(_state_names(machine))
    faults += [f"DUPLICATE_STATE_NAME: {name}" for name in sorted({n for n in names if names.count(n) > 1})]
    return faults


def _state_names(machine: Json) -> Iterator[str]:
    for name, state in machine.get("States", {}).items():
        yield name
        for _, inner in _inner_machines(state, ""):
            yield from _state_names(inner)


def _inner_machines(state: Json, place: str) -> Iterator[tuple[str, Json]]:
    for field in ("ItemProcessor", "Iterator"):
        if field in state:
            yield f"{place}/{field}", state[field]
    for index, branch in enumerate(state.get("Branches", ())):
        yield f"{place}/Branches[{index}]", branch


def _check_machine(machine: Json, place: str, language: str) -> Iterator[str]:
    states = machine.get("States")
    if not isinstance(states, dict) or not states:
        yield f"SCHEMA_VALIDATION_FAILED: These fields are required: [States] at {place or '/'}"
        return
    start = machine.get("StartAt")
    if start not in states:
        yield f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {start} at {place}/StartAt"
    for name, state in states.items():
        yield from _check_state(name, state, states, f"{place}/States/{name}", language)
    reached = _reach(start, states)
    for name in states:
        if name not in reached:
            yield f'MISSING_TRANSITION_TARGET: State "{name}" is not reachable. at {place}/States/{name}'


def _check_state(name: str, state: Json, states: Json, place: str, language: str) -> Iterator[str]:
    language = state.get("QueryLanguage", language)
    if len(name) > NAME_LENGTH:
        yield f"SCHEMA_VALIDATION_FAILED: State name is longer than {NAME_LENGTH} characters at {place}"
    if state.get("Type") not in TYPES:
        yield f"SCHEMA_VALIDATION_FAILED: {state.get('Type')} is not one of {sorted(TYPES)} at {place}/Type"
    for target, where in _transitions(state):
        if target not in states:
            yield f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {target} at {place}/{where}"
    yield from _check_ending(state, place)
    yield from _check_language(state, place, language)
    for where, inner in _inner_machines(state, place):
        yield from _check_machine(inner, where, inner.get("QueryLanguage", language))


def _check_ending(state: Json, place: str) -> Iterator[str]:
    kind = state.get("Type")
    ends = sum(field in state for field in ("Next", "End"))
    if kind in TERMINAL | {"Choice"}:
        if ends:
            yield f"SCHEMA_VALIDATION_FAILED: A {kind} state has no Next and no End at {place}"
        if kind == "Choice" and not state.get("Choices"):
            yield f"SCHEMA_VALIDATION_FAILED: These fields are required: [Choices] at {place}"
    elif ends != 1:
        yield f"SCHEMA_VALIDATION_FAILED: Exactly one of Next and End is required at {place}"


def _check_language(state: Json, place: str, language: str) -> Iterator[str]:
    foreign = JSONPATH_ONLY if language == "JSONata" else JSONATA_ONLY
    for field in foreign:
        if field in state:
            yield f"SCHEMA_VALIDATION_FAILED: '{field}' is not supported with {language} at {place}/{field}"
    if language == "JSONata":
        own = {
            key: value for key, value in state.items() if key not in {"ItemProcessor", "Iterator", "Branches"}
        }
        yield from _check_expressions(own, place)


def _check_expressions(value: Any, place: str) -> Iterator[str]:  # noqa: ANN401
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _check_expressions(item, f"{place}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _check_expressions(item, f"{place}[{index}]")
    elif isinstance(value, str) and value.startswith("{%") and value.endswith("%}"):
        try:
            parse(value[2:-2].strip())
        except QueryError as error:
            yield f"INVALID_JSONATA_EXPRESSION: {error} at {place}"


def _transitions(state: Json) -> Iterator[tuple[str, str]]:
    for field in ("Next", "Default"):
        if field in state:
            yield state[field], field
    for field in ("Choices", "Catch"):
        for index, rule in enumerate(state.get(field, ())):
            if "Next" in rule:
                yield rule["Next"], f"{field}[{index}]/Next"


def _reach(start: str | None, states: Json) -> set[str]:
    reached: set[str] = set()
    ahead = [start] if start in states else []
    while ahead:
        name = str(ahead.pop())
        if name not in reached:
            reached.add(name)
            ahead += [target for target, _ in _transitions(states[name]) if target in states]
    return reached


@functools.lru_cache(maxsize=256)
def _parse(definition: str) -> Program:
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

    with LOCK:
        return AmazonStateLanguageParser.parse(definition)[0]


def read_string(parser_rule_context: Any) -> str | None:  # noqa: ANN401
    """The text of a string in a definition; moto keeps its escapes as they stand."""
    text = parser_rule_context.getText()
    if text == "null":
        return None
    return str(json.loads(text, strict=False)) if text.startswith('"') and text.endswith('"') else text


def load(definition: str) -> Program:
    """Give the program of a definition, or raise InvalidDefinition naming all that is wrong with it."""
    from moto.core.exceptions import AWSError
    from moto.stepfunctions.parser.asl.parse.asl_parser import ASLParserException

    faults = check(definition)
    if faults:
        raise AWSError(f"Invalid State Machine Definition: '{', '.join(faults)}'", "InvalidDefinition")
    try:
        return _parse(definition)
    except (ASLParserException, ValueError, RuntimeError) as error:
        raise AWSError(f"Invalid State Machine Definition: '{error}'", "InvalidDefinition") from error


def install(cloud: LocalCloud) -> None:
    """Check definitions at creation and update, read their strings as JSON, and run the kept programs."""
    from moto.stepfunctions.parser.asl.parse import preprocessor
    from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend

    def entry(worker: Any) -> Program:  # noqa: ANN401
        return load(worker._evaluation_details.state_machine_details.definition)

    def validate(definition: str) -> None:
        load(definition)

    cloud.patch(StepFunctionsParserBackend, "_validate_definition", staticmethod(validate))
    cloud.patch(preprocessor.Preprocessor, "_inner_string_of", staticmethod(read_string))
    cloud.patch(preprocessor, "from_string_literal", read_string)
    cloud.patch(ExecutionWorker, "_get_evaluation_entrypoint", entry)
