"""`tidegate demo`: the example service's commits, released in a row under steady traffic.

The expected outcome of each stands in the history's manifest; the exit code says whether each came true and
every alias is on the right version.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from tidegate.cli.failures import Failed
from tidegate.domain.ledger import Outcome
from tidegate.domain.strategies import ALL

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tidegate.cli.pipeline import Pipeline
    from tidegate.cli.releasing import Released
    from tidegate.domain.ledger import Entry, Release
    from tidegate.local.cloud import LocalCloud

ROOT: Final = Path(__file__).resolve().parents[2]
HISTORY: Final = ROOT / "examples" / "orders" / "history"
REPORT: Final = ROOT / "build" / "demo" / "report.html"
SERVICE: Final = "orders"
BRANCH: Final = "main"
SEED: Final = 20_261_121


@click.command()
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), default=REPORT, help="The report.")
@click.option(
    "--rate", type=click.FloatRange(1, 200), default=40, show_default=True, help="Requests a second."
)
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def demo(report: Path, rate: float, *, as_json: bool) -> None:
    """Release the example service, commit after commit, in a local cloud, while requests keep coming.

    No AWS account is needed, and nothing outside this checkout is touched.
    """
    from tidegate.cli.embedded import embed
    from tidegate.cli.playing import finish, log_entry, say
    from tidegate.cli.screens import show_entry

    started = time.monotonic()
    with embed(say) as (cloud, pipeline):
        released = release_history(cloud, pipeline, rate, log_entry if as_json else show_entry)
        seconds = time.monotonic() - started
    if not finish(
        "The orders service, released commit by commit", released, report, seconds, as_json=as_json
    ):
        raise Failed("an outcome is not the expected one, or an alias is not on the right version")


def release_history(
    cloud: LocalCloud, pipeline: Pipeline, rate: float, show: Callable[[Entry], None]
) -> list[Released]:
    """Release all commits of the example in a row, under `rate` requests a second."""
    from tidegate.cli.releasing import Releasing
    from tidegate.cli.traffic import Traffic

    history, mix = _load("make_history"), _load("traffic")
    requests = mix.requests(SEED)
    with tempfile.TemporaryDirectory(prefix="tidegate-demo-") as folder:
        repository = Path(folder) / SERVICE
        commits = history.make_history(repository)
        with Traffic(cloud.client("lambda"), requests, mix.failed, rate) as traffic:
            releasing = Releasing(cloud, pipeline, traffic, show)
            return [
                _play(releasing.release, commit, repository, _reaction(commit.step, pipeline, cloud, mix))
                for commit in commits
            ]


def _load(name: str) -> ModuleType:
    """A module of the example, which is no package of ours."""
    spec = importlib.util.spec_from_file_location(f"tidegate_example_{name}", HISTORY / f"{name}.py")
    if spec is None or spec.loader is None:
        raise Failed(f"{HISTORY / name}.py cannot be read: run the demo from Tidegate's checkout")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _play(
    release: Callable[..., Released],
    commit: Any,  # noqa: ANN401 (the example's own type)
    repository: Path,
    react: Callable[[Entry, Release], None],
) -> Released:
    from tidegate.cli.playing import say

    step = commit.step
    expected = Outcome(step.expected)
    by = f" by the {step.by}" if step.by else ""
    say(f"commit {commit.hash[:12]} {step.title!r}: expected to be {expected.value.replace('_', ' ')}{by}")
    return release(repository, commit.hash, BRANCH, SERVICE, title=step.title, expected=expected, react=react)


def _reaction(
    step: Any,  # noqa: ANN401 (the example's own type)
    pipeline: Pipeline,
    cloud: LocalCloud,
    mix: ModuleType,
) -> Callable[[Entry, Release], None]:
    """What people do meanwhile: approve, or turn on the flag that a time bomb waits for."""
    from tidegate.cli.approvals import answer
    from tidegate.cli.playing import say

    def react(entry: Entry, release: Release) -> None:
        asked = entry.step == "AwaitApproval" and entry.what.startswith("waiting")
        if step.approval and asked:
            answer(pipeline, SERVICE, release.ref.id, entry.stage, approve=True, comment="looks good")
        promoted = entry.step == "ShiftTraffic" and entry.evidence.get("weight") == ALL
        if step.flag_after_promotion and promoted and entry.stage == "production":
            say("the shop turns the loyalty programme on")
            cloud.client("dynamodb").put_item(TableName=_table(cloud), Item=mix.LOYALTY_FLAG)

    return react


def _table(cloud: LocalCloud) -> str:
    stack = cloud.client("cloudformation").describe_stacks(StackName=f"{SERVICE}-production")["Stacks"][0]
    return next(str(item["OutputValue"]) for item in stack["Outputs"] if item["OutputKey"] == "TableName")
