"""A dependency with a known vulnerability: it stops the release before any stage, unless it is waived."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.domain.auditing.records import record
from tests.pipelines.services import compress
from tidegate.adapters.plans import read_plan
from tidegate.domain.audits.gates import AuditReport
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.package_index import PackageIndex
    from tests.pipelines.services import Service

ADVISORY = record(
    {"introduced": "0"},
    {"fixed": "1.1"},
    name="old",
    aliases=["CVE-2020-1"],
    severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
)
WAIVER = {
    "id": "CVE-2020-1",
    "package": "old",
    "owner": "the shop's team",
    "reason": "only its own constants are used",
    "expires": "2999-12-31",
}
SENTENCE = "old 1.0: GHSA-1 (CVE-2020-1), critical 9.8, fixed in 1.1"


def test_an_old_dependency_stops_the_release_until_it_is_waived(
    service: Service, index: PackageIndex
) -> None:
    index.add("old", {"old.py": "X = 1\n"})
    service.config["audit"] = {"advisories": "security/advisories"}
    service.config["stages"]["production"] = {"strategy": "AllAtOnce", "bake": "0s"}
    files = {
        "front/requirements.txt": f"--index-url {index.url}\nold==1.0\n",
        "security/advisories/GHSA-1.json": json.dumps(ADVISORY),
    }
    service.change(**files)
    stopped = service.release()
    assert service.outcome(stopped) is Outcome.REJECTED, service.tell(stopped)
    path = compress(service.path(stopped))
    assert path[path.index("AuditRelease") :][:3] == ["AuditRelease", "RestoreTraffic", "UndoRelease"]
    assert "ProvisionStage" not in path
    closed = service.record(stopped)
    assert closed is not None
    assert f"AuditRelease: AuditFailed: {SENTENCE}. Remedy: upgrade" in closed.reason
    service.config["audit"]["waivers"] = [WAIVER]
    service.live = service.change(**files)
    waived = service.release()
    assert service.outcome(waived) is Outcome.PROMOTED, service.tell(waived)
    closed = service.record(waived)
    assert closed is not None
    documents, ref = service.pipeline.documents, closed.ref
    assert (
        documents.read(f"releases/{ref.service}/{ref.id}/audit.json", AuditReport).findings[0].verdict
        == "waived"
    )
    assert read_plan(documents, ref).audit[1] == (
        f"{SENTENCE}; waived until 2999-12-31 by the shop's team: only its own constants are used"
    )
