"""What an order costs. Amounts are exact decimals until they are whole cents."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from order_request import Line

CURRENCY = "EUR"
CENT = Decimal("0.01")
CATALOGUE = {
    "infuser": Decimal("6.75"),
    "kettle": Decimal("49.00"),
    "mug": Decimal("12.50"),
    "tea-assam": Decimal("8.95"),
    "tea-sencha": Decimal("11.40"),
    "teapot": Decimal("34.90"),
}


class UnknownArticleError(Exception):
    """The catalogue has no such article."""


class PricingError(Exception):
    """The price came out as something that nobody can be charged."""


@dataclass(frozen=True)
class Tax:
    """A share of the net amount, and how its fractions of a cent are rounded."""

    rate: Decimal
    rounding: str

    def on(self, net: Decimal) -> Decimal:
        """The tax on `net`, in whole cents."""
        return (net * self.rate).quantize(CENT, rounding=self.rounding)


@dataclass(frozen=True)
class Price:
    """An order's amounts in cents; `line_cents` in the order of its lines."""

    line_cents: tuple[int, ...]
    net_cents: int
    tax_cents: int

    @property
    def total_cents(self) -> int:
        """What the customer pays."""
        return self.net_cents + self.tax_cents


def in_cents(amount: Decimal) -> int:
    """`amount` in whole cents; PricingError if a fraction of a cent is left."""
    cents = amount * 100
    if cents != cents.to_integral_value():
        raise PricingError(f"{amount} {CURRENCY} is not a whole number of cents")
    return int(cents)


def line_amount(line: Line) -> Decimal:
    """The net amount of one line."""
    try:
        return CATALOGUE[line.sku] * line.quantity
    except KeyError:
        raise UnknownArticleError(line.sku) from None


def price(lines: Sequence[Line], tax: Tax) -> Price:
    """The price of an order of `lines`."""
    amounts = [line_amount(line) for line in lines]
    net = sum(amounts, Decimal(0))
    return Price(
        line_cents=tuple(in_cents(amount) for amount in amounts),
        net_cents=in_cents(net),
        tax_cents=in_cents(tax.on(net)),
    )
