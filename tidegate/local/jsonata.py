"""JSONata in state machines: evaluates what moto's engine parses but cannot evaluate.

An expression sees `$states`, the variables in scope and the functions that Step Functions adds to JSONata.
The values are bound, never written into the expression's text. Nothing here knows of states or executions;
a failure leaves as `QueryError`, and only `install` ties it to the engine.
Source: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import math
import random
import uuid
from typing import TYPE_CHECKING, Any, Final

from jsonata import JException, Jsonata, Utils

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.local.cloud import LocalCloud

ALGORITHMS: Final = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}
RANGE_LIMIT: Final = 1000
QUERY_ERROR: Final = "States.QueryEvaluationError"


class QueryError(Exception):
    """The expression cannot be parsed, fails while it is evaluated, or gives nothing that JSON can hold."""


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Evaluate an expression (without `{% %}`) over variables (named without `$`); gives plain JSON."""
    runner = copy.copy(parse(expression))
    # The library looks the running expression up per thread, for the clock among others.
    Jsonata.CURRENT.jsonata = runner
    frame = {**FUNCTIONS, **{name: _bindable(value) for name, value in variables.items()}}
    try:
        result = runner.evaluate(None, frame)
    except (JException, ArithmeticError, ValueError, TypeError, AttributeError, LookupError) as error:
        code = getattr(error, "error", "") or type(error).__name__
        message = f"The JSONata expression '{expression}' threw an error during evaluation. {code}: {error}"
        raise QueryError(message) from error
    if result is None:
        raise QueryError(f"The JSONata expression '{expression}' returned nothing (undefined).")
    return plain(result, expression)


@functools.lru_cache(maxsize=4096)
def parse(expression: str) -> Jsonata:
    """Parse once; the parsed expression is shared between threads and never evaluated itself."""
    try:
        parsed = Jsonata(expression)
    except JException as error:
        raise QueryError(f"The JSONata expression '{expression}' is not valid: {error}") from error
    parsed.set_output_convert_nulls(False)
    parsed.set_validate_input(False)
    return parsed


def plain(value: Any, expression: str) -> Any:  # noqa: ANN401
    """Turn the library's values (null marker, sequences, whole floats) into what `json` reads, as a copy."""
    if value is Utils.NULL_VALUE or value is None:
        return None
    if isinstance(value, dict):
        return {key: plain(item, expression) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(value[index], expression) for index in range(len(value))]
    if isinstance(value, float):
        return _number(value, expression)
    if isinstance(value, bool | int | str):
        return value
    raise QueryError(f"The JSONata expression '{expression}' returned an unsupported result type.")


def _number(value: float, expression: str) -> float | int:
    if not math.isfinite(value):
        raise QueryError(f"The JSONata expression '{expression}' returned a number that is not finite.")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _bindable(value: Any) -> Any:  # noqa: ANN401
    return Utils.NULL_VALUE if value is None else value


def partition(items: list[Any] | None, size: float) -> list[list[Any]] | None:
    """`$partition(array, size)`: slices of at most `size` items."""
    if items is None:
        return None
    step = _whole("partition", size)
    if step < 1:
        raise ValueError("$partition needs a size of 1 or more")
    return [items[start : start + step] for start in range(0, len(items), step)]


def numbers(first: float, last: float, step: float) -> list[int]:
    """`$range(first, last, step)`: `last` is included, as Step Functions does; at most 1,000 numbers."""
    start, end, delta = (_whole("range", value) for value in (first, last, step))
    if delta == 0:
        raise ValueError("$range needs a step other than 0")
    found = range(start, end + (1 if delta > 0 else -1), delta)
    if len(found) > RANGE_LIMIT:
        raise ValueError(f"$range gives at most {RANGE_LIMIT} numbers")
    return list(found)


def _whole(function: str, value: float) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError(f"${function} needs whole numbers, not {value!r}")
    return int(value)


def digest(text: str, algorithm: str) -> str:
    """`$hash(string, algorithm)`: the hexadecimal digest."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"$hash knows {', '.join(ALGORITHMS)}, not {algorithm!r}")
    return hashlib.new(ALGORITHMS[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def chance(seed: float | None = None) -> float:
    """`$random([seed])`: 0 <= n < 1; the same seed gives the same number."""
    return random.random() if seed is None else random.Random(seed).random()  # noqa: S311


def identifier() -> str:
    """`$uuid()`: a version 4 UUID."""
    return str(uuid.uuid4())


def read(text: str | None) -> Any:  # noqa: ANN401
    """`$parse(json)`: the value of a JSON text."""
    return None if text is None else _bindable(json.loads(text))


def refuse(*_: object) -> None:
    """`$eval`: Step Functions does not have it."""
    raise ValueError("$eval is not supported in Step Functions; use $parse")


FUNCTIONS: Final = {
    name: Jsonata.JLambda(function)
    for name, function in {
        "partition": partition,
        "range": numbers,
        "hash": digest,
        "random": chance,
        "uuid": identifier,
        "parse": read,
        "eval": refuse,
    }.items()
}


def install(cloud: LocalCloud) -> None:
    """Give the engine's JSONata fields this evaluation."""
    from moto.stepfunctions.parser.asl.component.common.string import string_expression

    cloud.patch(string_expression.StringJSONata, "_eval_body", _evaluate_field)
    cloud.patch(string_expression.StringVariableSample, "_eval_body", _evaluate_sample)


def _evaluate_field(field: Any, env: Any) -> None:  # noqa: ANN401
    try:
        env.stack.append(evaluate(field.expression, {**_variables(env), "states": env.states._states_data}))
    except QueryError as error:
        raise failure(env, str(error)) from error


def _evaluate_sample(sample: Any, env: Any) -> None:  # noqa: ANN401
    """A variable in a JSONPath state (`$name.field`): the same evaluation without `$states`."""
    try:
        env.stack.append(evaluate(sample.expression, _variables(env)))
    except QueryError as error:
        raise failure(env, str(error)) from error


def _variables(env: Any) -> dict[str, Any]:  # noqa: ANN401
    return {**env.variable_store._outer_scope, **env.variable_store._inner_scope}


def failure(env: Any, cause: str) -> Exception:  # noqa: ANN401
    """The engine's exception for States.QueryEvaluationError in the field that is being evaluated."""
    from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
    from moto.stepfunctions.parser.asl.component.common.error_name import failure_event, states_error_name
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
        StatesErrorNameType,
    )
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    details = EvaluationFailedEventDetails(cause=cause, error=QUERY_ERROR, location=env.next_field_name or "")
    event = failure_event.FailureEvent(
        env=env,
        error_name=states_error_name.StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError),
        event_type=HistoryEventType.EvaluationFailed,
        event_details=EventDetails(evaluationFailedEventDetails=details),
    )
    return failure_event.FailureEventException(failure_event=event)  # type: ignore[no-any-return]
