"""What a cold start on the way to restored traffic imports: users wait for each of these modules."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.modules import ROOT

# What only other tasks need, or a later part of the same one.
UNNEEDED = {
    "aws_lambda_powertools",
    "boto3",
    "s3transfer",
    "samtranslator",
    "tidegate.domain.judging",
    "tidegate.domain.plans",
    "tidegate.domain.preflight",
    "tidegate.domain.snapshots",
    "tidegate.domain.templates",
}


def test_what_answers_github_imports_no_more_than_it_needs() -> None:
    """GitHub waits ten seconds for it, and most deliveries find it cold."""
    code = "import sys, functions.receive_webhook.handler; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    unneeded = UNNEEDED | {"dulwich", "tidegate.adapters.github", "tidegate.adapters.clones"}
    assert not unneeded & set(done.stdout.split())


@pytest.mark.parametrize("task", ["diagnose_rollback", "restore_traffic"])
def test_what_restores_traffic_imports_no_more_than_it_needs(task: str) -> None:
    code = f"import sys, functions.{task}.handler; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not UNNEEDED & set(done.stdout.split())
