"""One synthesis for the whole session, by the app itself, in an environment that holds nothing."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra import layers

ROOT = Path(__file__).resolve().parents[2]
ABROAD = {
    "account": "111111111111",
    "region": "eu-west-1",
    "pace": 0.05,
    "other_stages": ["dev", "load"],
    "signing_keys": ["first", "second"],
    "object_lock": {"days": 400},
    "build_override": {"runtime": "python3.11", "architecture": "x86_64"},
    "stages": [
        {"name": "staging"},
        {
            "name": "production",
            "account": "222222222222",
            "region": "eu-central-1",
            "production": True,
            "bounded_roles": True,
        },
    ],
}
KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
BY_APP: dict[str, Any] = {
    "github": {
        "url": "https://git.example.org",
        "app": {"client_id": "Iv23liTidegate", "key": KEY},
        "repositories": [{"name": "acme/orders"}],
        "receivers": None,
        "rotation_days": 30,
    },
}
SOURCED: dict[str, Any] = {
    "github": {"repositories": [{"name": "acme/orders"}, {"name": "acme/api", "branches": ["live"]}]},
    "codecommit": [{"name": "Billing"}],
    "images": [
        {"name": "public.ecr.aws/lambda/python", "repository": "ecr-public/lambda/python"},
        {"repository": "base/python"},
    ],
    "uploads": [
        {
            "service": "price-list",
            "issuer": "token.actions.githubusercontent.com",
            "subjects": ["repo:acme/price-list:ref:refs/heads/main"],
        },
        {
            "service": "stock",
            "issuer": "gitlab.com",
            "audience": "https://gitlab.com",
            "subjects": ["project_path:acme/stock:ref_type:branch:ref:live"],
            "branches": ["live"],
        },
    ],
}


class Assembly:
    """A synthesized app: its templates by stack name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.template.json"))

    def template(self, name: str) -> dict[str, Any]:
        body: dict[str, Any] = json.loads((self.folder / f"{name}.template.json").read_text())
        return body

    def resources(self, kind: str, name: str = "Pipeline") -> dict[str, dict[str, Any]]:
        found = self.template(name)["Resources"]
        return {key: value for key, value in found.items() if value["Type"] == kind}


def make_layers(folder: Path, python_version: str = "3.13", architecture: str = "arm64") -> dict[str, str]:
    """Layers that say of themselves what the app asks for, with nothing in them."""
    for name in layers.LOCKS:
        (folder / name).mkdir(parents=True, exist_ok=True)
        record = layers.describe(name, python_version, architecture)
        (folder / name / layers.RECORD).write_text(json.dumps(record))
    return {name: str(folder / name) for name in layers.LOCKS}


def run_app(folder: Path, overrides: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run app.py with no PATH, no credentials, no home, and a proxy that leads nowhere."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "overrides.json"
    config.write_text(json.dumps(overrides))
    nowhere = "http://127.0.0.1:9"
    environment = {
        "PATH": "",
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
        "TMPDIR": str(folder),
        "TIDEGATE_CONFIG": str(config),
        "CDK_OUTDIR": str(folder / "cdk.out"),
    }
    command = [sys.executable, str(ROOT / "app.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)


def _shared(tmp_path_factory: pytest.TempPathFactory, worker: str) -> Path:
    base = tmp_path_factory.getbasetemp()
    return base if worker == "master" else base.parent


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Synthesize under a name, once among all workers."""
    shared = _shared(tmp_path_factory, os.environ.get("PYTEST_XDIST_WORKER", "master")) / "infra"
    shared.mkdir(exist_ok=True)

    def once(name: str, overrides: dict[str, Any]) -> Assembly:
        folder = shared / name
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "done").exists():
                paths = make_layers(folder / "layers")
                ran = run_app(folder, {"layers": paths, **overrides})
                assert ran.returncode == 0, ran.stdout + ran.stderr
                (folder / "done").touch()
        return Assembly(folder / "cdk.out")

    return once


@pytest.fixture(scope="session")
def assembly(synthesize: Any) -> Assembly:
    """The app as cdk.json configures it."""
    found: Assembly = synthesize("default", {})
    return found


@pytest.fixture(scope="session")
def sourced(synthesize: Any) -> Assembly:
    """The app with repositories at GitHub, by a token, and in CodeCommit."""
    found: Assembly = synthesize("sourced", SOURCED)
    return found


@pytest.fixture(scope="session")
def by_app(synthesize: Any) -> Assembly:
    """The app with a repository at a GitHub of its own, by an App."""
    found: Assembly = synthesize("by_app", BY_APP)
    return found


@pytest.fixture(scope="session")
def abroad(synthesize: Any) -> Assembly:
    """The app with production in another account and region."""
    found: Assembly = synthesize("abroad", ABROAD)
    return found
