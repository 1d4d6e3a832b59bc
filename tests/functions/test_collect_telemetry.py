"""The function that collects telemetry: what it takes to start, and where it writes."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from functions.collect_telemetry.handler import handler, keep_collection
from tests.infra.conftest import ROOT
from tidegate.domain.telemetry_names import collector, table, table_of

if TYPE_CHECKING:
    from tests.scene import Scene

HEAVY = ("boto3", "pydantic", "aws_lambda_powertools", "tidegate.task", "tidegate.settings")


def test_it_starts_without_what_starts_slowly() -> None:
    program = "import sys, functions.collect_telemetry.handler; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not set(HEAVY) & set(ran.stdout.split())


def test_names_are_the_stages() -> None:
    assert table_of(collector("staging")) == table("staging") == "tidegate-telemetry-staging"


def test_it_writes_to_its_stages_table(scene: Scene) -> None:
    tables = scene.cloud.client("dynamodb")
    name = table(scene.staging)
    watch: dict[str, Any] = {
        "pk": {"S": "watch#/g"},
        "sk": {"S": "orders#1#F"},
        "function": {"S": "f"},
        "versions": {"SS": ["1", "2"]},
        "mark": {"S": "ERROR"},
        "length": {"N": "5000"},
    }
    tables.put_item(TableName=name, Item=watch)
    line = (
        "REPORT RequestId: r1\tDuration: 12.50 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 40 MB\t\n"
    )
    document = {
        "messageType": "DATA_MESSAGE",
        "logGroup": "/g",
        "logStream": "2026/11/21/[2]aa",
        "logEvents": [{"id": "1", "timestamp": 1_800_000_003_000, "message": line}],
    }
    event = {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()}}
    context: Any = SimpleNamespace(function_name=collector(scene.staging))
    keep_collection.cache_clear()
    try:
        assert handler(event, context) == {"shares": 1}
    finally:
        keep_collection.cache_clear()
    (item,) = [item for item in tables.scan(TableName=name)["Items"] if "attempts" in item]
    assert item["pk"]["S"] == "orders#1#F"
    assert item["sk"]["S"].startswith("1800000000000#2#")
