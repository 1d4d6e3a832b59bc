"""What every handler shares: parsing its request, its tools, structured logs, and recording a decision.

A handler is a function of a request and the tools; `task` makes a Lambda handler of it. Errors leave under
their class name, and the state machine catches them by it.
"""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from pydantic import BaseModel

from tidegate.adapters.answers import UNANSWERED, check_answers, close
from tidegate.adapters.sessions import make_client
from tidegate.domain.errors import NoSpaceLeft
from tidegate.domain.ledger import Entry
from tidegate.settings import Settings, StageTarget, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools import Logger
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_inspector_scan import InspectorscanClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient

    from tidegate.adapters.bus import Bus
    from tidegate.adapters.documents import Documents
    from tidegate.adapters.hosts import Hosts
    from tidegate.adapters.ledger import Ledger
    from tidegate.adapters.secrets import Secrets
    from tidegate.adapters.side_stacks import SideStacks
    from tidegate.domain.identity import ReleaseRef

RequestT = TypeVar("RequestT", bound=BaseModel)
# Fewer, longer attempts than the default: the state machine retries as well.
CLIENT_CONFIG: Final = Config(
    retries={"mode": "adaptive", "max_attempts": 6}, connect_timeout=5, read_timeout=60
)
# A role's credentials are good for an hour at least; an invocation lasts a quarter of one at most.
RENEWAL: Final = timedelta(minutes=30)
FULL: Final = (errno.ENOSPC, errno.EDQUOT)
ROOM: Final = "its size is `scratch` in infra/tasks.py and infra/build_tasks.py"


class StageTools:
    """Clients and documents of one stage, under its deploy role."""

    def __init__(self, target: StageTarget, session_name: str) -> None:
        self.target = target
        self._session_name = session_name
        self._probing: dict[int, LambdaClient] = {}

    def prepare(self) -> STSClient:
        """Make the client that the role is assumed with, where it is not made yet."""
        return self._tokens

    def enter(self) -> None:
        """Assume the role, where that has not been done yet; after `prepare` in any thread."""
        _ = self._credentials

    @cached_property
    def _tokens(self) -> STSClient:
        client: STSClient = make_client("sts", config=CLIENT_CONFIG)
        return check_answers(client)

    @cached_property
    def _credentials(self) -> dict[str, str]:
        role, name = self.target.deploy_role, self._session_name[:64]
        answer = self._tokens.assume_role(RoleArn=role, RoleSessionName=name)
        credentials = answer["Credentials"]
        return {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }

    def _client(self, service: str, config: Config = CLIENT_CONFIG) -> Any:  # noqa: ANN401
        """A client under the deploy role; of the process's own session, since a new one reads all models."""
        client = make_client(service, region_name=self.target.region, config=config, **self._credentials)
        return check_answers(client)

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """CloudFormation of the stage."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @cached_property
    def functions(self) -> LambdaClient:
        """Lambda of the stage, within its quotas; a smoke test may run as long as a function may."""
        return self._lambda(urgent=False)

    @cached_property
    def urgent_functions(self) -> LambdaClient:
        """The same for what users wait for: a second's calls are made at once."""
        return self._lambda(urgent=True)

    def _lambda(self, *, urgent: bool) -> LambdaClient:
        from tidegate.adapters.pacing import find_pacer, keep_pace

        client: LambdaClient = self._client("lambda", CLIENT_CONFIG.merge(Config(read_timeout=905)))
        keep_pace(client, find_pacer(self.target.account, self.target.region, urgent=urgent))
        return client

    def probing(self, patience: int) -> LambdaClient:
        """Lambda of the stage for invocations that are made once, and waited for by so many seconds."""
        if patience not in self._probing:
            once = Config(retries={"total_max_attempts": 1}, read_timeout=patience)
            self._probing[patience] = self._client("lambda", CLIENT_CONFIG.merge(once))
        return self._probing[patience]

    @cached_property
    def scaling(self) -> Any:  # noqa: ANN401 (there are no types of this client here)
        """Application Auto Scaling of the stage."""
        return self._client("application-autoscaling")

    @cached_property
    def flags(self) -> Any:  # noqa: ANN401 (there are no types of this client here)
        """AppConfig of the stage."""
        return self._client("appconfig")

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """CloudWatch of the stage."""
        client: CloudWatchClient = self._client("cloudwatch")
        return client

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """CloudWatch Logs of the stage."""
        client: CloudWatchLogsClient = self._client("logs")
        return client

    @cached_property
    def tables(self) -> DynamoDBClient:
        """DynamoDB of the stage."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    @cached_property
    def roles(self) -> IAMClient:
        """IAM of the stage's account."""
        client: IAMClient = self._client("iam")
        return client

    @cached_property
    def registry(self) -> Any:  # noqa: ANN401 (there are no types of this client here)
        """ECR of the stage."""
        return self._client("ecr")

    @cached_property
    def documents(self) -> Documents:
        """The stage's artifact bucket."""
        from tidegate.adapters.documents import Documents

        return Documents(self._client("s3"), self.target.bucket)


class Tools:
    """What a task works with; each client is made when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stages: dict[str, tuple[datetime, StageTools]] = {}

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger."""
        from tidegate.adapters.ledger import Ledger

        return Ledger(
            check_answers(make_client("dynamodb", config=CLIENT_CONFIG)), self.settings.ledger_table
        )

    @cached_property
    def documents(self) -> Documents:
        """The pipeline's artifact bucket."""
        from tidegate.adapters.documents import Documents

        return Documents(
            check_answers(make_client("s3", config=CLIENT_CONFIG)), self.settings.artifact_bucket
        )

    @cached_property
    def sources(self) -> Documents:
        """The source bucket."""
        from tidegate.adapters.documents import Documents

        return Documents(check_answers(make_client("s3", config=CLIENT_CONFIG)), self.settings.source_bucket)

    @cached_property
    def secrets(self) -> Secrets:
        """Secrets Manager of the pipeline."""
        from tidegate.adapters.secrets import Secrets

        return Secrets(check_answers(make_client("secretsmanager", config=CLIENT_CONFIG)))

    @cached_property
    def hosts(self) -> Hosts:
        """The hosts of the pipeline's repositories."""
        from tidegate.adapters.hosts import Hosts

        return Hosts(self.settings.origins, self.secrets, CLIENT_CONFIG, self.now)

    @cached_property
    def bus(self) -> Bus:
        """The event bus."""
        from tidegate.adapters.bus import Bus

        return Bus(check_answers(make_client("events", config=CLIENT_CONFIG)), self.settings.event_bus)

    @cached_property
    def keys(self) -> KMSClient:
        """KMS of the pipeline."""
        client: KMSClient = make_client("kms", config=CLIENT_CONFIG)
        return check_answers(client)

    @cached_property
    def machines(self) -> SFNClient:
        """Step Functions of the pipeline."""
        client: SFNClient = make_client("stepfunctions", config=CLIENT_CONFIG)
        return check_answers(client)

    @cached_property
    def functions(self) -> LambdaClient:
        """Lambda of the pipeline's own account: the test sandbox. A test runs up to 15 minutes."""
        config = CLIENT_CONFIG.merge(Config(read_timeout=905))
        client: LambdaClient = make_client("lambda", config=config)
        return check_answers(client)

    @cached_property
    def builds(self) -> Any:  # noqa: ANN401 (there are no types of this client here)
        """CodeBuild of the pipeline."""
        return check_answers(make_client("codebuild", config=CLIENT_CONFIG))

    @cached_property
    def build_logs(self) -> CloudWatchLogsClient:
        """CloudWatch Logs of the pipeline: what builds at CodeBuild print."""
        client: CloudWatchLogsClient = make_client("logs", config=CLIENT_CONFIG)
        return check_answers(client)

    @cached_property
    def registry(self) -> Any:  # noqa: ANN401 (there are no types of this client here)
        """ECR of the pipeline."""
        return check_answers(make_client("ecr", config=CLIENT_CONFIG))

    @cached_property
    def inspector(self) -> InspectorscanClient:
        """Amazon Inspector's scans of bills of materials."""
        client: InspectorscanClient = make_client("inspector-scan", config=CLIENT_CONFIG)
        return check_answers(client)

    def stage(self, name: str) -> StageTools:
        """The tools of a stage, under its deploy role; made anew before its credentials expire."""
        made_at, tools = self._stages.get(name, (datetime.min.replace(tzinfo=UTC), None))
        if tools is None or self.now() - made_at > RENEWAL:
            tools = StageTools(self.settings.stage(name), f"tidegate-{name}")
            self._stages[name] = (self.now(), tools)
        return tools

    def prepare_entry(self) -> Callable[[], None]:
        """What assumes the roles of all stages, side by side, in any thread: its clients are made here.

        A session makes one client at a time.
        """
        from tidegate.adapters.threads import side_by_side

        stages = [self.stage(target.name) for target in self.settings.stages]
        for stage in stages:
            stage.prepare()

        def enter() -> None:
            side_by_side(StageTools.enter, stages)

        return enter

    def side_stacks(self, ref: ReleaseRef, stage: str) -> SideStacks:
        """The side stacks of a release in a stage."""
        from tidegate.adapters.side_stacks import SideStacks

        found = self.stage(stage)
        return SideStacks(
            client=found.cloudformation,
            ledger=self.ledger,
            documents=self.documents,
            templates=found.documents,
            ref=ref,
            stage=stage,
            role=found.target.cloudformation_role,
        )

    def record(
        self,
        ref: ReleaseRef,
        step: str,
        what: str,
        *,
        stage: str = "",
        key: str = "",
        evidence: Mapping[str, Any] | None = None,
    ) -> bool:
        """Add a decision to the ledger and to the log; False where it stood there already.

        `key` tells repeated decisions of one step apart; the step and stage are part of it anyway.
        """
        logger().info(
            what, extra={"step": step, "stage": stage, "release": ref.id, "release_of": ref.service}
        )
        return self.ledger.append(
            Entry(
                service=ref.service,
                release_id=ref.id,
                key="#".join(filter(None, (step, stage, key))),
                at=self.now(),
                step=step,
                stage=stage,
                what=what,
                evidence=dict(evidence or {}),
            )
        )

    def announce(self, step: str, kind: str, ref: ReleaseRef, message: str) -> None:
        """Tell by an event what stands in the ledger for good.

        An event that cannot be told fails the task once, so that it is tried again later. After that only the
        ledger tells: what has been decided must not be undone because nobody heard of it.
        """
        try:
            self.bus.publish(kind, ref, message)
        except (ClientError, *UNANSWERED) as error:
            what = f"the event {kind} could not be told, and is tried once more: {error}"
            if self.record(ref, step, what, key=f"untold#{ref.epoch}"):
                raise
            logger().exception("untold", extra={"kind": kind, "release": ref.id})


@lru_cache(maxsize=1)
def logger() -> Logger:
    """The structured log; imported when first used, which in a rollback is after the restore."""
    from aws_lambda_powertools import Logger

    return Logger(service="tidegate")


@lru_cache(maxsize=1)
def keep_tools() -> Tools:
    """The tools of this process: clients are made once, and invocations that follow find them warm."""
    return Tools(load())


def task(
    request_type: type[RequestT], handle: Callable[[RequestT, Tools], BaseModel]
) -> Callable[[dict[str, Any], object], dict[str, Any]]:
    """A Lambda handler: the event is validated into `request_type`, the response dumped as plain JSON."""

    def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
        request = request_type.model_validate(event)
        try:
            return handle(request, keep_tools()).model_dump(mode="json")
        except ClientError as error:
            # Lambda tells the state machine the class's name, and botocore has a class for each code: for
            # throttles alone four. What is tried again must have one name.
            raise ClientError(error.response, error.operation_name) from error
        except ParamValidationError:
            raise  # a mistake of our own: it would be made again
        except (BotoCoreError, *UNANSWERED) as error:
            raise close(error) from error
        except OSError as error:
            if error.errno not in FULL:
                raise
            message = (
                f"{error.filename or 'a file'} cannot be written: the task's disk, /tmp, is full; {ROOM}"
            )
            raise NoSpaceLeft(message) from error

    return handler
