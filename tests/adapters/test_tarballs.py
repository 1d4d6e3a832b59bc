"""What a fragment takes of a tarball, and every tarball that is refused, by name."""

from __future__ import annotations

import gzip
import io
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tarballs import headers_of_headers, make_package, make_tarball
from tidegate.adapters import tarballs
from tidegate.adapters.entries import read_index
from tidegate.adapters.tarballs import make_tar_fragment
from tidegate.domain.errors import BuildFailed

ROOT = Path(__file__).resolve().parents[2]
WORDS = st.text("abcé_", min_size=1, max_size=3)
PATHS = st.lists(WORDS, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".js")
MANIFEST = '{"name": "@s/x", "version": "1.0.0"}'


def make(folder: Path, body: bytes) -> Path:
    (folder / "x.tgz").write_bytes(body)
    make_tar_fragment(folder / "x.tgz", folder / "x.zip", "x 1.0.0")
    return folder / "x.zip"


@given(
    files=st.dictionaries(PATHS, st.binary(max_size=3000), max_size=10),
    root=st.sampled_from(["package", "x"]),
)
def test_a_fragment_holds_every_file_of_a_package(tmp_path_factory, files, root) -> None:
    found = make(tmp_path_factory.mktemp("tar"), make_package("@s/x", "1.0.0", files, root))
    with zipfile.ZipFile(found) as archive:
        assert archive.testzip() is None
        names = [one.filename for one in archive.infolist()]
        assert names == sorted(names)
        base = "node_modules/@s/x/"
        assert set(names) == {base + path for path in {*files, "package.json", "index.js"}}
        for path, body in files.items():
            assert archive.read(base + path) == body
    assert read_index(found).entries[0].path.startswith(base)


def test_a_fragment_depends_on_the_tarball_alone(tmp_path: Path) -> None:
    body = make_package("x", "1.0.0", {f"{n}.js": b"text " * n for n in range(20)})
    bodies = set()
    for number, umask in enumerate((0o022, 0o077)):
        before = os.umask(umask)
        try:
            (tmp_path / str(number)).mkdir()
            bodies.add(make(tmp_path / str(number), body).read_bytes())
        finally:
            os.umask(before)
    assert len(bodies) == 1


def test_an_artifact_has_the_same_bytes_wherever_it_is_made(tmp_path: Path) -> None:
    """Folder, umask, time zone and hash seed differ."""
    told = set()
    for number, (umask, changed) in enumerate(
        [(0o022, {"TZ": "UTC", "PYTHONHASHSEED": "0"}), (0o077, {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "1"})]
    ):
        command = [sys.executable, "-m", "tests.tarballs", str(tmp_path / ("x" * number) / "made")]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **changed},
            umask=umask,
            check=True,
            capture_output=True,
            text=True,
        )
        told.add(done.stdout)
    assert len(told) == 1


def test_only_whether_a_file_is_executable_is_kept_of_its_mode(tmp_path: Path) -> None:
    found = make(tmp_path, make_tarball({"package/package.json": MANIFEST, "package/bin": "x"}, 0o4711))
    with zipfile.ZipFile(found) as archive:
        modes = {one.external_attr >> 16 for one in archive.infolist()}
    assert modes == {stat.S_IFREG | 0o755}


def test_the_last_of_two_files_of_one_path_counts(tmp_path: Path) -> None:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        for path, text in (
            ("package/package.json", b"broken"),
            ("package/a", b"1"),
            ("./package//./a", b"2"),
        ):
            info = tarfile.TarInfo(path)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
        info = tarfile.TarInfo("package/package.json")
        info.size = len(MANIFEST)
        archive.addfile(info, io.BytesIO(MANIFEST.encode()))
    with zipfile.ZipFile(make(tmp_path, gzip.compress(body.getvalue()))) as archive:
        assert archive.read("node_modules/@s/x/a") == b"2"


def special(kind: bytes, name: str = "package/l") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"package/../../x": "x"}, "is not safe to unpack"),
        ({"package/a\\b": "x"}, "is not safe to unpack"),
        ({"package/a\nb": "x"}, "is not safe to unpack"),
        ({f"package/{'a' * 1100}": "x"}, "is not safe to unpack"),
        ({"/etc/passwd": "x"}, "lies in no folder"),
        ({"alone": "x"}, "lies in no folder"),
        ({"package/l": special(tarfile.SYMTYPE)}, "is a link or a device"),
        ({"package/l": special(tarfile.LNKTYPE)}, "is a link or a device"),
        ({"package/l": special(tarfile.CHRTYPE)}, "is a link or a device"),
        ({"package/l": special(tarfile.FIFOTYPE)}, "is a link or a device"),
        ({"package/a": "x"}, r"its package\.json cannot be read"),
        ({"package/package.json": '{"name": "../../x"}'}, "has no name of a package"),
    ],
)
def test_what_could_lead_out_is_refused(tmp_path: Path, members, message: str) -> None:
    with pytest.raises(BuildFailed, match=rf"^x 1\.0\.0: .*{message}"):
        make(tmp_path, make_tarball(members))


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarballs, "MAX_UNZIPPED", 100_000)
    monkeypatch.setattr(tarballs, "MOST_TAR", 200_000)
    monkeypatch.setattr(tarballs, "MOST_ENTRIES", 50)
    for members in (
        {"package/package.json": MANIFEST, "package/big": bytes(150_000)},
        {"package/package.json": MANIFEST, "package/huge": bytes(900_000)},
        {f"package/{number}": "" for number in range(60)},
    ):
        with pytest.raises(BuildFailed, match="more than"):
            make(tmp_path, make_tarball(members))
    monkeypatch.setattr(tarballs, "MAX_MANIFEST", 10)
    with pytest.raises(BuildFailed, match=r"its package\.json has more than 10 bytes"):
        make(tmp_path, make_tarball({"package/package.json": MANIFEST}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no gzip",
        gzip.compress(b"no tar", mtime=0),
        make_package("x", "1.0.0")[:-40],
        headers_of_headers(),
    ],
)
def test_damage_is_named(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(BuildFailed, match=r"^x 1\.0\.0: "):
        make(tmp_path, body)
