"""The example's history, made once, and its functions as they stand in each commit, against moto."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
import tarfile
import uuid
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

HISTORY = Path(__file__).parents[2] / "examples" / "orders" / "history"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"orders_{name}", HISTORY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Repository:
    """The made repository: its commits by key, and a folder with each one's files."""

    def __init__(self, root: Path, commits: tuple[Any, ...]) -> None:
        self.path = root / "repository"
        self.commits = {commit.step.key: commit for commit in commits}
        self._folders = root / "commits"

    def git(self, *arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=self.path, check=True, capture_output=True).stdout

    def folder(self, key: str) -> Path:
        target = self._folders / key
        if not target.exists():
            archive = self.git("archive", "--format=tar", self.commits[key].hash)
            with tarfile.open(fileobj=io.BytesIO(archive)) as files:
                files.extractall(target, filter="data")
        return target


@pytest.fixture(scope="session")
def make_history() -> ModuleType:
    return load("make_history")


@pytest.fixture(scope="session")
def traffic() -> ModuleType:
    return load("traffic")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory, make_history: ModuleType) -> Repository:
    root = tmp_path_factory.mktemp("orders")
    return Repository(root, make_history.make_history(root / "repository"))


class Service:
    """The table, queue and bus of the service in moto, and its functions as they stand in one commit."""

    def __init__(self, folder: Path) -> None:
        self.dynamodb = boto3.client("dynamodb")
        self.sqs = boto3.client("sqs")
        self.dynamodb.create_table(
            TableName="orders",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )
        self.queue_url = self.sqs.create_queue(QueueName="payments")["QueueUrl"]
        self.heard_url = self._hear_events()
        self._folder = folder

    def _hear_events(self) -> str:
        """A queue that gets what is put on the bus by the template's own pattern."""
        events = boto3.client("events")
        events.create_event_bus(Name="orders-events")
        heard = self.sqs.create_queue(QueueName="heard")["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=heard, AttributeNames=["QueueArn"])["Attributes"]
        pattern = '{"source": ["orders"], "detail-type": ["OrderCharged"]}'
        events.put_rule(Name="charged", EventBusName="orders-events", EventPattern=pattern)
        target = {"Id": "heard", "Arn": attributes["QueueArn"]}
        events.put_targets(Rule="charged", EventBusName="orders-events", Targets=[target])
        return heard

    def invoke(self, function: str, payload: dict[str, Any]) -> Any:
        name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in function)[1:]
        path = self._folder / "src" / name
        if str(path) not in sys.path:
            sys.path.insert(0, str(path))
        module = import_module(name)
        assert module.__file__ == str(path / f"{name}.py")
        return module.handler(payload, CONTEXT)

    def forget_functions(self) -> None:
        """Make the next service import its own: all commits have modules of the same names."""
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(str(self._folder)):
                del sys.modules[name]

    def messages(self, url: str) -> list[dict[str, Any]]:
        """All that is in the queue; delivery takes a moment where a local cloud lives in the process."""
        received: list[dict[str, Any]] = []
        while batch := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0 if received else 5
        ).get("Messages"):
            received += batch
        return received


CONTEXT = SimpleNamespace(
    function_name="orders",
    function_version="1",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:orders",
    aws_request_id="1f0e7f57-3d5c-4b8e-9b5e-6a1c2d3e4f50",
)


@pytest.fixture
def open_service(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A context: the service of one commit, with fresh resources and freshly imported functions."""

    @contextmanager
    def opened(key: str) -> Iterator[Service]:
        with monkeypatch.context() as patch, mock_aws():
            patch.setattr(boto3, "DEFAULT_SESSION", None)
            patch.setattr(sys, "path", [*sys.path])
            patch.setattr(sys, "dont_write_bytecode", True)
            patch.delenv("AWS_ENDPOINT_URL", raising=False)
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            service = Service(repository.folder(key))
            for name, value in environment(service.queue_url).items():
                patch.setenv(name, value)
            try:
                yield service
            finally:
                service.forget_functions()

    return opened


def environment(queue_url: str) -> dict[str, str]:
    """As the template sets it; the service's name is new each time, since loggers of one name are shared."""
    return {
        "POWERTOOLS_SERVICE_NAME": f"orders-{uuid.uuid4()}",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "STAGE": "dev",
        "TABLE_NAME": "orders",
        "QUEUE_URL": queue_url,
        "TAX_RATE": "0.19",
        "CURRENCY_ROUNDING": "ROUND_HALF_UP",
        "EVENT_BUS": "orders-events",
        "PAYMENT_LIMIT_CENTS": "500000",
    }
