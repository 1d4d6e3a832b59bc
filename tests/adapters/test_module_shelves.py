"""Tarballs from a registry into their places: what is fetched, what lies where, and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.tarballs import add, lock, make_package, serve
from tidegate.adapters.assembly import assemble, read_entry
from tidegate.adapters.installs import RegistryUnreachable
from tidegate.adapters.module_shelves import ModuleShelf, tarball_key
from tidegate.adapters.registries import find_address
from tidegate.adapters.shelves import fragment_key
from tidegate.domain.errors import BuildFailed
from tidegate.domain.module_locks import choose_modules
from tidegate.domain.modules import LAMBDA, Module

if TYPE_CHECKING:
    from pathlib import Path

    from tests.package_index import PackageIndex
    from tidegate.adapters.documents import Documents

TARGET = LAMBDA["arm64"]


def modules(packages: dict[str, Any], *wanted: str) -> tuple[Module, ...]:
    return choose_modules(lock(packages, dependencies=dict.fromkeys(wanted, "*")), "l", TARGET)


def files(shelf: ModuleShelf, chosen: tuple[Module, ...]) -> dict[str, bytes]:
    return {
        entry.path.removeprefix("node_modules/"): read_entry(part.file, entry)
        for part in shelf.parts(chosen, TARGET)
        for entry in part.entries
    }


def test_a_package_is_fetched_once_and_kept_by_its_hash(
    index: PackageIndex, documents: Documents, tmp_path: Path
) -> None:
    chosen = modules({"node_modules/one": add(index, "one")}, "one")
    found = files(ModuleShelf(tmp_path / "a", documents), chosen)
    assert found["one/index.js"] == b"module.exports = 'one 1.0.0';\n"
    sha512 = chosen[0].sha512
    assert documents.find_bytes(tarball_key(sha512)) == index.wheels["one-1.0.0.tgz"]
    asked = len(index.asked)
    files(ModuleShelf(tmp_path / "b", documents), chosen)
    documents.client.delete_object(Bucket=documents.bucket, Key=fragment_key(sha512))
    files(ModuleShelf(tmp_path / "c", documents), chosen)
    assert len(index.asked) == asked == 1
    bodies = {(tmp_path / name / f"{sha512}.zip").read_bytes() for name in "abc"}
    assert bodies == {documents.find_bytes(fragment_key(sha512))}


def test_one_tarball_lies_wherever_the_lock_has_it(index: PackageIndex, tmp_path: Path) -> None:
    old, new = add(index, "b"), add(index, "b", "2.0.0")
    packages = {
        "node_modules/a": {**add(index, "a"), "dependencies": {"b": "2"}},
        "node_modules/a/node_modules/b": new,
        "node_modules/b": old,
        "node_modules/c": {**add(index, "c"), "dependencies": {"b": "2"}},
        "node_modules/c/node_modules/b": new,
        "node_modules/alias": {**add(index, "@s/real"), "name": "@s/real"},
    }
    found = files(ModuleShelf(tmp_path), modules(packages, "a", "b", "c", "alias"))
    told = {path.removesuffix("/index.js"): body for path, body in found.items() if path.endswith("index.js")}
    assert {path: body.decode().split("'")[1] for path, body in told.items()} == {
        "a": "a 1.0.0",
        "a/node_modules/b": "b 2.0.0",
        "alias": "@s/real 1.0.0",
        "b": "b 1.0.0",
        "c": "c 1.0.0",
        "c/node_modules/b": "b 2.0.0",
    }
    assert sorted(path for path in index.asked if "b-2" in path) == ["/files/b-2.0.0.tgz"]


def test_a_bundled_package_comes_with_its_own_and_the_lock_s_replaces_it(
    index: PackageIndex, tmp_path: Path
) -> None:
    inner = {
        "node_modules/b/package.json": '{"name": "b", "version": "3.0.0"}',
        "node_modules/b/old.js": "",
        "node_modules/c/package.json": '{"name": "c", "version": "4.0.0"}',
    }
    body = make_package("a", "1.0.0", inner)
    packages = {
        "node_modules/a": serve(index, body, "a", "1.0.0", dependencies={"b": "1", "c": "4"}),
        "node_modules/a/node_modules/b": add(index, "b"),
        "node_modules/a/node_modules/c": {"version": "4.0.0", "inBundle": True},
    }
    found = files(ModuleShelf(tmp_path), modules(packages, "a"))
    assert "a/node_modules/b/old.js" not in found
    assert found["a/node_modules/b/index.js"] == b"module.exports = 'b 1.0.0';\n"
    assert b"4.0.0" in found["a/node_modules/c/package.json"]
    packages["node_modules/a/node_modules/d"] = {"version": "1.0.0", "inBundle": True}
    packages["node_modules/a"]["dependencies"]["d"] = "1"
    with pytest.raises(
        BuildFailed, match=r"d 1\.0\.0 should lie in node_modules/a/node_modules/d, and no tarball"
    ):
        files(ModuleShelf(tmp_path), modules(packages, "a"))


def test_what_is_not_what_the_lock_names_is_refused(index: PackageIndex, tmp_path: Path) -> None:
    other = serve(index, make_package("b", "1.0.0"), "a", "1.0.0")
    with pytest.raises(BuildFailed, match=r"the tarball of a 1\.0\.0 holds b"):
        files(ModuleShelf(tmp_path / "1"), modules({"node_modules/a": other}, "a"))
    older = serve(index, make_package("a", "0.9.0"), "a", "1.0.0")
    with pytest.raises(BuildFailed, match=r"the tarball of a 1\.0\.0 holds version 0\.9\.0"):
        files(ModuleShelf(tmp_path / "2"), modules({"node_modules/a": older}, "a"))
    body = make_package("a", "1.0.0", scripts={"install": "node-gyp rebuild"})
    native = serve(index, body, "a", "1.0.0")
    with pytest.raises(BuildFailed, match=r"a 1\.0\.0 compiles or fetches native code .*node-gyp.*CodeBuild"):
        files(ModuleShelf(tmp_path / "3"), modules({"node_modules/a": native}, "a"))


def test_an_optional_package_that_must_be_built_is_left_out(index: PackageIndex, tmp_path: Path) -> None:
    body = make_package("native", "1.0.0", scripts={"install": "node-gyp rebuild"})
    packages = {
        "node_modules/a": {**add(index, "a"), "optionalDependencies": {"native": "1"}},
        "node_modules/native": serve(index, body, "native", "1.0.0", optional=True),
    }
    found = files(ModuleShelf(tmp_path), modules(packages, "a"))
    assert {path.split("/")[0] for path in found} == {"a"}


def test_other_bytes_than_the_lock_s_are_kept_nowhere(
    index: PackageIndex, documents: Documents, tmp_path: Path
) -> None:
    entry = add(index, "a")
    chosen = modules({"node_modules/a": entry}, "a")
    index.wheels["a-1.0.0.tgz"] += b"x"
    with pytest.raises(BuildFailed, match=r"a-1\.0\.0\.tgz has the SHA-512 .*; the lock names "):
        files(ModuleShelf(tmp_path, documents), chosen)
    index.short_by = 5
    with pytest.raises(RegistryUnreachable, match="broke off"):
        files(ModuleShelf(tmp_path, documents), chosen)
    index.short_by, index.status = 0, 503
    with pytest.raises(RegistryUnreachable, match="answered 503"):
        files(ModuleShelf(tmp_path, documents), chosen)
    del index.wheels["a-1.0.0.tgz"]
    with pytest.raises(BuildFailed, match=r"a 1\.0\.0 cannot be had: .* answered 404"):
        files(ModuleShelf(tmp_path, documents), chosen)
    assert documents.list_folders("tarballs/") == documents.list_folders("fragments/") == []
    assert not list(tmp_path.glob("*"))
    documents.write_bytes(tarball_key(chosen[0].sha512), b"other")
    with pytest.raises(BuildFailed, match="has not the bytes of its name"):
        files(ModuleShelf(tmp_path, documents), chosen)


def test_builders_at_once_leave_one_of_each(
    index: PackageIndex, documents: Documents, tmp_path: Path
) -> None:
    packages = {f"node_modules/p{number}": add(index, f"p{number}") for number in range(12)}
    chosen = modules(packages, *(path.rpartition("/")[2] for path in packages))
    shelves = [ModuleShelf(tmp_path / str(number), documents) for number in range(3)]

    def build(number: int) -> str:
        parts = shelves[number].parts(chosen, TARGET)
        return assemble(tmp_path / f"{number}.zip", parts, None, "it").sha256

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(build, range(3)))) == 1


@pytest.mark.parametrize(
    ("registry", "url", "asked"),
    [
        ("", "https://registry.npmjs.org/a/-/a.tgz", "https://registry.npmjs.org/a/-/a.tgz"),
        ("https://m/npm/", "https://registry.npmjs.org/a/-/a.tgz", "https://m/npm/a/-/a.tgz"),
        ("http://m:99", "https://registry.npmjs.org/@s/a/-/a.tgz", "http://m:99/@s/a/-/a.tgz"),
        ("https://m/npm", "https://registry.npmjs.org/npm/a.tgz", "https://m/npm/a.tgz"),
        ("https://m/npm", "https://npm.pkg.github.com/a.tgz", "https://npm.pkg.github.com/a.tgz"),
    ],
)
def test_npm_s_registry_is_the_one_that_is_set(
    monkeypatch: pytest.MonkeyPatch, registry: str, url: str, asked: str
) -> None:
    monkeypatch.setenv("npm_config_registry", registry)
    assert find_address(url) == asked
