"""Documents and artifacts in S3: what is too large for a state, and what must never change once written.

Whatever is written carries a SHA-256 that S3 has checked and keeps, so that nobody has to read the bytes
later to know which they are. Source: Amazon S3 User Guide, "Checking object integrity".
"""

from __future__ import annotations

import base64
import hashlib
import shutil
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError
from pydantic import BaseModel

from tidegate.adapters.sessions import make_client

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

    from tidegate.domain.identity import ReleaseRef

Model = TypeVar("Model", bound=BaseModel)
ABSENT: Final = frozenset({"404", "NoSuchKey"})
# How S3 is to check and keep the bytes of what is written.
CHECKED: Final = "SHA256"
CHUNK: Final = 1024 * 1024
EXISTS: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


def release_prefix(ref: ReleaseRef) -> str:
    """Where the documents of a release lie."""
    return f"releases/{ref.service}/{ref.id}/"


def stage_prefix(ref: ReleaseRef, stage: str) -> str:
    """Where the documents of one stage of a release lie."""
    return f"{release_prefix(ref)}stages/{stage}/"


def exact_mark(ref: ReleaseRef, stage: str) -> str:
    """Where it is marked that the update after the bake has begun."""
    return f"{stage_prefix(ref, stage)}exact-begun.json"


class Documents:
    """One bucket, read and written by key."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self.client = client
        self.bucket = bucket

    def write(self, key: str, model: BaseModel) -> None:
        """Write a model as JSON; a second time replaces it by the same."""
        self.write_bytes(key, model.model_dump_json().encode(), "application/json")

    def read(self, key: str, kind: type[Model]) -> Model:
        """Read a model back; LookupError where there is no such document."""
        found = self.find(key, kind)
        if found is None:
            message = f"s3://{self.bucket}/{key} does not exist"
            raise LookupError(message)
        return found

    def find(self, key: str, kind: type[Model]) -> Model | None:
        """Read a model back, or None."""
        body = self.find_bytes(key)
        return None if body is None else kind.model_validate_json(body)

    def replace(self, key: str, model: BaseModel, over: str) -> str:
        """Write a model over the revision `over` of its document ("": over none); gives the new revision.

        ClientError (PreconditionFailed) where another has written since: whoever is tried again reads that
        first. A write that is made again, since its answer was lost, finds itself.
        Source: Amazon S3 User Guide, "How to prevent object overwrites with conditional writes".
        """
        body = model.model_dump_json().encode()
        content: dict[str, Any] = {"Key": key, "Body": body, "ContentType": "application/json"}
        content["ChecksumAlgorithm"] = CHECKED
        content |= {"IfMatch": over} if over else {"IfNoneMatch": "*"}
        try:
            return self.client.put_object(Bucket=self.bucket, **content)["ETag"]
        except ClientError as error:
            standing = self._find(key) if error.response["Error"]["Code"] in EXISTS else None
            if standing is None or standing[0] != body:
                raise
            return standing[1]

    def find_revision(self, key: str, kind: type[Model]) -> tuple[Model, str] | None:
        """A model and the revision of its document, or None."""
        found = self._find(key)
        return None if found is None else (kind.model_validate_json(found[0]), found[1])

    def write_bytes(self, key: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        """Write an object."""
        self.client.put_object(
            Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, ChecksumAlgorithm=CHECKED
        )

    def find_bytes(self, key: str) -> bytes | None:
        """An object's bytes, or None."""
        found = self._find(key)
        return None if found is None else found[0]

    def _find(self, key: str) -> tuple[bytes, str] | None:
        """An object's bytes and its ETag."""
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=key)
            return answer["Body"].read(), answer["ETag"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return None
            raise

    def exists(self, key: str) -> bool:
        """Whether an object stands under the key."""
        return self.size(key) is not None

    def size(self, key: str) -> int | None:
        """The size of the object under the key in bytes, or None."""
        try:
            return self.client.head_object(Bucket=self.bucket, Key=key)["ContentLength"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return None
            raise

    def list_folders(self, prefix: str) -> list[str]:
        """The names right under a prefix that ends with a slash."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix, Delimiter="/"
        )
        found = (item["Prefix"] for page in pages for item in page.get("CommonPrefixes", ()))
        return [name.removeprefix(prefix).removesuffix("/") for name in found]

    def delete_folder(self, prefix: str) -> None:
        """Delete every object under a prefix that ends with a slash."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            keys = [{"Key": item["Key"]} for item in page.get("Contents", ())]
            if keys:
                self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": keys, "Quiet": True})  # type: ignore[typeddict-item]

    def digest(self, key: str) -> str | None:
        """The SHA-256 (hex) of the object under the key, or None: what S3 has of it, else read off its bytes.

        An object that was uploaded in parts has a sum of its parts' sums; its ETag has a dash.
        """
        try:
            head = self.client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return None
            raise
        known = head.get("ChecksumSHA256", "")
        whole = known and "-" not in known and "-" not in head["ETag"]
        return base64.b64decode(known).hex() if whole else self._hash(key)

    def _hash(self, key: str) -> str | None:
        try:
            body = self.client.get_object(Bucket=self.bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return None
            raise
        found = hashlib.sha256()
        for chunk in body.iter_chunks(CHUNK):
            found.update(chunk)
        return found.hexdigest()

    def write_once(self, key: str, file: Path) -> bool:
        """Upload a file unless the key is taken (S3 conditional write); False where it was.

        Source: Amazon S3 User Guide, "How to prevent object overwrites with conditional writes".
        """
        with file.open("rb") as body:
            return self._put_once(key, body)

    def write_bytes_once(self, key: str, body: bytes) -> bool:
        """The same for bytes of JSON."""
        return self._put_once(key, body, ContentType="application/json")

    def _put_once(self, key: str, body: bytes | IO[bytes], **more: Any) -> bool:  # noqa: ANN401
        try:
            self.client.put_object(
                Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*", ChecksumAlgorithm=CHECKED, **more
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in EXISTS:
                return False
            raise
        return True

    def upload(self, key: str, file: Path) -> None:
        """Copy a file into an object, by one call whose errors keep their names."""
        with file.open("rb") as body:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=body, ChecksumAlgorithm=CHECKED)

    def download(self, key: str, file: Path) -> None:
        """Copy an object into a file, by one call whose errors keep their names."""
        body = self.client.get_object(Bucket=self.bucket, Key=key)["Body"]
        with file.open("wb") as out:
            shutil.copyfileobj(body, out)

    def find_file(self, key: str, file: Path) -> bool:
        """Copy an object into a file; False where there is no such object."""
        try:
            self.download(key, file)
        except ClientError as error:
            if error.response["Error"]["Code"] in ABSENT:
                return False
            raise
        return True

    def copy_from(self, source: Documents, key: str) -> None:
        """Copy an object of another bucket under the same key, by one call, unless it is here already."""
        if not self.exists(key):
            origin: CopySourceTypeDef = {"Bucket": source.bucket, "Key": key}
            self.client.copy_object(Bucket=self.bucket, Key=key, CopySource=origin, ChecksumAlgorithm=CHECKED)

    def url(self, key: str) -> str:
        """The plain address of an object, as CloudFormation takes a template."""
        region = self.client.meta.region_name
        return f"https://{self.bucket}.s3.{region}.amazonaws.com/{key}"

    def presign(self, method: str, key: str, seconds: int) -> str:
        """A URL that allows one method (`get_object` or `put_object`) on one key for some seconds.

        Signed with the task's own credentials, by Signature Version 4 and for the region's own endpoint: the
        older signature is botocore's default in us-east-1, and the global endpoint redirects what is written.
        """
        client: S3Client = make_client(
            "s3",
            region_name=self.client.meta.region_name,
            endpoint_url=self.client.meta.endpoint_url,
            config=Config(signature_version="s3v4"),
        )
        return client.generate_presigned_url(
            method, Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=seconds
        )
