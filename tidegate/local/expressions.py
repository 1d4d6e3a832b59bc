"""Metric math: CloudWatch expressions over series, timestamp by timestamp. Pure.

The expression is read by Python's own grammar and walked over a whitelist; whatever else stands in it is an
error that names it. A missing operand makes a missing result, except in FILL, MAX, MIN, SUM and AVG of lists.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import math
import operator
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Series: TypeAlias = "Mapping[float, float]"
OPERATORS: Final[dict[type[ast.AST], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
AGGREGATES: Final[dict[str, Callable[[list[float]], float]]] = {
    "MAX": max,
    "MIN": min,
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
}
ROUNDINGS: Final[dict[str, Callable[[float], float]]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
WORDS: Final = (("&&", " and "), ("||", " or "), ("^", "**"))
ARITY: Final = {"IF": 3, "FILL": 2, **dict.fromkeys(AGGREGATES, 1), **dict.fromkeys(ROUNDINGS, 1)}


class FormulaError(ValueError):
    """The expression is not valid, or has something in it that is not supported; the text names it."""


@dataclasses.dataclass(frozen=True)
class Formula:
    """A checked expression."""

    tree: ast.expr
    names: frozenset[str]

    def over(self, series: Mapping[str, Series]) -> dict[float, float]:
        """Its value at each timestamp at which any of its series has one; missing results are left out."""
        times = sorted({time for name in self.names for time in series.get(name, {})})
        values = ((time, _value(self.tree, time, series)) for time in times)
        return {time: value for time, value in values if value is not None}


@functools.lru_cache(maxsize=1024)
def read(expression: str) -> Formula:
    """Read and check an expression; raises FormulaError."""
    text = expression
    for word, plain in WORDS:
        text = text.replace(word, plain)
    text = re.sub(r"\b(AND|OR)\b", lambda found: found[0].lower(), text)
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise FormulaError(f"The expression {expression} is not valid: {error.msg}") from error
    names: set[str] = set()
    _check(tree, names, expression)
    return Formula(tree, frozenset(names))


def _check(node: ast.expr, names: set[str], expression: str) -> None:
    match node:
        case ast.Name(id=name):
            names.add(name)
        case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
            pass
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            _check_all((left, right), names, expression)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _check(operand, names, expression)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            _check_all((left, right), names, expression)
        case ast.BoolOp(values=values):
            _check_all(values, names, expression)
        case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
            _check_call(function, arguments, names, expression)
        case _:
            raise FormulaError(f"{ast.unparse(node)} is not supported in the expression {expression}")


def _check_all(nodes: Iterable[ast.expr], names: set[str], expression: str) -> None:
    for node in nodes:
        _check(node, names, expression)


def _check_call(function: str, arguments: list[ast.expr], names: set[str], expression: str) -> None:
    if function not in ARITY:
        raise FormulaError(f"The function {function} is not supported in the expression {expression}")
    if len(arguments) != ARITY[function]:
        raise FormulaError(f"{function} takes {ARITY[function]} arguments in the expression {expression}")
    if function == "FILL" and ast.unparse(arguments[1]) == "REPEAT":
        arguments = arguments[:1]
    if function == "FILL" and not isinstance(arguments[0], ast.Name):
        raise FormulaError(f"FILL takes the id of a metric in the expression {expression}")
    for argument in arguments:
        listed = function in AGGREGATES and isinstance(argument, ast.List)
        _check_all(argument.elts if listed else [argument], names, expression)  # type: ignore[attr-defined]


def _value(node: ast.expr, time: float, series: Mapping[str, Series]) -> float | None:  # noqa: PLR0911
    match node:
        case ast.Name(id=name):
            return series.get(name, {}).get(time)
        case ast.Constant(value=value):
            return float(value)  # type: ignore[arg-type]
        case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
            return _combine(op, _value(left, time, series), _value(right, time, series))
        case ast.UnaryOp(op=sign, operand=operand):
            value = _value(operand, time, series)
            return -value if value is not None and isinstance(sign, ast.USub) else value
        case ast.BoolOp(op=op, values=values):
            found = [_value(item, time, series) for item in values]
            if None in found:
                return None
            return float(all(found) if isinstance(op, ast.And) else any(found))
        case ast.Call(func=ast.Name(id=function), args=arguments):
            return _call(function, arguments, time, series)
    raise FormulaError(f"{ast.unparse(node)} is not supported")


def _combine(op: ast.AST, left: float | None, right: float | None) -> float | None:
    if left is None or right is None:
        return None
    try:
        value = float(OPERATORS[type(op)](left, right))
    except (ZeroDivisionError, OverflowError, TypeError):
        return None
    return value if math.isfinite(value) else None


def _call(
    function: str, arguments: list[ast.expr], time: float, series: Mapping[str, Series]
) -> float | None:
    if function == "FILL":
        return _fill(arguments[0].id, arguments[1], time, series)  # type: ignore[attr-defined]
    if function == "IF":
        condition = _value(arguments[0], time, series)
        return None if condition is None else _value(arguments[1 if condition else 2], time, series)
    if function in ROUNDINGS:
        value = _value(arguments[0], time, series)
        return None if value is None else float(ROUNDINGS[function](value))
    return _aggregate(AGGREGATES[function], arguments[0], time, series)


def _aggregate(
    function: Callable[[list[float]], float], argument: ast.expr, time: float, series: Mapping[str, Series]
) -> float | None:
    """Of a list: over its members at this timestamp. Of one series: over all its timestamps."""
    if isinstance(argument, ast.List):
        found = [_value(item, time, series) for item in argument.elts]
    else:
        names = {node.id for node in ast.walk(argument) if isinstance(node, ast.Name)}
        times = sorted({moment for name in names for moment in series.get(name, {})})
        found = [_value(argument, moment, series) for moment in times]
    known = [value for value in found if value is not None]
    return float(function(known)) if known else None


def _fill(name: str, filler: ast.expr, time: float, series: Mapping[str, Series]) -> float | None:
    known = series.get(name, {})
    if time in known:
        return known[time]
    if ast.unparse(filler) == "REPEAT":
        before = [moment for moment in known if moment < time]
        return known[max(before)] if before else None
    return _value(filler, time, series)
