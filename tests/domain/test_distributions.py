from __future__ import annotations

import json
from pathlib import Path

import pytest
from cyclonedx.schema._res import SPDX_JSON
from packaging.licenses._spdx import LICENSES

from tidegate.domain.bills import Licence
from tidegate.domain.distributions import CLASSIFIERS, WORDS, is_metadata, read_distribution, read_folder

PATH = "Zope.Event-5.0.dist-info/METADATA"


def read(lines: str, path: str = PATH):
    return read_distribution(
        path, f"Metadata-Version: 2.4\nName: Zope.Event\nVersion: 5.0\n{lines}\n\nText".encode()
    )


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        (PATH, True),
        ("vendor/x-1.dist-info/METADATA", True),
        ("x-1.dist-info/WHEEL", False),
        ("a/x.egg-info/PKG-INFO", True),
        ("a/x-1-py3.8.egg-info", True),
        ("node_modules/a/package.json", True),
        ("node_modules/@s/a/package.json", True),
        ("node_modules/@s/package.json", False),
        ("f/node_modules/a/node_modules/b/package.json", True),
        ("node_modules/a/esm/package.json", False),
        ("package.json", False),
    ],
)
def test_metadata_is_told_by_its_path(path: str, is_one: bool) -> None:
    assert is_metadata(path) is is_one


def test_a_distribution_names_itself() -> None:
    found = read("Requires-Dist: a>1\nRequires-Dist: b; extra == 'x'")
    assert (found.name, found.version, found.folder) == ("zope-event", "5.0", "Zope.Event-5.0.dist-info")
    assert found.requires == ("a>1", "b; extra == 'x'")


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        ("License-Expression: mit or apache-2.0", Licence(expression="MIT OR Apache-2.0")),
        ("License-Expression: LicenseRef-Own", Licence(expression="LicenseRef-Own")),
        ("License: MIT", Licence(id="MIT")),
        ("License: BSD", Licence(name="BSD")),
        ("License: Apache License, Version 2.0", Licence(id="Apache-2.0")),
        ("License: The MIT License", Licence(id="MIT")),
        ("Classifier: License :: OSI Approved :: MIT License", Licence(id="MIT")),
        ("License: Own\nClassifier: License :: OSI Approved :: MIT License", Licence(id="MIT")),
        (
            "Classifier: License :: OSI Approved :: BSD License\nClassifier: License :: OSI Approved :: MIT License",
            Licence(name="BSD License"),
        ),
        ("License: UNKNOWN", None),
        ("", None),
    ],
)
def test_a_licence_is_spdx_where_it_is_without_doubt(lines: str, licence: Licence | None) -> None:
    assert read(lines).licence == licence


def test_each_spdx_id_that_is_known_here_is_one_of_cyclonedx() -> None:
    ids = set(json.loads(Path(SPDX_JSON).read_text())["enum"])
    assert {one["id"] for one in LICENSES.values()} <= ids
    assert {*CLASSIFIERS.values(), *WORDS.values()} <= ids


def test_what_names_nothing_is_named_by_its_folder() -> None:
    found = read_distribution("v/Foo_Bar-1.2.dist-info/METADATA", b"\xff\xfe")
    assert (found.name, found.version) == ("foo-bar", "1.2")
    assert read_folder("x.dist-info").version == ""
    assert read_folder("x-1.0-py3.8.egg-info").version == "1.0"


def test_a_package_json_is_read() -> None:
    body = json.dumps(
        {"name": "a", "version": "1.0.0", "license": "MIT", "dependencies": {"b": "^1"}}
    ).encode()
    found = read_distribution("node_modules/a/package.json", body)
    assert (found.kind, found.name, found.version, found.requires) == ("npm", "a", "1.0.0", ("b",))
    assert found.licence == Licence(id="MIT")
    for broken in (b"{", b"[]", b"{}"):
        assert read_distribution("node_modules/@s/a/package.json", broken).name == "@s/a"
