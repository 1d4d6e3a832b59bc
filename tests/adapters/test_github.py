from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from cryptography.hazmat.primitives.serialization import load_der_public_key
from moto import mock_aws

from tests.git_host import APP, TOKEN, GitHost
from tidegate.adapters.hosts import Hosts
from tidegate.adapters.secrets import Secrets
from tidegate.domain.errors import HostRefused
from tidegate.domain.identity import Commit
from tidegate.domain.origins import App, Origin, Origins
from tidegate.domain.pipeline import TOKEN_SECRET
from tidegate.domain.statuses import Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Repository

ORDERS = Origin(host="github", name="acme/orders", service="orders", branches=("main",))
API = Origin(host="github", name="acme/api", service="api", branches=("main",))
STATUS = Status(state="pending", context="tidegate/orders", description="…", target_url="https://x")
NOW = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture
def host(tmp_path: Path, repository: Repository) -> Iterator[GitHost]:
    repository.commit({"a.txt": "first"})
    with GitHost(tmp_path / "host") as serving:
        serving.publish("acme/orders", repository.folder)
        yield serving


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield


def with_token(host: GitHost, text: str = TOKEN) -> Hosts:
    boto3.client("secretsmanager").create_secret(Name=TOKEN_SECRET, SecretString=text)
    return make(host, None)


def with_app(host: GitHost) -> Hosts:
    key = boto3.client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["Arn"]
    host.public_key = load_der_public_key(boto3.client("kms").get_public_key(KeyId=key)["PublicKey"])
    host.tokens.clear()
    return make(host, App(client_id=APP, key=key))


def make(host: GitHost, app: App | None) -> Hosts:
    origins = Origins(url=host.url, app=app, repositories=(ORDERS, API))
    return Hosts(origins, Secrets(boto3.client("secretsmanager")), Config(), lambda: NOW)


@pytest.mark.parametrize("make_hosts", [with_token, with_app])
def test_a_head_is_told_where_it_is_not_known_yet(
    host: GitHost, repository: Repository, make_hosts: Any
) -> None:
    hosts, head = make_hosts(host), repository.git("rev-parse", "HEAD")
    assert hosts.find_head(ORDERS, "main", "") == head
    assert hosts.find_head(ORDERS, "main", head) is None
    assert hosts.find_head(ORDERS, "main", "0" * 40) == head
    with pytest.raises(HostRefused, match="422 to GET /repos/acme/orders/commits/heads/other"):
        hosts.find_head(ORDERS, "other", "")


def test_an_app_signs_in_once_and_has_tokens_for_what_is_to_be_done(
    host: GitHost, repository: Repository, tmp_path: Path
) -> None:
    hosts, head = with_app(host), repository.git("rev-parse", "HEAD")
    commit = Commit(service="orders", id=head, branch="main")
    for _ in range(2):
        hosts.fetch(ORDERS, commit, tmp_path / "b")
        assert hosts.report(ORDERS, head, STATUS)
    assert sorted(host.tokens) == ["ghs_0_contents", "ghs_1_statuses"]
    assert [path for _, path in host.asked].count("/api/v3/users/acme/installation") == 1
    assert [one["state"] for one in host.statuses] == ["pending", "pending"]


def test_what_an_app_says_of_itself(host: GitHost) -> None:
    app = with_app(host)._tokens
    claims = app.sign_in().split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert told == {"iss": APP, "iat": int(NOW.timestamp()) - 60, "exp": int(NOW.timestamp()) + 540}


def test_a_token_in_the_secret(host: GitHost, repository: Repository, tmp_path: Path) -> None:
    hosts, head = with_token(host, f"{TOKEN}\n"), repository.git("rev-parse", "HEAD")
    hosts.fetch(ORDERS, Commit(service="orders", id=head, branch="main"), tmp_path / "b")
    assert hosts.report(ORDERS, head, STATUS)


def test_a_token_that_is_none_is_refused_without_being_told(host: GitHost) -> None:
    hosts = with_token(host, "sesame")
    with pytest.raises(HostRefused, match=r"401 to POST .*Bad credentials") as caught:
        hosts.report(ORDERS, "0" * 40, STATUS)
    assert "sesame" not in str(caught.getrepr(style="native"))


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_token_names_its_secret(host: GitHost, text: str) -> None:
    hosts = with_token(host, text) if text else make(host, None)
    with pytest.raises(HostRefused, match=f"{TOKEN_SECRET} holds no token"):
        hosts.report(ORDERS, "0" * 40, STATUS)


@pytest.mark.parametrize("status", [429, 500, 502])
def test_a_host_in_trouble_is_no_refusal(host: GitHost, status: int) -> None:
    hosts = with_token(host)
    host.failures = [status]
    with pytest.raises(ConnectionClosedError, match=f"answers {status} to POST"):
        hosts.report(ORDERS, "0" * 40, STATUS)


def test_the_secret_of_an_apps_webhook_is_one_call(host: GitHost) -> None:
    with_app(host).set_webhook_secret("https://hook/", "next")
    assert host.app_secret == "next"
    assert [method for method, _ in host.asked] == ["PATCH"]


def test_the_secret_of_each_repositorys_webhook_that_leads_here(host: GitHost) -> None:
    def hook(number: int, url: str) -> dict[str, Any]:
        return {"id": number, "config": {"url": url}}

    others = [hook(number, "https://other/") for number in range(100)]
    host.hooks = {"acme/orders": [*others, hook(100, "https://hook")], "acme/api": [hook(7, "https://hook/")]}
    hosts = with_token(host)
    hosts.set_webhook_secret("https://hook/", "next")
    told = {
        (name, one["id"]) for name, hooks in host.hooks.items() for one in hooks if "secret" in one["config"]
    }
    assert told == {("acme/orders", 100), ("acme/api", 7)}
    host.hooks["acme/api"] = []
    with pytest.raises(HostRefused, match="acme/api has no webhook that posts to https://hook/"):
        hosts.set_webhook_secret("https://hook/", "later")
