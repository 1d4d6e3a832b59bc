"""A service in JavaScript and TypeScript: released with its packages, and taken back where it is bad."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipelines.services import STAGES
from tests.pipelines.traffic import Traffic
from tidegate.adapters.attestations import read_envelope_of
from tidegate.domain.bills import read_packages
from tidegate.domain.dsse import read_envelope
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service

MS = {
    "version": "2.1.3",
    "resolved": "https://registry.npmjs.org/ms/-/ms-2.1.3.tgz",
    "integrity": "sha512-6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==",
    "license": "MIT",
}
ASKED = {"name": "svc", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}}
LOCK = {"name": "svc", "lockfileVersion": 3, "packages": {"": ASKED, "node_modules/ms": MS}}
SCRIPT = """const ms = require("ms");
exports.handler = async () => {{ {body}; return {{ statusCode: 200, body: `{answer} ${{ms("1m")}}` }}; }};
"""
TYPED = """import ms from "ms";
export const handler = async (event: object): Promise<{{ body: string }}> => {{
  {body};
  return {{ body: `{answer} ${{ms("1m")}}` }};
}};
"""


def files(answer: str, body: str = "") -> dict[str, str]:
    """A function in JavaScript and one in TypeScript, with one package."""
    properties = {"Handler": "app.handler", "Runtime": "nodejs22.x", "Timeout": 10}
    bundle = {"BuildMethod": "esbuild", "BuildProperties": {"EntryPoints": ["src/app.ts"], "Sourcemap": True}}
    kind = "AWS::Serverless::Function"
    resources: dict[str, Any] = {
        "Script": {"Type": kind, "Properties": {"CodeUri": "script/", **properties}},
        "Typed": {"Type": kind, "Properties": {"CodeUri": "typed/", **properties}, "Metadata": bundle},
    }
    return {
        "template.yaml": json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}),
        "script/app.js": SCRIPT.format(answer=answer, body=body),
        "typed/src/app.ts": TYPED.format(answer=answer, body=body),
        **{f"{folder}/package.json": json.dumps(ASKED) for folder in ("script", "typed")},
        **{f"{folder}/package-lock.json": json.dumps(LOCK) for folder in ("script", "typed")},
    }


@pytest.mark.registry
def test_a_service_in_node_is_promoted_and_a_bad_version_is_taken_back(fresh: Service) -> None:
    fresh.functions = ("Script", "Typed")
    fresh.commit(files(f"{fresh.name} one"))
    good = fresh.release()
    assert fresh.outcome(good) is Outcome.PROMOTED, fresh.tell(good)
    for stage in STAGES:
        assert fresh.ask(stage) == [f"{fresh.name} one 60000"] * 2
    check_papers(fresh, good.release_id)
    for body, outcome, live in (
        ("", Outcome.PROMOTED, "two"),
        ('throw new Error("broken")', Outcome.ROLLED_BACK, "two"),
    ):
        fresh.commit(files(f"{fresh.name} {'three' if body else live}", body))
        with Traffic(fresh):
            pushed = fresh.release()
        assert fresh.outcome(pushed) is outcome, fresh.tell(pushed)
        fresh.live = f"{fresh.name} {live} 60000"
        fresh.check_settled()


def check_papers(service: Service, release_id: str) -> None:
    """Bills and provenance name the package by the hash of its tarball."""
    statement = json.loads(
        read_envelope(read_envelope_of(service.pipeline.documents, service.name, release_id)).payload
    )
    definition = statement["predicate"]["buildDefinition"]
    artifacts = definition["internalParameters"]["artifacts"]
    assert sorted(one["method"] for one in artifacts.values()) == ["esbuild", "npm"]
    for artifact in artifacts.values():
        body = service.pipeline.documents.find_bytes(artifact["sbom"]) or b""
        assert list(read_packages(body)) == [("npm", "ms", "2.1.3")]
    (package,) = [one for one in definition["resolvedDependencies"] if one.get("uri") == "pkg:npm/ms@2.1.3"]
    assert len(package["digest"]["sha512"]) == 128
