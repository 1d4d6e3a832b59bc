"""The closed list of errors that leave a task, each under its class name.

The state machines catch them by these names and a test matches both ways. An error that is not in this
list is a fault of Tidegate or of the platform. The message is one readable line for the operator.
"""

from __future__ import annotations


class TidegateError(Exception):
    """The root of the list; never raised itself."""

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(f"{place}{message}")
        self.file = file
        self.line = line


class MalformedEvent(TidegateError):
    """An event that names no commit in the way its source documents; it goes to the dead-letter queue."""


class InvalidConfiguration(TidegateError):
    """The service's tidegate.yaml (or samconfig.toml) is wrong; the message names file, line and remedy."""


class InvalidTemplate(TidegateError):
    """The service's template cannot be read, translated or placed; the mistake is the user's."""


class UnsupportedTemplate(TidegateError):
    """The template is right but asks for something that Tidegate does not release; it is named."""


class InvalidSource(TidegateError):
    """The commit's source is not what it claims: wrong hash, too large, unsafe paths, unreadable."""


class SecretFound(TidegateError):
    """The commit's source holds what looks like a secret; the message names file, line and kind, no more."""


class HostRefused(TidegateError):
    """A host of repositories refuses what it is asked: no such repository, or credentials that may not."""


class BuildFailed(TidegateError):
    """A function's artifact cannot be made: a dependency that does not resolve, missing code or handler."""


class NoSpaceLeft(TidegateError):
    """A task's own disk (`/tmp`) cannot hold what the release needs at once; nothing half-written is used."""


class TestsFailed(TidegateError):
    """The service's own tests failed, never ended, or could not be run."""

    __test__ = False  # pytest would collect it by its name


class ImportFailed(TidegateError):
    """A function's handler cannot be imported from its finished artifact, wherever it would run."""


class AuditFailed(TidegateError):
    """Known vulnerabilities that the service's policy does not let pass, or an expired waiver of one."""


class ScannerUnavailable(TidegateError):
    """The scanner of vulnerabilities does not answer; the state machine retries, then the policy decides."""


class ProvenanceMissing(TidegateError):
    """There is no signed statement of where the release's artifacts come from: nothing is deployed."""


class SignatureInvalid(TidegateError):
    """The statement is not signed by a trusted key, or is not what was signed."""


class ArtifactAltered(TidegateError):
    """The bytes of an artifact are not those that were built and attested, or nobody attested them."""


class ProvenanceRefused(TidegateError):
    """The statement is signed, but not about this: another builder, service, branch, commit or release."""


class ChangeSetFailed(TidegateError):
    """CloudFormation refused the change set, or its execution failed and was rolled back by the platform."""


class PreflightRefused(TidegateError):
    """The preflight found something that no rollout can work with; nothing has been touched."""


class ProvisioningFailed(TidegateError):
    """Lambda cannot give a version its provisioned concurrency: no room for it, or a version that fails."""


class StackNeedsOperator(TidegateError):
    """The stack is in a state that only a person can end, such as UPDATE_ROLLBACK_FAILED."""


class SmokeFailed(TidegateError):
    """The new version failed at 0 % traffic."""


class ApprovalRejected(TidegateError):
    """A person said no. Where nobody answers in time, the state's own States.Timeout leaves."""


class CanaryFailed(TidegateError):
    """The judge found the new version worse than the stable one."""


class InsufficientEvidence(TidegateError):
    """The longest hold has passed without enough evidence, and the policy is not to promote on silence."""


class ClaimLost(TidegateError):
    """Another execution holds the service now; this one must write nothing more."""


class ForeignChange(TidegateError):
    """Somebody outside Tidegate moved an alias in the middle of a rollout; it is not fought."""


class RestoreFailed(TidegateError):
    """An alias could not be put back; an operator is needed."""


class BuildsPending(TidegateError):
    """More artifacts than one invocation builds; the state machine retries until all stand."""


class BuildsElsewhere(TidegateError):
    """CodeBuild has to make artifacts, or is about to; the state machine waits for it, and comes back."""


class ImportsPending(TidegateError):
    """More handlers than one invocation imports; the state machine retries until all were."""


class ChangeSetsPending(TidegateError):
    """CloudFormation still computes change sets; the state machine retries until it has."""


class PreflightPending(TidegateError):
    """More functions than the preflight reads at a time; the state machine retries until all are read."""


class HoldsPending(TidegateError):
    """What is held for the stable version is still put up or taken away; the state machine retries."""


class ImagesPending(TidegateError):
    """Images are still to be copied into the stage's own repository; the state is tried again."""


class StackPending(TidegateError):
    """CloudFormation still works on the service's stack; the state machine retries until it has ended."""


class AlarmsPending(TidegateError):
    """CloudFormation still puts up the stage's alarms; the state machine retries until it has."""


class ProvisioningPending(TidegateError):
    """Provisioned concurrency is being allocated; the state machine retries until it is ready."""


class VersionsPending(TidegateError):
    """A published version is not active yet; the state machine retries until it is."""
