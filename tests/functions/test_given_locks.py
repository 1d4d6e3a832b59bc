"""Locks that a service gives, from its files to the zip."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.functions.test_build_function import build, contents, prepare
from tidegate.adapters.documents import release_prefix
from tidegate.domain.artifacts import record_key
from tidegate.domain.errors import BuildFailed
from tidegate.domain.snapshots import Artifact, Snapshot

if TYPE_CHECKING:
    from tests.conftest import Repository
    from tests.functions.conftest import Pipeline
    from tests.package_index import PackageIndex

PROJECT = """[project]
name = "svc"
version = "0"
requires-python = "==3.11.*"
dependencies = ["one<2"]
[dependency-groups]
dev = ["two"]
"""


@pytest.fixture
def hashes(index: PackageIndex) -> dict[str, str]:
    """Packages of which newer versions exist than those that the locks name."""
    index.add("one", {"one.py": "new"}, "1.5", requires=("two",))
    index.add("two", {"two.py": "new"}, "2.0")
    return {
        "one": index.add("one", {"one.py": "old"}, "1.0", requires=("two",)),
        "two": index.add("two", {"two.py": "old"}, "1.0"),
    }


def uv_lock(index: PackageIndex, hashes: dict[str, str]) -> str:
    packages = "".join(
        f'[[package]]\nname = "{name}"\nversion = "1.0"\nsource = {{ registry = "{index.url}" }}\n{needs}'
        f'wheels = [{{ url = "{index.file_url(f"{name}-1.0-py3-none-any.whl")}", hash = "sha256:{digest}" }}]\n'
        for (name, digest), needs in zip(
            hashes.items(), ('dependencies = [{ name = "two" }]\n', ""), strict=True
        )
    )
    return (
        f'version = 1\nrevision = 3\nrequires-python = "==3.11.*"\n{packages}'
        '[[package]]\nname = "svc"\nversion = "0"\nsource = { virtual = "." }\ndependencies = [{ name = "one" }]\n'
        '[package.dev-dependencies]\ndev = [{ name = "two" }]\n'
        '[package.metadata]\nrequires-dist = [{ name = "one", specifier = "<2" }]\n'
        '[package.metadata.requires-dev]\ndev = [{ name = "two" }]\n'
    )


def poetry_lock(hashes: dict[str, str], project: dict[str, object]) -> str:
    content = {"project": project, "tool": {"poetry": {}}}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    packages = "".join(
        f'[[package]]\nname = "{name}"\nversion = "1.0"\noptional = false\ngroups = ["main"]\n'
        f'files = [{{ file = "{name}-1.0-py3-none-any.whl", hash = "sha256:{found}" }}]\n'
        for name, found in hashes.items()
    )
    return f'{packages}[metadata]\nlock-version = "2.1"\npython-versions = "==3.11.*"\ncontent-hash = "{digest}"\n'


def make(pipeline: Pipeline, repository: Repository, files: dict[str, str | bytes]) -> tuple[str, Snapshot]:
    """Check out, and build what is not there yet; the artifact's key, and what was found."""
    commit, key = prepare(pipeline, repository, files)
    if not pipeline.tools.documents.exists(record_key(key)):
        build(pipeline, commit)
    found = contents(pipeline, key)
    assert (found["one.py"], found["two.py"]) == (b"old", b"old")
    record = pipeline.tools.documents.read(record_key(key), Artifact)
    assert record.lock == ("one==1.0", "two==1.0")
    return key, pipeline.tools.documents.read(
        f"{release_prefix(pipeline.ref(commit))}snapshot.json", Snapshot
    )


def test_locks_of_uv_and_poetry_are_built_as_they_say(
    pipeline: Pipeline, repository: Repository, index: PackageIndex, hashes: dict[str, str]
) -> None:
    declared = {"requires-python": "==3.11.*", "dependencies": ["one<2"]}
    project = PROJECT.partition("[dependency-groups]")[0]
    locks = {"uv.lock": uv_lock(index, hashes), "poetry.lock": poetry_lock(hashes, declared)}
    keys, texts = set(), {"pyproject.toml": project, "src/app.py": "def handler(event, context): ...\n"}
    for name, text in locks.items():
        key, snapshot = make(pipeline, repository, {**texts, name: text})
        keys.add(key)
        repository.git("rm", "--quiet", "-f", name)
        assert snapshot.functions[0].requirements == (name,)
        told = f"{name} says what is required, since nothing beside the code does (Only)"
        assert told in snapshot.notes
    assert len(keys) == 1, "the same wheels are the same artifact"


def test_the_lock_beside_the_code_comes_first(
    pipeline: Pipeline, repository: Repository, index: PackageIndex, hashes: dict[str, str]
) -> None:
    files: dict[str, str | bytes] = {
        "src/pyproject.toml": PROJECT,
        "src/uv.lock": uv_lock(index, hashes),
        "src/requirements.txt": "two==2.0\n",
        "requirements.txt": "one==1.5\n",
    }
    _, snapshot = make(pipeline, repository, files)
    told = "uv.lock beside the code says what it requires; requirements.txt there is not read (Only)"
    assert told in snapshot.notes
    assert not [path for path in index.asked if "/simple/" in path], "nothing was resolved"


def test_a_lock_that_disagrees_ends_the_release(
    pipeline: Pipeline, repository: Repository, index: PackageIndex, hashes: dict[str, str]
) -> None:
    project = PROJECT.replace("one<2", "one>=1.5")
    with pytest.raises(BuildFailed, match=r"^src/uv\.lock: one.* run `uv lock`"):
        prepare(pipeline, repository, {"src/pyproject.toml": project, "src/uv.lock": uv_lock(index, hashes)})
    repository.git("rm", "--quiet", "-f", "src/uv.lock")
    with pytest.raises(BuildFailed, match=r"^src/poetry\.lock: .* run `poetry lock`"):
        prepare(pipeline, repository, {"src/poetry.lock": poetry_lock(hashes, {})})
