"""Records and packages for tests of audits."""

from __future__ import annotations

from typing import Any

from tidegate.domain.audits.advisories import Advisory, Package, read_advisory
from tidegate.domain.audits.matching import match


def record(
    *events: dict[str, str],
    name: str = "idna",
    ecosystem: str = "PyPI",
    kind: str = "ECOSYSTEM",
    versions: tuple[str, ...] = (),
    **more: Any,
) -> dict[str, Any]:
    """An OSV record of one package."""
    affected = {
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": kind, "events": list(events)}] if events else [],
        "versions": list(versions),
    }
    return {"schema_version": "1.6.0", "id": "GHSA-1", "affected": [affected], **more}


def advisory(*events: dict[str, str], **more: Any) -> Advisory:
    return read_advisory(record(*events, **more))


def pypi(version: str, name: str = "idna") -> Package:
    return Package(ecosystem="PyPI", name=name, version=version)


def is_affected(found: Advisory, version: str, ecosystem: str = "PyPI", name: str = "idna") -> bool:
    matched = match([Package(ecosystem=ecosystem, name=name, version=version)], [found])
    assert not matched.notices
    return bool(matched.hits)
