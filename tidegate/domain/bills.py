"""Bills of materials: what is in an artifact, as a CycloneDX 1.6 document that is the same each time.

A bill says what is there and nothing of where it was found: no address of a registry, no clock, no service.
So an artifact has one bill, whoever builds it. It is written once and before the artifact's record.
Sources: https://cyclonedx.org/docs/1.6/json/ and https://github.com/package-url/purl-spec.
"""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from tidegate.domain.artifacts import BUILDER, MANIFEST_SUFFIX
from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SUFFIX: Final = ".cdx.json"
MEDIA_TYPE: Final = "application/vnd.cyclonedx+json; version=1.6"
NAMESPACE: Final = uuid.UUID("0f6f3a52-6c0c-5d4e-9f0f-3c1d8a1b7e21")
ROOT: Final = "artifact"
CONTAINER: Final = "container"
Kind = Literal["pypi", "npm"]


class Licence(Frozen):
    """What a component says of its licence: an SPDX id, an expression of several, or words of its own."""

    id: str = ""
    expression: str = ""
    name: str = ""


class Component(Frozen):
    """A distribution in an artifact.

    `name` is normalized as its index compares names. `folder` is where its metadata lies in the artifact.
    `sha256` is that of the wheel that it came from, `sha512` that of npm's tarball; what lies in the source
    itself, or within another component, has none. What was bundled into other files has no folder. `requires`
    are the references of other components of the artifact.
    """

    kind: Kind
    name: str
    version: str
    folder: str
    sha256: str = ""
    sha512: str = ""
    licence: Licence | None = None
    requires: tuple[str, ...] = ()
    unread: tuple[str, ...] = Field((), description="requirements that are not to be understood")
    built_from: str = Field("", description="sha256:… of a source distribution, or git:… of a commit")

    @property
    def purl(self) -> str:
        """The package URL, such as pkg:pypi/idna@3.10 or pkg:npm/%40scope/name@1.0.0."""
        return make_purl(self.kind, self.name, self.version)

    @property
    def ref(self) -> str:
        """Its name within the bill: a package may be there more than once."""
        return self.purl if self.sha256 or not self.folder else f"{self.purl}#{self.folder}"

    @property
    def pin(self) -> str:
        """What the lock says of it, such as idna==3.10; empty where it is not the lock's."""
        if not (self.sha256 or self.sha512 or self.built_from):
            return ""
        return f"{self.name}{'==' if self.kind == 'pypi' else '@'}{self.version}"


class BaseComponent(Frozen):
    """The image that an image begins from: the name that its Dockerfile has for it, and its digest.

    What is in it is not listed: it is known by its digest.
    """

    name: str
    digest: str = Field(description="sha256:…")

    @property
    def purl(self) -> str:
        """The package URL, such as pkg:oci/python@sha256%3A…."""
        return make_purl("oci", self.name.rpartition("/")[2].lower(), self.digest)


class Subject(Frozen):
    """What a bill is of: a zip by its content key and its own SHA-256 (hex).

    `built_in` is the image that foreign code built it in: what has no metadata there is in no bill.
    """

    key: str
    sha256: str
    runtime: str = ""
    architecture: str = ""
    built_in: str = ""


def bill_key(archive: str) -> str:
    """Where the bill of a zip, or of an image's manifest, lies: beside it."""
    return f"{archive.removesuffix('.zip').removesuffix(MANIFEST_SUFFIX)}{SUFFIX}"


def read_packages(body: bytes) -> Iterator[tuple[Kind, str, str]]:
    """Kind, name and version of each package of a bill as `render` writes it."""
    for one in json.loads(body)["components"]:
        if one["type"] == CONTAINER:
            continue
        kind: Kind = "npm" if one["purl"].startswith("pkg:npm/") else "pypi"
        name = f"{one['group']}/{one['name']}" if "group" in one else one["name"]
        yield kind, name, one.get("version", "")


def read_subject(body: bytes) -> str:
    """The SHA-256 (hex) of the zip that a bill is of, as `render` writes it; "" where it names none."""
    hashes = json.loads(body)["metadata"]["component"].get("hashes", ())
    return next((str(one["content"]) for one in hashes if one["alg"] == "SHA-256"), "")


def make_purl(kind: str, name: str, version: str) -> str:
    """The package URL of a name and a version; without the latter where it is empty."""
    place = "/".join(_quote(part) for part in name.split("/"))
    return f"pkg:{kind}/{place}" + (f"@{_quote(version)}" if version else "")


def _quote(text: str) -> str:
    return re.sub(rb"[^A-Za-z0-9.~_-]", lambda found: b"%%%02X" % ord(found[0]), text.encode()).decode()


def render(subject: Subject, components: Iterable[Component], base: BaseComponent | None = None) -> bytes:
    """The document; equal for equal content, whatever the order in which components come."""
    ordered = sorted(components, key=lambda one: one.ref)
    found = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, f'{subject.key} {subject.sha256}')}",
        "version": 1,
        "metadata": _describe(subject),
        "components": [*([_render_base(base)] if base else []), *(_render(one) for one in ordered)],
        "dependencies": _connect(ordered, base),
        **({"compositions": [{"aggregate": "incomplete", "assemblies": [ROOT]}]} if subject.built_in else {}),
    }
    return (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode()


def _describe(subject: Subject) -> dict[str, Any]:
    told = {
        "tidegate:architecture": subject.architecture,
        "tidegate:built-in": subject.built_in,
        "tidegate:runtime": subject.runtime,
    }
    properties = [{"name": name, "value": value} for name, value in told.items() if value]
    return {
        "lifecycles": [{"phase": "build"}],
        "tools": {"components": [{"type": "application", "name": "tidegate-builder", "version": BUILDER}]},
        "component": {
            "type": "application",
            "bom-ref": ROOT,
            "name": subject.key,
            "hashes": [{"alg": "SHA-256", "content": subject.sha256}],
            **({"properties": properties} if properties else {}),
        },
    }


def _render(component: Component) -> dict[str, Any]:
    group, _, name = component.name.rpartition("/")
    found: dict[str, Any] = {"type": "library", "bom-ref": component.ref}
    found |= {"group": group} if group else {}
    found |= {"name": name} | ({"version": component.version} if component.version else {})
    hashes = {"SHA-256": component.sha256, "SHA-512": component.sha512}
    told = [{"alg": algorithm, "content": value} for algorithm, value in hashes.items() if value]
    found |= {"hashes": told} if told else {}
    found |= {"licenses": [_render_licence(component.licence)]} if component.licence else {}
    found["purl"] = component.purl
    found |= {"evidence": {"occurrences": [{"location": component.folder}]}} if component.folder else {}
    told = [{"name": "tidegate:built-from", "value": component.built_from}] if component.built_from else []
    told += [{"name": "tidegate:unread-requirement", "value": text} for text in component.unread]
    return found | ({"properties": told} if told else {})


def _render_base(base: BaseComponent) -> dict[str, Any]:
    return {
        "type": CONTAINER,
        "bom-ref": base.purl,
        "name": base.name,
        "version": base.digest,
        "hashes": [{"alg": "SHA-256", "content": base.digest.removeprefix("sha256:")}],
        "purl": base.purl,
    }


def _render_licence(licence: Licence) -> dict[str, Any]:
    if licence.expression:
        return {"expression": licence.expression, "acknowledgement": "declared"}
    kind = "id" if licence.id else "name"
    return {"license": {kind: licence.id or licence.name, "acknowledgement": "declared"}}


def _connect(components: Sequence[Component], base: BaseComponent | None) -> list[dict[str, Any]]:
    """What depends on what; of the artifact itself, everything that nothing else leads to."""
    edges = {one.ref: sorted(one.requires) for one in components}
    top = sorted(edges.keys() - {ref for of, refs in edges.items() for ref in refs if ref != of})
    reached = _reach(top, edges)
    for ref in sorted(edges):  # a circle that nothing leads into
        if ref not in reached:
            top.append(ref)
            reached |= _reach([ref], edges)
    below: dict[str, list[str]] = {base.purl: []} if base else {}
    rows = {ROOT: sorted([*below, *top]), **below, **edges}
    return [{"ref": ref, **({"dependsOn": list(rows[ref])} if rows[ref] else {})} for ref in rows]


def _reach(refs: Iterable[str], edges: Mapping[str, Sequence[str]]) -> set[str]:
    waiting, reached = list(refs), set(refs)
    while waiting:
        found = set(edges.get(waiting.pop(), ())) - reached
        reached |= found
        waiting += found
    return reached
