from __future__ import annotations

from decimal import Decimal

import pytest
from order_request import Line
from pricing import PricingError, Tax, UnknownArticleError, in_cents, price

TAX = Tax(rate=Decimal("0.19"), rounding="ROUND_HALF_UP")


def lines(**quantities: int) -> list[Line]:
    return [Line(sku=sku, quantity=quantity) for sku, quantity in quantities.items()]


def test_an_order_costs_its_lines_and_the_tax_on_them() -> None:
    cost = price(lines(kettle=1, mug=2), TAX)

    assert cost.line_cents == (4900, 2500)
    assert (cost.net_cents, cost.tax_cents, cost.total_cents) == (7400, 1406, 8806)


def test_the_rounding_decides_about_half_cents() -> None:
    up, even = (Tax(Decimal("0.05"), rounding) for rounding in ("ROUND_HALF_UP", "ROUND_HALF_EVEN"))

    assert price(lines(teapot=1), up).tax_cents == 175
    assert price(lines(teapot=1), even).tax_cents == 174


def test_an_article_that_is_not_in_the_catalogue_is_refused() -> None:
    with pytest.raises(UnknownArticleError, match="samovar"):
        price(lines(samovar=1), TAX)


def test_a_fraction_of_a_cent_is_never_charged() -> None:
    with pytest.raises(PricingError, match="whole number of cents"):
        in_cents(Decimal("1.005"))
