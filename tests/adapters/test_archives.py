from __future__ import annotations

import io
import os
import stat
import zipfile
from typing import TYPE_CHECKING

import pytest

from tidegate.adapters import archives
from tidegate.adapters.archives import Member, unpack, unpacked_size, write_zip
from tidegate.domain.errors import InvalidSource

if TYPE_CHECKING:
    from pathlib import Path


def make_folder(folder: Path, umask: int, modified: int) -> Path:
    before = os.umask(umask)
    try:
        for name in ("z.py", "a/b.py", "a/run"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            os.utime(path, (modified, modified))
        (folder / "a/run").chmod(0o777 & ~umask)
    finally:
        os.umask(before)
    return folder


def members_of(folder: Path) -> list[Member]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [
        Member(path.relative_to(folder).as_posix(), bool(path.stat().st_mode & stat.S_IXUSR), path.read_bytes)
        for path in files
    ]


def test_bytes_depend_on_content_alone(tmp_path: Path) -> None:
    one = make_folder(tmp_path / "one", 0o022, 1_000_000_000)
    two = make_folder(tmp_path / "elsewhere" / "two", 0o077, 1_700_000_000)
    for name, folder in (("1.zip", one), ("2.zip", two)):
        assert write_zip(tmp_path / name, reversed(members_of(folder))) == 15
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_a_zip_unpacks_to_what_went_in(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "one", 0o022, 1)
    write_zip(tmp_path / "1.zip", members_of(folder))
    unpack(tmp_path / "1.zip", tmp_path / "out")
    assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")} == {
        "z.py",
        "a",
        "a/b.py",
        "a/run",
    }
    assert stat.S_IMODE((tmp_path / "out/a/run").stat().st_mode) == 0o755
    assert unpacked_size(tmp_path / "1.zip") == 15


def hostile(name: str, mode: int = 0o100644, *more: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for each in (name, *more):
            info = zipfile.ZipInfo(each)
            info.external_attr = mode << 16
            archive.writestr(info, "/etc/passwd")
    return body.getvalue()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (hostile("../out"), "not safe"),
        (hostile("/etc/x"), "not safe"),
        (hostile("a/../../x"), "not safe"),
        (hostile("a//b"), "not safe"),
        (hostile("a\\b"), "not safe"),
        (hostile("link", 0o120777), "a link or encrypted"),
        (hostile("pipe", 0o010644), "a link or encrypted"),
        (hostile("a", 0o100644, "a/b"), "cannot be unpacked"),
        (b"not a zip", "cannot be unpacked"),
        (hostile("a").replace(b"/etc/passwd", b"/etc/PASSWD"), "cannot be unpacked"),
    ],
)
def test_a_hostile_zip_is_refused(body: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(body)
    with pytest.raises(InvalidSource, match=message):
        unpack(tmp_path / "x.zip", tmp_path / "deep" / "folder")
    assert not list(tmp_path.glob("*out*")) + list(tmp_path.glob("x"))


def test_a_bomb_is_refused_before_it_is_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED", 1_000_000)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1_000_001))
    with pytest.raises(InvalidSource, match="unpacks to more than"):
        unpack(tmp_path / "x.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(100_000))
    body = (
        (tmp_path / "x.zip").read_bytes().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    )
    (tmp_path / "x.zip").write_bytes(body)
    with pytest.raises(InvalidSource):
        unpack(tmp_path / "x.zip", tmp_path / "out")
