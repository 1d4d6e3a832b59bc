"""What a commit's source may be: limits, which paths are safe, and where the usual things lie in it.

Whoever pushes a commit writes these bytes, so nothing here trusts them. Paths are relative to the source's
root, with `/` between their parts; `.` is the root itself. Sizes are bytes.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Final

from tidegate.domain.errors import InvalidSource
from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_BUNDLE: Final = 100_000_000
MAX_UNPACKED: Final = 500_000_000
# All objects of a bundle together; one that carries a long history may hold more than its commit's files.
MAX_INFLATED: Final = 1_000_000_000
MAX_FILE: Final = 250_000_000
MAX_FILES: Final = 20_000
MAX_PATH: Final = 1024
CONFIG_FILE: Final = "tidegate.yaml"
TEMPLATES: Final = ("template.yaml", "template.yml", "template.json", "sam.yaml", "sam.yml")
CDK_TEMPLATES: Final = "cdk.out/*.template.json"
CDK_NESTED: Final = "*.nested.template.json"
TEMPLATE_KINDS: Final = (".yaml", ".yml", ".json", ".template")
MAX_TEMPLATE: Final = 1_000_000
NO_TEMPLATES: Final = frozenset({".aws-sam", ".github", "cdk.out", "node_modules", "test", "tests", "docs"})
SAMCONFIGS: Final = ("samconfig.toml", "samconfig.yaml", "samconfig.yml")
UNIT_TESTS: Final = "tests/unit"
TEST_FOLDERS: Final = (UNIT_TESTS, "tests")
TEST_FILES: Final = ("test_*.py", "*_test.py")
# Tests of these kinds need a deployed service, or take long.
NO_UNIT_TESTS: Final = (
    "integration",
    "integration_tests",
    "integ",
    "e2e",
    "end_to_end",
    "acceptance",
    "load",
    "performance",
    "system",
)
ROOT_REQUIREMENTS: Final = ("uv.lock", "poetry.lock", "requirements.txt")
TEST_REQUIREMENTS: Final = (
    "tests/requirements.txt",
    "tests/requirements-dev.txt",
    "tests/requirements_dev.txt",
    *(
        f"{first}{dash}{second}.txt"
        for first, second in (("requirements", "dev"), ("requirements", "test"), ("dev", "requirements"))
        for dash in "-_/"
    ),
    "test-requirements.txt",
)
# Never part of an artifact: they differ between checkouts of the same commit, or are tools' own.
LEFT_OUT: Final = frozenset({".git", ".aws-sam", "__pycache__"})


class SourceFile(Frozen):
    """A file of the source; `sha256` is of its bytes, hexadecimal."""

    path: str
    executable: bool
    size: int
    sha256: str


def check_name(name: bytes, parent: str) -> str:
    """The name of a tree's entry as text; InvalidSource where it could lead out of its folder."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidSource(f"the name {name!r} in {parent or 'the root'} is not UTF-8") from None
    path = posixpath.join(parent, text)
    if text in {"", ".", ".."} or text.lower() == ".git" or re.search(r"[/\\\x00-\x1f\x7f]", text):
        raise InvalidSource(f"the path {path!r} is not safe to unpack")
    if len(path) > MAX_PATH:
        raise InvalidSource(f"the path {path[:80]}… is longer than {MAX_PATH} characters")
    return path


def check_link(path: str, target: str) -> None:
    """Refuse a symbolic link that points outside the source."""
    end = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if posixpath.isabs(target) or end == ".." or end.startswith("../"):
        raise InvalidSource(f"the link {path} -> {target} leaves the source")


def resolve(base: str, path: str) -> str | None:
    """`path` relative to the folder `base`, as a path of the source; None where it leads out of it."""
    end = posixpath.normpath(posixpath.join(base, path))
    return None if posixpath.isabs(path) or end == ".." or end.startswith("../") else end


def is_within(path: str, folder: str) -> bool:
    """Whether a path lies in a folder, or is it."""
    return folder in {".", path} or path.startswith(f"{folder}/")


def is_left_out(path: str) -> bool:
    """Whether a path, relative to a code folder, is never part of an artifact."""
    return not LEFT_OUT.isdisjoint(path.split("/"))


def tree_hash(files: Iterable[SourceFile], folder: str) -> str:
    """SHA-256 over the files of a folder: their paths in it, whether they are executable, and their bytes."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        path = posixpath.relpath(file.path, folder)
        digest.update(f"{path}\0{int(file.executable)}\0{file.sha256}\n".encode())
    return digest.hexdigest()


def find_templates(paths: Iterable[str]) -> tuple[str, ...]:
    """The template's usual places that exist, the likeliest first."""
    found = set(paths)
    usual = [name for name in TEMPLATES if name in found]
    return (*usual, *sorted(path for path in found if _is_synthesized(path)))


def _is_synthesized(path: str) -> bool:
    """Whether it is the template of a stack of a CDK app, not one that is nested in another."""
    return fnmatch(path, CDK_TEMPLATES) and not fnmatch(path, CDK_NESTED)


def may_be_template(path: str, size: int) -> bool:
    """Whether a file may be a template of the author's own, by where it lies, its kind and its size."""
    folders = path.split("/")[:-1]
    return path.endswith(TEMPLATE_KINDS) and size <= MAX_TEMPLATE and NO_TEMPLATES.isdisjoint(folders)


def has_functions(body: bytes) -> bool:
    """Whether the bytes of a file look like a template with Lambda functions."""
    return re.search(rb"^\s*[\"']?Resources[\"']?\s*:", body, re.MULTILINE) is not None and any(
        kind in body for kind in (b"AWS::Serverless::Function", b"AWS::Lambda::Function")
    )


def find_test_folder(paths: Iterable[str]) -> str | None:
    """The folder whose tests pytest would collect; None where there are no unit tests."""
    tests = [path for path in paths if any(fnmatch(posixpath.basename(path), kind) for kind in TEST_FILES)]
    units = [path for path in tests if not any(is_within(path, f"tests/{name}") for name in NO_UNIT_TESTS)]
    return next((folder for folder in TEST_FOLDERS if any(is_within(path, folder) for path in units)), None)


def find_test_command(paths: Iterable[str]) -> str | None:
    """How the unit tests are run where nothing is configured; None where there are none."""
    found = list(paths)
    folder = find_test_folder(found)
    ignored = [f" --ignore={place}" for place in find_other_tests(found) if is_within(place, folder or "")]
    return f"pytest -q {folder}{''.join(ignored)}" if folder else None


def find_other_tests(paths: Iterable[str]) -> tuple[str, ...]:
    """The folders of tests that are not run by default, since they need more than the code."""
    folders = {posixpath.join(*path.split("/")[:2]) for path in paths if path.startswith("tests/")}
    return tuple(folder for folder in (f"tests/{name}" for name in NO_UNIT_TESTS) if folder in folders)


def find_test_requirements(paths: Mapping[str, object], functions: Iterable[str]) -> tuple[str, ...]:
    """What the tests need by default: what is named for tests, the root's, and the functions' own.

    `functions` are the paths of what their locks are made from. The root's is a lock where there is one.
    """
    root = next((path for path in ROOT_REQUIREMENTS if path in paths), "")
    usual = (*TEST_REQUIREMENTS, "tests/unit/requirements.txt", root, *sorted(functions))
    return tuple(dict.fromkeys(path for path in usual if path in paths))
