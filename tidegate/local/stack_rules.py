"""The Rules section of a template: assertions over parameters, checked before a stack is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.local.stack_errors import ValidationError
from tidegate.local.stack_intrinsics import decide, resolve, to_text

if TYPE_CHECKING:
    from tidegate.local.stack_intrinsics import Scope


def check_rules(rules: dict[str, Any], scope: Scope) -> None:
    """Refuse parameters for which an assertion does not hold."""
    for name, rule in rules.items():
        if "RuleCondition" in rule and not _holds(rule["RuleCondition"], scope):
            continue
        for assertion in rule.get("Assertions", []):
            if not _holds(assertion["Assert"], scope):
                reason = assertion.get("AssertDescription", "the assertion does not hold")
                raise ValidationError(f"Rule {name} failed: {reason}")


def _holds(node: dict[str, Any], scope: Scope) -> bool:
    ((name, argument),) = node.items()
    if name == "Fn::Not":
        return not _holds(argument[0], scope)
    if name in {"Fn::And", "Fn::Or"}:
        return (all if name == "Fn::And" else any)(_holds(item, scope) for item in argument)
    if name == "Fn::Contains":
        return to_text(resolve(argument[1], scope)) in [to_text(item) for item in resolve(argument[0], scope)]
    if name == "Fn::EachMemberEquals":
        return all(item == resolve(argument[1], scope) for item in resolve(argument[0], scope))
    if name == "Fn::EachMemberIn":
        return set(resolve(argument[0], scope)) <= set(resolve(argument[1], scope))
    if name == "Fn::Equals":
        return decide(node, scope)
    raise ValidationError(f"The rule function {name} is not available in the local cloud")
