"""What goes into an artifact, and the key that says so; pure, so that a key can be known before a build.

Equal keys mean equal content, and nothing is built twice. Requirements are in it by the hashes of the wheels
that their lock names, so that other words for the same wheels give the same artifact.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tidegate.domain.errors import BuildFailed, UnsupportedTemplate
from tidegate.domain.sources import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Raised whenever the same inputs would give other bytes than before.
BUILDER: Final = "3"
MAX_UNZIPPED: Final = 250 * 1024 * 1024
MAX_INCLUDES: Final = 50
NATIVE: Final = "native"
REQUIREMENTS: Final = "requirements.txt"
# Amazon Linux 2 has glibc 2.26, Amazon Linux 2023 has 2.34 (AWS Lambda Developer Guide, "Lambda runtimes").
AMAZON_LINUX_2: Final = ("python3.8", "python3.9", "python3.10", "python3.11")
MACHINES: Final = {"x86_64": "x86_64", "arm64": "aarch64"}
# Written by the installer and different from one machine to the next, or only of use to uninstall.
INSTALLER_FILES: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
SOURCE_ONLY: Final = re.compile(r"^(-e|--editable|git\+|hg\+|svn\+|bzr\+)|@\s*(git|hg|svn|bzr)\+")
# A commit of a repository, which a build elsewhere may take: PEP 508's direct reference, or pip's own form.
AT_COMMIT: Final = re.compile(r"(^|@\s*)git\+https://[^@\s]+@[0-9a-f]{40}([#;\s].*)?$")
CREDENTIALS: Final = re.compile(r"//[^/@\s]+@")
MANIFEST_SUFFIX: Final = ".manifest.json"
INCLUDE: Final = re.compile(r"^(?:-r|--requirement|-c|--constraint)[\s=]+(\S+)")


class Method(StrEnum):
    """How an artifact is made.

    Python with its requirements, Node with its packages, a bundle of esbuild's, a zip or files as they stand,
    a container image. The last three run foreign code, so CodeBuild does them: a Makefile, wheels out of
    sources, `sam build`.
    """

    PYTHON = "python"
    NPM = "npm"
    ESBUILD = "esbuild"
    ARCHIVE = "archive"
    PLAIN = "plain"
    IMAGE = "image"
    MAKEFILE = "makefile"
    SOURCES = "sources"
    SAM = "sam"


def hide_credentials(text: str) -> str:
    """A text without the user names and passwords of its URLs."""
    return CREDENTIALS.sub("//***@", text)


def archive_key(key: str) -> str:
    """Where an artifact's zip lies."""
    return f"artifacts/{key}.zip"


def manifest_key(key: str) -> str:
    """Where an image's manifest lies; the SHA-256 of its bytes is the image's digest."""
    return f"artifacts/{key}{MANIFEST_SUFFIX}"


def object_key(method: Method, key: str) -> str:
    """Where the object lies that is an artifact, or, of an image, that stands for it."""
    return manifest_key(key) if method is Method.IMAGE else archive_key(key)


def record_key(key: str) -> str:
    """Where an artifact's record lies; it is written last."""
    return f"artifacts/{key}.json"


def content_key(method: Method, runtime: str, architecture: str, wheels: Iterable[str], tree: str) -> str:
    """SHA-256 (hex) of all that can change an artifact's bytes.

    `wheels` are the hashes of its wheels; for Node its packages' hashes and places, and esbuild's arguments.
    """
    inputs = [BUILDER, method, runtime, architecture, sorted(wheels), tree]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def python_version(runtime: str) -> str:
    """`3.13` of `python3.13`; UnsupportedTemplate for anything else."""
    match = re.fullmatch(r"python(3\.\d{1,2})", runtime)
    if match is None:
        raise UnsupportedTemplate(f"only Python functions are built so far, not {runtime}")
    return match[1]


def platform(runtime: str, architecture: str) -> str | None:
    """The platform tag that wheels must fit; None for the machine at hand."""
    if architecture == NATIVE:
        return None
    glibc = "manylinux2014" if runtime in AMAZON_LINUX_2 else "manylinux_2_34"
    return f"{MACHINES[architecture]}-{glibc}"


def names_commit(text: str) -> bool:
    """Whether requirement texts name a commit of a repository, which no resolver looks into without git."""
    return any(AT_COMMIT.search(line.strip()) for line in text.splitlines())


def collect_requirements(
    path: str, read: Callable[[str], str | None], *, sources: bool = False
) -> dict[str, str]:
    """The text of a requirements file and of all that it includes, by path.

    `read` gives a file's text, or None. BuildFailed where an include is missing or leaves the source, and
    where a requirement would have to be built from source: Tidegate's own builder runs no foreign code. Where
    `sources` are built elsewhere, a commit of a repository by https may be named.
    """
    texts: dict[str, str] = {}
    waiting = [path]
    while waiting:
        name = waiting.pop()
        text = read(name)
        if text is None:
            raise BuildFailed(f"{name} is included but does not exist", file=path)
        texts[name] = text
        found = list(_includes(name, text, sources=sources))
        waiting += [include for include in found if include not in texts]
        if len(texts) > MAX_INCLUDES:
            raise BuildFailed(f"more than {MAX_INCLUDES} files are included", file=path)
    return texts


def _includes(name: str, text: str, *, sources: bool) -> Iterable[str]:
    for number, line in enumerate(text.splitlines(), 1):
        shown = hide_credentials(line.strip())
        if SOURCE_ONLY.search(line.strip()) and not (sources and AT_COMMIT.search(line.strip())):
            message = f"{shown!r} would have to be built from source; name a released version with a wheel"
            raise BuildFailed(message, file=name, line=number)
        match = INCLUDE.match(line.strip())
        if match:
            target = resolve(posixpath.dirname(name) or ".", match[1])
            if target is None or "://" in match[1]:
                raise BuildFailed(f"{shown!r} is not in the source", file=name, line=number)
            yield target
