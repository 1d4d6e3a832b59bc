"""Scanner: Amazon Inspector scans a bill of materials; the default on AWS, where nothing leaves the cloud.

It takes CycloneDX 1.5 with 2,000 components at most, so it is asked with the distinct packages of a release
in as many calls as that needs. Sources: Amazon Inspector API Reference, ScanSbom; User Guide,
"Using CycloneDX namespaces with Amazon Inspector".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tidegate.adapters.answers import UNANSWERED
from tidegate.domain.audits.findings import Finding, Scan, merge
from tidegate.domain.audits.policies import Severity
from tidegate.domain.audits.severities import gravest
from tidegate.domain.bills import make_purl
from tidegate.domain.errors import ScannerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_inspector_scan import InspectorscanClient

    from tidegate.domain.audits.advisories import Package

AT_ONCE: Final = 2000
NAME: Final = "Amazon Inspector"
BUSY: Final = frozenset({"ThrottlingException", "InternalServerException"})
PREFIX: Final = "amazon:inspector:sbom_scanner:"
EXPLOITS: Final = "EPSS"  # how likely it is to be exploited: no severity


class InspectorScanner:
    """Looks packages up with Amazon Inspector."""

    def __init__(self, client: InspectorscanClient) -> None:
        self._client = client

    def scan(self, packages: Sequence[Package]) -> Scan:
        """The known vulnerabilities; ScannerUnavailable where Inspector is busy or does not answer."""
        findings: list[Finding] = []
        notices: list[str] = []
        for start in range(0, len(packages), AT_ONCE):
            named = {f"comp-{number}": one for number, one in enumerate(packages[start : start + AT_ONCE], 1)}
            answer = self._ask(make_document(named))
            findings += read_answer(answer, named)
            notices += find_unscanned(answer, named)
        return Scan(scanner=NAME, findings=merge(findings), notices=tuple(notices))

    def _ask(self, document: dict[str, Any]) -> Mapping[str, Any]:
        try:
            answer = self._client.scan_sbom(sbom=document, outputFormat="CYCLONE_DX_1_5")
        except ClientError as error:
            if error.response["Error"]["Code"] in BUSY:
                raise ScannerUnavailable(f"{NAME} is busy: {error}") from error
            raise
        except UNANSWERED as error:
            raise ScannerUnavailable(f"{NAME} does not answer: {error}") from error
        found: Mapping[str, Any] = answer["sbom"]
        return found


def make_document(named: Mapping[str, Package]) -> dict[str, Any]:
    """A bill of the packages alone, by their references."""
    components = [
        {
            "bom-ref": ref,
            "type": "library",
            "name": one.name,
            "version": one.version,
            "purl": make_purl(one.ecosystem.lower(), one.name, one.version),
        }
        for ref, one in named.items()
    ]
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}


def read_answer(answer: Mapping[str, Any], named: Mapping[str, Package]) -> Iterator[Finding]:
    """Each vulnerability of each package that it affects."""
    for found in answer.get("vulnerabilities") or ():
        properties = {one.get("name"): str(one.get("value", "")) for one in found.get("properties") or ()}
        severity, score = _rate(found, properties)
        aliases = {str(one["id"]) for one in found.get("references") or () if one.get("id")}
        for ref in dict.fromkeys(one.get("ref") for one in found.get("affects") or ()):
            if ref in named:
                fixed = properties.get(f"{PREFIX}fixed_version:{ref}", "")
                yield Finding(
                    package=named[ref],
                    id=str(found["id"]),
                    aliases=tuple(sorted(aliases - {str(found["id"])})),
                    severity=severity,
                    score=score,
                    fixed=(fixed,) if fixed and fixed != "N/A" else (),
                    summary=str(found.get("description") or "").split("\n", maxsplit=1)[0][:200],
                )


def _rate(found: Mapping[str, Any], properties: Mapping[str, str]) -> tuple[Severity | None, float | None]:
    """The gravest of the ratings that rate severity."""
    if properties.get(f"{PREFIX}is_malicious", "").lower() == "true":
        return Severity.CRITICAL, None
    ratings = [
        one
        for one in found.get("ratings") or ()
        if (one.get("source") or {}).get("name") != EXPLOITS and one.get("severity") in {*Severity}
    ]
    scores = [float(one["score"]) for one in ratings if one.get("score") is not None]
    return gravest(Severity(one["severity"]) for one in ratings), max(scores, default=None)


def find_unscanned(answer: Mapping[str, Any], named: Mapping[str, Package]) -> Iterator[str]:
    """What Inspector says it did not scan, which must not be taken for clean."""
    for component in answer.get("components") or ():
        told = {one.get("name"): str(one.get("value", "")) for one in component.get("properties") or ()}
        skipped = [value for name, value in told.items() if name in {f"{PREFIX}warning", f"{PREFIX}error"}]
        if skipped and component.get("bom-ref") in named:
            yield f"{NAME} did not scan {named[component['bom-ref']].title}: {'; '.join(skipped)}"
