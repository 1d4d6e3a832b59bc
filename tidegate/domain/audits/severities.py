"""How grave an advisory is: CVSS base scores of its vectors, else the database's own word.

Scores are computed by the `cvss` library (version 4 is a table of 270 macro vectors, no business of ours).
Where an advisory has several, the highest counts. Source: CVSS v3.1 and v4.0, "Qualitative Severity Rating".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidegate.domain.audits.policies import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.domain.audits.advisories import Advisory, Affected, Rating

BOUNDS: Final = (
    (9.0, Severity.CRITICAL),
    (7.0, Severity.HIGH),
    (4.0, Severity.MEDIUM),
    (0.1, Severity.LOW),
    (0.0, Severity.NONE),
)
WORDS: Final = {
    **{one.value: one for one in Severity},
    "moderate": Severity.MEDIUM,
    "important": Severity.HIGH,
}
MALICIOUS: Final = "MAL-"  # malicious code by its prefix: there is nothing to score


def rate(advisory: Advisory, affected: Affected) -> tuple[Severity | None, float | None]:
    """The severity and, where there is one, the score; None where nobody says. The package's come first."""
    if advisory.id.startswith(MALICIOUS):
        return Severity.CRITICAL, None
    for ratings in (affected.ratings, advisory.ratings):
        scores = [score for score in map(score_of, ratings) if score is not None]
        if scores:
            return rate_score(max(scores)), max(scores)
        words = [WORDS[one.value.lower()] for one in ratings if one.value.lower() in WORDS]
        if words:
            return gravest(words), None
    return WORDS.get(advisory.word.lower()), None


def rate_score(score: float) -> Severity:
    """The qualitative rating of a score."""
    return next(severity for bound, severity in BOUNDS if score >= bound)


def gravest(severities: Iterable[Severity | None]) -> Severity | None:
    """The gravest that is known; None where none is."""
    known = [one for one in severities if one is not None]
    return max(known, key=lambda one: one.rank, default=None)


def score_of(rating: Rating) -> float | None:
    """The base score of a CVSS vector; None where it is none."""
    from cvss import CVSS2, CVSS3, CVSS4
    from cvss.exceptions import CVSSError

    kinds = {"CVSS_V2": CVSS2, "CVSS_V3": CVSS3, "CVSS_V4": CVSS4}
    if rating.kind not in kinds:
        return None
    try:
        return float(kinds[rating.kind](rating.value).base_score)
    except CVSSError:
        return None
