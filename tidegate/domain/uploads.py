"""Whose builds may upload bundles: which subjects of which OpenID Connect issuer, for which service.

With them no key is stored anywhere: a build shows a token that its host has signed, and is given a role for
an hour at most. The role may write the bundles of the service's branches.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, StringConstraints

from tidegate.domain.identity import Frozen, ServiceName

if TYPE_CHECKING:
    from collections.abc import Sequence

STS: Final = "sts.amazonaws.com"
# A subject begins with whose it is; after the name of that part, a pattern alone would be anybody's.
ANYBODY: Final = re.compile(r"(\w+:)?[*?].*")

Issuer = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+\.[a-z]+(/[A-Za-z0-9._/-]+)?$")]
Subject = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Upload(Frozen):
    """A service whose bundles come from builds elsewhere.

    `issuer` is the address of the token's issuer without `https://`; `subjects` are patterns of the token's
    `sub` (`*` for any characters), and one of them must fit; `audience` is the token's `aud`. `branches` are
    by default the pipeline's.
    """

    service: ServiceName
    issuer: Issuer
    subjects: tuple[Subject, ...] = Field(min_length=1)
    audience: str = Field(default=STS, min_length=1)
    branches: tuple[str, ...] = ()


def find_problems(uploads: Sequence[Upload]) -> list[str]:
    """What is wrong with the uploads, by their services."""
    twice = [name for name, count in Counter(one.service for one in uploads).items() if count > 1]
    problems = [f"uploads: {name} is named twice" for name in twice]
    return problems + [
        f"uploads: {one.service}: the subject {subject!r} would let anybody in"
        for one in uploads
        for subject in one.subjects
        if ANYBODY.fullmatch(subject)
    ]
