"""What a service lets pass: the `audit` section of tidegate.yaml. May not import what only an audit needs."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from tidegate.domain.identity import Frozen
from tidegate.domain.locks import normalize

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Severity(StrEnum):
    """How grave a vulnerability is, by CVSS's qualitative ratings; the graver, the later."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Its place among them, from 0 on."""
        return list(Severity).index(self)


class FailOn(StrEnum):
    """From which severity on a finding ends a release; never: findings are told and end none."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
    NEVER = "never"


class OnUnavailable(StrEnum):
    """What becomes of a release whose scanner does not answer, after several attempts."""

    FAIL = "fail"
    WARN = "warn"


class Waiver(Frozen):
    """Somebody answers for a vulnerability of a package until a day, which still counts."""

    id: Words = Field(description="the advisory's id, or one of its aliases")
    package: Words = Field(description="the package that has it")
    owner: Words = Field(description="who answers for it")
    reason: Words = Field(description="why it does no harm here, or what is waited for")
    expires: date = Field(
        description="the last day, such as 2027-03-31; from the next day on it fails the gate"
    )

    @property
    def title(self) -> str:
        """`CVE-2024-3651 of idna`."""
        return f"{self.id} of {self.package}"

    def covers(self, ids: frozenset[str], package: str) -> bool:
        """Whether it is for a finding of these ids in a package of that name."""
        same = self.package == package or normalize(self.package) == normalize(package)
        return same and self.id.upper() in {one.upper() for one in ids}


class AuditConfig(Frozen):
    """Known vulnerabilities of dependencies: what ends a release, and what is let pass for now."""

    fail_on: FailOn = Field(
        FailOn.CRITICAL, description="the severity from which on a finding ends the release, or `never`"
    )
    unknown_severity: Severity = Field(
        Severity.HIGH, description="what a finding counts as that no advisory rates"
    )
    on_unavailable: OnUnavailable = Field(
        OnUnavailable.FAIL,
        description="what to do when the scanner does not answer: end the release, or go on and say so",
    )
    advisories: str | None = Field(
        None,
        min_length=1,
        description="a folder or zip of OSV records in the repository, asked besides the pipeline's scanner",
    )
    waivers: tuple[Waiver, ...] = Field((), description="findings that are let pass until a day")

    @field_validator("waivers")
    @classmethod
    def _check_waivers(cls, waivers: tuple[Waiver, ...]) -> tuple[Waiver, ...]:
        """Refuse two for the same, since one of their days would not count."""
        names = [(one.id.upper(), normalize(one.package)) for one in waivers]
        twice = sorted({f"{one} of {package}" for one, package in names if names.count((one, package)) > 1})
        if twice:
            message = f"{', '.join(twice)}: a finding is waived once"
            raise ValueError(message)
        return waivers
