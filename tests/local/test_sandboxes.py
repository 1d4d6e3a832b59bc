"""A sandbox and all that it started end together, and a pool leaves nothing behind."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path

import pytest

from tests.local.test_functions import archive
from tidegate.local.compute.blueprint import Blueprint, Credentials, Logging
from tidegate.local.compute.code_store import CodeStore
from tidegate.local.compute.pool import Pool
from tidegate.local.compute.sandbox import Host, Invocation

CODE = """
import os, subprocess, sys, time
def handler(event, context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    open(os.path.join(os.environ["TMPDIR"], "left"), "w").close()
    if event.get("hang"):
        time.sleep(60)
    return [os.getpid(), child.pid, os.environ["TMPDIR"]]
"""


@pytest.fixture
def blueprint(tmp_path):
    store = CodeStore(tmp_path)
    return Blueprint(
        key=uuid.uuid4().hex, account_id="123456789012", region="eu-north-1", name="f", version="1",
        runtime="python3.12", handler="index.handler", role="arn:aws:iam::123456789012:role/r",
        memory_size=128, timeout=1, variables={}, logging=Logging(f"/aws/lambda/{uuid.uuid4().hex}"),
        task_root=store.function(archive(index=CODE)), layers_root=store.layers([]),
        runtime_root=store.runtime,
    )  # fmt: skip


@pytest.fixture
def pool(tmp_path):
    made = Pool(Host(tmp_path, "http://127.0.0.1:9", {}), lambda _: Credentials("a", "b", "c"))
    yield made
    made.close()


def invocation(event):
    return Invocation(str(uuid.uuid4()), json.dumps(event).encode(), "arn")


def gone(pid):
    limit = time.monotonic() + 3
    while time.monotonic() < limit:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        status = Path(f"/proc/{pid}/stat")
        if status.exists() and ") Z" in status.read_text():
            return True
        time.sleep(0.02)
    return False


def test_closing_the_pool_ends_processes_and_their_children(pool, blueprint):
    sandbox = pool.borrow(blueprint, None)
    outcome = sandbox.invoke(invocation({}))
    pool.give_back(sandbox)
    process, child, folder = json.loads(outcome.payload)
    assert pool.borrow(blueprint, None) is sandbox
    pool.close()
    assert gone(process)
    assert gone(child)
    assert not os.path.exists(folder)  # noqa: PTH110
    with pytest.raises(RuntimeError):
        pool.borrow(blueprint, None)


def test_a_timed_out_sandbox_is_not_used_again(pool, blueprint):
    sandbox = pool.borrow(blueprint, None)
    outcome = sandbox.invoke(invocation({"hang": True}))
    pool.give_back(sandbox)
    assert outcome.status == "timeout"
    assert 900 < outcome.duration < 3000
    assert len(pool) == 0
    assert pool.borrow(blueprint, None) is not sandbox


def test_a_retired_blueprint_loses_its_sandboxes(pool, blueprint):
    idle, busy = pool.borrow(blueprint, "a"), pool.borrow(blueprint, "b")
    pool.give_back(idle)
    pool.retire({blueprint.key})
    assert not idle.alive
    assert busy.alive
    pool.give_back(busy)
    assert not busy.alive
