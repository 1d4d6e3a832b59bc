"""Findings, their severities, and the gate that they are held against."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from tests.domain.auditing.records import advisory, pypi, record
from tidegate.domain.audits.advisories import Rating, read_advisory
from tidegate.domain.audits.findings import Finding, Scan, combine, merge, sort_versions
from tidegate.domain.audits.gates import check_report, not_scanned, pass_gate
from tidegate.domain.audits.matching import match
from tidegate.domain.audits.policies import AuditConfig, FailOn, Severity, Waiver
from tidegate.domain.audits.severities import rate, rate_score, score_of
from tidegate.domain.errors import AuditFailed

DAY = date(2026, 11, 22)
V31 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
V40 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:L/SC:N/SI:N/SA:N"
OPEN = {"introduced": "0"}


def find(*records: dict[str, Any], version: str = "1.0") -> tuple[Finding, ...]:
    return combine(match([pypi(version)], [read_advisory(one) for one in records]).hits)


def vector(kind: str, value: str) -> list[dict[str, str]]:
    return [{"type": kind, "score": value}]


@pytest.mark.parametrize(
    ("kind", "value", "score"),
    [
        ("CVSS_V3", V31, 9.8),
        ("CVSS_V3", "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS_V4", V40, 6.9),
        ("CVSS_V4", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0),
        ("CVSS_V2", "AV:N/AC:L/Au:N/C:P/I:P/A:P", 7.5),
        ("CVSS_V3", "nonsense", None),
        ("Ubuntu", "high", None),
    ],
)
def test_vectors_are_scored_as_first_s_calculator_does(kind: str, value: str, score: float | None) -> None:
    assert score_of(Rating(kind=kind, value=value)) == score


@pytest.mark.parametrize(
    ("score", "severity"),
    [
        (0.0, "none"),
        (0.1, "low"),
        (3.9, "low"),
        (4.0, "medium"),
        (6.9, "medium"),
        (7.0, "high"),
        (9.0, "critical"),
    ],
)
def test_scores_are_rated_as_cvss_says(score: float, severity: str) -> None:
    assert rate_score(score) == severity


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({"severity": vector("CVSS_V3", V31)}, "critical"),
        ({"severity": [*vector("CVSS_V4", V40), *vector("CVSS_V3", V31)]}, "critical"),
        ({"database_specific": {"severity": "MODERATE"}}, "medium"),
        ({"severity": vector("CVSS_V3", "broken"), "database_specific": {"severity": "HIGH"}}, "high"),
        ({"severity": vector("Ubuntu", "low")}, "low"),
        ({"id": "MAL-2024-1"}, "critical"),
        ({}, None),
    ],
)
def test_a_severity_is_that_of_the_vectors_else_of_the_database(
    more: dict[str, Any], severity: str | None
) -> None:
    found = advisory(OPEN, **more)
    assert rate(found, found.affected[0])[0] == severity


def test_what_is_said_of_the_package_itself_comes_first() -> None:
    body = record(OPEN, severity=vector("CVSS_V3", V31))
    body["affected"][0]["severity"] = vector("CVSS_V4", V40)
    found = read_advisory(body)
    assert rate(found, found.affected[0]) == (Severity.MEDIUM, 6.9)


def test_records_of_one_vulnerability_are_one_finding() -> None:
    ghsa = record(OPEN, {"fixed": "2.0"}, id="GHSA-b", aliases=["CVE-1"], severity=vector("CVSS_V3", V31))
    pysec = record(OPEN, {"fixed": "2.1"}, id="PYSEC-1", aliases=["CVE-1"], summary="Quadratic")
    other = record(OPEN, id="GHSA-a", aliases=["CVE-2"])
    link = record(OPEN, id="X-1", aliases=["PYSEC-1"])
    first, second = find(pysec, other, ghsa, link)
    assert (second.id, second.aliases) == ("GHSA-b", ("PYSEC-1", "CVE-1", "X-1"))
    assert (second.severity, second.score, second.fixed, second.remedy) == (
        "critical",
        9.8,
        ("2.0", "2.1"),
        "2.1",
    )
    assert (first.id, first.severity, first.remedy) == ("GHSA-a", None, "")
    assert second.text == "idna 1.0: GHSA-b (CVE-1), critical 9.8, fixed in 2.1"
    assert first.text == "idna 1.0: GHSA-a (CVE-2), severity unknown, no fixed version is known"


def test_findings_that_come_late_join_groups_that_were_apart() -> None:
    def finding(name: str, *aliases: str) -> Finding:
        return Finding(package=pypi("1.0"), id=name, aliases=aliases)

    (only,) = merge([finding("A"), finding("B"), finding("C", "A", "B")])
    assert only.ids == {"A", "B", "C"}
    assert len(merge([finding("A"), finding("A").model_copy(update={"package": pypi("2.0")})])) == 2


def test_fixes_that_are_no_versions_come_first() -> None:
    assert sort_versions(["1.10", "1.9", "see notes", "1.9.0"], "PyPI") == ("see notes", "1.9.0", "1.10")


def waiver(day: str = "2026-11-22", **more: Any) -> Waiver:
    given = {"id": "CVE-1", "package": "Idna", "owner": "team", "reason": "not reached", "expires": day}
    return Waiver.model_validate({**given, **more})


def judge(policy: AuditConfig, word: str = "CRITICAL"):
    found = find(record(OPEN, id="GHSA-1", aliases=["CVE-1"], database_specific={"severity": word}))
    return pass_gate([Scan(scanner="tests")], found, 1, policy, DAY)


@pytest.mark.parametrize(
    ("fail_on", "word", "status"),
    [
        ("critical", "CRITICAL", "failed"),
        ("critical", "HIGH", "tolerated"),
        ("high", "HIGH", "failed"),
        ("low", "LOW", "failed"),
        ("never", "CRITICAL", "tolerated"),
        ("high", "", "failed"),
        ("critical", "", "tolerated"),
    ],
)
def test_the_gate_shuts_by_severity_and_an_unknown_one_counts_as_is_set(
    fail_on: str, word: str, status: str
) -> None:
    assert judge(AuditConfig(fail_on=FailOn(fail_on)), word).status == status


def test_a_waiver_counts_until_the_end_of_its_day() -> None:
    report = judge(AuditConfig(waivers=(waiver(),)))
    assert (report.status, report.findings[0].verdict, report.findings[0].waiver) == (
        "tolerated",
        "waived",
        waiver(),
    )
    assert "waived until 2026-11-22 by team: not reached" in report.sentences[1]
    other = report.findings[0].model_copy(update={"waiver": None, "verdict": "passes"})
    both = report.model_copy(update={"findings": (report.findings[0], other)})
    assert "waived until" not in both.sentences[2]
    expired = judge(AuditConfig(waivers=(waiver("2026-11-21"),)))
    assert expired.status == "failed"
    assert expired.failures[1] == "the waiver of CVE-1 of Idna expired on 2026-11-21 (team: not reached)"


def test_an_expired_waiver_fails_even_below_the_gate() -> None:
    report = judge(AuditConfig(waivers=(waiver("2026-01-01"),)), "LOW")
    assert report.failures == ("the waiver of CVE-1 of Idna expired on 2026-01-01 (team: not reached)",)


@pytest.mark.parametrize("more", [{"id": "CVE-9"}, {"package": "other"}])
def test_a_waiver_that_covers_nothing_is_a_notice(more: dict[str, str]) -> None:
    report = judge(AuditConfig(waivers=(waiver("2020-01-01", **more),)), "LOW")
    assert report.status == "tolerated"
    assert "covers nothing that was found" in report.notices[0]


@pytest.mark.parametrize("name", ["cve-1", "GHSA-1"])
def test_a_waiver_may_name_any_id(name: str) -> None:
    assert judge(AuditConfig(waivers=(waiver(id=name),))).status == "tolerated"


def test_waivers_say_who_why_and_until_when_once() -> None:
    for missing in ("id", "package", "owner", "reason", "expires"):
        with pytest.raises(ValidationError):
            waiver(**{missing: ""})
    with pytest.raises(ValidationError, match="CVE-1 of idna: a finding is waived once"):
        AuditConfig(waivers=(waiver(), waiver(id="cve-1", package="idna")))


def test_the_error_names_package_version_id_severity_fix_and_remedy() -> None:
    policy = AuditConfig()
    found = find(record(OPEN, {"fixed": "3.7"}, aliases=["CVE-1"], severity=vector("CVSS_V3", V31)))
    with pytest.raises(AuditFailed) as caught:
        check_report(pass_gate([], found, 1, policy, DAY), policy)
    assert str(caught.value) == (
        "idna 1.0: GHSA-1 (CVE-1), critical 9.8, fixed in 3.7. "
        "Remedy: upgrade, or waive it for some time under audit.waivers (audit.fail_on is critical)"
    )


def test_many_failures_are_counted() -> None:
    policy = AuditConfig(fail_on=FailOn.LOW)
    found = find(*(record(OPEN, id=f"GHSA-{n}", database_specific={"severity": "LOW"}) for n in range(9)))
    with pytest.raises(
        AuditFailed, match=r"GHSA-4, low, no fixed version is known; and 4 more, in audit\.json"
    ):
        check_report(pass_gate([], found, 1, policy, DAY), policy)


def test_what_was_not_scanned_is_never_clean() -> None:
    report = not_scanned(("no advisories were at hand", "x"), 3, DAY)
    assert report.status == "not scanned"
    assert report.sentences == ("not scanned: 3 packages: no advisories were at hand", "x")
    assert pass_gate([Scan(scanner="a"), Scan(scanner="b")], (), 3, AuditConfig(), DAY).sentences == (
        "3 packages looked up by a and b: no known vulnerability",
    )
    assert pass_gate([], (), 0, AuditConfig(), DAY).summary == "there are no packages to look up"
