"""Repositories of Amazon ECR, read and written through its own API: no daemon, no registry login.

Digests are checked here and nowhere trusted: on all that is read, on what is written, and on what ECR says it
has taken. Blobs flow through memory by parts and never lie on disk. Everything is named by its content, so
that a call that is made twice, or by two at once, leaves the same.
Source: Amazon ECR API Reference (InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload, PutImage).
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
import urllib.request
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from tidegate.adapters.answers import close
from tidegate.domain.errors import ArtifactAltered, BuildFailed
from tidegate.domain.images.documents import ACCEPTED, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tidegate.domain.images.documents import Descriptor

PART: Final = 10 * 1024 * 1024  # bytes; ECR takes 5 to 20 MB
SECONDS: Final = 60  # without an answer, or without another byte
MOST_ASKED: Final = 100  # blobs or images that one call asks for
STANDS: Final = frozenset({"ImageAlreadyExistsException", "ImageTagAlreadyExistsException"})
BROKEN: Final = (OSError, http.client.HTTPException)


class Stored(NamedTuple):
    """A manifest, or an index of several, as a repository has it."""

    body: bytes
    digest: str


class Repository:
    """One repository of the client's account and region."""

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401
        self.client = client
        self.name = name
        self._place = {"repositoryName": name}

    def find(self, identifier: str) -> Stored | None:
        """What stands under a digest or a tag, or None; BuildFailed where its bytes are not its digest's."""
        by_digest = identifier.startswith("sha256:")
        asked = {"imageDigest" if by_digest else "imageTag": identifier}
        answer = self.client.batch_get_image(
            **self._place, imageIds=[asked], acceptedMediaTypes=list(ACCEPTED)
        )
        if not answer["images"]:
            failures = answer.get("failures", [{}])
            if failures[0].get("failureCode") in {"ImageNotFound", "ImageTagDoesNotMatchDigest", None}:
                return None
            raise BuildFailed(f"{self.name}:{identifier} cannot be read: {failures[0].get('failureReason')}")
        found = self._take(answer["images"][0])
        if by_digest and found.digest != identifier:
            raise BuildFailed(f"{self.name}:{identifier} is answered with the image {found.digest}")
        return found

    def _take(self, answer: Mapping[str, Any]) -> Stored:
        body, digest = answer["imageManifest"].encode(), answer["imageId"]["imageDigest"]
        if digest_of(body) != digest:
            raise BuildFailed(f"{self.name}:{digest} is answered with the bytes of {digest_of(body)}")
        return Stored(body, digest)

    def find_standing(self, digests: Iterable[str]) -> set[str]:
        """Those of some images, by digest, that the repository has; BuildFailed as above."""
        wanted = sorted(set(digests))
        found: set[str] = set()
        for first in range(0, len(wanted), MOST_ASKED):
            asked = [{"imageDigest": digest} for digest in wanted[first : first + MOST_ASKED]]
            answer = self.client.batch_get_image(
                **self._place, imageIds=asked, acceptedMediaTypes=list(ACCEPTED)
            )
            found.update(self._take(one).digest for one in answer["images"])
        return found & set(wanted)

    def read_blob(self, blob: Descriptor) -> Iterator[bytes]:
        """A blob's bytes by parts; BuildFailed at its end where they are not those of its digest."""
        answer = self.client.get_download_url_for_layer(**self._place, layerDigest=blob.digest)
        digest, size = hashlib.sha256(), 0
        for piece in _download(answer["downloadUrl"]):
            digest.update(piece)
            size += len(piece)
            if size > blob.size:
                break
            yield piece
        if (f"sha256:{digest.hexdigest()}", size) != (blob.digest, blob.size):
            raise BuildFailed(f"{self.name} gives other bytes for the blob {blob.digest}")

    def missing(self, blobs: Iterable[Descriptor]) -> list[Descriptor]:
        """Those blobs that the repository has not."""
        wanted = list(blobs)
        here: set[str] = set()
        for first in range(0, len(wanted), MOST_ASKED):
            digests = [one.digest for one in wanted[first : first + MOST_ASKED]]
            answer = self.client.batch_check_layer_availability(**self._place, layerDigests=digests)
            found = (one for one in answer["layers"] if one["layerAvailability"] == "AVAILABLE")
            here.update(one["layerDigest"] for one in found)
        return [one for one in wanted if one.digest not in here]

    def push(self, parts: Iterable[bytes], digest: str) -> None:
        """Upload a blob; ArtifactAltered where ECR has taken other bytes. One that stands is no error."""
        upload = self.client.initiate_layer_upload(**self._place)["uploadId"]
        size = 0
        for part in _gather(parts):
            self.client.upload_layer_part(
                **self._place,
                uploadId=upload,
                partFirstByte=size,
                partLastByte=size + len(part) - 1,
                layerPartBlob=part,
            )
            size += len(part)
        try:
            answer = self.client.complete_layer_upload(**self._place, uploadId=upload, layerDigests=[digest])
        except ClientError as error:
            if error.response["Error"]["Code"] == "LayerAlreadyExistsException":
                return
            raise
        if answer["layerDigest"] != digest:
            raise ArtifactAltered(f"{self.name} took {answer['layerDigest']} for the blob {digest}")

    def put(self, body: bytes, media_type: str, tag: str) -> None:
        """Store a manifest whose blobs stand, under a tag that never moves.

        ArtifactAltered where the tag names another image, or ECR has taken other bytes.
        """
        digest = digest_of(body)
        try:
            answer = self.client.put_image(
                **self._place,
                imageManifest=body.decode(),
                imageManifestMediaType=media_type,
                imageTag=tag,
                imageDigest=digest,
            )
            taken = answer["image"]["imageId"]["imageDigest"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in STANDS:
                raise
            taken = ""
        found = self.find(tag)
        if found is None or found.digest != digest or taken not in {"", digest}:
            there = taken or (found.digest if found else "nothing")
            raise ArtifactAltered(f"{self.name}:{tag} has {there}, and {digest} was built")

    def copy(self, source: Repository, blob: Descriptor) -> None:
        """Bring a blob of another repository, checked on its way."""
        self.push(source.read_blob(blob), blob.digest)


def read_file(file: Path) -> Iterator[bytes]:
    """A file's bytes by parts."""
    with file.open("rb") as body:
        while piece := body.read(PART):
            yield piece


def _gather(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Bytes in parts of one size, the last one shorter: ECR refuses small parts before it."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= PART:
            yield bytes(waiting[:PART])
            del waiting[:PART]
    if waiting:
        yield bytes(waiting)


def _download(url: str) -> Iterator[bytes]:
    """What lies at a presigned address; what breaks off is tried again, under the name for that."""
    try:
        with _opener().open(url, timeout=SECONDS) as answer:
            expected, size = int(answer.headers.get("Content-Length") or -1), 0
            while piece := answer.read(PART):
                size += len(piece)
                yield piece
    except BROKEN as error:
        raise close(error) from error
    if expected not in {-1, size}:
        raise close(EOFError(f"{size:,} of {expected:,} bytes of a layer have come"))


@lru_cache(maxsize=1)
def _opener() -> urllib.request.OpenerDirector:
    """What opens addresses; whom it trusts is read once."""
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=ssl.create_default_context()))
