"""A service with a function that is packaged as a container image, through whole releases."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_releases import ENTER, LEAVE, LOOK, OPEN, STAGING, UNDO
from tests.images import NAME, push_base
from tests.pipelines.services import RETURNS_500, TESTS, Service, compress, template
from tests.pipelines.traffic import Traffic
from tidegate.adapters.attestations import read_envelope_of
from tidegate.adapters.manifests import Manifest
from tidegate.domain.dsse import read_envelope
from tidegate.domain.images.documents import digest_of
from tidegate.domain.ledger import Outcome
from tidegate.domain.statements import read_statement
from tidegate.local.assembly import BASE_IMAGE

if TYPE_CHECKING:
    from tests.pipelines.clouds import Cloud
    from tidegate.cli.push import Pushed

DOCKERFILE = f"""FROM {NAME}:3
ENV SUFFIX=""
COPY app.py ${{LAMBDA_TASK_ROOT}}/
CMD ["app.handler"]
"""


class ImageService(Service):
    """A service whose first function is an image, and the second one a zip."""

    def commit(self, files: dict[str, str] | None = None) -> str:
        written = template(self.functions, self.properties, self.resources)
        written["Resources"]["Front"] = {
            "Type": "AWS::Serverless::Function",
            "Properties": {"PackageType": "Image", "Timeout": 10},
            "Metadata": {"Dockerfile": "Dockerfile", "DockerContext": "front", "DockerTag": "latest"},
        }
        standing = {
            "test_it.py": TESTS.format(body="pass"),
            **self.code,
            "front/Dockerfile": DOCKERFILE,
            "tidegate.yaml": json.dumps(self.config),
            "template.yaml": json.dumps(written),
        }
        self.repository.git("rm", "-r", "-f", "--quiet", "--ignore-unmatch", ".")
        return self.repository.commit({**standing, **(files or {})})

    def manifest(self, pushed: Pushed) -> Manifest:
        key = f"releases/{self.name}/{pushed.release_id}/functions.json"
        return self.pipeline.documents.read(key, Manifest)

    def running_image(self, stage: str) -> dict[str, Any]:
        """The image that the alias of a stage runs, as Lambda tells it."""
        function, alias = self.aliases(stage)["FrontAliaslive"]
        answer: dict[str, Any] = self.client("lambda").get_function(FunctionName=function, Qualifier=alias)
        return answer["Code"]


def collapse(path: list[str]) -> list[str]:
    """A path with its loops once, and its two builds as one."""
    return [step for step, _ in groupby(compress(path))]


@pytest.fixture(scope="module")
def service(pipeline_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> ImageService:
    found = ImageService(pipeline_cloud, tmp_path_factory.mktemp("images"), ("Front", "Back"))
    push_base(found.client("ecr"), "3", repository=BASE_IMAGE["repository"])
    answer = found.change()
    pushed = found.release()
    assert found.outcome(pushed) is Outcome.PROMOTED, found.tell(pushed)
    assert collapse(found.path(pushed)) == [*OPEN, *ENTER, *LEAVE, *ENTER, *LEAVE, "CompleteRelease"]
    found.live = answer
    found.check_settled()
    return found


def test_an_image_is_promoted_and_each_stage_runs_its_own_copy(service: ImageService) -> None:
    service.reset()
    answer = service.change()
    with Traffic(service) as traffic:
        pushed = service.release()
    assert service.outcome(pushed) is Outcome.PROMOTED, service.tell(pushed)
    way = [*OPEN, *STAGING, *ENTER, *LOOK, "IsJudged", *LOOK, "IsJudged", *LEAVE, "CompleteRelease"]
    assert collapse(service.path(pushed)) == way
    assert set(traffic.answers) == {"answer"}
    service.live = answer
    service.check_settled()
    (front,) = [one for one in service.manifest(pushed).functions if one.logical_id == "Front"]
    for stage in ("staging", "production"):
        uri = service.running_image(stage)["ResolvedImageUri"]
        assert uri.endswith(f"/tidegate-images-{stage}@sha256:{front.sha256}")
    envelope = read_envelope(read_envelope_of(service.pipeline.documents, service.name, pushed.release_id))
    statement = read_statement(envelope.payload)
    assert statement.subjects[f"artifacts/{front.artifact}.manifest.json"] == front.sha256
    stored = service.pipeline.documents.find_bytes(f"artifacts/{front.artifact}.manifest.json") or b""
    assert digest_of(stored) == f"sha256:{front.sha256}"
    bases = [
        one for one in statement.predicate.build_definition.resolved_dependencies if one.name == f"{NAME}:3"
    ]
    assert len(bases) == 1


def test_a_bad_image_is_rolled_back(service: ImageService) -> None:
    service.reset()
    service.config["stages"]["production"]["strategy"] = (
        "Canary50Percent10Minutes"  # the evidence takes seconds
    )
    service.change(RETURNS_500)
    before = service.running_image("production")
    with Traffic(service):
        pushed = service.release()
    assert service.outcome(pushed) is Outcome.ROLLED_BACK, service.tell(pushed)
    assert collapse(service.path(pushed)) == [*OPEN, *STAGING, *ENTER, *LOOK, *UNDO]
    service.check_settled()
    assert service.running_image("production") == before


def test_an_unchanged_image_is_not_built_again(service: ImageService) -> None:
    service.reset()
    service.commit({"README.md": "Only words."})
    pushed = service.release()
    assert service.outcome(pushed) is Outcome.PROMOTED, service.tell(pushed)
    built = [one for one in service.entries(pushed) if one.step == "BuildFunction"]
    assert not built
    service.check_settled()
