"""What a build at CodeBuild left: data of somebody else, checked and put into our form.

Nothing of it is run. Links, devices, paths that lead out, names that stand twice and more than Lambda takes
are refused by name. The same files give the same bytes whatever their order, times and owners were.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from tidegate.adapters.archives import Member, write_zip
from tidegate.adapters.assembly import Part, read_part
from tidegate.adapters.fragments import make_fragment
from tidegate.adapters.tars import open_tar
from tidegate.adapters.wheel_choice import choose
from tidegate.domain.artifacts import MAX_UNZIPPED
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import normalize
from tidegate.domain.sources import is_left_out
from tidegate.domain.versions import is_same_version
from tidegate.domain.wheels import check_path, find_clash, find_distribution

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator
    from pathlib import Path

    from tidegate.domain.locks import Lock, Target

MOST_FILES: Final = 60_000
# What a tar holds beside its files: names, sizes, modes.
NEWEST: Final = "manylinux_2_34"
HEADERS: Final = 64 * 1024 * 1024
PIECE: Final = 1 << 20
EXECUTABLE: Final = 0o111


def _too_much(place: str) -> BuildFailed:
    most = f"{MOST_FILES:,} files or {MAX_UNZIPPED:,} bytes"
    return BuildFailed(f"{place}: the build left more than {most}; Lambda takes no more")


def unpack_output(output: Path, folder: Path, place: str) -> dict[str, bool]:
    """Unpack what a build left into a folder; its files by path, in their order: whether they are executable.

    The n-th lies at `<n>`, so that no path of the output is ever a path here. `place` is for messages.
    """
    damaged = f"{place}: what the build left cannot be read"
    with open_tar(output, MAX_UNZIPPED + HEADERS, _too_much(place), damaged) as archive:
        found = dict(_unpack(archive, folder, place))
    if clash := find_clash(found):
        raise BuildFailed(f"{place}: the build left {clash} as a file and as a folder")
    return found


def _unpack(archive: tarfile.TarFile, folder: Path, place: str) -> Iterator[tuple[str, bool]]:
    left, seen = MAX_UNZIPPED, set[str]()
    for member in archive:
        path = member.name.removeprefix("./")
        if member.isdir() or is_left_out(path):
            continue
        check_path(path, place)
        if not member.isreg():
            raise BuildFailed(f"{place}: the build left {path} as a link or a device; artifacts hold files")
        left -= member.size
        if left < 0 or len(seen) >= MOST_FILES:
            raise _too_much(place)
        if path in seen:
            raise BuildFailed(f"{place}: the build left {path} twice")
        seen.add(path)
        _copy(archive, member, folder / str(len(seen) - 1))
        yield path, bool(member.mode & EXECUTABLE)


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, file: Path) -> None:
    body = archive.extractfile(member)
    with file.open("wb") as out:
        while body and (piece := body.read(PIECE)):
            out.write(piece)


def zip_output(output: Path, folder: Path, built: Path, place: str) -> None:
    """Write what a build left as a function's zip."""
    found = unpack_output(output, folder, place)
    if not found:
        raise BuildFailed(f"{place}: the build left no files in ARTIFACTS_DIR")
    members = (
        Member(path, executable, partial(_read, folder / str(number)))
        for number, (path, executable) in enumerate(found.items())
    )
    write_zip(built, members)


def _read(file: Path) -> bytes:
    return file.read_bytes()


def read_wheels(output: Path, folder: Path, lock: Lock, target: Target, place: str) -> list[Part]:
    """The fragments of the wheels that a build made for a lock: all that it was asked for, and no other."""
    files = unpack_output(output, folder, place)
    # The image has the system's own libraries: pip knows better which of them a wheel may lean on.
    fitting = target._replace(platform=target.platform and f"{target.platform.partition('-')[0]}-{NEWEST}")
    parts = []
    for path, number in sorted((path, number) for number, path in enumerate(files)):
        if not path.endswith(".whl") or choose([path], fitting) is None:
            raise BuildFailed(f"{place}: the build left {path}, which is no wheel for the function")
        fragment = folder / f"{number}.zip"
        make_fragment(folder / str(number), fragment, path)
        parts.append(read_part(fragment, path))
    _check(parts, lock, place)
    return parts


def _check(parts: list[Part], lock: Lock, place: str) -> None:
    """BuildFailed where the wheels are others than the lock's; where the build resolved it, any will do."""
    found = {}
    for part in parts:
        name, version = find_distribution((entry.path for entry in part.entries), part.name)
        if normalize(name) in found:
            raise BuildFailed(f"{place}: the build left {normalize(name)} twice")
        found[normalize(name)] = version
    if lock.texts:
        return
    wanted = {one.name: one.version for one in lock.sources}
    if wrong := sorted(found.keys() ^ wanted.keys()):
        raise BuildFailed(f"{place}: the build was asked for {', '.join(wanted)}; not so: {', '.join(wrong)}")
    for name, version in wanted.items():
        if version and not is_same_version(found[name], version):
            raise BuildFailed(f"{place}: the build made {name} {found[name]}; the lock names {version}")
