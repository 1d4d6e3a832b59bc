"""The images of a release, copied into the stage's own repository before its stack names them.

Lambda takes images of its own region alone, and what a stage runs must not go away with the pipeline. What is
copied is what was attested: the manifest is the stage's copy that was admitted, each blob is checked on its
way by its digest, and an image that stands under its digest is that image.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tidegate.adapters.attestations import admission_key
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.image_registries import Repository
from tidegate.domain.artifacts import manifest_key
from tidegate.domain.errors import ArtifactAltered
from tidegate.domain.identity import Frozen
from tidegate.domain.images.documents import digest_of, read_manifest
from tidegate.domain.pipeline import IMAGE_REPOSITORY
from tidegate.domain.provenance import Admission, check_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.task import Tools

# Of the five minutes that an invocation has; the rest is for the blob that is begun last.
LONGEST: Final = timedelta(seconds=120)


class Brought(Frozen):
    """That the stage has the images of a release, and how many these are: images.json."""

    images: int


def bring_images(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> bool:
    """Copy what the stage's repository lacks; False where that takes more than one invocation.

    ArtifactAltered where the planned image is not the attested one. A stage without images asks nobody.
    """
    mark = f"{stage_prefix(ref, plan.stage)}images.json"
    if not plan.images or tools.documents.exists(mark):
        return True
    if not _bring(ref, plan.stage, plan.images, tools):
        return False
    what = f"the stage's own repository has {len(plan.images):,} images"
    evidence = {"images": plan.images}
    tools.record(ref, "ProvisionStage", what, stage=plan.stage, key="images", evidence=evidence)
    tools.documents.write(mark, Brought(images=len(plan.images)))
    return True


def _bring(ref: ReleaseRef, stage: str, planned: Mapping[str, str], tools: Tools) -> bool:
    attested = tools.documents.read(admission_key(ref, stage), Admission).digests
    for artifact, digest in planned.items():
        check_digest(manifest_key(artifact), digest, attested[manifest_key(artifact)], "the plan:")
    target = Repository(tools.stage(stage).registry, tools.stage(stage).target.image_repository)
    standing = target.find_standing(f"sha256:{digest}" for digest in planned.values())
    missing = {key: digest for key, digest in planned.items() if f"sha256:{digest}" not in standing}
    until = tools.now() + LONGEST
    return _copy(missing, target, stage, tools, lambda: tools.now() < until)


def _copy(
    missing: Mapping[str, str], target: Repository, stage: str, tools: Tools, in_time: Callable[[], bool]
) -> bool:
    """Copy images by artifact and digest; False once time is up: what was copied by then stands."""
    origin = Repository(tools.registry, IMAGE_REPOSITORY)
    documents = tools.stage(stage).documents
    for artifact, digest in missing.items():
        key = manifest_key(artifact)
        body = documents.find_bytes(key) or b""
        where = f"s3://{documents.bucket}/{key}"
        if digest_of(body) != f"sha256:{digest}":
            raise ArtifactAltered(f"{where} has not the bytes that were attested")
        manifest = read_manifest(body, f"sha256:{digest}", where)
        for blob in target.missing(manifest.blobs):
            if not in_time():
                return False
            target.copy(origin, blob)
        target.put(body, manifest.media_type, artifact)
    return True
