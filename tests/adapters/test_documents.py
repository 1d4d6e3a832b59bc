from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tidegate.adapters.documents import Documents
from tidegate.domain.identity import BundleLocation

if TYPE_CHECKING:
    from pathlib import Path


def test_a_model_comes_back_as_it_was_written(documents: Documents) -> None:
    location = BundleLocation(bucket="b", key="k")
    assert documents.find("a/b.json", BundleLocation) is None
    documents.write("a/b.json", location)
    assert documents.read("a/b.json", BundleLocation) == location
    with pytest.raises(LookupError, match="s3://tidegate-artifacts/other does not exist"):
        documents.read("other", BundleLocation)


def test_a_document_is_written_over_what_was_read_and_nothing_else(documents: Documents) -> None:
    first, second, third = (BundleLocation(bucket="b", key=key) for key in "123")
    assert documents.find_revision("a", BundleLocation) is None
    begun = documents.replace("a", first, "")
    assert documents.find_revision("a", BundleLocation) == (first, begun)
    later = documents.replace("a", second, begun)
    for stale in (begun, ""):
        with pytest.raises(ClientError, match="PreconditionFailed"):
            documents.replace("a", third, stale)
    assert documents.find_revision("a", BundleLocation) == (second, later)


def test_a_document_whose_answer_was_lost_is_written_again(documents: Documents) -> None:
    first, second = (BundleLocation(bucket="b", key=key) for key in "12")
    begun = [documents.replace("a", first, "") for _ in range(2)][0]
    later = [documents.replace("a", second, begun) for _ in range(2)]
    assert documents.find_revision("a", BundleLocation) == (second, later[0])
    assert later[0] == later[1]


def test_the_sum_of_what_is_written_is_known_without_reading_it(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"body")
    documents.write_bytes("a", b"body")
    documents.upload("b", tmp_path / "file")
    documents.write_once("c", tmp_path / "file")
    assert documents.write_bytes_once("d", b"body")
    assert not documents.write_bytes_once("d", b"other")
    documents.client.create_bucket(
        Bucket="another", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    stage = Documents(documents.client, "another")
    stage.copy_from(documents, "a")
    read: list[str] = []
    documents.client.meta.events.register("before-call.s3.GetObject", lambda **_: read.append("read"))
    found = [documents.digest(key) for key in "abcd"] + [stage.digest("a")]
    assert found == [hashlib.sha256(b"body").hexdigest()] * 5
    assert not read
    assert documents.digest("absent") is None


def test_the_sum_of_what_somebody_else_wrote_is_read_off_its_bytes(documents: Documents) -> None:
    documents.client.put_object(Bucket=documents.bucket, Key="plain", Body=b"body")
    parts = documents.client.create_multipart_upload(
        Bucket=documents.bucket, Key="parts", ChecksumAlgorithm="SHA256"
    )
    upload = {"Bucket": documents.bucket, "Key": "parts", "UploadId": parts["UploadId"]}
    part = documents.client.upload_part(**upload, PartNumber=1, Body=b"body")
    documents.client.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )
    for key in ("plain", "parts"):
        assert documents.digest(key) == hashlib.sha256(b"body").hexdigest()


def test_what_is_written_once_stays(documents: Documents, tmp_path: Path) -> None:
    for number, body in enumerate((b"first", b"second")):
        (tmp_path / "file").write_bytes(body)
        assert documents.write_once("key", tmp_path / "file") == (number == 0)
    assert documents.find_bytes("key") == b"first"
    assert (documents.size("key"), documents.size("other")) == (5, None)
    assert (documents.exists("key"), documents.exists("other")) == (True, False)


def test_files_go_there_and_back(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"body")
    documents.upload("key", tmp_path / "file")
    documents.download("key", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"body"


def test_a_refused_upload_leaves_under_the_name_that_is_tried_again(
    documents: Documents, tmp_path: Path
) -> None:
    """boto3's upload_file and download_file would wrap it into names that no state machine retries."""
    (tmp_path / "file").write_bytes(b"body")
    gone = Documents(documents.client, "tidegate-nowhere")
    for call in (gone.upload, gone.download):
        with pytest.raises(ClientError) as caught:
            call("key", tmp_path / "file")
        assert caught.value.response["Error"]["Code"] == "NoSuchBucket"


def test_a_presigned_url_is_of_version_4_and_of_the_region(documents: Documents) -> None:
    url = documents.presign("put_object", "releases/orders/x", 60)
    assert url.startswith("https://s3.eu-central-1.amazonaws.com/tidegate-artifacts/releases/orders/x?")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert "X-Amz-SignedHeaders=host&" in url
