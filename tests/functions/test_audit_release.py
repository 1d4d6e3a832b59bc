"""AuditRelease against moto: what is audited, what stops the release, what an unavailable scanner does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from functions.audit_release.audit import LAST_ATTEMPT
from functions.audit_release.handler import Request, Response, handle
from functions.build_function.handler import Request as Build
from functions.build_function.handler import handle as build
from functions.check_out_source.handler import Request as CheckOut
from functions.check_out_source.handler import handle as check_out
from tests.domain.auditing.records import record
from tidegate.adapters.documents import release_prefix
from tidegate.domain.audits.gates import AuditReport
from tidegate.domain.errors import AuditFailed, BuildFailed, InvalidConfiguration, ScannerUnavailable
from tidegate.domain.manifests import Manifest
from tidegate.domain.snapshots import Snapshot

if TYPE_CHECKING:
    from tests.conftest import Repository
    from tests.functions.conftest import Pipeline
    from tests.package_index import PackageIndex
    from tidegate.domain.identity import Commit

TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Tags: {team: shop}}}
Resources:
  Only:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Runtime: python3.14
      Policies: [AWSXrayWriteOnlyAccess, {S3ReadPolicy: {BucketName: data}}]
      Events: {Call: {Type: HttpApi}}
  Layer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer}
"""
OPEN = ({"introduced": "0"}, {"fixed": "1.1"})
CRITICAL = record(*OPEN, name="one", aliases=["CVE-1"], database_specific={"severity": "CRITICAL"})
WAIVER = {"id": "CVE-1", "package": "one", "owner": "me", "reason": "tests", "expires": "2999-01-01"}


@pytest.fixture
def index(index: PackageIndex) -> PackageIndex:
    index.add("one", {"one.py": ""})
    return index


def prepare(
    pipeline: Pipeline, repository: Repository, config: dict[str, Any] | None = None, **records: Any
) -> Commit:
    files = {f"osv/{name}.json": json.dumps(body) for name, body in records.items()}
    repository.commit(
        {
            "template.yaml": TEMPLATE,
            "src/app.py": "def handler(event, context): ...\n",
            "src/requirements.txt": "one\n",
            "layer/two-2.0.dist-info/METADATA": "Name: two\nVersion: 2.0\n\n",
            "tidegate.yaml": json.dumps({"audit": config or {}}),
            **files,
        }
    )
    commit = pipeline.push(repository)
    ref = pipeline.ref(commit)
    check_out(CheckOut(release=ref, commit=commit), pipeline.tools)
    snapshot = pipeline.tools.documents.read(f"{release_prefix(ref)}snapshot.json", Snapshot)
    if snapshot.to_build:
        build(Build(release=ref, index=0), pipeline.tools)
    return commit


def audit(pipeline: Pipeline, commit: Commit, attempt: int = 0) -> Response:
    return handle(Request(release=pipeline.ref(commit), attempt=attempt), pipeline.tools)


def report(pipeline: Pipeline, commit: Commit) -> AuditReport:
    return pipeline.tools.documents.read(f"{release_prefix(pipeline.ref(commit))}audit.json", AuditReport)


@pytest.fixture
def records_only(aws_environment: None, pipeline: Pipeline) -> Pipeline:  # noqa: ARG001
    pipeline.tools.settings._environment["TIDEGATE_SCANNER"] = "records"
    return pipeline


@pytest.mark.usefixtures("index")
def test_a_known_vulnerability_stops_the_release(records_only: Pipeline, repository: Repository) -> None:
    commit = prepare(records_only, repository, {"advisories": "osv"}, a=CRITICAL)
    with pytest.raises(
        AuditFailed, match=r"^one 1\.0: GHSA-1 \(CVE-1\), critical, fixed in 1\.1\. Remedy: upgrade"
    ):
        audit(records_only, commit)
    found = report(records_only, commit)
    assert (found.status, found.packages, found.scanners) == ("failed", 2, ("1 record in osv",))
    assert found.findings[0].found_in == ("Only",)
    assert records_only.told(commit)[-1] == (
        "2 packages looked up by 1 record in osv: 1 known vulnerability, 1 over the gate"
    )
    with pytest.raises(AuditFailed):
        audit(records_only, commit)


@pytest.mark.usefixtures("index")
def test_a_bill_that_was_changed_is_refused(records_only: Pipeline, repository: Repository) -> None:
    commit = prepare(records_only, repository)
    (bill,) = [key for key in records_only.keys("artifacts/") if key.endswith(".cdx.json")]
    records_only.tools.documents.write_bytes(bill, b'{"components": []}')
    with pytest.raises(BuildFailed, match="has not the bytes that its artifact's record names"):
        audit(records_only, commit)


@pytest.mark.usefixtures("index")
def test_a_waiver_lets_the_release_go_on(records_only: Pipeline, repository: Repository) -> None:
    config = {"advisories": "osv", "waivers": [WAIVER]}
    commit = prepare(records_only, repository, config, a=CRITICAL)
    assert audit(records_only, commit).status == "tolerated"
    assert report(records_only, commit).findings[0].verdict == "waived"


@pytest.mark.usefixtures("index")
def test_what_was_not_scanned_says_so(records_only: Pipeline, repository: Repository) -> None:
    commit = prepare(records_only, repository)
    assert audit(records_only, commit) == Response(
        status="not scanned", summary="not scanned: 2 packages: no advisories were at hand"
    )


@pytest.mark.usefixtures("index")
def test_records_that_cannot_be_read_are_named(records_only: Pipeline, repository: Repository) -> None:
    broken = {
        "id": "GHSA-2",
        "affected": [{"package": {"ecosystem": "PyPI", "name": "one"}, "versions": [1]}],
    }
    commit = prepare(records_only, repository, {"advisories": "osv"}, a=broken, b=record(*OPEN, name="other"))
    assert audit(records_only, commit).status == "clean"
    assert "1 record that cannot be read: osv/a.json: versions.0" in report(records_only, commit).notices[0]
    empty = prepare(records_only, repository, {"advisories": "src"})
    with pytest.raises(InvalidConfiguration, match="src holds no readable OSV record"):
        audit(records_only, empty)


def test_a_folder_that_is_not_there_is_refused_before_anything_is_built(
    pipeline: Pipeline, repository: Repository
) -> None:
    with pytest.raises(
        InvalidConfiguration, match=r"tidegate\.yaml:1: .*nowhere does not exist, or is empty"
    ):
        prepare(pipeline, repository, {"advisories": "nowhere"})


@pytest.mark.usefixtures("index")
def test_the_manifest_tells_what_the_release_is_made_of(
    records_only: Pipeline, repository: Repository
) -> None:
    commit = prepare(records_only, repository)
    audit(records_only, commit)
    key = f"{release_prefix(records_only.ref(commit))}functions.json"
    manifest = records_only.tools.documents.read(key, Manifest)
    (one,) = manifest.functions
    assert (manifest.service, manifest.commit, one.logical_id, one.handler) == (
        "orders",
        commit,
        "Only",
        "app.handler",
    )
    assert (one.runtime, one.declared_runtime, one.architecture) == ("python3.11", "python3.14", "x86_64")
    assert one.size > 0
    assert one.unzipped_size > 0
    assert one.lock.startswith("locks/")
    assert one.declared.tags == {"team": "shop"}
    assert one.declared.permissions == ("AWSXrayWriteOnlyAccess", {"S3ReadPolicy": {"BucketName": "data"}})
    assert one.declared.contracts == {"event_sources": {"Call": "HttpApi"}}
    assert [layer.logical_id for layer in manifest.layers] == ["Layer"]


class Inspector:
    """Answers as Amazon Inspector does."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked: list[dict[str, Any]] = []

    def scan_sbom(self, *, sbom: dict[str, Any], outputFormat: str) -> dict[str, Any]:  # noqa: N803
        assert outputFormat == "CYCLONE_DX_1_5"
        self.asked.append(sbom)
        if self.errors:
            raise self.errors.pop(0)
        found = {
            "id": "CVE-1",
            "references": [{"id": "GHSA-1"}],
            "description": "It is bad.\nVery.",
            "ratings": [
                {"source": {"name": "NVD"}, "score": 9.8, "severity": "critical", "method": "CVSSv31"},
                {"source": {"name": "EPSS"}, "score": 0.00054, "severity": "none", "method": "other"},
            ],
            "affects": [{"ref": "comp-1"}],
            "properties": [{"name": "amazon:inspector:sbom_scanner:fixed_version:comp-1", "value": "1.1"}],
        }
        return {"sbom": {**sbom, "vulnerabilities": [found]}}


@pytest.fixture
def inspected(pipeline: Pipeline) -> Pipeline:
    pipeline.tools.settings._environment["TIDEGATE_SCANNER"] = "inspector"
    return pipeline


def use(pipeline: Pipeline, inspector: Inspector) -> None:
    pipeline.tools.__dict__["inspector"] = inspector


BUSY = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "ScanSbom")
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ScanSbom")


@pytest.mark.usefixtures("index")
def test_inspector_is_asked_with_the_packages_alone(inspected: Pipeline, repository: Repository) -> None:
    commit = prepare(inspected, repository)
    inspector = Inspector()
    use(inspected, inspector)
    with pytest.raises(AuditFailed, match=r"^one 1\.0: GHSA-1 \(CVE-1\), critical 9\.8, fixed in 1\.1"):
        audit(inspected, commit)
    assert inspector.asked == [
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "components": [
                {"bom-ref": f"comp-{n}", "type": "library", "name": name, "version": version, "purl": purl}
                for n, name, version, purl in [
                    (1, "one", "1.0", "pkg:pypi/one@1.0"),
                    (2, "two", "2.0", "pkg:pypi/two@2.0"),
                ]
            ],
        }
    ]


@pytest.mark.usefixtures("index")
def test_one_vulnerability_that_both_scanners_name_is_one_finding(
    inspected: Pipeline, repository: Repository
) -> None:
    commit = prepare(inspected, repository, {"advisories": "osv", "waivers": [WAIVER]}, a=CRITICAL)
    use(inspected, Inspector())
    assert audit(inspected, commit).status == "tolerated"
    found = report(inspected, commit)
    assert found.scanners == ("Amazon Inspector", "1 record in osv")
    assert [(one.id, one.aliases) for one in found.findings] == [("GHSA-1", ("CVE-1",))]


@pytest.mark.parametrize("error", [BUSY, ReadTimeoutError(endpoint_url="https://inspector")])
@pytest.mark.usefixtures("index")
def test_a_scanner_that_does_not_answer_is_tried_again_and_then_the_policy_decides(
    inspected: Pipeline, repository: Repository, error: Exception
) -> None:
    commit = prepare(inspected, repository)
    use(inspected, Inspector(*[error] * 2))
    for attempt in (0, LAST_ATTEMPT):
        with pytest.raises(ScannerUnavailable, match=r"Amazon Inspector .*`tidegate retry` tries again"):
            audit(inspected, commit, attempt)
    assert audit_is_absent(inspected, commit)


def audit_is_absent(pipeline: Pipeline, commit: Commit) -> bool:
    return not pipeline.tools.documents.exists(f"{release_prefix(pipeline.ref(commit))}audit.json")


@pytest.mark.usefixtures("index")
def test_a_policy_may_go_on_without_a_scan_and_says_so(inspected: Pipeline, repository: Repository) -> None:
    commit = prepare(inspected, repository, {"on_unavailable": "warn"})
    use(inspected, Inspector(BUSY, BUSY))
    with pytest.raises(ScannerUnavailable):
        audit(inspected, commit, LAST_ATTEMPT - 1)
    response = audit(inspected, commit, LAST_ATTEMPT)
    assert response.status == "not scanned"
    assert response.summary.startswith("not scanned: 2 packages: Amazon Inspector is busy: ")


@pytest.mark.usefixtures("index")
def test_a_scanner_that_is_away_takes_away_no_finding_of_the_service_s_own_records(
    inspected: Pipeline, repository: Repository
) -> None:
    commit = prepare(inspected, repository, {"on_unavailable": "warn", "advisories": "osv"}, a=CRITICAL)
    use(inspected, Inspector(BUSY))
    with pytest.raises(AuditFailed, match=r"^one 1\.0: "):
        audit(inspected, commit, LAST_ATTEMPT)
    found = report(inspected, commit)
    assert (found.status, found.scanners) == ("failed", ("1 record in osv",))
    assert found.notices[0].startswith("Amazon Inspector is busy: ")


@pytest.mark.usefixtures("index")
def test_what_only_the_service_s_own_records_were_asked_of_is_not_scanned(
    inspected: Pipeline, repository: Repository
) -> None:
    policy = {"on_unavailable": "warn", "advisories": "osv", "fail_on": "never"}
    commit = prepare(inspected, repository, policy, a=CRITICAL)
    use(inspected, Inspector(BUSY))
    response = audit(inspected, commit, LAST_ATTEMPT)
    assert (response.status, len(report(inspected, commit).findings)) == ("not scanned", 1)
    assert response.summary.startswith("not scanned: 2 packages: Amazon Inspector is busy: ")


@pytest.mark.usefixtures("index")
def test_a_missing_right_is_no_outage(inspected: Pipeline, repository: Repository) -> None:
    commit = prepare(inspected, repository, {"on_unavailable": "warn"})
    use(inspected, Inspector(DENIED))
    with pytest.raises(ClientError, match="AccessDenied"):
        audit(inspected, commit, LAST_ATTEMPT)
