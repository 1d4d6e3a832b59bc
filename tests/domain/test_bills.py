from __future__ import annotations

import itertools
import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.bills import Component, Licence, Subject, bill_key, make_purl, render

SUBJECT = Subject(key="ab" * 32, sha256="cd" * 32, runtime="python3.13", architecture="arm64")
IDNA = Component(
    kind="pypi",
    name="idna",
    version="3.10",
    folder="idna-3.10.dist-info",
    sha256="1" * 64,
    licence=Licence(id="BSD-3-Clause"),
)
REQUESTS = Component(
    kind="pypi",
    name="requests",
    version="2.32.3",
    folder="requests-2.32.3.dist-info",
    sha256="2" * 64,
    licence=Licence(expression="MIT OR Apache-2.0"),
    requires=(IDNA.ref,),
    unread=("not a requirement",),
)
VENDORED = Component(
    kind="pypi",
    name="idna",
    version="2.0",
    folder="vendor/idna-2.0.dist-info",
    licence=Licence(name="as is"),
)
NODE = Component(kind="npm", name="@scope/left-pad", version="1.3.0", folder="node_modules/@scope/left-pad")
ALL = (REQUESTS, IDNA, VENDORED, NODE)


def check(body: bytes) -> None:
    """Valid as CycloneDX's own library says, with nothing in it that the schema does not name."""
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(body.decode())
    assert problem is None, problem


def test_a_bill_is_valid_in_strict_mode() -> None:
    check(render(SUBJECT, ALL))
    check(render(SUBJECT, ()))


def test_a_bill_lists_each_component_with_its_purl_and_the_hash_of_its_wheel() -> None:
    found = {one["bom-ref"]: one for one in json.loads(render(SUBJECT, ALL))["components"]}
    assert found["pkg:pypi/requests@2.32.3"]["hashes"] == [{"alg": "SHA-256", "content": "2" * 64}]
    assert found["pkg:pypi/requests@2.32.3"]["licenses"][0]["expression"] == "MIT OR Apache-2.0"
    assert found["pkg:pypi/idna@3.10"]["licenses"][0]["license"]["id"] == "BSD-3-Clause"
    vendored = found["pkg:pypi/idna@2.0#vendor/idna-2.0.dist-info"]
    assert (vendored["purl"], "hashes" in vendored) == ("pkg:pypi/idna@2.0", False)
    assert vendored["evidence"] == {"occurrences": [{"location": "vendor/idna-2.0.dist-info"}]}
    node = found["pkg:npm/%40scope/left-pad@1.3.0#node_modules/@scope/left-pad"]
    assert (node["group"], node["name"]) == ("@scope", "left-pad")


def test_the_artifact_depends_on_what_nothing_else_leads_to() -> None:
    rows = json.loads(render(SUBJECT, ALL))["dependencies"]
    graph = {row["ref"]: row.get("dependsOn", []) for row in rows}
    assert graph["artifact"] == sorted([REQUESTS.ref, VENDORED.ref, NODE.ref])
    assert graph[REQUESTS.ref] == [IDNA.ref]
    assert graph[IDNA.ref] == []


def test_a_circle_is_reached_from_the_artifact() -> None:
    one = IDNA.model_copy(update={"requires": (REQUESTS.ref,)})
    rows = json.loads(render(SUBJECT, (one, REQUESTS)))["dependencies"]
    assert rows[0] == {"ref": "artifact", "dependsOn": [IDNA.ref]}


def test_equal_content_gives_equal_bytes_and_other_content_another_serial_number() -> None:
    assert {render(SUBJECT, order) for order in itertools.permutations(ALL)} == {render(SUBJECT, ALL)}
    other = SUBJECT.model_copy(update={"key": "ef" * 32})
    serials = {json.loads(render(one, ALL))["serialNumber"] for one in (SUBJECT, other)}
    assert len(serials) == 2


@pytest.mark.parametrize(
    ("parts", "purl"),
    [
        (("pypi", "zope-event", "5.0"), "pkg:pypi/zope-event@5.0"),
        (("pypi", "torch", "2.0.1+cpu"), "pkg:pypi/torch@2.0.1%2Bcpu"),
        (("npm", "@a/b", "1.0.0-rc.1"), "pkg:npm/%40a/b@1.0.0-rc.1"),
        (("pypi", "x", ""), "pkg:pypi/x"),
    ],
)
def test_a_purl_is_written_as_its_specification_says(parts: tuple[str, str, str], purl: str) -> None:
    assert make_purl(*parts) == purl


def test_a_bill_lies_beside_its_zip() -> None:
    assert bill_key("artifacts/ab.zip") == "artifacts/ab.cdx.json"


TEXT = st.text(min_size=1, max_size=12)


@given(
    st.lists(
        st.builds(
            Component,
            kind=st.sampled_from(["pypi", "npm"]),
            name=TEXT,
            version=TEXT,
            folder=TEXT,
            licence=st.none() | st.builds(Licence, name=TEXT),
            unread=st.lists(TEXT, max_size=2).map(tuple),
        ),
        max_size=4,
        unique_by=lambda one: one.ref,
    )
)
def test_whatever_distributions_say_the_bill_is_valid(components: list[Component]) -> None:
    check(render(SUBJECT, components))
