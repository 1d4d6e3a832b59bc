"""CollectTelemetry: keeps what the logs of a rollout's functions say of each request, in the stage's table.

It belongs to a stage, and no state calls it: CloudWatch Logs does, while a rollout runs. It starts often and
for little work, so it takes botocore alone and none of the tools of the tasks, whose import takes longer.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.session import get_session

from tidegate.adapters.collection import Collection
from tidegate.domain.telemetry_names import table_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient


@lru_cache(maxsize=1)
def keep_collection(function: str) -> Collection:
    """The collection of this process; function and table are both named after the stage."""
    config = Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=2, read_timeout=5)
    client: DynamoDBClient = get_session().create_client("dynamodb", config=config)  # type: ignore[assignment]
    return Collection(client, table_of(function), time.time)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """One delivery of CloudWatch Logs; what it could not write leaves as an error, and is delivered again."""
    return {"shares": keep_collection(context.function_name).take(event)}
