from __future__ import annotations

import json

import pytest

from tidegate.adapters.npm_locks import parse_npm_lock
from tidegate.domain.errors import BuildFailed

V1 = {
    "lockfileVersion": 1,
    "dependencies": {
        "a": {"version": "1.0.0", "dependencies": {"@s/b": {"version": "2.0.0"}}},
        "alias": {"version": "npm:@real/name@3.0.0"},
        "dev": {"version": "1.0.0", "dev": True},
    },
}
V3 = {
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "own", "version": "1.0.0"},
        "packages/own": {"version": "1.0.0"},
        "node_modules/own": {"resolved": "packages/own", "link": True},
        "node_modules/a": {"version": "1.0.0"},
        "node_modules/a/node_modules/@s/b": {"version": "2.0.0"},
        "node_modules/alias": {"name": "@real/name", "version": "3.0.0"},
        "node_modules/dev": {"version": "1.0.0", "dev": True},
        "node_modules/both": {"version": "1.0.0", "devOptional": True},
    },
}


def read(lock: object) -> list[str]:
    return [one.title for one in parse_npm_lock(json.dumps(lock), "package-lock.json")]


def test_packages_for_production_are_read_by_their_own_names() -> None:
    assert read(V1) == ["@real/name 3.0.0", "@s/b 2.0.0", "a 1.0.0"]
    assert read(V3) == ["@real/name 3.0.0", "@s/b 2.0.0", "a 1.0.0", "both 1.0.0"]
    assert read({**V1, **V3, "lockfileVersion": 2}) == read(V3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "lockfileVersion is None"),
        ('{"lockfileVersion": 9}', "lockfileVersion is 9"),
        ('{"lockfileVersion": 3, "packages": []}', "no lock of npm's"),
        ('{"lockfileVersion": 3, "packages": {"node_modules/a": 3}}', "no lock of npm's"),
    ],
)
def test_what_is_no_lock_is_named(text: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=rf"^package-lock\.json: {message}"):
        parse_npm_lock(text, "package-lock.json")
