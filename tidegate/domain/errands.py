"""Errands: artifacts that cannot be made without running foreign code, so that CodeBuild makes them; pure.

A build makes one artifact, and sees what the artifact's key names and nothing else: so whoever writes what
is built decides about that key alone, and for one service alone, since the service is in the key. What a
build leaves is data of somebody else: it is checked and put into our form before it becomes an artifact.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from tidegate.domain.artifacts import BUILDER, Method
from tidegate.domain.build_names import LONGEST, MACHINES
from tidegate.domain.errors import MalformedEvent, UnsupportedTemplate
from tidegate.domain.identity import Frozen
from tidegate.domain.nesting import split
from tidegate.domain.wording import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.snapshots import FunctionSnapshot

ERRANDS: Final = frozenset({Method.MAKEFILE, Method.SOURCES, Method.SAM})
# Raised whenever the same inputs would be built in another way.
FORM: Final = "1"
# What `sam build` builds that is neither Python nor Node; Rust's tools are in none of the images.
SAM_RUNTIMES: Final = ("java", "ruby", "dotnet", "go1.")
# Builds of one share of a release that go side by side.
SIDE_BY_SIDE: Final = 5
MOST_ATTEMPTS: Final = 2
URL_SECONDS: Final = 3600
# For how long an order is taken once more, in seconds; CodeBuild knows a token for 300.
REPEATABLE: Final = 240
# A build that has not ended by then is given up, in seconds.
OVERDUE: Final = 75 * 60
TAIL_LINES: Final = 8
TAIL: Final = 700
# CodeBuild's own lines in a build's log.
OWN_LINE: Final = "[Container]"
# What CodeBuild calls a build that it lost.
LOST: Final = "FAULT"
# The phases before a build's commands: here no machine was free, or the image could not be pulled.
# Source: AWS CodeBuild User Guide, "Build phase transitions".
EARLY: Final = frozenset({"SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE"})


def choose_errand(logical_id: str, build_method: str | None, runtime: str) -> Method | None:
    """How CodeBuild builds a function; None for what Tidegate builds itself.

    `build_method` is the template's `Metadata.BuildMethod`. UnsupportedTemplate where nobody builds it.
    """
    if build_method == Method.MAKEFILE:
        return Method.MAKEFILE
    named = build_method or runtime
    if named.startswith(SAM_RUNTIMES):
        return Method.SAM
    if named.startswith("provided"):
        hint = "set Metadata.BuildMethod to makefile or go1.x, or SkipBuild to true"
        raise UnsupportedTemplate(f"{logical_id} runs on {runtime} and says not how it is built; {hint}")
    if named.startswith("rust"):
        hint = "no image has its tools; set BuildMethod to makefile, and have the Makefile fetch them"
        raise UnsupportedTemplate(f"{logical_id} has the BuildMethod {named}: {hint}")
    return None


def choose_image(method: Method, build_method: str | None, runtime: str) -> str:
    """The runtime in whose image a function is built.

    Of the languages the image of a custom runtime has Go alone; .NET or Java compiled for one is built in its
    own. Source: github.com/aws/aws-sam-build-images, the Dockerfiles.
    """
    foreign = (
        build_method is not None and not build_method.startswith("go") and runtime.startswith("provided")
    )
    return build_method if method is Method.SAM and foreign and build_method else runtime


def errand_key(
    method: Method, service: str, place: tuple[str, str, str], more: Iterable[str], tree: str
) -> str:
    """The content key (SHA-256, hex) of what CodeBuild builds.

    `place` is runtime, architecture and image; `more` is what else the build is told.
    """
    inputs = [BUILDER, FORM, method, service, *place, list(more), tree]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def errand_prefix(ref: ReleaseRef, key: str) -> str:
    """Where an errand's input, order and output lie; they expire."""
    return f"errands/{ref.service}/{ref.id}/{key}/"


def waiting_key(release_id: str, index: int) -> str:
    """Where the ledger keeps what a share of a release's builds waits for."""
    return f"builds#{release_id}#{index}"


def read_event(event: Mapping[str, Any]) -> tuple[str, str, int]:
    """Service, release and share of an event of CodeBuild's; MalformedEvent where it names none.

    Source: AWS CodeBuild User Guide, "Build notifications input format reference".
    """
    try:
        environment = event["detail"]["additional-information"]["environment"]
        named = {one["name"]: one["value"] for one in environment["environment-variables"]}
        index = int(named["TIDEGATE_BUILD"])
        return str(named["TIDEGATE_SERVICE"]), str(named["TIDEGATE_RELEASE"]), index
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedEvent(f"the event names no release whose build ended: {error}") from None


class Order(Frozen):
    """A build as it is started: written before that, so that it is started the same each time.

    The URLs among the variables allow the build to read its input and to write its output, and nothing else.
    """

    image: str
    machine: str
    variables: dict[str, str]
    at: datetime
    token: str = Field(description="of StartBuild, by which CodeBuild knows a repeated call")


def write_order(
    ref: ReleaseRef, index: int, function: FunctionSnapshot, at: datetime, paths: Mapping[str, str]
) -> Order:
    """The order of a function's build; `paths` are further variables: URLs and the input's SHA-256."""
    variables = {
        "SERVICE": ref.service,
        "RELEASE": ref.id,
        "BUILD": str(index),
        "METHOD": function.method.value,
        "FUNCTION": split(function.logical_id)[1],
        **paths,
    }
    text = f"{ref.execution} {ref.epoch} {function.artifact} {at.isoformat()}"
    return Order(
        image=function.built_in,
        machine=MACHINES[function.architecture],
        variables={f"TIDEGATE_{name}": value for name, value in variables.items()},
        at=at,
        token=hashlib.sha256(text.encode()).hexdigest(),
    )


def is_fresh(order: Order, now: datetime) -> bool:
    """Whether a call that repeats an order gives the same build, and its URLs last for the build's time."""
    return (now - order.at).total_seconds() < REPEATABLE


class Waiting(Frozen):
    """Who waits for the builds of a share: the task's token, and the builds by content key, oldest first.

    No build can read it: whoever has the token can end the wait.
    """

    token: str = ""
    builds: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    def add(self, key: str, build: str) -> Waiting:
        """The same with a further build; one that is known already is not added."""
        known = self.builds.get(key, ())
        found = known if build in known else (*known, build)
        return self.model_copy(update={"builds": {**self.builds, key: found}})

    def keep(self, keys: Collection[str]) -> Waiting:
        """The same with the builds of these keys alone."""
        return self.model_copy(
            update={"builds": {key: self.builds[key] for key in keys if key in self.builds}}
        )

    @property
    def last(self) -> tuple[str, ...]:
        """The newest build of each key."""
        return tuple(builds[-1] for builds in self.builds.values())


class Build(Frozen):
    """A build as CodeBuild tells it. `age`: seconds since its start; `seconds`: those that count."""

    id: str
    status: str
    phase: str = ""
    reason: str = ""
    age: float = 0
    seconds: int = 0
    log_group: str = ""
    log_stream: str = ""
    link: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether it is over, or will not be waited for any longer."""
        return self.status != "IN_PROGRESS" or self.age > OVERDUE

    @property
    def is_void(self) -> bool:
        """Whether it was lost, or failed before any of its commands ran: it may be started once more."""
        return self.status == LOST or (self.status in {"FAILED", "TIMED_OUT"} and self.phase in EARLY)


class Standing(StrEnum):
    """What is to be done about an artifact that CodeBuild makes."""

    START = "start"
    AWAIT = "await"
    COLLECT = "collect"
    FAIL = "fail"


def stand(attempts: Sequence[str], builds: Mapping[str, Build]) -> Standing:
    """How an errand stands by the builds that were started for it; one that CodeBuild forgot is void."""
    if not attempts:
        return Standing.START
    last = builds.get(attempts[-1])
    if last is None or last.is_void:
        return Standing.START if len(attempts) < MOST_ATTEMPTS else Standing.FAIL
    if not last.has_ended:
        return Standing.AWAIT
    return Standing.COLLECT if last.status == "SUCCEEDED" else Standing.FAIL


def is_over(waiting: Waiting, builds: Mapping[str, Build]) -> bool:
    """Whether who waits is woken by an event: one build has failed, or all have ended."""
    known = [stand(attempts, builds) for attempts in waiting.builds.values()]
    return Standing.FAIL in known or Standing.AWAIT not in known


def has_news(waiting: Waiting, builds: Mapping[str, Build]) -> bool:
    """Whether there is anything to do for who waits of what is not made yet, be it one build of many.

    A state waits anew a limited number of times. So it is left as soon as something has ended, or a long row
    of builds, of which one is always under way, would use them up.
    """
    known = {stand(attempts, builds) for attempts in waiting.builds.values()}
    return Standing.COLLECT in known or is_over(waiting, builds)


def explain(names: str, build: Build | None, tail: Sequence[str]) -> str:
    """Why functions could not be built, in one line: what the build printed last, and where its log is."""
    if build is None:
        return f"{names}: CodeBuild knows nothing of the build"
    lines = (line for text in tail for line in text.splitlines() if not line.startswith(OWN_LINE))
    said = " | ".join(filter(None, map(plain, lines)))
    queued = build.phase == "QUEUED"
    ended = {
        "IN_PROGRESS": f"did not end within {OVERDUE // 60} minutes",
        "TIMED_OUT": "found no free machine" if queued else f"took longer than {LONGEST} minutes",
        "STOPPED": "was stopped",
        "FAULT": "was lost by CodeBuild",
    }.get(build.status, f"failed in {build.phase}" if build.phase else "failed")
    words = said[-TAIL:] or plain(build.reason) or "it printed nothing"
    return f"{names}: the build {ended}: {words}; its log: {build.link or build.id}"
