"""Lambda's quotas in the local cloud: what a second allows is answered, the rest is throttled and noted."""

from __future__ import annotations

import pytest

from tidegate.local.quotas import PER_SECOND, Quotas, find_quota


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_second_allows_its_calls_and_no_more() -> None:
    clock = Clock()
    quotas = Quotas(clock)
    assert [quotas.take("lambda", "calls") for _ in range(16)] == [True] * 15 + [False]
    clock.now += 1 / 15 + 1e-6
    assert [quotas.take("lambda", "calls") for _ in range(2)] == [True, False]
    clock.now += 3600
    assert sum(quotas.take("lambda", "calls") for _ in range(40)) == 15
    assert sum(call.throttled for call in quotas.noted) == 27


def test_quotas_are_apart_and_other_calls_are_only_noted() -> None:
    quotas = Quotas(Clock())
    assert all(quotas.take("lambda", name) for name, most in PER_SECOND.items() for _ in range(most))
    assert not any(quotas.take("lambda", name) for name in PER_SECOND)
    assert all(quotas.take("dynamodb", "") for _ in range(1000))
    assert sum(call.service == "dynamodb" for call in quotas.noted) == 1000


@pytest.mark.parametrize(
    ("method", "path", "quota"),
    [
        ("GET", "/2015-03-31/functions/orders-Place", "GetFunction"),
        ("GET", "/2015-03-31/functions/orders-Place/policy", "GetPolicy"),
        ("GET", "/2015-03-31/functions/orders-Place/configuration", "calls"),
        ("GET", "/2015-03-31/functions/orders-Place/aliases/live", "calls"),
        ("PUT", "/2015-03-31/functions/orders-Place/aliases/live", "calls"),
        ("POST", "/2015-03-31/functions/orders-Place/versions", "calls"),
        ("POST", "/2015-03-31/functions/orders-Place/invocations", ""),
    ],
)
def test_a_call_counts_against_the_quota_that_aws_names(method: str, path: str, quota: str) -> None:
    assert find_quota(method, path) == quota
