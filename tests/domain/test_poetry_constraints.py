from __future__ import annotations

import pytest

from tidegate.domain.poetry_constraints import allows


@pytest.mark.parametrize(
    ("constraint", "inside", "outside"),
    [
        ("*", "1.0", None),
        ("", "1.0", None),
        ("1.2", "1.2.0", "1.2.1"),
        ("=1.2", "1.2", "1.3"),
        ("^1.2.3", "1.99", "2.0"),
        ("^1.2.3", "1.2.3", "1.2.2"),
        ("^0.2.3", "0.2.9", "0.3"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("^0.0", "0.0.9", "0.1"),
        ("^0", "0.9", "1.0"),
        ("^1.2", "1.3", "2.0rc1"),
        ("~1.2.3", "1.2.9", "1.3"),
        ("~1.2", "1.2.9", "1.3"),
        ("~1", "1.9", "2"),
        ("~=1.4.2", "1.4.9", "1.5"),
        ("1.*", "1.9", "2.0"),
        ("!=1.*", "2.0", "1.5"),
        (">=1.2,<2", "1.5", "2.0"),
        (">=1.2 <2", "1.5", "2.0"),
        ("(>=1.2,<2)", "1.5", "2.0"),
        (">= 1.2, < 2.0 || ^3.1", "3.2", "2.5"),
        ("<2|>3", "3.1", "2.5"),
        (">=3.9,<3.9.7 || >3.9.7,<4.0", "3.9.8", "3.9.7"),
    ],
)
def test_constraints_allow_what_poetry_says(constraint: str, inside: str, outside: str | None) -> None:
    assert allows(constraint, inside)
    assert outside is None or not allows(constraint, outside)


@pytest.mark.parametrize("constraint", ["latest", "^", ">=1;", "^x.1", "@ https://example.com/x"])
def test_what_is_no_constraint_is_named(constraint: str) -> None:
    with pytest.raises(ValueError, match="is no constraint of Poetry's"):
        allows(constraint, "1.0")
