from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.ledger import Outcome
from tidegate.domain.recovery import LOOKS, decide


@given(st.integers(0, 2 * LOOKS), st.booleans())
def test_the_end_comes_and_names_the_trouble(looks: int, shifted: bool) -> None:
    assert decide("", looks, shifted=shifted) is (Outcome.ROLLED_BACK if shifted else Outcome.REJECTED)
    expected = None if looks < LOOKS else Outcome.NEEDS_OPERATOR
    assert decide("still failing", looks, shifted=shifted) is expected
