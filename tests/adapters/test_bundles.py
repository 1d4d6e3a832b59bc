from __future__ import annotations

import hashlib
import struct
import zipfile
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tidegate.adapters import bundles, checkouts
from tidegate.adapters.checkouts import check_out
from tidegate.cli.bundling import make_bundle
from tidegate.domain.errors import InvalidSource

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Repository

BLOB, TREE, COMMIT = 3, 2, 1
NAMES = {BLOB: "blob", TREE: "tree", COMMIT: "commit"}


def write_bundle(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    return path


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def entry(kind: int, body: bytes, *, size: int | None = None, base: bytes = b"") -> bytes:
    """An object of a pack; `size` lies about its length, `base` is a delta's base."""
    declared = len(body) if size is None else size
    first, rest = kind << 4 | declared & 15, declared >> 4
    head = bytes([first | 0x80]) + varint(rest) if rest else bytes([first])
    return head + base + zlib.compress(body)


def object_id(kind: int, body: bytes) -> str:
    header = f"{NAMES[kind]} {len(body)}\0".encode()
    return hashlib.sha1(header + body, usedforsecurity=False).hexdigest()


def tree_of(entries: list[tuple[str, bytes, str]]) -> bytes:
    return b"".join(f"{mode} ".encode() + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)


def pack_of(objects: list[bytes], commit: str) -> bytes:
    pack = b"PACK" + struct.pack(">II", 2, len(objects)) + b"".join(objects)
    pack += hashlib.sha1(pack, usedforsecurity=False).digest()
    return b"# v2 git bundle\n" + f"{commit} refs/heads/main\n\n".encode() + pack


def bundle_of(
    entries: list[tuple[str, bytes, str]], *blobs: bytes, more: tuple[bytes, ...] = ()
) -> tuple[bytes, str]:
    """A bundle of one commit with a root tree of those entries; its bytes and the commit's id."""
    tree = tree_of(entries)
    commit = f"tree {object_id(TREE, tree)}\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nx".encode()
    objects = [entry(COMMIT, commit), entry(TREE, tree), *(entry(BLOB, blob) for blob in blobs), *more]
    commit_id = object_id(COMMIT, commit)
    return pack_of(objects, commit_id), commit_id


def paths_of(file: Path, commit: str) -> dict[str, bytes]:
    with check_out(file, commit) as checkout:
        return {path: checkout.read(path) for path in checkout.files}


def test_a_pushed_commit_comes_out_as_it_went_in(repository: Repository, tmp_path: Path) -> None:
    files = {"template.yaml": "x", "src/app.py": "def handler(): ...\n", "src/data.bin": bytes(range(256))}
    repository.commit(files, "first")
    (repository.folder / "run.sh").write_text("#!/bin/sh\n")
    (repository.folder / "run.sh").chmod(0o755)
    commit = repository.commit(message="second")
    file = write_bundle(tmp_path / "b", make_bundle(repository.folder, commit))
    with check_out(file, commit) as checkout:
        assert {path: checkout.read(path) for path in files} == {
            path: body.encode() if isinstance(body, str) else body for path, body in files.items()
        }
        assert [path for path, found in checkout.files.items() if found.executable] == ["run.sh"]
        assert checkout.files["template.yaml"].sha256 == hashlib.sha256(b"x").hexdigest()


def test_a_repository_with_sha256_ids_is_read(sha256_repository: Repository, tmp_path: Path) -> None:
    commit = sha256_repository.commit({"a": "1", "b/c": "2"})
    assert len(commit) == 64
    file = write_bundle(tmp_path / "b", make_bundle(sha256_repository.folder, commit))
    assert paths_of(file, commit) == {"a": b"1", "b/c": b"2"}


def test_a_bundle_with_history_and_deltas_is_read(repository: Repository, tmp_path: Path) -> None:
    text = "".join(f"line {number}\n" for number in range(2000))
    for number in range(4):
        commit = repository.commit({"big.txt": text + str(number), f"{number}.txt": "x"})
    repository.git("repack", "-adfq", "--depth=10")
    repository.git("bundle", "create", str(tmp_path / "b"), "main")
    assert paths_of(tmp_path / "b", commit)["big.txt"].endswith(b"3")


def test_the_source_zip_is_the_same_each_time(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"b.py": "1", "a/c.py": "2"})
    (repository.folder / "x").write_text("elsewhere")
    file = write_bundle(tmp_path / "b", make_bundle(repository.folder, commit))
    bodies = []
    for name in ("one.zip", "two.zip"):
        with check_out(file, commit) as checkout:
            checkout.write_zip(tmp_path / name)
        bodies.append((tmp_path / name).read_bytes())
    assert bodies[0] == bodies[1]
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["a/c.py", "b.py"]


def test_a_bundle_that_builds_on_other_commits_is_refused(repository: Repository, tmp_path: Path) -> None:
    first = repository.commit({"a": "1" * 500, "b": "2"})
    second = repository.commit({"a": "1" * 500 + "2"})
    repository.git("bundle", "create", str(tmp_path / "b"), f"{first}..main")
    with pytest.raises(InvalidSource, match=r"made against commits that are not in it.*tidegate push"):
        paths_of(tmp_path / "b", second)


def test_another_commit_than_the_event_named_is_refused(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"a": "1"})
    file = write_bundle(tmp_path / "b", make_bundle(repository.folder, commit))
    with pytest.raises(InvalidSource, match=f"no reference of the bundle names commit {'0' * 40}"):
        paths_of(file, "0" * 40)


def test_a_reference_to_a_commit_that_is_not_there_is_refused(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"a": "1"})
    body = make_bundle(repository.folder, commit).replace(commit.encode(), b"1" * 40, 1)
    with pytest.raises(InvalidSource, match=f"it lacks {'1' * 40}"):
        paths_of(write_bundle(tmp_path / "b", body), "1" * 40)


def test_links_inside_are_listed_and_links_outside_refused(repository: Repository, tmp_path: Path) -> None:
    (repository.folder / "link").symlink_to("a")
    commit = repository.commit({"a": "1"})
    file = write_bundle(tmp_path / "b", make_bundle(repository.folder, commit))
    with check_out(file, commit) as checkout:
        assert (checkout.links, list(checkout.files)) == ({"link": "a"}, ["a"])
    (repository.folder / "out").symlink_to("../../etc/passwd")
    commit = repository.commit()
    file = write_bundle(tmp_path / "b", make_bundle(repository.folder, commit))
    with pytest.raises(InvalidSource, match=r"the link out -> \.\./\.\./etc/passwd leaves the source"):
        paths_of(file, commit)


def test_a_submodule_is_named(tmp_path: Path) -> None:
    body, commit = bundle_of([("160000", b"lib", "2" * 40)])
    with pytest.raises(InvalidSource, match="lib is a submodule"):
        paths_of(write_bundle(tmp_path / "b", body), commit)


@pytest.mark.parametrize("name", [b"..", b".git", b"a/../../b", b"a\\b", b"\xff"])
def test_an_unsafe_path_in_a_tree_is_refused(name: bytes, tmp_path: Path) -> None:
    body, commit = bundle_of([("100644", name, object_id(BLOB, b"x"))], b"x")
    with pytest.raises(InvalidSource):
        paths_of(write_bundle(tmp_path / "b", body), commit)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    oid = object_id(BLOB, b"x")
    body, commit = bundle_of([("100644", b"a", oid), ("100755", b"a", oid)], b"x")
    with pytest.raises(InvalidSource, match="two of one name"):
        paths_of(write_bundle(tmp_path / "b", body), commit)


def test_a_file_that_is_missing_makes_the_tree_incomplete(tmp_path: Path) -> None:
    body, commit = bundle_of([("100644", b"a", object_id(BLOB, b"x"))])
    with pytest.raises(InvalidSource, match="the bundle is incomplete: it lacks"):
        paths_of(write_bundle(tmp_path / "b", body), commit)


def test_nested_folders_that_multiply_are_refused(tmp_path: Path) -> None:
    oid, trees = object_id(BLOB, b"x"), []
    body = tree_of([("100644", b"f", oid)])
    for _ in range(6):
        trees.append(entry(TREE, body))
        body = tree_of([("40000", b"%02d" % n, object_id(TREE, body)) for n in range(20)])
    root = [("40000", b"%02d" % n, object_id(TREE, body)) for n in range(20)]
    bundle, commit = bundle_of(root, b"x", more=(*trees, entry(TREE, body)))
    with pytest.raises(InvalidSource, match="more than 20,000 files"):
        paths_of(write_bundle(tmp_path / "b", bundle), commit)


def test_an_object_that_says_it_is_too_large_is_not_inflated(tmp_path: Path) -> None:
    body, commit = bundle_of([], more=(entry(BLOB, b"x", size=2**40),))
    with pytest.raises(InvalidSource, match="an object of 1,099,511,627,776 bytes"):
        paths_of(write_bundle(tmp_path / "b", body), commit)


def test_an_object_that_is_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    body, commit = bundle_of([], more=(entry(BLOB, bytes(10_000_000), size=10),))
    with pytest.raises(InvalidSource, match="an object is larger than it says"):
        paths_of(write_bundle(tmp_path / "b", body), commit)


def test_a_delta_that_multiplies_its_base_is_refused(tmp_path: Path) -> None:
    base = bytes(0xFFFF)
    copy = bytes([0x80 | 0x10 | 0x20, 0xFF, 0xFF])
    delta = varint(len(base)) + varint(len(base) * 10_000) + copy * 10_000
    more = (entry(7, delta, base=bytes.fromhex(object_id(BLOB, base))),)
    body, commit = bundle_of([], base, more=more)
    with pytest.raises(InvalidSource, match="an object of 655,350,000 bytes"):
        paths_of(write_bundle(tmp_path / "b", body), commit)


def test_many_objects_may_not_inflate_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "MAX_INFLATED", 2_000_000)
    blobs = [bytes([n]) * 1_000_000 for n in range(3)]
    body, commit = bundle_of([], *blobs)
    with pytest.raises(InvalidSource, match="unpacks to more than 2,000,000 bytes"):
        paths_of(write_bundle(tmp_path / "b", body), commit)


def test_one_file_under_many_names_counts_as_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkouts, "MAX_UNPACKED", 2_500)
    oid = object_id(BLOB, bytes(1000))
    body, commit = bundle_of([("100644", b"%d" % n, oid) for n in range(3)], bytes(1000))
    with pytest.raises(InvalidSource, match="the source unpacks to more than"):
        paths_of(write_bundle(tmp_path / "b", body), commit)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no git bundle"),
        (b"PK\3\4", "no git bundle"),
        (b"# v2 git bundle\n", "longer than"),
        (b"# v2 git bundle\n\n", "damaged"),
        (b"# v2 git bundle\n\nPACKxxxx", "damaged"),
        (b"# v2 git bundle\n\nJUNKxxxxyyyy", "holds no pack"),
        (b"# v3 git bundle\n@filter=blob:none\n\n", "asks for filter=blob:none"),
        (b"# v2 git bundle\n" + b"x" * 10_000_000, "longer than"),
    ],
)
def test_what_is_no_bundle_is_refused(body: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSource, match=message):
        paths_of(write_bundle(tmp_path / "b", body), "0" * 40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(position=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.none() | st.integers(0, 10_000))
@example(position=87, value=6, cut=None)
def test_damage_anywhere_is_refused_or_harmless(
    position: int, value: int, cut: int | None, tmp_path: Path
) -> None:
    blobs = [b"x" * 300, b"y" * 300]
    entries = [("100644", b"%d" % n, object_id(BLOB, blob)) for n, blob in enumerate(blobs)]
    body, commit = bundle_of(entries, *blobs)
    damaged = bytearray(body)
    damaged[position % len(body)] = value
    file = write_bundle(tmp_path / "b", bytes(damaged[: None if cut is None else cut % len(body)]))
    with suppress(InvalidSource):
        assert list(paths_of(file, commit).values()) == blobs
