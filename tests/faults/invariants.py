"""What must hold when everything has ended, whatever went wrong on the way."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tests.faults.acts import LIVE
from tests.pipelines.services import STAGES
from tidegate.adapters.aliases import find_alias
from tidegate.adapters.healthy import find_healthy
from tidegate.adapters.provisioning import list_provisioned
from tidegate.domain.ledger import ClaimState, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.subjects import Subject
    from tidegate.cli.push import Pushed

DELETED = 5.0  # seconds that a stack's deletion may take to be seen


def check(subject: Subject, pushed: Pushed, before: str, after: str) -> Outcome:
    """Everything; gives how the release ended. `before` and `after` are what production may answer."""
    found = list(find_violations(subject, pushed, before, after))
    assert not found, "; ".join(found)
    record = subject.record(pushed)
    return Outcome.REJECTED if record is None else record.outcome


def find_violations(subject: Subject, pushed: Pushed, before: str, after: str) -> Iterator[str]:
    record = subject.record(pushed)
    outcome = Outcome.REJECTED if record is None else record.outcome
    claim = subject.claim()
    if claim is not None and claim.state is not ClaimState.FREE:
        yield f"the claim is {claim.state} for {claim.holder.rpartition(':')[2]}"
    if outcome in {Outcome.OPEN, Outcome.NEEDS_OPERATOR}:
        yield f"the release ended as {outcome.value}: {record.reason if record else ''}"
    unfinished = [
        one.ref.id
        for one in subject.pipeline.ledger.releases(subject.name)
        if one.outcome is Outcome.OPEN and one.ref.id != pushed.release_id
    ]
    if unfinished:
        yield f"releases are still open: {unfinished}"
    yield from _check_status(subject, pushed, outcome)
    promoted = outcome in LIVE
    for stage in STAGES:
        yield from _check_aliases(subject, stage, pushed, promoted=promoted)
        yield from _check_provided(subject, stage)
        yield from _check_stack(subject, stage)
    live = subject.ask()
    if before or promoted:
        expected = after if promoted else before
        if set(live) != {expected}:
            yield f"the ledger says {outcome.value}, production answers {live} instead of {expected}"
    yield from _check_leftovers(subject)


def _check_status(subject: Subject, pushed: Pushed, outcome: Outcome) -> Iterator[str]:
    status = subject.status(pushed)
    ended = {"SUCCEEDED", "ABORTED"} if subject.is_closing else {"SUCCEEDED"}
    if outcome is Outcome.PROMOTED and status not in ended:
        yield f"the ledger says promoted, the execution {status}"
    if outcome is Outcome.REJECTED and status == "SUCCEEDED":
        yield "the ledger says rejected, the execution SUCCEEDED"


def _check_aliases(subject: Subject, stage: str, pushed: Pushed, *, promoted: bool) -> Iterator[str]:
    ledger, documents = subject.pipeline.ledger, subject.pipeline.documents
    healthy = find_healthy(ledger, documents, subject.name, stage)
    if promoted and (healthy is None or healthy.release_id != pushed.release_id):
        yield f"{stage}: promoted, but the healthy release is {healthy and healthy.release_id}"
    if not promoted and healthy is not None and healthy.release_id == pushed.release_id:
        yield f"{stage}: not promoted, but its versions stand as the healthy ones"
    client = subject.client("lambda")
    for logical_id, (function, alias) in subject.aliases(stage).items():
        state = find_alias(client, function, alias)
        if state is None:
            yield f"{stage}: {logical_id} is gone"
            continue
        if state.pointing.weights:
            yield f"{stage}: {logical_id} is split: {state.pointing}"
        name = next(name for name in subject.functions if logical_id.startswith(name))
        stable = healthy.versions.get(name) if healthy else None
        if stable is not None and state.pointing.version != stable:
            yield f"{stage}: {logical_id} points at {state.pointing.version}, the healthy one is {stable}"
        version = client.get_function_configuration(FunctionName=function, Qualifier=state.pointing.version)
        if version["State"] != "Active":
            yield f"{stage}: version {state.pointing.version} of {function} is {version['State']}"


def _check_provided(subject: Subject, stage: str) -> Iterator[str]:
    """Provisioned concurrency as the service has it, on the version that is live and nowhere else."""
    wanted = subject.properties.get("ProvisionedConcurrencyConfig", {})
    amount = wanted.get("ProvisionedConcurrentExecutions")
    client = subject.client("lambda")
    for function, alias in subject.aliases(stage).values():
        state = find_alias(client, function, alias)
        found = {key: one.requested for key, one in list_provisioned(client, function).items()}
        expected = {state.pointing.version: amount} if state and amount else {}
        if found != expected:
            yield f"{stage}: provisioned concurrency is {found}, and should be {expected}"


def _check_stack(subject: Subject, stage: str) -> Iterator[str]:
    client, stack = subject.client("cloudformation"), f"{subject.name}-{stage}"
    try:
        sets = client.list_change_sets(StackName=stack)["Summaries"]
    except ClientError as error:
        if "does not exist" not in error.response["Error"]["Message"]:
            raise
        return
    left = [one["ChangeSetName"] for one in sets if one.get("ExecutionStatus") == "AVAILABLE"]
    if left and not subject.is_late:
        yield f"{stage}: change sets are left behind: {left}"
    status = subject.stacks().get(stack, "ABSENT")
    if not status.endswith("_COMPLETE") and not (subject.is_late and status == "REVIEW_IN_PROGRESS"):
        yield f"{stage}: the stack is {status}"


def _check_leftovers(subject: Subject) -> Iterator[str]:
    """Side stacks, whatever their use: only the stacks of the stages may stay."""
    own = {f"{subject.name}-{stage}" for stage in STAGES}
    deadline = time.monotonic() + DELETED
    while (left := subject.stacks().keys() - own) and time.monotonic() < deadline:
        time.sleep(0.05)
    if left:
        yield f"side stacks are left behind: {sorted(left)}"
    logs = subject.client("logs")
    for stage in STAGES:
        for function, _ in subject.aliases(stage).values():
            group = f"/aws/lambda/{function}"
            try:
                filters = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
            except logs.exceptions.ResourceNotFoundException:
                continue
            if filters:
                yield f"{stage}: subscription filters are left behind: {[one['filterName'] for one in filters]}"
