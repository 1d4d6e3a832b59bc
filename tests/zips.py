"""Wheels, fragments and zips for tests; `python -m tests.zips FOLDER` makes one and tells its SHA-256.

It needs no test runner, so that another interpreter can make the same zip.
"""

from __future__ import annotations

import io
import stat
import sys
import zipfile
from pathlib import Path

from tests.package_index import make_wheel
from tidegate.adapters.archives import Member, write_zip
from tidegate.adapters.assembly import Part, assemble, read_part
from tidegate.adapters.fragments import make_fragment

# A file's bytes, whether it is executable, and whether it is stored and not deflated.
Files = dict[str, tuple[bytes, bool, bool]]


def write_wheel(file: Path, files: Files, name: str = "x") -> None:
    """A wheel of these files."""
    file.write_bytes(make_wheel(name, {}))
    with zipfile.ZipFile(file, "a") as archive:
        for path, (body, executable, stored) in files.items():
            info = zipfile.ZipInfo(path, (2020, 2, 2, 2, 2, 2))
            info.external_attr = (stat.S_IFREG | (0o775 if executable else 0o640)) << 16
            archive.writestr(info, body, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)


def wheel_part(folder: Path, name: str, files: Files) -> Part:
    write_wheel(folder / f"{name}.whl", files, name)
    make_fragment(folder / f"{name}.whl", folder / f"{name}.zip", f"{name}.whl")
    return read_part(folder / f"{name}.zip", f"{name}.whl")


def code_part(folder: Path, files: dict[str, bytes]) -> Part:
    members = [Member(path, executable=False, read=io.BytesIO(body).getvalue) for path, body in files.items()]
    write_zip(folder / "code.zip", members)
    return read_part(folder / "code.zip", "the code")


def make_one(folder: Path) -> str:
    files: Files = {
        f"{number}.py": (b"text " * number, bool(number % 2), bool(number % 3)) for number in range(20)
    }
    wheels = [
        wheel_part(folder, name, {f"{name}/{path}": one for path, one in files.items()})
        for name in ("a", "b")
    ]
    code = code_part(folder, {"app.py": b"handler = print\n" * 99, "é.py": b""})
    return assemble(folder / "out.zip", wheels, code, "it").sha256


if __name__ == "__main__":
    print(make_one(Path(sys.argv[1])))  # noqa: T201
