"""What a client sends to place an order."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]


class Line(BaseModel):
    """Some pieces of one article."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: Name
    quantity: int = Field(ge=1, le=100)


class OrderRequest(BaseModel):
    """The body of POST /orders."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    customer: Name
    payment_token: Name
    lines: list[Line] = Field(min_length=1, max_length=50)
