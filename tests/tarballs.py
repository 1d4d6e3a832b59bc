"""npm's tarballs and locks for tests, made of literal files and served by an index of the test's own.

`python -m tests.tarballs FOLDER` makes an artifact of two of them, and tells its SHA-256.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.zips import code_part
from tidegate.adapters.assembly import assemble, read_part
from tidegate.adapters.tarballs import make_tar_fragment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.package_index import PackageIndex


def make_tarball(members: Mapping[str, bytes | str | tarfile.TarInfo], mode: int = 0o644) -> bytes:
    """A tarball of these paths as they stand; a member may be a header of its own."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(path)
            info.size, info.mode, info.mtime = len(data), mode, 499162500
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(body.getvalue(), mtime=0)


def make_package(
    name: str,
    version: str,
    files: Mapping[str, bytes | str] | None = None,
    root: str = "package",
    **told: Any,
) -> bytes:
    """A package as `npm pack` writes it; `told` goes into its package.json."""
    manifest = json.dumps({"name": name, "version": version, **told})
    found = {"package.json": manifest, "index.js": f"module.exports = '{name} {version}';\n", **(files or {})}
    return make_tarball({f"{root}/{path}": body for path, body in found.items()})


def headers_of_headers() -> bytes:
    """A tarball of nothing but names of what follows, thousands of them."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2
    return gzip.compress((info.tobuf(tarfile.GNU_FORMAT) + b"x".ljust(512, b"\0")) * 5000, mtime=0)


def integrity(body: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(body).digest()).decode()}"


def serve(index: PackageIndex, body: bytes, name: str, version: str, **told: Any) -> dict[str, Any]:
    """Put a tarball into the index; its entry in a lock."""
    filename = f"{name.replace('/', '+')}-{version}.tgz"
    index.wheels[filename] = body
    return {"version": version, "resolved": index.file_url(filename), "integrity": integrity(body), **told}


def add(index: PackageIndex, name: str, version: str = "1.0.0", **told: Any) -> dict[str, Any]:
    """Put a package of usual files into the index; its entry in a lock."""
    return serve(index, make_package(name, version, **told), name, version)


def lock(packages: Mapping[str, Any], **root: Any) -> str:
    """A package-lock.json; keys of `packages` are paths, `root` is what the project asks for."""
    return json.dumps({"lockfileVersion": 3, "packages": {"": root, **packages}})


def make_one(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for name in ("@s/a", "b"):
        body = make_package(name, "1.0.0", {f"é/{number}.js": b"text " * number for number in range(20)})
        file = folder / f"{name.rpartition('/')[2]}.tgz"
        file.write_bytes(body)
        make_tar_fragment(file, file.with_suffix(".zip"), name)
        parts.append(read_part(file.with_suffix(".zip"), name))
    code = code_part(folder, {"app.js": b"exports.handler = 1;", "package.json": b"{}"})
    return assemble(folder / "out.zip", parts, code, "it").sha256


if __name__ == "__main__":
    print(make_one(Path(sys.argv[1])))  # noqa: T201
