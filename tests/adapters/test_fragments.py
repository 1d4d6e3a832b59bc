"""What a fragment takes of a wheel, and every wheel that is refused, by name."""

from __future__ import annotations

import io
import stat
import subprocess
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.package_index import make_wheel
from tests.zips import write_wheel
from tidegate.adapters import fragments
from tidegate.adapters.archives import Member, write_zip
from tidegate.adapters.assembly import read_entry
from tidegate.adapters.entries import DamagedZip, read_index
from tidegate.adapters.fragments import make_fragment
from tidegate.domain.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORDS = st.text("abcé_", min_size=1, max_size=3)
PATHS = st.lists(WORDS, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".py")
FILES = st.dictionaries(PATHS, st.tuples(st.binary(max_size=3000), st.booleans(), st.booleans()), max_size=12)


@given(FILES)
def test_a_fragment_holds_every_file_of_a_wheel_as_it_was(tmp_path_factory, files) -> None:
    folder = tmp_path_factory.mktemp("wheel")
    write_wheel(folder / "x.whl", files)
    make_fragment(folder / "x.whl", folder / "x.zip", "x.whl")
    with zipfile.ZipFile(folder / "x.zip") as archive:
        assert archive.testzip() is None
        found = {one.filename: one for one in archive.infolist()}
        assert list(found) == sorted(found)
        assert set(found) == {*files, "x-1.0.dist-info/METADATA", "x-1.0.dist-info/WHEEL"}
        for path, (body, executable, stored) in files.items():
            member = found[path]
            assert archive.read(path) == body
            assert member.external_attr >> 16 == stat.S_IFREG | (0o755 if executable else 0o644)
            assert member.compress_type == (zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
            assert member.date_time == (1980, 1, 1, 0, 0, 0)
            assert (member.extra, member.comment, member.create_system) == (b"", b"", 3)


def test_a_fragment_depends_on_the_wheel_alone(tmp_path: Path) -> None:
    write_wheel(tmp_path / "x.whl", {"b.py": (b"b", False, False), "a.py": (b"a", True, True)})
    for name in ("one.zip", "two.zip"):
        make_fragment(tmp_path / "x.whl", tmp_path / name, "x.whl")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_index_of_a_fragment_is_that_of_any_reader(tmp_path: Path) -> None:
    """The standard library's own zips of our form are read too: the source is written by it."""
    members = [Member(name, executable=name == "b", read=name.encode) for name in ("é/x", "b", "a")]
    write_zip(tmp_path / "a.zip", members)
    index = read_index(tmp_path / "a.zip")
    assert [(entry.path, entry.executable) for entry in index.entries] == [
        ("a", False),
        ("b", True),
        ("é/x", False),
    ]
    assert [read_entry(tmp_path / "a.zip", entry) for entry in index.entries] == [b"a", b"b", "é/x".encode()]


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:-1],
        bytes.lower,
        lambda body: body + b"x",
        lambda body: b"x" + body,
        lambda body: body.replace(b"PK\x01\x02", b"PK\x01\x03"),
    ],
)
def test_a_zip_of_another_form_is_never_read_as_ours(
    damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    write_zip(tmp_path / "a.zip", [Member("a", executable=False, read=b"x".strip)])
    (tmp_path / "a.zip").write_bytes(damage((tmp_path / "a.zip").read_bytes()))
    with pytest.raises(DamagedZip, match=r"a\.zip"):
        read_index(tmp_path / "a.zip")


def edited(
    path: str = "a.py", body: bytes = b"content " * 20, *, mode: int = 0o100644, method: int = 8
) -> bytes:
    out = io.BytesIO(make_wheel("x", {}))
    with zipfile.ZipFile(out, "a") as archive:
        info = zipfile.ZipInfo(path)
        info.external_attr = mode << 16
        archive.writestr(info, body, method)
    return out.getvalue()


def twice() -> bytes:
    out = io.BytesIO(edited())
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.py", "other")
    return out.getvalue()


def patched(offset: int, value: int, size: int = 2) -> bytes:
    """A wheel with a field of the directory's record of a.py set to a value."""
    body = bytearray(edited())
    place = body.rindex(b"PK\x01\x02") + offset
    body[place : place + size] = value.to_bytes(size, "little")
    return bytes(body)


def overlapping() -> bytes:
    """Two records of the directory for one stream, as bombs have them."""
    body = edited("a.py").replace(b"a.py", b"aa.p")
    place = body.rindex(b"PK\x01\x02")
    record = body[place : body.rindex(b"PK\x05\x06")]
    end = bytearray(body[body.rindex(b"PK\x05\x06") :])
    count = int.from_bytes(end[8:10], "little") + 1
    end[8:12] = count.to_bytes(2, "little") * 2
    end[12:16] = (int.from_bytes(end[12:16], "little") + len(record)).to_bytes(4, "little")
    return body[: place + len(record)] + record.replace(b"aa.p", b"bb.p") + bytes(end)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"no zip", "not a readable wheel"),
        (edited()[:-40], "not a readable wheel"),
        (edited("../a.py"), r"the path '\.\./a\.py' is not safe"),
        (edited("/etc/passwd"), "the path '/etc/passwd' is not safe"),
        (edited("a\\b.py"), "is not safe"),
        (edited("a.py", mode=0o120777), r"a\.py is a link or a device"),
        (edited("a.py", mode=0o020644), r"a\.py is a link or a device"),
        (edited("a.py", method=zipfile.ZIP_LZMA), r"a\.py is compressed by lzma"),
        (edited("y-1.dist-info/METADATA"), r"must hold one \.dist-info folder and holds 2"),
        (twice(), r"holds a\.py twice"),
        (patched(8, 1), r"a\.py is encrypted"),
        (patched(16, 0xBAD, 4), r"a\.py does not unpack to the size and checksum"),
        (patched(24, 10, 4), r"a\.py unpacks to more than it states"),
        (patched(24, 10_000, 4), r"a\.py does not unpack to the size and checksum"),
        (patched(24, 2**32 - 2, 4), "unpacks to more than"),
        (patched(20, 5, 4), "does not unpack"),
        (overlapping(), "overlaps another file"),
        (edited().replace(b"a.py", b"b.py", 1), r"a\.py bears another name in its own header"),
        (edited("aZ.py").replace(b"aZ.py", b"a\x00.py"), "is not safe"),
    ],
)
def test_a_bad_wheel_is_refused_by_name(body: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "some").write_bytes(body)
    with pytest.raises(BuildFailed, match=rf"^x-1\.0-py3-none-any\.whl: .*{message}"):
        make_fragment(tmp_path / "some", tmp_path / "x.zip", "x-1.0-py3-none-any.whl")


def test_a_bomb_is_refused_before_it_is_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "MAX_UNZIPPED", 1_000_000)
    (tmp_path / "x.whl").write_bytes(edited("a.py", bytes(1_000_001)))
    with pytest.raises(BuildFailed, match="unpacks to more than"):
        make_fragment(tmp_path / "x.whl", tmp_path / "x.zip", "x.whl")
    assert not (tmp_path / "x.zip").exists()


def test_a_bomb_that_lies_about_its_size_is_never_inflated_whole(tmp_path: Path) -> None:
    body = edited("a.py", bytes(50_000_000))
    place = body.rindex(b"PK\x01\x02")
    (tmp_path / "x.whl").write_bytes(body[: place + 24] + (100).to_bytes(4, "little") + body[place + 28 :])
    with pytest.raises(BuildFailed, match=r"a\.py unpacks to more than it states"):
        make_fragment(tmp_path / "x.whl", tmp_path / "x.zip", "x.whl")


def test_bytes_after_the_end_of_a_stream_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    packer = zlib.compressobj(wbits=-15)
    stream = packer.compress(b"x") + packer.flush() + b"hidden"
    with zipfile.ZipFile(io.BytesIO(make_wheel("x", {}))) as whole, zipfile.ZipFile(out, "w") as archive:
        for path in whole.namelist():
            archive.writestr(path, whole.read(path))
        archive.writestr("a.py", stream)
    body = bytearray(out.getvalue())
    for sign, offset in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        place = body.rindex(sign)
        body[place + 8 + offset : place + 10 + offset] = (8).to_bytes(2, "little")
        body[place + 14 + offset : place + 18 + offset] = zlib.crc32(b"x").to_bytes(4, "little")
        body[place + 22 + offset : place + 26 + offset] = (1).to_bytes(4, "little")
    (tmp_path / "x.whl").write_bytes(body)
    with pytest.raises(BuildFailed, match=r"a\.py does not unpack"):
        make_fragment(tmp_path / "x.whl", tmp_path / "x.zip", "x.whl")


def test_other_programs_read_a_fragment(tmp_path: Path) -> None:
    write_wheel(tmp_path / "x.whl", {"é/a.py": (b"a" * 5000, True, False), "b.py": (b"", False, True)})
    make_fragment(tmp_path / "x.whl", tmp_path / "x.zip", "x.whl")
    done = subprocess.run(
        ["python3", "-m", "zipfile", "-t", tmp_path / "x.zip"], check=True, capture_output=True
    )
    assert b"Done testing" in done.stdout
