"""What a build is given, and what is made of what it left."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.package_index import make_wheel
from tests.tarballs import headers_of_headers
from tidegate.adapters.archives import Member, write_zip
from tidegate.adapters.assembly import Part, read_part
from tidegate.adapters.errand_inputs import list_requirements, write_input
from tidegate.adapters.errand_outputs import read_wheels, zip_output
from tidegate.domain.artifacts import MAX_UNZIPPED, Method
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Lock, SourceRelease, Target
from tidegate.domain.snapshots import FunctionSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TARGET = Target("3.13", "x86_64-manylinux_2_34")
SHA256 = "ab" * 32
COMMIT = "cd" * 20


def function(method: Method) -> FunctionSnapshot:
    return FunctionSnapshot(
        logical_id="Make",
        code_uri="src",
        handler="app.handler",
        runtime="java21",
        declared_runtime="java21",
        architecture="x86_64",
        artifact="ab" * 32,
        method=method,
        build_metadata={"BuildProperties": {"a": 1}},
    )


def code(folder: Path, files: dict[str, bytes]) -> Part:
    file = folder / "code.zip"
    write_zip(
        file, [Member(path, path.endswith(".sh"), lambda body=body: body) for path, body in files.items()]
    )
    return read_part(file, "the code")


def pack(file: Path, members: Iterable[tarfile.TarInfo | tuple[str, bytes]]) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for one in members:
            info = tarfile.TarInfo(one[0]) if isinstance(one, tuple) else one
            body = one[1] if isinstance(one, tuple) else b""
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return file


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def unpack(tmp_path: Path, members: Iterable[tarfile.TarInfo | tuple[str, bytes]]) -> zipfile.ZipFile:
    (tmp_path / "files").mkdir()
    built = tmp_path / "built.zip"
    zip_output(pack(tmp_path / "output.tar.gz", members), tmp_path / "files", built, "Make in src")
    return zipfile.ZipFile(built)


def test_an_input_has_the_code_and_is_the_same_each_time(tmp_path: Path) -> None:
    part = code(tmp_path, {"Makefile": b"all:\n", "run.sh": b"x"})
    for name in ("one", "two"):
        write_input(tmp_path / name, function(Method.MAKEFILE), part, Lock())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(tmp_path / "one") as archive:
        found = {one.name: oct(one.mode) for one in archive}
    assert found == {"code/Makefile": "0o644", "code/run.sh": "0o755"}


def test_sam_is_given_a_template_of_the_one_function(tmp_path: Path) -> None:
    write_input(tmp_path / "in", function(Method.SAM), code(tmp_path, {"pom.xml": b""}), Lock())
    with tarfile.open(tmp_path / "in") as archive:
        body = archive.extractfile("template.json")
        assert body
        text = body.read().decode()
    assert '"Runtime": "java21"' in text
    assert '"BuildProperties": {"a": 1}' in text


def test_what_has_no_wheel_is_required_by_hash_or_commit(tmp_path: Path) -> None:
    lock = Lock(
        sources=(
            SourceRelease(name="one", version="1", url="https://x/one-1.tar.gz", sha256=SHA256),
            SourceRelease(name="two", version="", url="https://x/two", commit=COMMIT, folder="py"),
        )
    )
    assert dict(list_requirements(lock)) == {
        "hashed.txt": f"one @ https://x/one-1.tar.gz --hash=sha256:{SHA256}\n",
        "commits.txt": f"two @ git+https://x/two@{COMMIT}#subdirectory=py\n",
    }
    texts = {"src/requirements.txt": "-r more.txt\n", "src/more.txt": "one\n"}
    assert dict(list_requirements(Lock(texts=texts))) == {
        "listed.txt": "src/requirements.txt",
        "texts/src/requirements.txt": "-r more.txt\n",
        "texts/src/more.txt": "one\n",
    }
    write_input(tmp_path / "in", function(Method.SOURCES), code(tmp_path, {"app.py": b"secret"}), lock)
    with tarfile.open(tmp_path / "in") as archive:
        assert archive.getnames() == ["commits.txt", "hashed.txt"]


def test_an_output_gives_the_same_bytes_whatever_its_order_times_and_owners(tmp_path: Path) -> None:
    info = tarfile.TarInfo("./bootstrap")
    info.mode, info.mtime, info.uid = 0o700, 12345, 77
    bodies = []
    for number, members in enumerate(([info, ("a/b", b"1")], [("./a/b", b"1"), info])):
        folder = tmp_path / str(number)
        folder.mkdir()
        with unpack(folder, members) as archive:
            assert archive.namelist() == ["a/b", "bootstrap"]
        bodies.append((folder / "built.zip").read_bytes())
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([special("a", tarfile.SYMTYPE, "/etc/passwd")], "a as a link or a device"),
        ([special("a", tarfile.LNKTYPE, "b")], "a as a link or a device"),
        ([special("a", tarfile.FIFOTYPE)], "a as a link or a device"),
        ([("../a", b"")], "not safe"),
        ([("/a", b"")], "not safe"),
        ([("a\x01", b"")], "not safe"),
        ([("caf\udce9", b"")], r"'caf\\udce9' is not safe"),
        ([("a", b""), ("./a", b"")], "a twice"),
        ([("a", b""), ("a/b", b"")], "a as a file and as a folder"),
        ([], "no files in ARTIFACTS_DIR"),
        ([special(".", tarfile.DIRTYPE)], "no files in ARTIFACTS_DIR"),
    ],
)
def test_what_no_artifact_may_hold_is_refused_by_name(
    tmp_path: Path, members: list[tarfile.TarInfo | tuple[str, bytes]], words: str
) -> None:
    with pytest.raises(BuildFailed, match=words):
        unpack(tmp_path, members)


def test_more_than_lambda_takes_is_not_even_unpacked(tmp_path: Path) -> None:
    info = tarfile.TarInfo("large")
    info.size = MAX_UNZIPPED + 1
    (tmp_path / "output.tar.gz").write_bytes(gzip.compress(info.tobuf()))
    with pytest.raises(BuildFailed, match="left more than"):
        zip_output(tmp_path / "output.tar.gz", tmp_path, tmp_path / "built.zip", "Make in src")
    assert not (tmp_path / "0").exists()


def test_what_is_no_archive_is_a_failed_build(tmp_path: Path) -> None:
    for body in (b"no archive", headers_of_headers()):
        (tmp_path / "output").write_bytes(body)
        with pytest.raises(BuildFailed, match="Make in src: what the build left cannot be read"):
            zip_output(tmp_path / "output", tmp_path, tmp_path / "built.zip", "Make in src")


def wheels(tmp_path: Path, lock: Lock, *files: tuple[str, bytes]) -> list[Part]:
    (tmp_path / "files").mkdir()
    output = pack(tmp_path / "output.tar.gz", files)
    return read_wheels(output, tmp_path / "files", lock, TARGET, "Make in src")


ONE = SourceRelease(name="one", version="1.0", url="https://x/one-1.tar.gz", sha256=SHA256)
WHEEL = ("one-1.0-py3-none-any.whl", make_wheel("one", {"one.py": "x = 1\n"}))


def test_wheels_of_a_build_are_those_that_the_lock_asks_for(tmp_path: Path) -> None:
    (part,) = wheels(tmp_path, Lock(sources=(ONE,)), WHEEL)
    assert "one.py" in [entry.path for entry in part.entries]


def test_wheels_come_in_one_order_whatever_that_of_the_output_was(tmp_path: Path) -> None:
    other = ("two-1.0-py3-none-any.whl", make_wheel("two", {"two.py": "x = 2\n"}))
    lock = Lock(sources=(ONE, ONE.model_copy(update={"name": "two"})))
    for number, files in enumerate(((WHEEL, other), (other, WHEEL))):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert [part.name for part in wheels(folder, lock, *files)] == [WHEEL[0], other[0]]


@pytest.mark.parametrize(
    ("lock", "files", "words"),
    [
        (Lock(sources=(ONE,)), [], "not so: one"),
        (Lock(), [WHEEL], "not so: one"),
        (Lock(sources=(ONE.model_copy(update={"version": "2"}),)), [WHEEL], "made one 1.0; the lock names 2"),
        (Lock(sources=(ONE,)), [WHEEL, ("evil.py", b"")], "evil.py, which is no wheel"),
        (Lock(sources=(ONE,)), [("one-1.0-cp39-cp39-win32.whl", WHEEL[1])], "no wheel for the function"),
    ],
)
def test_other_wheels_are_refused(
    tmp_path: Path, lock: Lock, files: list[tuple[str, bytes]], words: str
) -> None:
    with pytest.raises(BuildFailed, match=words):
        wheels(tmp_path, lock, *files)


def test_wheels_that_the_build_itself_resolved_are_taken(tmp_path: Path) -> None:
    assert len(wheels(tmp_path, Lock(texts={"r.txt": "one"}), WHEEL)) == 1
