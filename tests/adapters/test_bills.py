"""What a zip holds, read off its bytes."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.package_index import make_wheel
from tidegate.adapters.bills import list_components, open_zip
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Lock, Target, Wheel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tidegate.domain.bills import Component

TARGET = Target("3.13", "x86_64-manylinux_2_34")


def wheel(name: str, version: str = "1.0") -> Wheel:
    url = f"https://a/{name}-{version}-py3-none-any.whl"
    return Wheel(name=name, version=version, url=url, sha256=name[0].encode().hex() * 32)


def files_of(name: str, *requires: str, version: str = "1.0") -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(make_wheel(name, {}, version, requires))) as archive:
        return {path: archive.read(path) for path in archive.namelist()}


def list_of(
    tmp_path: Path, files: Mapping[str, bytes | str], *wheels: Wheel, base: str = ""
) -> dict[str, Component]:
    file = tmp_path / "built.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    with open_zip(file) as archive:
        found = list_components(archive, Lock(wheels=wheels), TARGET, base)
    assert len({one.ref for one in found}) == len(found)
    return {one.ref: one for one in found}


def test_wheels_have_their_hashes_and_what_lies_in_the_source_has_none(tmp_path: Path) -> None:
    vendored = {f"vendor/{path}": body for path, body in files_of("one").items()}
    found = list_of(tmp_path, {**files_of("one"), **vendored, "app.py": ""}, wheel("one"))
    assert {ref: one.sha256 for ref, one in found.items()} == {
        "pkg:pypi/one@1.0": "6f" * 32,
        "pkg:pypi/one@1.0#vendor/one-1.0.dist-info": "",
    }


def test_another_version_beside_the_lock_s_is_no_wheel_of_it(tmp_path: Path) -> None:
    found = list_of(tmp_path, {**files_of("one"), **files_of("one", version="0.9")}, wheel("one"))
    assert set(found) == {"pkg:pypi/one@1.0", "pkg:pypi/one@0.9#one-0.9.dist-info"}


def test_a_wheel_is_listed_even_where_its_metadata_is_gone(tmp_path: Path) -> None:
    assert set(list_of(tmp_path, {"app.py": ""}, wheel("one"))) == {"pkg:pypi/one@1.0"}


def test_metadata_without_a_file_of_it_counts_by_its_folder(tmp_path: Path) -> None:
    assert set(
        list_of(tmp_path, {"x-2.dist-info/WHEEL": "", "y.egg-info/PKG-INFO": "Name: y\nVersion: 3\n\n"})
    ) == {
        "pkg:pypi/x@2#x-2.dist-info",
        "pkg:pypi/y@3#y.egg-info",
    }


def test_requirements_count_by_target_and_by_the_extras_that_are_asked_for(tmp_path: Path) -> None:
    files = {
        **files_of("app", "one[fast]", "two; sys_platform == 'win32'", "not here", "!!"),
        **files_of("one", "two; extra == 'fast'", "three; extra == 'slow'"),
        **files_of("two", "app"),
        **files_of("three"),
    }
    found = list_of(tmp_path, files, *(wheel(name) for name in ("app", "one", "two", "three")))
    refs = {name: f"pkg:pypi/{name}@1.0" for name in ("app", "one", "two", "three")}
    assert {name: found[ref].requires for name, ref in refs.items()} == {
        "app": (refs["one"],),
        "one": (refs["two"],),
        "two": (refs["app"],),
        "three": (),
    }
    assert found[refs["app"]].unread == ("not here", "!!")


def test_a_layer_s_wheels_lie_in_its_folder(tmp_path: Path) -> None:
    files = {f"python/{path}": body for path, body in {**files_of("one", "two"), **files_of("two")}.items()}
    found = list_of(tmp_path, files, wheel("one"), wheel("two"), base="python")
    assert found["pkg:pypi/one@1.0"].requires == ("pkg:pypi/two@1.0",)


def test_packages_of_node_are_found_as_node_finds_them(tmp_path: Path) -> None:
    def package(name: str, version: str, *needs: str) -> str:
        return json.dumps({"name": name, "version": version, "dependencies": dict.fromkeys(needs, "*")})

    files = {
        "node_modules/a/package.json": package("a", "1.0.0", "b", "@s/c"),
        "node_modules/a/node_modules/b/package.json": package("b", "2.0.0", "@s/c"),
        "node_modules/b/package.json": package("b", "1.0.0"),
        "node_modules/@s/c/package.json": package("@s/c", "3.0.0", "b", "gone"),
    }
    found = {one.folder: one for one in list_of(tmp_path, files).values()}
    refs = {folder: one.ref for folder, one in found.items()}
    assert {folder: set(one.requires) for folder, one in found.items()} == {
        "node_modules/a": {refs["node_modules/a/node_modules/b"], refs["node_modules/@s/c"]},
        "node_modules/a/node_modules/b": {refs["node_modules/@s/c"]},
        "node_modules/b": set(),
        "node_modules/@s/c": {refs["node_modules/b"]},
    }


def test_a_damaged_zip_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "built.zip").write_bytes(b"no zip")
    with pytest.raises(BuildFailed, match="the zip cannot be read"):
        open_zip(tmp_path / "built.zip")
