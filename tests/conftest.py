"""Fixtures that tests of every layer share: git repositories made of literal files, and one local cloud.

Two clouds in one process would break each other, so there is one per session; tests keep apart by names.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.package_index import PackageIndex
from tests.scene import Scene
from tidegate.adapters.pacing import Pacer, TokenBucket, set_pacer
from tidegate.local.cloud import ACCOUNT_ID, REGION, LocalCloud

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

IDENTITY = ("-c", "user.name=A Developer", "-c", "user.email=developer@example.com")


class Repository:
    """A git repository in a folder; each commit holds exactly the files that it is given."""

    def __init__(self, folder: Path, object_format: str = "sha1") -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", f"--object-format={object_format}")

    def git(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent"}
        done = subprocess.run(
            ["git", *IDENTITY, *arguments],
            cwd=self.folder,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes] | None = None, message: str = "A change") -> str:
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def sha256_repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "sha256", "sha256")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """A package index of the test's own, which the installer asks for everything."""
    with PackageIndex() as serving:
        monkeypatch.setenv("UV_DEFAULT_INDEX", serving.url)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        yield serving


@pytest.fixture(scope="session", autouse=True)
def pacer() -> None:
    """Lambda's quotas are an account's, and tests share one; what keeps to them has tests of its own."""
    set_pacer(ACCOUNT_ID, REGION, Pacer(lambda _: TokenBucket(10_000)))


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with LocalCloud(tmp_path_factory.mktemp("cloud"), pace=0.02) as running:
        yield running


@pytest.fixture
def unique() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def scene(cloud: LocalCloud, unique: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    found = Scene(cloud, unique, monkeypatch)
    yield found
    found.stop()
