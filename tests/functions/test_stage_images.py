"""What is copied into a stage's own repository: the attested images, each blob once, and over several calls."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from functions.provision_stage.images import LONGEST, bring_images
from tests.functions.test_images import Images
from tidegate.adapters.attestations import admission_key
from tidegate.adapters.image_registries import Repository as Registry
from tidegate.domain.artifacts import manifest_key
from tidegate.domain.config import StageConfig
from tidegate.domain.errors import ArtifactAltered
from tidegate.domain.plans import StagePlan
from tidegate.domain.provenance import Admission
from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.task import Tools

if TYPE_CHECKING:
    from tests.conftest import Repository
    from tidegate.domain.identity import ReleaseRef
    from tidegate.local.cloud import LocalCloud
    from tidegate.settings import Settings


class Hurried(Tools):
    """Tools whose time is up at every other look."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.looks = 0

    def now(self) -> datetime:
        self.looks += 1
        return datetime(2026, 1, 1, tzinfo=UTC) + self.looks * LONGEST * 0.4


class Staged:
    """A release with one image, built and admitted; the stage has a bucket and a repository."""

    def __init__(self, images: Images, repository: Repository) -> None:
        repository.commit(images.files())
        self.images = images
        self.function, self.record, _ = images.release(repository)
        self.ref: ReleaseRef = images.ref(images.push(repository, "orders"))
        self.plan = StagePlan(
            stage="staging",
            account=ACCOUNT_ID,
            region=REGION,
            production=False,
            stack_name="orders-staging",
            creates_stack=True,
            change_set="c",
            changes=(),
            config=StageConfig(),
            functions=(),
            at_once=(),
            images={self.function.artifact: self.record.sha256},
        )
        self.admit(self.record.sha256)
        with suppress(images.ecr.exceptions.RepositoryAlreadyExistsException):
            images.ecr.create_repository(repositoryName="tidegate-images-staging")
        self.repository = Registry(images.ecr, "tidegate-images-staging")
        stage = images.tools.stage("staging").documents
        images.cloud.client("s3").create_bucket(Bucket=stage.bucket)
        stage.copy_from(images.tools.documents, self.function.object_key)

    @property
    def digest(self) -> str:
        return f"sha256:{self.record.sha256}"

    def admit(self, digest: str) -> None:
        digests = {manifest_key(self.function.artifact): digest}
        admission = Admission(builder="b", keyid="k", commit="c", objects=1, digests=digests)
        self.images.tools.documents.write(admission_key(self.ref, "staging"), admission)


@pytest.fixture
def staged(cloud: LocalCloud, unique: str, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Staged:
    for key, value in cloud.environment().items():
        monkeypatch.setenv(key, value)
    return Staged(Images(cloud, unique), repository)


def test_a_stage_gets_the_image_with_its_digest(staged: Staged) -> None:
    assert staged.repository.find(staged.digest) is None
    assert bring_images(staged.ref, staged.plan, staged.images.tools)
    found = staged.repository.find(staged.function.artifact)
    assert found == staged.images.registry.find(staged.digest)
    assert bring_images(staged.ref, staged.plan, staged.images.tools)


def test_a_copy_goes_on_where_the_last_call_ended(staged: Staged) -> None:
    tools = Hurried(staged.images.tools.settings)
    calls = 0
    while not bring_images(staged.ref, staged.plan, tools):
        calls += 1
        assert staged.repository.find(staged.digest) is None, "a manifest comes after its blobs"
        assert calls < 5
    assert calls
    assert staged.repository.find(staged.digest)


def test_a_plan_for_another_image_is_altered(staged: Staged) -> None:
    staged.admit("0" * 64)
    with pytest.raises(ArtifactAltered, match="was built and attested"):
        bring_images(staged.ref, staged.plan, staged.images.tools)
    assert staged.repository.find(staged.digest) is None


def test_a_stage_whose_manifest_was_replaced_gets_nothing(staged: Staged) -> None:
    documents = staged.images.tools.stage("staging").documents
    documents.write_bytes(staged.function.object_key, b"{}")
    with pytest.raises(ArtifactAltered, match="has not the bytes"):
        bring_images(staged.ref, staged.plan, staged.images.tools)
    assert staged.repository.find(staged.digest) is None


def test_a_stage_without_images_asks_nobody(staged: Staged) -> None:
    asked: list[str] = []
    client = staged.images.tools.documents.client
    client.meta.events.register("before-call", lambda model, **_: asked.append(model.name))
    assert bring_images(staged.ref, staged.plan.model_copy(update={"images": {}}), staged.images.tools)
    assert not asked
    assert bring_images(staged.ref, staged.plan, staged.images.tools)
    assert asked, "the test would see a call"
