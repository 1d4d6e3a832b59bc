"""Where services' commits come from: repositories at GitHub and in CodeCommit, and which branches count.

The pipeline's configuration names repositories; functions are given them resolved, as `Origins`. A service
has one repository at most, so that its commits have one order, and its releases one place to be told to.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, StringConstraints

from tidegate.domain.identity import Frozen, ServiceName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GITHUB_COM: Final = "https://github.com"
# https://docs.aws.amazon.com/codecommit/latest/userguide/limits.html, and GitHub's owner/name.
GITHUB_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
CODECOMMIT_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")

# Tokens go there: never in the clear, but to this machine itself.
HostUrl = Annotated[
    str, StringConstraints(pattern=r"^(https://[A-Za-z0-9.-]+(:[0-9]+)?|http://127\.0\.0\.1:[0-9]+)$")
]
KeyArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$")
]
Host = Literal["github", "codecommit"]


class Repository(Frozen):
    """A repository as the configuration names it.

    `name` is `owner/name` at GitHub and the repository's name in CodeCommit. `service` defaults to that name
    in lower case with hyphens, `branches` to the pipeline's.
    """

    name: str
    service: ServiceName | None = None
    branches: tuple[str, ...] = ()


class App(Frozen):
    """A GitHub App: its client id, and the KMS key (RSA_2048, SIGN_VERIFY) that holds its private key."""

    client_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    key: KeyArn


class GitHub(Frozen):
    """The repositories at one GitHub. Without `app`, a fine-grained token is read from a secret.

    `url` is that of github.com or of a GitHub Enterprise Server. `compare_minutes` is how often branches are
    compared with what was released; `rotation_days` how often the webhook's secret is rotated, null for
    never; `receivers` the concurrency that is reserved for the webhook, null for none.
    """

    url: HostUrl = GITHUB_COM
    app: App | None = None
    repositories: tuple[Repository, ...] = Field(min_length=1)
    compare_minutes: Annotated[int, Field(ge=1, le=1440)] = 15
    rotation_days: Annotated[int, Field(ge=1, le=1000)] | None = None
    receivers: Annotated[int, Field(ge=1, le=100)] | None = 5


class Origin(Frozen):
    """Where the commits of one service come from, and the branches whose commits are released."""

    host: Host
    name: str
    service: ServiceName
    branches: tuple[str, ...]


class Origins(Frozen):
    """All repositories of a pipeline; `url` and `app` are those of its GitHub."""

    url: str = GITHUB_COM
    app: App | None = None
    repositories: tuple[Origin, ...] = ()

    def of_service(self, service: str) -> Origin | None:
        """The repository of a service, or None."""
        return next((one for one in self.repositories if one.service == service), None)

    def of_repository(self, host: Host, name: str) -> Origin | None:
        """The repository of that name at a host, or None; GitHub does not tell names by their case."""
        return next(
            (one for one in self.at(host) if _fold(host, one.name) == _fold(host, name)),
            None,
        )

    def at(self, host: Host) -> tuple[Origin, ...]:
        """The repositories at a host."""
        return tuple(one for one in self.repositories if one.host == host)

    @property
    def api(self) -> str:
        """Where GitHub's REST API is: a host of its own for github.com, a path on a server of one's own."""
        return "https://api.github.com" if self.url == GITHUB_COM else f"{self.url}/api/v3"


def service_name(repository: str) -> str | None:
    """The service of a repository: its name in lower case with hyphens; None where that is no service name.

    Two repositories that differ only in case or punctuation name the same service.
    """
    name = re.sub(r"[^a-z0-9]+", "-", repository.lower()).strip("-")
    return name if re.fullmatch(r"[a-z][a-z0-9-]{0,38}[a-z0-9]", name) else None


def is_branch(name: str) -> bool:
    """Whether a branch can have this name."""
    return re.fullmatch(r"[^\s,~^:?*\[\\]+", name) is not None


def resolve(host: Host, repository: Repository, branches: tuple[str, ...]) -> Origin | None:
    """A repository with its defaults filled in; None where its name gives no service."""
    service = repository.service or service_name(repository.name.rpartition("/")[2])
    if service is None:
        return None
    return Origin(host=host, name=repository.name, service=service, branches=repository.branches or branches)


def find_problems(host: Host, repositories: Sequence[Repository]) -> list[str]:
    """What is wrong with the repositories of a host, by their names."""
    pattern = GITHUB_NAME if host == "github" else CODECOMMIT_NAME
    shape = "owner/name" if host == "github" else "a repository's name"
    problems = [
        f"{host}: {one.name!r} is not {shape}" for one in repositories if pattern.fullmatch(one.name) is None
    ]
    names = Counter(_fold(host, one.name) for one in repositories)
    problems += [f"{host}: {name} is named twice" for name, count in names.items() if count > 1]
    problems += [
        f"{host}: {one.name} gives no service's name; name its `service`"
        for one in repositories
        if resolve(host, one, ()) is None
    ]
    return problems + [
        f"{host}: {one.name}: {branch!r} is no branch's name"
        for one in repositories
        for branch in one.branches
        if not is_branch(branch)
    ]


def find_shared(origins: Iterable[Origin]) -> list[str]:
    """The services that more than one repository names."""
    counted = Counter(one.service for one in origins)
    return [f"the service {name} has two repositories" for name, count in counted.items() if count > 1]


def _fold(host: Host, name: str) -> str:
    return name.lower() if host == "github" else name
