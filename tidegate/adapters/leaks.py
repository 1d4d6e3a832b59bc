"""Looks for secrets in a commit's files, by the patterns of detect-secrets; nobody is asked about them.

Its detectors of keys and tokens that have a form of their own are used, those that guess by words or by
entropy are not: they accuse too much to stop a release. Each file is read once, in a time that is linear in
its size; binary files and those over 5 MB are left out.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.domain.leaks import PRIVATE_KEY, Leak, Search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.checkouts import Checkout

MAX_SIZE: Final = 5_000_000
MAX_LEAKS: Final = 1000
# Longer lines are looked at in pieces that overlap: some patterns take the square of a line's length.
PIECE: Final = 4096
OVERLAP: Final = 512
BINARY: Final = 8000
ENOUGH: Final = 6  # different characters of a key that somebody drew
VALUE: Final = 8  # a shorter group of a pattern is not the secret itself
AFTER_HEADER: Final = 600
KEY_BODY: Final = re.compile(r"[A-Za-z0-9+/=]{40,}")
TOKEN: Final = re.compile(r"[A-Za-z0-9+/=_-]{30,}")  # not a variable, nor an expression, in its place
PLAIN: Final = re.compile(r"[A-Za-z0-9]")
# Patterns that begin with anything are tried on files that hold this word alone.
WORDS: Final = {
    "NpmDetector": "_authToken",
    "MailchimpDetector": "-us",
    "AzureStorageKeyDetector": "AccountKey",
}


class Detector(NamedTuple):
    """The patterns of one kind of secret; `word` is in every file that holds one."""

    kind: str
    patterns: tuple[re.Pattern[str], ...]
    word: str


@cache
def list_detectors() -> tuple[Detector, ...]:
    """The detectors, imported when they are first needed: they bring an HTTP library that is not used."""
    from detect_secrets.plugins.aws import AWSKeyDetector
    from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
    from detect_secrets.plugins.github_token import GitHubTokenDetector
    from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
    from detect_secrets.plugins.mailchimp import MailchimpDetector
    from detect_secrets.plugins.npm import NpmDetector
    from detect_secrets.plugins.openai import OpenAIDetector
    from detect_secrets.plugins.private_key import PrivateKeyDetector
    from detect_secrets.plugins.pypi_token import PypiTokenDetector
    from detect_secrets.plugins.sendgrid import SendGridDetector
    from detect_secrets.plugins.slack import SlackDetector
    from detect_secrets.plugins.square_oauth import SquareOAuthDetector
    from detect_secrets.plugins.stripe import StripeDetector

    kinds: tuple[Any, ...] = (
        AWSKeyDetector,
        AzureStorageKeyDetector,
        GitHubTokenDetector,
        GitLabTokenDetector,
        MailchimpDetector,
        NpmDetector,
        OpenAIDetector,
        PrivateKeyDetector,
        PypiTokenDetector,
        SendGridDetector,
        SlackDetector,
        SquareOAuthDetector,
        StripeDetector,
    )
    found = [Detector(kind.secret_type, tuple(kind.denylist), WORDS.get(kind.__name__, "")) for kind in kinds]
    # GitHub Docs, "Token formats": the fine-grained ones are younger than the detector.
    fine = re.compile(r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}")
    return (*found, Detector("GitHub Token", (fine,), "github_pat_"))


def search_source(checkout: Checkout) -> Search:
    """What looks like a secret in the files of a commit, in the order of their paths."""
    leaks: list[Leak] = []
    left_out: list[str] = []
    for path, file in sorted(checkout.files.items()):
        if file.size > MAX_SIZE:
            left_out.append(path)
        elif len(leaks) < MAX_LEAKS:
            body = checkout.read(path)
            if b"\0" not in body[:BINARY]:
                leaks += dict.fromkeys(find_leaks(path, body.decode("latin-1")))
    return Search(leaks=tuple(leaks[:MAX_LEAKS]), left_out=tuple(left_out))


def find_leaks(path: str, text: str) -> Iterator[Leak]:
    """What looks like a secret in a text, but for lines that are marked as harmless."""
    lines = text.split("\n")
    numbered = list(_cut(lines))
    joined = "\n".join(piece for _, piece in numbered)
    starts = [0, *accumulate(len(piece) + 1 for _, piece in numbered)]
    for detector in list_detectors():
        if detector.word not in joined:
            continue
        for found in (one for pattern in detector.patterns for one in pattern.finditer(joined)):
            number = numbered[bisect_right(starts, found.start()) - 1][0]
            if _is_secret(detector, found) and not _is_marked(path, lines, number):
                yield Leak(path=path, line=number + 1, kind=detector.kind)


def _cut(lines: list[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines):
        for start in range(0, max(1, len(line) - OVERLAP), PIECE - OVERLAP):
            yield number, line[start : start + PIECE]


def _is_secret(detector: Detector, found: re.Match[str]) -> bool:
    """Whether it is more than an example, a part of longer data, or the first line of a key."""
    text = found.string
    value = next((group for group in found.groups() if group and len(group) >= VALUE), found[0])
    if detector.kind == PRIVATE_KEY:
        after = text[found.end() : found.end() + AFTER_HEADER].partition("-----END")[0]
        return KEY_BODY.search(after) is not None
    around = text[max(0, found.start() - 1) : found.start()] + text[found.end() : found.end() + 1]
    is_whole = not PLAIN.search(around) if value == found[0] else TOKEN.match(value) is not None
    return is_whole and not is_example(value)


def is_example(value: str) -> bool:
    """Whether a value was made up for a page or a test: it says so, or repeats or counts."""
    from detect_secrets.filters.heuristic import is_sequential_string

    drawn = re.sub(r"^[A-Za-z]{2,4}[-_]?(live_)?", "", value)
    told = any(word in value.upper() for word in ("EXAMPLE", "XXXX", "YOUR_", "DUMMY", "FAKE"))
    return told or len(set(drawn)) < ENOUGH or is_sequential_string(drawn[:16])


def _is_marked(path: str, lines: list[str], number: int) -> bool:
    """Whether the line, or the one before it, holds detect-secrets' pragma."""
    from detect_secrets.filters.allowlist import is_line_allowlisted
    from detect_secrets.util.code_snippet import get_code_snippet

    if len(lines[number]) > PIECE:
        return False
    around = [line[:PIECE] for line in lines[max(0, number - 1) : number + 1]]
    return bool(is_line_allowlisted(path, lines[number], get_code_snippet(around, len(around))))
