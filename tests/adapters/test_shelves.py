"""Wheels from an index onto the shelf: what is fetched, what is kept, and what is refused."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from tidegate.adapters import shelves
from tidegate.adapters.assembly import assemble
from tidegate.adapters.documents import Documents
from tidegate.adapters.downloads import fetch
from tidegate.adapters.installs import RegistryUnreachable
from tidegate.adapters.locks import find_lock, find_locks
from tidegate.adapters.shelves import Shelf, fragment_key, wheel_key
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Lock, LockRequest, Wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.package_index import PackageIndex

NAME = "one-1.0-py3-none-any.whl"


@pytest.fixture
def wheel(index: PackageIndex) -> Wheel:
    sha256 = index.add("one", {"one.py": "x = 1\n"})
    return Wheel(name="one", version="1.0", url=index.file_url(NAME), sha256=sha256)


def request(text: str) -> LockRequest:
    return LockRequest({"f/requirements.txt": text}, "3.13", "aarch64-manylinux_2_34")


def test_a_wheel_is_fetched_once_and_kept_by_its_hash(
    index: PackageIndex, wheel: Wheel, documents: Documents, tmp_path: Path
) -> None:
    (part,) = Shelf(tmp_path / "a", documents).parts(Lock(wheels=(wheel,)))
    assert [entry.path for entry in part.entries] == [
        "one-1.0.dist-info/METADATA",
        "one-1.0.dist-info/WHEEL",
        "one.py",
    ]
    assert [file.suffix for file in (tmp_path / "a").iterdir()] == [".zip"]
    assert documents.find_bytes(wheel_key(wheel.sha256)) == index.wheels[NAME]
    asked = len(index.asked)
    Shelf(tmp_path / "b", documents).parts(Lock(wheels=(wheel,)))
    documents.client.delete_object(Bucket=documents.bucket, Key=fragment_key(wheel.sha256))
    Shelf(tmp_path / "c", documents).parts(Lock(wheels=(wheel,)))
    assert len(index.asked) == asked
    bodies = {next((tmp_path / name).iterdir()).read_bytes() for name in "abc"}
    assert bodies == {documents.find_bytes(fragment_key(wheel.sha256))}


def test_two_builders_at_once_leave_one_of_each(wheel: Wheel, documents: Documents, tmp_path: Path) -> None:
    shelves_at_once = [Shelf(tmp_path / str(number), documents) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda shelf: shelf.parts(Lock(wheels=(wheel,))), shelves_at_once))
    bodies = {next((tmp_path / str(number)).iterdir()).read_bytes() for number in range(4)}
    assert bodies == {documents.find_bytes(fragment_key(wheel.sha256))}


def test_bytes_that_the_lock_does_not_name_are_refused(
    index: PackageIndex, wheel: Wheel, documents: Documents, tmp_path: Path
) -> None:
    index.add("one", {"one.py": "import evil\n"})
    with pytest.raises(BuildFailed, match=rf"has the SHA-256 [0-9a-f]{{64}}; the lock names {wheel.sha256}"):
        Shelf(tmp_path / "a", documents).parts(Lock(wheels=(wheel,)))
    assert not list((tmp_path / "a").glob("*.zip"))
    assert not documents.exists(wheel_key(wheel.sha256))


def test_a_wheel_of_another_name_than_the_lock_s_is_refused(wheel: Wheel, tmp_path: Path) -> None:
    other = wheel.model_copy(update={"name": "other"})
    with pytest.raises(BuildFailed, match="holds one; the lock names it other"):
        Shelf(tmp_path / "a").parts(Lock(wheels=(other,)))


def test_a_wheel_of_another_version_than_the_lock_s_is_refused(wheel: Wheel, tmp_path: Path) -> None:
    same, other = (wheel.model_copy(update={"version": one}) for one in ("1.0.0", "1.1"))
    assert Shelf(tmp_path / "a").parts(Lock(wheels=(same,)))
    with pytest.raises(BuildFailed, match=r"holds version 1\.0; the lock names 1\.1"):
        Shelf(tmp_path / "a").parts(Lock(wheels=(other,)))


def test_a_wheel_that_was_changed_where_it_is_kept_is_refused(
    wheel: Wheel, documents: Documents, tmp_path: Path
) -> None:
    documents.write_bytes(wheel_key(wheel.sha256), b"other")
    with pytest.raises(BuildFailed, match="has not the bytes of its name"):
        Shelf(tmp_path / "a", documents).parts(Lock(wheels=(wheel,)))


def test_too_large_wheels_are_refused_before_and_while_they_are_fetched(
    index: PackageIndex, wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated = wheel.model_copy(update={"size": 10**9})
    with pytest.raises(BuildFailed, match="the wheels of the lock have 1,000,000,000 bytes"):
        Shelf(tmp_path / "a").parts(Lock(wheels=(stated,)))
    assert not index.asked
    monkeypatch.setattr("tidegate.adapters.downloads.MAX_UNZIPPED", 100)
    with pytest.raises(BuildFailed, match="has more than 100 bytes"):
        Shelf(tmp_path / "a").parts(Lock(wheels=(wheel,)))


def test_an_index_that_breaks_off_or_is_busy_is_no_mistake_of_the_service(
    index: PackageIndex, wheel: Wheel, tmp_path: Path
) -> None:
    index.short_by = 10
    with pytest.raises(RegistryUnreachable):
        fetch(wheel, tmp_path / "a")
    index.short_by, index.status = 0, 503
    with pytest.raises(RegistryUnreachable, match="answered 503"):
        fetch(wheel, tmp_path / "a")
    index.status = 404
    with pytest.raises(BuildFailed, match=rf"^{NAME} cannot be had: .* answered 404"):
        fetch(wheel, tmp_path / "a")
    gone = wheel.model_copy(update={"url": f"http://127.0.0.1:1/{NAME}"})
    with pytest.raises(RegistryUnreachable, match="does not answer"):
        fetch(gone, tmp_path / "a")


def test_an_index_is_asked_with_the_installer_s_credentials(
    index: PackageIndex, wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.credentials = "me:se cret"
    host = index.url.partition("://")[2]
    with pytest.raises(BuildFailed, match="401"):
        fetch(wheel, tmp_path / "a")
    with monkeypatch.context() as named:
        named.setenv("UV_INDEX", f"own={index.url}")
        named.setenv("UV_INDEX_OWN_USERNAME", "me")
        named.setenv("UV_INDEX_OWN_PASSWORD", "se cret")
        fetch(wheel, tmp_path / "a")
    with monkeypatch.context() as inside:
        inside.setenv("UV_DEFAULT_INDEX", f"http://me:se%20cret@{host}")
        fetch(wheel, tmp_path / "a")
        lock = find_lock_of(index, tmp_path)
        assert "cret" not in lock.wheels[0].url
    (tmp_path / "netrc").write_text('machine 127.0.0.1 login me password "se cret"\n')
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    fetch(wheel, tmp_path / "a")


def find_lock_of(index: PackageIndex, folder: Path) -> Lock:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        client.create_bucket(Bucket="locks")
        assert folder.exists()
        assert index.wheels
        return find_lock(Documents(client, "locks"), request("one\n"))


def test_what_is_not_used_leaves_the_disk(
    index: PackageIndex, wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "KEPT", 10)
    sha256 = index.add("two", {"two.py": ""})
    two = Wheel(name="two", version="1.0", url=index.file_url("two-1.0-py3-none-any.whl"), sha256=sha256)
    shelf = Shelf(tmp_path / "a")
    shelf.parts(Lock(wheels=(wheel,)))
    shelf.parts(Lock(wheels=(wheel, two)))
    assert len(list((tmp_path / "a").iterdir())) == 2
    shelf.parts(Lock(wheels=(two,)))
    assert [file.stem for file in (tmp_path / "a").iterdir()] == [sha256]


def test_requirements_without_a_version_stay_what_they_were(
    index: PackageIndex, documents: Documents
) -> None:
    index.add("one", {}, requires=("two>=1", "never; python_version < '3'"))
    index.add("two", {})
    first = find_lock(documents, request("one\n"))
    assert [(wheel.name, wheel.version) for wheel in first.wheels] == [("one", "1.0"), ("two", "1.0")]
    assert first.wheels[0].sha256 == hashlib.sha256(index.wheels[NAME]).hexdigest()
    index.add("one", {}, "2.0")
    assert find_lock(documents, request("one\n")) == first
    other = find_lock(documents, request("one # anew\n"))
    assert [(wheel.name, wheel.version) for wheel in other.wheels] == [("one", "2.0")]


def test_equal_requests_are_resolved_once(index: PackageIndex, documents: Documents) -> None:
    index.add("one", {})
    texts = [{f"f{number}/requirements.txt": "one\n"} for number in range(20)]
    found = find_locks(documents, [LockRequest(one, "3.13", None) for one in texts])
    assert len(found) == 1
    assert index.asked.count("/simple/one/") == 1


@pytest.mark.usefixtures("index")
def test_comments_alone_ask_no_index(index: PackageIndex, documents: Documents) -> None:
    assert find_lock(documents, request("# nothing\n")) == Lock()
    assert not index.asked


class Hasty(Documents):
    """Documents whose first look is before the other's writing."""

    looked = False

    def find_bytes(self, key: str) -> bytes | None:
        if not self.looked:
            self.looked = True
            return None
        return super().find_bytes(key)


def test_of_two_that_lock_at_once_the_first_one_counts(index: PackageIndex, documents: Documents) -> None:
    index.add("one", {})
    asked = request("one\n")
    first = find_lock(documents, asked)
    index.add("one", {}, "2.0")
    assert find_lock(Hasty(documents.client, documents.bucket), asked) == first


def test_hashes_that_are_pinned_are_checked(index: PackageIndex, documents: Documents) -> None:
    sha256 = index.add("one", {})
    assert find_lock(documents, request(f"one==1.0 --hash=sha256:{sha256}\n")).wheels
    with pytest.raises(BuildFailed, match=r"^f/requirements\.txt: one-1\.0-.* none of those pinned"):
        find_lock(documents, request(f"one==1.0 --hash=sha256:{'0' * 64}\n"))


def test_a_source_distribution_is_refused_by_name(index: PackageIndex, documents: Documents) -> None:
    index.wheels["one-1.0.tar.gz"] = b""
    with pytest.raises(BuildFailed, match=r"^f/requirements\.txt: .*one"):
        find_lock(documents, request("one\n"))
    assert not [path for path in index.asked if path.startswith("/files")]


def test_what_has_no_wheel_is_left_to_a_build_where_there_is_one(
    index: PackageIndex, documents: Documents
) -> None:
    index.wheels["one-1.0.tar.gz"] = b""
    index.add("two", {})
    lock = find_lock(documents, request("one\ntwo\n"), sources=True)
    assert lock.texts == {"f/requirements.txt": "one\ntwo\n"}
    assert not lock.wheels
    assert not [path for path in index.asked if path.startswith("/files/one")]
    asked = len(index.asked)
    assert find_lock(documents, request("one\ntwo\n"), sources=True) == lock
    assert len(index.asked) == asked


def test_a_commit_of_a_repository_is_left_to_a_build_and_asked_of_nobody(
    index: PackageIndex, documents: Documents
) -> None:
    text = f"two\none @ git+https://git.example.com/one@{'ab' * 20}\n"
    assert find_lock(documents, request(text), sources=True).texts == {"f/requirements.txt": text}
    assert not index.asked


@pytest.mark.registry
def test_native_code_is_imported_out_of_a_zip(documents: Documents, tmp_path: Path) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    lock = find_lock(
        documents, LockRequest({"requirements.txt": "pydantic==2.13.5\ncryptography\n"}, python, None)
    )
    assemble(tmp_path / "out.zip", Shelf(tmp_path / "shelf", documents).parts(lock), None, "it")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        archive.extractall(tmp_path / "task")
    code = "import pydantic, pydantic_core; import cryptography.hazmat.bindings._rust; print(pydantic_core.__file__); pydantic.TypeAdapter(int).validate_python(1)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(tmp_path / "task")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(str(tmp_path / "task"))
