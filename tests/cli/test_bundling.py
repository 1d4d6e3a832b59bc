from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from tidegate.adapters.checkouts import check_out
from tidegate.cli.bundling import make_bundle, resolve_commit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Repository


def test_any_commit_can_be_bundled_not_only_heads(repository: Repository, tmp_path: Path) -> None:
    old = repository.commit({"a": "old"})
    repository.commit({"a": "new"})
    repository.git("tag", "--annotate", "--message=x", "v1", old)
    for number, name in enumerate((old, old[:8], "HEAD~1", "v1")):
        file = tmp_path / str(number)
        file.write_bytes(make_bundle(repository.folder, name))
        with check_out(file, old) as checkout:
            assert checkout.read("a") == b"old"


def test_a_shallow_copy_and_a_worktree_can_be_bundled(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"a": "1"})
    commit = repository.commit({"a": "2"})
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(tmp_path / "shallow"))
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    for folder in (tmp_path / "shallow", tmp_path / "tree"):
        (tmp_path / "b").write_bytes(make_bundle(folder, "HEAD"))
        with check_out(tmp_path / "b", commit) as checkout:
            assert checkout.read("a") == b"2"


def test_a_hook_s_variables_do_not_mislead(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.commit({"a": "1"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    assert resolve_commit(repository.folder, "HEAD") == commit


def test_what_is_wrong_is_said(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="is no git repository"):
        make_bundle(tmp_path, "HEAD")
    with pytest.raises(click.ClickException, match="has no commit nope"):
        make_bundle(repository.folder, "nope")
    with pytest.raises(click.ClickException, match="is no folder"):
        make_bundle(tmp_path / "missing", "HEAD")
