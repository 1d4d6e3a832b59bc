"""Puts a release's manifest together out of its snapshot and its artifacts' records; reads their bills."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from tidegate.adapters.documents import release_prefix
from tidegate.adapters.templates import parse
from tidegate.adapters.threads import side_by_side
from tidegate.domain.artifacts import record_key
from tidegate.domain.audits.advisories import KINDS, Package
from tidegate.domain.bills import read_packages
from tidegate.domain.errors import BuildFailed
from tidegate.domain.manifests import Manifest, make_manifest
from tidegate.domain.snapshots import Artifact

if TYPE_CHECKING:
    from tidegate.adapters.documents import Documents
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.snapshots import Snapshot


class Inventory(NamedTuple):
    """The packages of a release, each with the functions and layers that hold it; what has no version."""

    packages: dict[Package, tuple[str, ...]]
    notices: tuple[str, ...]


def write_manifest(documents: Documents, ref: ReleaseRef, snapshot: Snapshot) -> Manifest:
    """The manifest of a release whose artifacts stand; stored as functions.json."""
    keys = sorted({one.artifact for one in snapshot.functions})
    records = side_by_side(lambda key: documents.read(record_key(key), Artifact), keys)
    templates = {child.path: parse(child.text, child.file) for child in snapshot.children}
    templates[""] = parse(snapshot.template_text, snapshot.template)
    manifest = make_manifest(snapshot, ref.id, templates, dict(zip(keys, records, strict=True)))
    documents.write(f"{release_prefix(ref)}functions.json", manifest)
    return manifest


def read_inventory(documents: Documents, manifest: Manifest) -> Inventory:
    """What the bills list; LookupError where one is missing, BuildFailed where one was changed."""
    keys = sorted(manifest.bills)
    bodies = side_by_side(documents.find_bytes, keys)
    named = {one.bill: one.bill_sha256 for one in manifest.functions}
    holders: dict[Package, dict[str, None]] = {}
    for key, body in zip(keys, bodies, strict=True):
        if body is None:
            message = f"s3://{documents.bucket}/{key} does not exist"
            raise LookupError(message)
        digest = hashlib.sha256(body).hexdigest()
        if named.get(key, digest) != digest:
            raise BuildFailed(
                f"s3://{documents.bucket}/{key} has not the bytes that its artifact's record names"
            )
        for kind, name, version in read_packages(body):
            package = Package(ecosystem=KINDS[kind], name=name, version=version)
            holders.setdefault(package, {}).update(dict.fromkeys(manifest.bills[key]))
    found = {package: tuple(names) for package, names in holders.items()}
    return take_versioned(found)


def take_versioned(found: dict[Package, tuple[str, ...]]) -> Inventory:
    """Packages that can be looked up, sorted; the others are named."""
    ordered = sorted(found, key=lambda one: (one.ecosystem, one.name, one.version))
    unknown = tuple(
        f"{one.name} tells no version and was not looked up" for one in ordered if not one.version
    )
    return Inventory({one: found[one] for one in ordered if one.version}, unknown)
