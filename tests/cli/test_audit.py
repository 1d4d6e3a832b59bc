"""`tidegate audit dependencies`: what is resolved, looked up and told, and by which exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tests.domain.auditing.records import record
from tidegate.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.conftest import Repository
    from tests.package_index import PackageIndex

TEMPLATE = """Transform: AWS::Serverless-2016-10-31
Resources:
  One: {Type: AWS::Serverless::Function, Properties: {CodeUri: src, Handler: a.h, Runtime: python3.13}}
  Two: {Type: AWS::Serverless::Function, Properties: {CodeUri: src, Handler: a.h, Runtime: python3.13}}
  Web: {Type: AWS::Serverless::Function, Properties: {CodeUri: web, Handler: a.h, Runtime: nodejs22.x}}
"""
PACKAGES = {
    "": {"name": "web"},
    "node_modules/left-pad": {"version": "1.0.0"},
    "node_modules/jest": {"version": "1.0.0", "dev": True},
}
FILES = {
    "template.yaml": TEMPLATE,
    "src/a.py": "",
    "src/requirements.txt": "one\n",
    "web/a.js": "",
    "package-lock.json": json.dumps({"lockfileVersion": 3, "packages": PACKAGES}),
}
OPEN = ({"introduced": "0"}, {"fixed": "1.1"})


@pytest.fixture
def service(repository: Repository, index: PackageIndex) -> Repository:
    index.add("one", {"one.py": ""}, requires=("two",))
    index.add("two", {"two.py": ""})
    repository.write(FILES)
    return repository


def call(service: Repository, *words: str) -> Result:
    return CliRunner().invoke(main, ["audit", "dependencies", str(service.folder), *words])


def advise(folder: Path, *records: dict[str, Any]) -> str:
    folder.mkdir(exist_ok=True)
    for one in records:
        (folder / f"{one['id']}.json").write_text(json.dumps(one))
    return str(folder)


def critical(**more: Any) -> dict[str, Any]:
    return record(*OPEN, database_specific={"severity": "CRITICAL"}, **more)


def test_findings_over_the_gate_are_told_in_a_table_and_by_the_exit_code(
    service: Repository, tmp_path: Path
) -> None:
    place = advise(
        tmp_path / "osv",
        critical(name="two", aliases=["CVE-1"]),
        record(*OPEN, name="left-pad", ecosystem="npm", kind="SEMVER", id="GHSA-2"),
        record(*OPEN, name="jest", ecosystem="npm", kind="SEMVER", id="GHSA-3"),
    )
    done = call(service, "--advisories", place)
    assert done.exit_code == 1, done.output
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["two", "1.0", "critical", "1.1", "over", "the", "gate", "GHSA-1,", "CVE-1"] in rows
    assert "GHSA-2" in done.stdout
    assert "GHSA-3" not in done.stdout
    assert "error: two 1.0: GHSA-1 (CVE-1), critical, fixed in 1.1" in done.stderr
    assert "resolving src/requirements.txt for Python 3.13" in done.stderr


def test_json_is_the_report(service: Repository, tmp_path: Path) -> None:
    done = call(service, "--advisories", advise(tmp_path / "osv", critical(name="two")), "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["report"]["status"], found["problems"]) == (1, "failed", [])
    (finding,) = found["report"]["findings"]
    assert (finding["package"]["name"], finding["found_in"], finding["verdict"]) == (
        "two",
        ["One", "Two"],
        "fails",
    )


def test_a_clean_service_is_clean_by_the_records_that_it_names_itself(service: Repository) -> None:
    config = {"audit": {"advisories": "security"}}
    service.write(
        {"tidegate.yaml": json.dumps(config), "security/a.json": json.dumps(critical(name="other"))}
    )
    done = call(service)
    assert done.exit_code == 0, done.output
    assert "3 packages looked up by 1 record in" in done.stdout


def test_an_expired_waiver_shuts_the_gate(service: Repository, tmp_path: Path) -> None:
    waiver = {"id": "GHSA-1", "package": "two", "owner": "me", "reason": "tests", "expires": "2020-01-01"}
    place = advise(tmp_path / "osv", critical(name="two"))
    for day, code in (("2020-01-01", 1), ("2999-01-01", 0)):
        config = {"audit": {"waivers": [{**waiver, "expires": day}]}}
        service.write({"tidegate.yaml": json.dumps(config)})
        done = call(service, "--advisories", place)
        assert done.exit_code == code, done.output
    assert "waived until 2999-01-01" in done.stdout


def test_nobody_to_ask_is_wrong_usage(service: Repository, tmp_path: Path) -> None:
    done = call(service)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: nobody to ask: name --advisories DIR, --osv, or audit.advisories")
    (tmp_path / "empty").mkdir()
    done = call(service, "--advisories", str(tmp_path / "empty"))
    assert done.exit_code == 2
    assert "holds no readable OSV record" in done.stderr


def test_what_does_not_resolve_is_looked_up_by_its_pins_and_is_never_clean(
    service: Repository, tmp_path: Path
) -> None:
    service.write(
        {"src/requirements.txt": "one==1.0\ngone==0.1 # old\nloose>1\nwin==1; sys_platform == 'win32'\n"}
    )
    place = advise(tmp_path / "osv", critical(name="other"))
    done = call(service, "--advisories", place)
    assert done.exit_code == 2, done.output
    assert "error: not all was looked up: src/requirements.txt: " in done.stderr
    assert "error: not all was looked up: loose>1 has no exact version" in done.stderr
    place = advise(tmp_path / "osv", critical(name="gone"), critical(name="two", id="GHSA-2"))
    done = call(service, "--advisories", place, "--json")
    found = json.loads(done.stdout)["report"]["findings"]
    assert [(one["package"]["name"], one["package"]["version"]) for one in found] == [
        ("gone", "0.1"),
        ("two", "1.0"),
    ]
    assert done.exit_code == 1


def test_what_a_given_lock_names_is_looked_up_though_it_cannot_be_built(
    service: Repository, tmp_path: Path
) -> None:
    lock = """version = 1
requires-python = ">=3.8"
[[package]]
name = "one"
version = "1.0"
source = { registry = "https://example.com/simple" }
sdist = { url = "https://example.com/one-1.0.tar.gz", hash = "sha256:HASH", size = 1 }
[[package]]
name = "svc"
version = "0"
source = { virtual = "." }
dependencies = [{ name = "one" }]
[package.metadata]
requires-dist = [{ name = "one" }]
"""
    project = '[project]\nname = "svc"\nversion = "0"\ndependencies = ["one"]\n'
    lock = lock.replace("HASH", "1" * 64)
    service.write({"src/uv.lock": lock, "src/pyproject.toml": project})
    done = call(service, "--advisories", advise(tmp_path / "osv", critical(name="one")), "--json")
    found = json.loads(done.stdout)
    assert [one["package"]["version"] for one in found["report"]["findings"]] == ["1.0"]
    assert "src/uv.lock: one==1.0 has no wheel" in found["problems"][0]
    assert done.exit_code == 1


def test_a_registry_that_does_not_answer_is_no_finding(
    service: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple")
    done = call(service, "--advisories", advise(tmp_path / "osv", critical(name="other")))
    assert done.exit_code == 2, done.output
    assert "the package registry does not answer" in done.stderr


def test_code_that_lies_in_the_source_is_looked_up(service: Repository, tmp_path: Path) -> None:
    service.write({"src/vendor/old-0.9.dist-info/METADATA": "Name: Old\nVersion: 0.9\n\n"})
    done = call(service, "--advisories", advise(tmp_path / "osv", critical(name="old")), "--json")
    (finding,) = json.loads(done.stdout)["report"]["findings"]
    assert finding["package"] == {"ecosystem": "PyPI", "name": "old", "version": "0.9"}


def test_old_runtimes_images_and_missing_locks_are_problems_of_their_own(
    service: Repository, tmp_path: Path
) -> None:
    template = TEMPLATE + (
        "  Old: {Type: AWS::Serverless::Function, Properties: {CodeUri: old, Handler: a.h, Runtime: python2.7}}\n"
        "  Box: {Type: AWS::Serverless::Function, Properties: {PackageType: Image, ImageUri: x}}\n"
    )
    service.write(
        {
            "template.yaml": template,
            "old/requirements.txt": "gone==0.1\n",
            "web/package.json": '{"dependencies": {"a": "1"}}',
        }
    )
    done = call(service, "--advisories", advise(tmp_path / "osv", critical(name="gone")), "--json")
    found = json.loads(done.stdout)
    assert [one["package"]["name"] for one in found["report"]["findings"]] == ["gone"]
    told = " ".join(found["problems"])
    assert "python2.7; its exact pins are looked up" in told
    assert "Web: web/package.json: there is no package-lock.json beside it" in told
    assert "Box: it is an image" in told
