"""Secrets are put together here, so that this file holds none."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters.leaks import MAX_SIZE, OVERLAP, PIECE, find_leaks, search_source
from tidegate.domain.leaks import Leak
from tidegate.domain.sources import SourceFile

RANDOM = "Kq7Zp2Lw9Xv4Tn8Rb3Yc6Md1Hs5Jf0Ga2Ue7Oi4Wk9"
KEY = "AKIA" + "QX7ZP2LW9V4TN8RB"
BODY = "\n".join([(RANDOM + RANDOM)[:64]] * 4)
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n-----END RSA PRIVATE KEY-----\n"
SECRETS = {
    "AWS Access Key": [KEY, f"aws_secret_access_key = '{RANDOM[:40]}'", "ASIA" + KEY[4:]],
    "Private Key": [PEM, repr(PEM), PEM.replace("RSA ", ""), PEM.replace("RSA", "OPENSSH")],
    "GitHub Token": ["ghp_" + RANDOM[:36], "github_pat_" + RANDOM[:22] + "_" + (RANDOM * 2)[:59]],
    "GitLab Token": ["glpat-" + RANDOM[:20]],
    "Slack Token": ["xoxb-" + "123456789012-" + RANDOM[:24].lower()],
    "Stripe Access Key": ["sk_" + "live_" + RANDOM[:24]],
    "SendGrid API Key": ["SG." + RANDOM[:22] + "." + (RANDOM * 2)[:43]],
    "PyPI Token": ["pypi-AgEIcHlwaS5vcmc" + (RANDOM * 2)[:70]],
    "NPM tokens": ["//registry.npmjs.org/:_authToken=npm_" + RANDOM[:36]],
    "Azure Storage Account access key": ["AccountKey=" + (RANDOM * 3)[:86] + "=="],
}
HARMLESS = [
    "AKIA" + "IOSFODNN7EXAMPLE",
    "aws_secret_access_key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY'",
    "AKIA" + "XXXXXXXXXXXXXXXX",
    "AKIA" + "1111111111111111",
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "ghp_" + "a" * 36,
    "sk_" + "test_" + RANDOM[:24],
    f"sha512-{RANDOM}{KEY}{RANDOM}==",
    "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
    "if text.startswith('-----BEGIN PRIVATE KEY-----'): pass",
    "-----BEGIN CERTIFICATE-----\n" + BODY,
    "password = 'hunter2hunter2'",
    "//registry.npmjs.org/:_authToken=${NPM_TOKEN}",
    "//registry.npmjs.org/:_authToken=npm_' + RANDOM[:36]",
    f"postgres://user:{RANDOM[:12]}@localhost/db",
    f"eyJhbGciOiJIUzI1NiJ9.{RANDOM}.{RANDOM}",
    f"{KEY}  # pragma: allowlist secret",
    f"# pragma: allowlist nextline secret\nkey = '{KEY}'",
]
CASES = [(kind, text) for kind, texts in SECRETS.items() for text in texts]


class Files:
    """What of a checkout is looked at."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._bodies = files
        self.files = {
            path: SourceFile(path=path, executable=False, size=len(body), sha256="")
            for path, body in files.items()
        }

    def read(self, path: str) -> bytes:
        return self._bodies[path]


@pytest.mark.parametrize(("kind", "text"), CASES, ids=[kind for kind, _ in CASES])
def test_keys_and_tokens_are_found_by_line_and_kind_and_never_told(kind: str, text: str) -> None:
    (found,) = dict.fromkeys(find_leaks("src/app.py", f"# …\x85\nx = '{text}'\ny = 1\n"))
    assert found == Leak(path="src/app.py", line=2, kind=kind)
    assert not any(secret in found.model_dump_json() for secret in (RANDOM[:12], KEY[4:]))


@pytest.mark.parametrize("text", HARMLESS)
def test_examples_marked_lines_and_parts_of_longer_data_are_not_accused(text: str) -> None:
    assert list(find_leaks("tests/test_app.py", f"first\n{text}\n")) == []


@given(st.integers(0, 3 * PIECE), st.integers(0, 3 * PIECE), st.sampled_from(["x;", '", "', "\n"]))
def test_a_key_is_found_wherever_it_stands_in_a_line(before: int, after: int, filler: str) -> None:
    head = (filler * before)[:before]
    text = f"{head} {KEY} {(filler * after)[:after]}"
    (found,) = dict.fromkeys(find_leaks("a.js", text))
    assert found.line == head.count("\n") + 1


@given(st.text(string.printable, max_size=300))
def test_any_text_can_be_searched(text: str) -> None:
    assert all(1 <= leak.line <= text.count("\n") + 1 for leak in find_leaks("a", text))


def test_pieces_of_long_lines_overlap_by_more_than_the_longest_token() -> None:
    assert max(len(text) for kind, text in CASES if kind != "Private Key") < OVERLAP


def test_binary_and_large_files_are_left_out_and_large_ones_named() -> None:
    key = KEY.encode()
    files = {"a.py": key, "b.bin": b"\0" + key, "c.csv": key + b" " * MAX_SIZE, "d.latin1": b"\xff " + key}
    found = search_source(Files(files))
    assert [leak.path for leak in found.leaks] == ["a.py", "d.latin1"]
    assert found.left_out == ("c.csv",)


@pytest.mark.parametrize(
    "unit", ["x//-us:_authTokenAccountKeyaws'", "aws key ", "0" * 64 + " ", "//", "-----BEGIN PRIVATE KEY"]
)
def test_the_time_is_linear_in_the_text_whatever_it_holds(unit: str) -> None:
    list(find_leaks("a", KEY))

    def measure(size: int) -> float:
        text = (unit * size)[:size]
        began = time.process_time()
        list(find_leaks("a.js", text))
        return time.process_time() - began

    assert measure(800_000) < 12 * measure(200_000) + 1
