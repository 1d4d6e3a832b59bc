from __future__ import annotations

from threading import Timer
from typing import TYPE_CHECKING

from tests.cli.conftest import machine
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import World
    from tests.conftest import Repository
    from tidegate.cli.pipeline import Pipeline

BRIEF = machine({"Wait": {"Type": "Wait", "Seconds": 8, "End": True}})


def keys(pipeline: Pipeline) -> list[str]:
    listed = pipeline.client("s3").list_objects_v2(Bucket=pipeline.sources.bucket)
    return [item["Key"] for item in listed.get("Contents", [])]


def test_bundle_lies_under_the_name_that_intake_reads(world: World, repository: Repository) -> None:
    commit = repository.commit({"tidegate.yaml": "service: orders\n"})
    done = world.call("push", str(repository.folder))
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        f"pushed {commit[:12]} of orders on main; it becomes release {commit[:12]}-1",
        f"follow it with: tidegate watch orders {commit[:12]}-1",
    ]
    assert keys(world.pipeline) == [f"orders/main/{commit}.bundle"]
    body = world.pipeline.sources.find_bytes(f"orders/main/{commit}.bundle") or b""
    assert body.startswith(b"# v2 git bundle")


def test_service_is_named_by_the_commit_then_the_origin_then_the_folder(
    world: World, repository: Repository
) -> None:
    first = repository.commit({"tidegate.yaml": "service: orders\n"})
    second = repository.commit({"tidegate.yaml": "# nothing\n"})
    assert "of orders on main" in world.call("push", str(repository.folder), "--commit", first).output
    assert "of repository on main" in world.call("push", str(repository.folder)).output
    repository.git("remote", "add", "origin", "git@example.com:team/Billing_API.git")
    assert (
        "of billing-api on main" in world.call("push", str(repository.folder), "--commit", second[:8]).output
    )
    assert "of other on main" in world.call("push", str(repository.folder), "--service", "other").output


def test_wait_follows_the_release_that_is_under_way(world: World, repository: Repository) -> None:
    commit = repository.commit({"a.txt": "a"})
    release = world.release(commit, service="repository")
    world.run("tidegate-release", BRIEF, f"repository-{release.ref.id}")
    ending = Timer(2, world.end, (release, Outcome.ROLLED_BACK, "JudgeCanary: CanaryFailed: worse"))
    ending.start()
    done = world.call("push", str(repository.folder), "--wait")
    ending.join()
    assert done.exit_code == 4
    assert done.output.splitlines()[-1].endswith("JudgeCanary: CanaryFailed: worse")


def test_commit_that_was_released_names_the_remedy(world: World, repository: Repository) -> None:
    commit = repository.commit({"a.txt": "a"})
    world.release(commit, service="repository", outcome=Outcome.ROLLED_BACK)
    done = world.call("push", str(repository.folder))
    assert done.exit_code == 1
    assert done.stderr == (
        f"error: repository {commit[:12]}-1 was released before (rolled back); "
        f"to release the commit again: tidegate retry repository {commit[:12]}\n"
    )
    assert keys(world.pipeline) == [f"repository/main/{commit}.bundle"]


def test_branch_that_is_not_released_is_warned_of(world: World, repository: Repository) -> None:
    repository.commit({"a.txt": "a"})
    done = world.call("push", str(repository.folder), "--branch", "feature/x")
    assert done.exit_code == 0
    assert done.stderr == "warning: this pipeline releases main, next and will ignore feature/x\n"


def test_folder_that_is_no_repository_is_told(world: World, tmp_path: Path) -> None:
    git_says = ": fatal: not a git repository (or any of the parent directories): .git"
    for more in ((), ("--branch", "main")):
        done = world.call("push", str(tmp_path), *more)
        assert (done.exit_code, done.stderr) == (1, f"error: {tmp_path} is no git repository{git_says}\n")


def test_mistakes_are_one_line(world: World, repository: Repository) -> None:
    repository.commit({"tidegate.yaml": "srvice: orders\n"})
    folder = str(repository.folder)
    done = world.call("push", folder)
    assert done.stderr == "error: tidegate.yaml:1: srvice is unknown; did you mean service?\n"
    done = world.call("push", folder, "--service", "x", "--commit", "nowhere")
    assert done.exit_code == 2
    done = world.call("push", folder, "--service", "orders", "--commit", "nowhere")
    assert done.stderr == f"error: {folder} has no commit nowhere\n"
    repository.git("checkout", "--quiet", "--detach")
    done = world.call("push", folder, "--service", "orders")
    assert done.stderr == f"error: {folder} has no branch checked out; name one with --branch\n"
