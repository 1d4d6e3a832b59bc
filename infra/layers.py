"""Makes the layers of the functions from the locks: `python -m infra.layers --help`.

`dependencies` holds what the functions import (requirements/runtime.txt), `toolchain` holds uv for the
builder and the test sandbox (requirements/toolchain.txt). Every file that is installed is checked against the
lock's hashes, and only wheels are taken, so that no foreign code runs. A layer names what it was made from in
its `layer.json`; one that was made from the same is left as it is. Nothing here needs the CDK.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LOCKS: Final = {
    "dependencies": ROOT / "requirements" / "runtime.txt",
    "toolchain": ROOT / "requirements" / "toolchain.txt",
}
PROGRAMS: Final = {"dependencies": frozenset[str](), "toolchain": frozenset({"uv"})}
RECORD: Final = "layer.json"
# How a layer is laid out; to be raised with every change of that, so that layers are made anew.
FORM: Final = "1"
# What uv's --python-platform calls the two architectures of Lambda (Amazon Linux 2023, glibc 2.34).
PLATFORMS: Final = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
MACHINES: Final = {"aarch64": "arm64", "arm64": "arm64", "amd64": "x86_64", "x86_64": "x86_64"}
HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
# Records of the installation: they differ from one time to the next and nothing reads them.
INSTALLER_FILES: Final = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")


class LayerMismatch(Exception):
    """A layer is missing, or was made for something else; the message names the command that makes it."""


def make(name: str, out: Path, python_version: str, architecture: str) -> bool:
    """Make one layer in `out/<name>`; False where it stood there already. It appears whole or not at all."""
    wanted = describe(name, python_version, architecture) | _tell_byte_code(python_version)
    target = out / name
    if read_record(target) == wanted:
        return False
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=out) as scratch:
        folder = Path(scratch) / "layer"
        _fill(name, folder / "python", python_version, architecture)
        (folder / RECORD).write_text(json.dumps(wanted, indent=1, sort_keys=True) + "\n")
        if target.exists():
            target.rename(Path(scratch) / "old")
        folder.rename(target)
    return True


def read_record(folder: Path) -> dict[str, str] | None:
    """What a layer was made from, or None where there is none."""
    try:
        record: dict[str, str] = json.loads((folder / RECORD).read_text())
    except FileNotFoundError:
        return None
    return record


def require(folder: Path, name: str, python_version: str, architecture: str) -> str:
    """The layer's digest, where it was made from this checkout's lock for these; LayerMismatch otherwise.

    One with byte code is another than one without, and either will do.
    """
    wanted = describe(name, python_version, architecture)
    found = read_record(folder)
    if found is None or wanted.items() - found.items():
        state = "is missing" if found is None else f"was made for {_in_words(found)}"
        command = f"python -m infra.layers --python-version {python_version} --architecture {architecture}"
        raise LayerMismatch(
            f"the layer {folder} {state}; wanted: {_in_words(wanted)}. "
            f"Make it with: {command} --out {folder.parent}"
        )
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def _tell_byte_code(python_version: str) -> dict[str, str]:
    return {"byte_code": python_version if find_python(python_version) else ""}


def _in_words(record: dict[str, str]) -> str:
    return f"Python {record['python']} on {record['architecture']} from the lock {record['lock'][:12]}"


def describe(name: str, python_version: str, architecture: str) -> dict[str, str]:
    """What a layer is made from; it stands in the layer's `layer.json`, with what its byte code is for."""
    digest = hashlib.sha256(LOCKS[name].read_bytes()).hexdigest()
    return {
        "layer": name,
        "form": FORM,
        "python": python_version,
        "architecture": architecture,
        "lock": digest,
    }


def _fill(name: str, packages: Path, python_version: str, architecture: str) -> None:
    """Install the layer's packages; of their programs only those that functions call stay."""
    _install(name, packages, python_version, architecture)
    for program in packages.glob("bin/*"):
        if program.name not in PROGRAMS[name]:
            program.unlink()
    for record in packages.glob("*.dist-info/*"):
        if record.name in INSTALLER_FILES:
            record.unlink()
    # A layer is read-only, so that without byte code each cold start would compile the modules anew.
    if python := find_python(python_version):
        compile_modules(python, packages, "/opt/python")


def _install(name: str, target: Path, python_version: str, architecture: str) -> None:
    command = [
        *(_uv(), "pip", "install", "--quiet", "--no-config", "--python", sys.executable),
        *("--target", str(target), "--python-version", python_version),
        *("--requirements", str(LOCKS[name]), "--require-hashes", "--only-binary", ":all:", "--no-deps"),
        *("--link-mode", "copy"),
    ]
    # The interpreter at hand takes its own wheels: the local cloud may run where no Lambda wheel would.
    if (python_version, architecture) != (HERE, machine()):
        command += ["--python-platform", PLATFORMS[architecture]]
    subprocess.run(command, check=True)  # noqa: S603 (our own arguments)
    (target / ".lock").unlink(missing_ok=True)


@cache
def find_python(version: str) -> str | None:
    """An interpreter of a minor version, the one at hand if it fits; None where there is none here."""
    if version == HERE:
        return sys.executable
    uv = _find_uv()
    if uv is None:
        return None
    command = [uv, "python", "find", "--no-python-downloads", "--no-project", "--no-config", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own words)
    return found.stdout.strip() or None


def compile_modules(python: str, folder: Path, place: str) -> None:
    """Put byte code beside modules that will lie at `place`; nothing compares the two later (PEP 552)."""
    command = [
        *(python, "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"),
        *("-s", str(folder), "-p", place, str(folder)),
    ]
    subprocess.run(command, check=True)  # noqa: S603 (our own arguments)


def _find_uv() -> str | None:
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.exists() else shutil.which("uv")


def _uv() -> str:
    found = _find_uv()
    if found is None:
        raise LayerMismatch(f"uv is not installed beside {sys.executable} nor on the PATH")
    return found


def machine() -> str:
    """The architecture of the machine at hand, as Lambda calls it."""
    return MACHINES.get(platform.machine().lower(), platform.machine())


def main(arguments: list[str] | None = None) -> None:
    """Make both layers; without arguments for Lambda's python3.13 on arm64."""
    parser = argparse.ArgumentParser(prog="python -m infra.layers", description=main.__doc__)
    parser.add_argument("--python-version", default="3.13", help="such as 3.13; `here` is this interpreter's")
    parser.add_argument("--architecture", default="arm64", choices=[*PLATFORMS, "here"])
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "layers")
    given = parser.parse_args(arguments)
    python_version = HERE if given.python_version == "here" else given.python_version
    architecture = machine() if given.architecture == "here" else given.architecture
    for name in LOCKS:
        made = make(name, given.out.resolve(), python_version, architecture)
        folder = os.path.relpath(given.out / name)
        print(f"{folder}: {'made' if made else 'is up to date'}")  # noqa: T201 (a command)


if __name__ == "__main__":
    main()
