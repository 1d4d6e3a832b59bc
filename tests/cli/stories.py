"""Made-up releases, told as the tasks tell them: what the report is tested and looked at with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from tidegate.cli.report import ReleaseReport, TrafficSample
from tidegate.domain.identity import Commit, ReleaseRef, release_id
from tidegate.domain.ledger import Entry, Outcome, Release

if TYPE_CHECKING:
    from collections.abc import Callable

START = datetime(2026, 3, 4, 9, 0, 7, tzinfo=UTC)
FUNCTION = "CreateOrder"


class Story:
    """One release, told second by second from its opening on."""

    def __init__(self, title: str, digit: str, start: datetime = START) -> None:
        self.title, self.start, self.entries = title, start, list[Entry]()
        self.commit = Commit(service="orders", id=digit * 40, branch="main")
        self.id = release_id(self.commit, 1)
        self.samples: list[TrafficSample] = []
        self.tell(0, "OpenRelease", f"opened for commit {digit * 12} on main")

    def tell(self, second: float, step: str, what: str, stage: str = "", **evidence: Any) -> Story:
        at = self.start + timedelta(seconds=second)
        key = f"{step}#{stage}#{len(self.entries)}"
        entry = Entry(
            service="orders",
            release_id=self.id,
            key=key,
            at=at,
            step=step,
            stage=stage,
            what=what,
            evidence=evidence,
        )
        self.entries.append(entry)
        return self

    def build(self) -> Story:
        self.tell(1.5, "CheckOutSource", "checked out: 4 functions, 1 artifacts to build")
        self.tell(5, "BuildFunction", "built CreateOrder: 104,220 bytes for python3.13")
        self.tell(11, "TestFunction", "12 passed")
        return self.tell(12, "PlanRelease", "planned staging, production")

    def enter(self, second: float, stage: str) -> Story:
        self.tell(second, "EnterStage", f"entered {stage}: 10 % → 50 % → 100 %", stage)
        versions = {FUNCTION: {"stable": "3", "canary": "4"}}
        return self.tell(second + 2, "PublishVersions", "published new versions", stage, versions=versions)

    def shift(self, second: float, stage: str, weight: int) -> Story:
        what = (
            f"shifting {weight} % to the new version of {FUNCTION}"
            if weight < 100
            else f"promoting {FUNCTION}"
        )
        return self.tell(second, "ShiftTraffic", what, stage, weight=weight)

    def judge(self, second: float, status: str, weight: int, reason: str) -> Story:
        what = f"{status} at {weight} %: {FUNCTION}: {reason}"
        return self.tell(
            second, "JudgeCanary", what, "production", status=status, weight=weight, strength=0.4
        )

    def traffic(
        self, seconds: int, weight: Callable[[float], int], failing: Callable[[float, bool], float]
    ) -> Story:
        random = Random(self.id)  # noqa: S311 (made-up traffic)
        for second in range(seconds):
            for version, share in (("4", weight(second) / 100), ("3", 1 - weight(second) / 100)):
                requests = sum(random.random() < share for _ in range(20))
                failed = sum(random.random() < failing(second, version == "4") for _ in range(requests))
                at = self.start + timedelta(seconds=second)
                sample = TrafficSample(
                    at=at,
                    stage="production",
                    function=FUNCTION,
                    version=version,
                    requests=requests,
                    failed=failed,
                )
                if requests:
                    self.samples.append(sample)
        return self

    def end(
        self, second: float, outcome: Outcome, reason: str = "", expected: str | None = None
    ) -> ReleaseReport:
        ref = ReleaseRef(
            service="orders",
            id=self.id,
            execution="arn:aws:states:::execution",
            epoch=1,
            opened_at=self.start,
        )
        closed = self.start + timedelta(seconds=second)
        release = Release(
            ref=ref, commit=self.commit, attempt=1, outcome=outcome, reason=reason, closed_at=closed
        )
        return ReleaseReport(
            release=release,
            pushed_at=self.start,
            entries=tuple(self.entries),
            title=self.title,
            expected=expected,
            samples=tuple(self.samples),
            transitions=48 + len(self.entries),
            requests=sum(sample.requests for sample in self.samples),
            failed=sum(sample.failed for sample in self.samples),
        )


def promoted() -> ReleaseReport:
    story = Story("Show how many pieces an order has", "b").build()
    story.enter(13, "staging").shift(19, "staging", 100)
    story.tell(21, "LeaveStage", "left staging: 1 new versions are stable", "staging")
    story.enter(22, "production").shift(28, "production", 10)
    story.judge(35, "hold", 10, "not enough evidence: 12 canary requests, 20 needed")
    story.judge(39, "ramp", 10, "canary failed 0 of 41 requests").shift(39.5, "production", 50)
    story.judge(48, "promote", 50, "canary failed 1 of 160 requests").shift(48.5, "production", 100)
    story.tell(64, "LeaveStage", "left production: 1 new versions are stable", "production")
    story.tell(65, "CompleteRelease", "completed after 65 s: every stage runs the new versions")
    story.traffic(
        66, lambda at: 0 if at < 28 else 10 if at < 40 else 50 if at < 49 else 100, lambda _, __: 0.004
    )
    return story.end(65, Outcome.PROMOTED, "completed after 65 s", "promoted")


def judged() -> ReleaseReport:
    story = Story("Take five percent off <b>from three pieces</b> & more", "c", START + timedelta(seconds=80))
    story.build().enter(13, "staging").shift(19, "staging", 100)
    story.tell(21, "LeaveStage", "left staging", "staging").enter(22, "production").shift(
        28, "production", 10
    )
    story.judge(38, "hold", 10, "suspicion: canary failed 2 of 18 requests")
    story.judge(42, "rollback", 10, "canary failed 9 of 40 requests, stable failed 1 of 352")
    story.tell(
        43,
        "RestoreTraffic",
        "restored 1 aliases; JudgeCanary: CanaryFailed",
        restored=1,
        stable={"production": {}},
    )
    story.tell(46, "UndoRelease", "undone").tell(
        52, "VerifyRecovery", "rolled back: JudgeCanary: CanaryFailed"
    )
    story.traffic(54, lambda at: 10 if 28 <= at < 43 else 0, lambda _, canary: 0.25 if canary else 0.002)
    reason = "JudgeCanary: CanaryFailed: CreateOrder: canary failed 9 of 40 requests, stable failed 1 of 352"
    return story.end(52, Outcome.ROLLED_BACK, reason, "rolled_back")


def alarmed() -> ReleaseReport:
    story = Story("Show loyalty points in an order", "d", START + timedelta(seconds=150))
    story.build().enter(13, "staging").shift(19, "staging", 100)
    story.tell(21, "LeaveStage", "left staging", "staging").enter(22, "production")
    story.tell(23, "AwaitApproval", "waiting for approval of production", "production")
    story.tell(26, "AwaitApproval", "approved by arn:aws:iam::1:user/a", "production", answer="approved")
    story.shift(28, "production", 10).judge(38, "ramp", 10, "canary failed 0 of 41 requests")
    story.shift(38.5, "production", 50).judge(48, "promote", 50, "canary failed 1 of 160 requests")
    story.shift(48.5, "production", 100)
    story.tell(66, "DiagnoseRollback", "taking release back: alarm errors of CreateOrder in production")
    story.tell(
        67,
        "RestoreTraffic",
        "restored 1 aliases; DiagnoseRollback: AlarmFired",
        restored=1,
        stable={"production": {}},
    )
    story.tell(69, "UndoRelease", "undone").tell(75, "VerifyRecovery", "rolled back: AlarmFired")
    story.traffic(
        78,
        lambda at: 0 if at < 28 or at > 67 else 10 if at < 39 else 50 if at < 49 else 100,
        lambda at, canary: 0.6 if canary and at > 58 else 0.003,
    )
    return story.end(75, Outcome.ROLLED_BACK, "DiagnoseRollback: AlarmFired: alarm errors", "promoted")


def refused() -> ReleaseReport:
    story = Story("Break a test", "e", START + timedelta(seconds=300))
    story.tell(1.5, "CheckOutSource", "checked out").tell(9, "TestFunction", "1 failed, 11 passed")
    story.tell(10, "RestoreTraffic", "TestFunction: TestsFailed: 1 failed", restored=0, stable={})
    story.tell(12, "VerifyRecovery", "rejected: TestFunction: TestsFailed: 1 failed")
    return story.end(12, Outcome.REJECTED, "TestFunction: TestsFailed: 1 failed, 11 passed", "rejected")


def long() -> ReleaseReport:
    """As it is on AWS: an hour, a night's wait for approval left out."""
    story = Story("Name the amount in the customer's notice", "f", START + timedelta(seconds=400)).build()
    story.enter(240, "staging").shift(300, "staging", 100)
    story.tell(420, "LeaveStage", "left staging", "staging").enter(425, "production")
    story.shift(500, "production", 10).judge(900, "ramp", 10, "fine").shift(905, "production", 50)
    story.judge(1500, "promote", 50, "fine").shift(1505, "production", 100)
    story.tell(3300, "LeaveStage", "left production", "production")
    story.traffic(
        3300, lambda at: 0 if at < 500 else 10 if at < 905 else 50 if at < 1505 else 100, lambda _, __: 0.0
    )
    return story.end(3305, Outcome.PROMOTED, "completed after 3305 s", "promoted")


def all_of_them() -> list[ReleaseReport]:
    return [promoted(), judged(), alarmed(), refused(), long()]
