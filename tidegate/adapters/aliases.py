"""Lambda aliases and versions of one stage: read, publish, and the one way to write where an alias points.

A write is fenced: a revision of the alias is known, the claim's epoch is checked by a consistent read, and
UpdateAlias carries that revision. Whether it was read just now or was the answer to the release's last write
does not matter, only that it was known before the look at the claim. The description names the epoch, so that
even a write which changes nothing else changes the revision and fences off a writer that knew the one before.
A rollback reads nothing: it has raised the epoch, and its write ends every revision that was known before.
Source: AWS Lambda API Reference, UpdateAlias.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from tidegate.domain.errors import ForeignChange
from tidegate.domain.identity import Frozen
from tidegate.domain.rollouts import Pointing, RollingFunction, is_foreign, point

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import (
        FunctionConfigurationResponseTypeDef,
        FunctionConfigurationTypeDef,
    )

    from tidegate.adapters.ledger import Ledger
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import FunctionPlan

ATTEMPTS: Final = 5
MOVED: Final = "PreconditionFailedException"
GONE: Final = "ResourceNotFoundException"
# What Lambda answers while a version is not active (AWS Lambda API Reference, "Invoke").
ASLEEP: Final = frozenset(
    {
        "CodeArtifactUserPendingException",
        "ENINotReadyException",
        "EFSMountConnectivityException",
        "ResourceConflictException",
        "ResourceNotReadyException",
        "SnapStartNotReadyException",
    }
)


class AliasState(Frozen):
    """An alias as it is now."""

    pointing: Pointing
    revision: str
    description: str


class VersionState(Frozen):
    """A version (or $LATEST) as it is now. `sha256` is base64, as Lambda gives it; `image` is by digest."""

    version: str
    state: str
    reason: str
    update: str
    sha256: str
    log_group: str
    role: str = ""
    dead_letters: str = ""
    image: str = ""


def parse_alias(arn: str) -> tuple[str, str]:
    """(function, alias) of an alias's ARN."""
    *_, function, alias = arn.split(":")
    return function, alias


def find_alias(client: LambdaClient, function: str, alias: str) -> AliasState | None:
    """The alias, or None where the function or the alias does not exist."""
    try:
        answer = client.get_alias(FunctionName=function, Name=alias)
    except ClientError as error:
        if error.response["Error"]["Code"] == GONE:
            return None
        raise
    weights = (answer.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return AliasState(
        pointing=Pointing(version=answer["FunctionVersion"], weights=dict(weights)),
        revision=answer["RevisionId"],
        description=answer.get("Description", ""),
    )


def read_version(client: LambdaClient, function: str, qualifier: str) -> VersionState:
    """A version's state; `qualifier` may be an alias or $LATEST."""
    # GetFunction has a quota of its own, several times that of GetFunctionConfiguration.
    answer = client.get_function(FunctionName=function, Qualifier=qualifier)
    image = answer.get("Code", {}).get("ResolvedImageUri", "")
    return _describe(answer["Configuration"]).model_copy(update={"image": image})


def _describe(answer: FunctionConfigurationTypeDef | FunctionConfigurationResponseTypeDef) -> VersionState:
    return VersionState(
        version=answer["Version"],
        state=answer.get("State", "Active"),
        reason=answer.get("StateReason", ""),
        update=answer.get("LastUpdateStatus", "Successful"),
        sha256=answer["CodeSha256"],
        role=answer.get("Role", ""),
        dead_letters=answer.get("DeadLetterConfig", {}).get("TargetArn", ""),
        log_group=answer.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{answer['FunctionName']}",
    )


def find_version(client: LambdaClient, function: str, version: str) -> VersionState | None:
    """A version's state, or None where the function or the version does not exist (any more)."""
    try:
        return read_version(client, function, version)
    except ClientError as error:
        if error.response["Error"]["Code"] == GONE:
            return None
        raise


def wake(client: LambdaClient, function: str, version: str) -> None:
    """Have Lambda set up a version that has just been found Inactive.

    A request to an inactive version fails and sets it to Pending, and no code runs (AWS Lambda Developer
    Guide, "Lambda function states"). Nothing else that Lambda documents wakes a version.
    """
    try:
        client.invoke(FunctionName=function, Qualifier=version, Payload=b"{}")
    except ClientError as error:
        if error.response["Error"]["Code"] not in ASLEEP:
            raise


def publish(client: LambdaClient, function: str, sha256: str, description: str) -> VersionState:
    """Publish $LATEST if it still holds that code; gives the version, an old one where nothing changed."""
    answer = client.publish_version(FunctionName=function, CodeSha256=sha256, Description=description)
    return _describe(answer)


def is_published(client: LambdaClient, function: str) -> bool:
    """Whether the newest version has the code of $LATEST already: publishing may then give no new one."""
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    codes = {item["Version"]: item["CodeSha256"] for page in pages for item in page["Versions"]}
    latest = codes.pop("$LATEST")
    return bool(codes) and codes[max(codes, key=int)] == latest


class AliasWriter:
    """Writes aliases of one stage for one release, as long as that release holds the claim."""

    def __init__(self, client: LambdaClient, ledger: Ledger, ref: ReleaseRef) -> None:
        self._client = client
        self._ledger = ledger
        self._ref = ref

    @property
    def _mark(self) -> str:
        return f"Tidegate: release {self._ref.id}, epoch {self._ref.epoch}"

    def shift(self, function: RollingFunction, before: Pointing, target: Pointing, revision: str) -> str:
        """The same as `point`, by one call where the alias still has the revision that is remembered.

        Where it has another, it is read: this call may have been made before and its answer lost, a rollback
        may have written, or somebody else. Whoever has pointed it elsewhere than from `before` to `target`
        is not fought, also if it is at one of the two versions: an operator who takes traffic off the new one
        by hand, or a later shift that this one, long given up, would take back.
        """
        self._ledger.check_epoch(self._ref)
        written = self._try(function, target, revision) if revision else ""
        return written or self.point(function, target, before=before)

    def _try(self, function: RollingFunction, target: Pointing, revision: str) -> str:
        """The write; empty where a look at the alias must say why it cannot be made."""
        try:
            return self._write(function.name, function.alias, target, revision)
        except ClientError as error:
            if error.response["Error"]["Code"] != GONE:
                raise
            return ""

    def point(
        self,
        function: RollingFunction,
        target: Pointing,
        *,
        before: Pointing | None = None,
        force: bool = False,
    ) -> str:
        """Point the alias at `target`, unless it does so already under this epoch; gives its revision.

        Raises ClaimLost where the claim is another's, and ForeignChange where the alias names a version that
        is not of this rollout, points neither `before` nor at `target`, or keeps moving. `force` (a rollback)
        overrules a foreign version.
        """
        known = (before, target) if before else ()
        for _ in range(ATTEMPTS):
            state = find_alias(self._client, function.name, function.alias)
            if state is None:
                message = f"alias {function.name}:{function.alias} is gone; somebody else deleted it"
                raise ForeignChange(message)
            if not force and (
                is_foreign(function, state.pointing) or (known and state.pointing not in known)
            ):
                message = f"somebody else moved {function.name}:{function.alias} to {state.pointing}"
                raise ForeignChange(message)
            self._ledger.check_epoch(self._ref)
            if state.pointing == target and state.description == self._mark:
                return state.revision
            if written := self._write(function.name, function.alias, target, state.revision):
                return written
        message = f"{function.name}:{function.alias} was moved by somebody else {ATTEMPTS} times in a row"
        raise ForeignChange(message)

    def settle(self, plan: FunctionPlan) -> bool:
        """Take weights that somebody else left off the alias; False where they are off already.

        Raises ForeignChange where the alias no longer stands as it was planned: somebody's rollout moves.
        """
        planned = Pointing(version=plan.rollback_target, weights=plan.left_weights)
        target = Pointing(version=plan.rollback_target)
        where = f"alias {plan.function_name}:{plan.alias}"
        for _ in range(ATTEMPTS):
            state = find_alias(self._client, plan.function_name, plan.alias)
            if state is None or state.pointing not in (planned, target):
                found = "is gone" if state is None else f"has moved since it was planned, to {state.pointing}"
                message = f"{where} {found}; repair it and retry the release"
                raise ForeignChange(message)
            self._ledger.check_epoch(self._ref)
            if state.pointing == target:
                return False
            if self._write(plan.function_name, plan.alias, target, state.revision):
                return True
        message = f"{where} was moved by somebody else {ATTEMPTS} times in a row"
        raise ForeignChange(message)

    def is_late(self, state: AliasState) -> bool:
        """Whether the alias was last written by Tidegate under another epoch than this one."""
        return state.description.startswith("Tidegate: ") and state.description != self._mark

    def restore(self, function: RollingFunction) -> None:
        """Point the alias at its stable version, wherever it points now: one call, and nothing read before.

        It overrules everybody else. A late write of the release carries a revision that this write ends; of
        two rollbacks the one that lost the claim may still be late by one call, which VerifyRecovery mends.
        Raises ClaimLost where the claim is another's, and ForeignChange where the alias is gone.
        """
        self._ledger.check_epoch(self._ref)
        try:
            self._update(function.name, function.alias, point(function, 0))
        except ClientError as error:
            if error.response["Error"]["Code"] != GONE:
                raise
            message = f"the alias or version {function.stable} is gone; somebody else deleted it"
            raise ForeignChange(message) from error

    def restore_own(self, function: RollingFunction) -> bool:
        """The same, but an alias that somebody else has moved off the new version is left as it is: False.

        Raises ClaimLost and ForeignChange as `restore` does.
        """
        state = find_alias(self._client, function.name, function.alias)
        if state is not None:
            named = {state.pointing.version, *state.pointing.weights}
            if is_foreign(function, state.pointing) and function.canary not in named:
                return False
        self.restore(function)
        return True

    def _write(self, function: str, alias: str, target: Pointing, revision: str) -> str:
        """The revision that the write has made; empty where the alias had another one than this."""
        try:
            return self._update(function, alias, target, RevisionId=revision)
        except ClientError as error:
            if error.response["Error"]["Code"] == MOVED:
                return ""
            raise

    def _update(self, function: str, alias: str, target: Pointing, **condition: str) -> str:
        answer = self._client.update_alias(
            FunctionName=function,
            Name=alias,
            FunctionVersion=target.version,
            RoutingConfig={"AdditionalVersionWeights": target.weights},
            Description=self._mark,
            **condition,
        )
        return answer["RevisionId"]
