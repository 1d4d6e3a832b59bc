"""The hosts of the pipeline's repositories: what is asked of them, each with the least that lets one in.

A token for a clone may read one repository, one for a status may write statuses of one. It decides nothing
about releases.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from botocore.exceptions import NoCredentialsError

from tidegate.adapters.github import Api, make_pool
from tidegate.adapters.github_tokens import READ, REPORT, AppTokens, StoredToken, Tokens
from tidegate.adapters.sessions import find_session, make_client
from tidegate.domain.errors import InvalidSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from botocore.config import Config

    from tidegate.adapters.clones import Remote
    from tidegate.adapters.secrets import Secrets
    from tidegate.domain.identity import Commit
    from tidegate.domain.origins import Origin, Origins
    from tidegate.domain.statuses import Status

# GitHub's name for whoever comes with a token instead of a password.
TOKEN_USER: Final = "x-access-token"  # noqa: S105
HOOKS: Final = {"repository_hooks": "write"}


class Hosts:
    """GitHub and CodeCommit, as far as the pipeline has repositories there."""

    def __init__(
        self, origins: Origins, secrets: Secrets, config: Config, now: Callable[[], datetime]
    ) -> None:
        self._origins = origins
        self._secrets = secrets
        self._config = config
        self._now = now
        self._pool = make_pool()
        self._api = Api(origins.api, self._pool)

    def fetch(self, origin: Origin, commit: Commit, file: Path) -> None:
        """Write a bundle of a commit; errors as `clone` has them, and InvalidSource for another branch's.

        Who tells of a push may err or lie, and GitHub gives the commits of forks by a repository's name, too.
        """
        from tidegate.adapters.clones import clone

        if origin.host == "github":
            self._check_branch(origin, commit)
        clone(self._remote(origin), self._pool, commit.id, commit.branch, file)

    def _check_branch(self, origin: Origin, commit: Commit) -> None:
        token = self._tokens.token(origin.name, READ)
        head = self._api.find_head(token, origin.name, commit.branch, commit.id)
        if head is not None and not self._api.has(token, origin.name, head, commit.id):
            where = f"the branch {commit.branch} of {origin.name}, which ends in {head}"
            raise InvalidSource(f"commit {commit.id} is not on {where}")

    def find_head(self, origin: Origin, branch: str, known: str) -> str | None:
        """The commit that a branch at GitHub ends in; None where that is `known` still."""
        token = self._tokens.token(origin.name, READ, alone=False)
        return self._api.find_head(token, origin.name, branch, known)

    def report(self, origin: Origin, commit_id: str, status: Status) -> bool:
        """Give a commit at GitHub a status; False where the repository has no such commit."""
        return self._api.set_status(self._tokens.token(origin.name, REPORT), origin.name, commit_id, status)

    def set_webhook_secret(self, url: str, secret: str) -> None:
        """Have every webhook that posts to `url` sign with a secret: the App's one, or each repository's."""
        if isinstance(self._tokens, AppTokens):
            self._api.set_app_secret(self._tokens.sign_in(), secret)
            return
        for origin in self._origins.at("github"):
            token = self._tokens.token(origin.name, HOOKS)
            self._api.set_hook_secret(token, origin.name, url, secret)

    @cached_property
    def _tokens(self) -> Tokens:
        if self._origins.app is None:
            return StoredToken(self._secrets, self._now)
        return AppTokens(self._origins.app, self._api, make_client("kms", config=self._config), self._now)

    def _remote(self, origin: Origin) -> Remote:
        from tidegate.adapters.clones import Remote
        from tidegate.adapters.codecommit import sign_remote

        if origin.host == "codecommit":
            session = find_session()
            credentials = session.get_credentials()
            if credentials is None:
                raise NoCredentialsError
            region = session.get_config_variable("region")
            return sign_remote(origin.name, region, credentials.get_frozen_credentials(), self._now())
        token = self._tokens.token(origin.name, READ)
        return Remote(f"{self._origins.url}/", origin.name, TOKEN_USER, token, suffix=".git")
