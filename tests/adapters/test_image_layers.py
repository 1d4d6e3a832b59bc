"""Layers: read back as they were written, and the same wherever and from whatever zip they are made."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.zips import wheel_part
from tidegate.adapters.image_layers import Content, write_layer

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.domain.images.documents import Layer

NAMES = st.text("abé", min_size=1, max_size=3)
FILES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: "/".join([*parts, "f"])),
    st.tuples(st.binary(max_size=50), st.booleans(), st.booleans()),
    max_size=5,
)


def make(folder: Path, files: dict[str, tuple[bytes, bool, bool]], *folders: str) -> tuple[Layer, bytes]:
    part = wheel_part(folder, "one", files)
    chosen = [Content(f"opt/{one.path}", part.file, one) for one in part.entries if one.path in files]
    layer = write_layer(folder / "layer.tar.gz", chosen, folders, "it")
    return layer, (folder / "layer.tar.gz").read_bytes()


@given(FILES)
def test_a_layer_holds_its_files_and_their_folders(tmp_path_factory, files) -> None:
    folder = tmp_path_factory.mktemp("layer")
    layer, body = make(folder, files, "var/empty")
    assert (layer.size, layer.digest) == (len(body), f"sha256:{hashlib.sha256(body).hexdigest()}")
    unpacked = gzip.decompress(body)
    assert (layer.unpacked, layer.diff_id) == (
        len(unpacked),
        f"sha256:{hashlib.sha256(unpacked).hexdigest()}",
    )
    with tarfile.open(folder / "layer.tar.gz") as tar:
        members = {one.name: one for one in tar}
        found = {
            name: (tar.extractfile(one).read(), one.mode == 0o755)  # type: ignore[union-attr]
            for name, one in members.items()
            if one.isfile()
        }
    assert found == {f"opt/{path}": (data, executable) for path, (data, executable, _) in files.items()}
    assert list(members) == sorted(members)
    assert {(one.mtime, one.uid, one.gid, one.uname, one.gname) for one in members.values()} == {
        (315532800, 0, 0, "", "")
    }
    assert all(members[path.rpartition("/")[0]].isdir() for path in members if "/" in path)
    assert members["var/empty"].mode == 0o755


@given(FILES)
def test_a_layer_is_the_same_from_other_surroundings(tmp_path_factory, files) -> None:
    first = make(tmp_path_factory.mktemp("layer"), files)
    before = os.umask(0o077)
    try:
        second = make(tmp_path_factory.mktemp("layer"), dict(reversed(files.items())))
    finally:
        os.umask(before)
    assert first == second


def test_how_a_file_was_packed_does_not_count(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    stored = make(tmp_path / "a", {"x.py": (b"x" * 99, False, True)})
    deflated = make(tmp_path / "b", {"x.py": (b"x" * 99, False, False)})
    assert stored == deflated


def test_long_paths_are_kept(tmp_path: Path) -> None:
    path = "/".join(["folder" * 5] * 12)
    make(tmp_path, {path: (b"x", False, False)})
    with tarfile.open(tmp_path / "layer.tar.gz") as tar:
        assert f"opt/{path}" in tar.getnames()
