"""Where the stacks of the local cloud are kept, and what the operations of all stacks share.

One registry per account and region hangs on moto's CloudFormation backend, so that a reset of moto forgets
it too. The platform gives API clients, exports between stacks, and the threads in which operations run.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from moto.cloudformation.models import cloudformation_backends

from tidegate.local.stack_errors import ChangeSetNotFoundError, ResourceFailure, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tidegate.local.cloud import LocalCloud
    from tidegate.local.stack_records import ChangeSet, Stack

LOG: Final = logging.getLogger(__name__)
ATTRIBUTE: Final = "tidegate_registry"
USER_AGENT: Final = "cloudformation.amazonaws.com"  # as CloudTrail shows its calls


class Registry:
    """The stacks of one account and region, deleted ones included, and the lock for changing any of them."""

    def __init__(self, account: str, region: str) -> None:
        self.account = account
        self.region = region
        self.lock = threading.RLock()
        self.by_id: dict[str, Stack] = {}
        self._by_name: dict[str, Stack] = {}  # the newest of each name: no other one of it can live

    def add(self, stack: Stack) -> None:
        """Take in a stack whose name no living one has."""
        with self.lock:
            self.by_id[stack.id] = self._by_name[stack.name] = stack

    def stacks(self) -> list[Stack]:
        """All stacks, the oldest first."""
        with self.lock:
            return list(self.by_id.values())

    def find(self, name: str) -> Stack | None:
        """A stack by id, or a living one by name."""
        with self.lock:
            if name in self.by_id:
                return self.by_id[name]
            stack = self._by_name.get(name)
        return stack if stack is not None and stack.status != "DELETE_COMPLETE" else None

    def get(self, name: str) -> Stack:
        """The same; a ValidationError if there is none."""
        stack = self.find(name)
        if stack is None:
            raise ValidationError(f"Stack with id {name} does not exist")
        return stack

    def get_change_set(self, name: str, stack_name: str | None) -> tuple[Stack, ChangeSet]:
        """A change set by ARN, or by name within a stack."""
        if not name.startswith("arn:") and not stack_name:
            raise ValidationError("StackName must be specified if ChangeSetName is not specified as an ARN.")
        named = self.find(stack_name) if stack_name else None
        if stack_name and not name.startswith("arn:") and named is None:
            raise ValidationError(f"Stack [{stack_name}] does not exist")
        among = [named] if named else [] if stack_name else self.stacks()
        for stack in among:
            for change_set in list(stack.change_sets.values()):
                if name in {change_set.id, change_set.name}:
                    return stack, change_set
        if found := self._find_nested(name):
            return found
        raise ChangeSetNotFoundError(f"ChangeSet [{name}] does not exist")

    def _find_nested(self, identity: str) -> tuple[Stack, ChangeSet] | None:
        """A nested change set by its ARN; its own stack may not exist yet."""
        waiting = [
            pair for stack in self.stacks() for one in stack.change_sets.values() for pair in one.nested
        ]
        while waiting:
            stack, change_set = waiting.pop()
            if change_set.id == identity:
                return stack, change_set
            waiting += change_set.nested
        return None

    def exports(self) -> Iterator[tuple[Stack, str, str]]:
        """The exported outputs: the stack, the export's name, its value."""
        for stack in self.stacks():
            for output in stack.outputs:
                if "ExportName" in output and stack.status != "DELETE_COMPLETE":
                    yield stack, output["ExportName"], output["OutputValue"]


def get_registry(account: str, region: str) -> Registry:
    """The registry of an account and region."""
    backend = cloudformation_backends[account][region]
    return backend.__dict__.setdefault(ATTRIBUTE, Registry(account, region))  # type: ignore[no-any-return]


class Clients:
    """API clients by account, region and role; a role is assumed, so that its rights decide."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.session = boto3.session.Session()
        self.lock = threading.Lock()
        self.made: dict[tuple[str, ...], Any] = {}
        # The credentials of a role do not expire here, and each have clients of their own.
        self.given: dict[tuple[str, str, str], tuple[str, str, str]] = {}

    def choose(self, account: str, region: str, role_arn: str | None) -> Callable[[str], Any]:
        """A function from a service's name to its client."""
        credentials = self._assume(account, region, role_arn) if role_arn else ("testing", "testing", "")

        def client(service: str) -> Any:  # noqa: ANN401
            return self._make(service, account, region, credentials)

        return client

    def _assume(self, account: str, region: str, role_arn: str) -> tuple[str, str, str]:
        from botocore.exceptions import ClientError

        name = role_arn.rsplit("/", 1)[-1]
        try:
            self._make("iam", account, region, ("testing", "testing", "")).get_role(RoleName=name)
        except ClientError as error:
            raise ValidationError(f"Role {role_arn} is invalid or cannot be assumed") from error
        key = (account, region, role_arn)
        if key not in self.given:
            sts = self._make("sts", account, region, ("testing", "testing", ""))
            given = sts.assume_role(RoleArn=role_arn, RoleSessionName="AWSCloudFormation")["Credentials"]
            self.given[key] = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return self.given[key]

    def _make(self, service: str, account: str, region: str, credentials: tuple[str, str, str]) -> Any:  # noqa: ANN401
        key = (service, account, region, *credentials)
        with self.lock:
            if key not in self.made:
                self.made[key] = self._connect(service, account, region, credentials)
            return self.made[key]

    def _connect(self, service: str, account: str, region: str, credentials: tuple[str, str, str]) -> Any:  # noqa: ANN401
        client = self.session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.cloud.endpoint_url,
            region_name=region,
            aws_access_key_id=credentials[0],
            aws_secret_access_key=credentials[1],
            aws_session_token=credentials[2] or None,
            config=Config(
                user_agent=USER_AGENT,
                retries={"max_attempts": 0},
                max_pool_connections=50,
                read_timeout=900,
                s3={"addressing_style": "path"},
            ),
        )

        def name_account(request: Any, **_: object) -> None:  # noqa: ANN401
            request.headers["x-moto-account-id"] = account

        client.meta.events.register("before-sign", name_account)
        return client


class Platform:
    """What the operations of all stacks share."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.clients = Clients(cloud)
        self.stopping = cloud.stopping
        self.threads: set[threading.Thread] = set()
        cloud.on_stop(self.join)

    def run(self, name: str, work: Callable[[], None]) -> None:
        """Run an operation in the background."""

        def guarded() -> None:
            try:
                work()
            except Exception:
                LOG.exception("%s failed", name)
            finally:
                self.threads.discard(threading.current_thread())

        thread = threading.Thread(target=guarded, name=f"tidegate-stack-{name}", daemon=True)
        self.threads.add(thread)
        thread.start()

    def join(self) -> None:
        """Wait for what is under way; it sees that the cloud stops."""
        for thread in list(self.threads):
            thread.join(timeout=5)

    def import_value(self, stack: Stack, name: str) -> str:
        """The value of an export."""
        for _, export, value in get_registry(stack.account, stack.region).exports():
            if export == name:
                return value
        raise ValidationError(f"No export named {name} found.")

    def list_importers(self, stack: Stack, name: str) -> list[Stack]:
        """The living stacks that import an export."""
        stacks = get_registry(stack.account, stack.region).stacks()
        return [s for s in stacks if name in s.imports and s.status != "DELETE_COMPLETE"]

    def check_export(self, stack: Stack, name: str) -> None:
        """Refuse an export's name that another stack has."""
        for owner, export, _ in get_registry(stack.account, stack.region).exports():
            if export == name and owner is not stack:
                raise ResourceFailure(f"Export with name {name} is already exported by stack {owner.name}.")
