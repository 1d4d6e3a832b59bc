"""The errors of CloudFormation: those that answer a call, and the one that fails a resource."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class StackError(ServiceException):  # type: ignore[misc]
    """What a call of the CloudFormation API is refused with."""


class ValidationError(StackError):
    """The call or its template cannot be accepted."""

    code = "ValidationError"


class AlreadyExistsError(StackError):
    """A stack or a change set of that name exists."""

    code = "AlreadyExistsException"


class ChangeSetNotFoundError(StackError):
    """There is no such change set."""

    code = "ChangeSetNotFoundException"


class InvalidChangeSetStatusError(StackError):
    """The change set cannot be executed or deleted as it stands."""

    code = "InvalidChangeSetStatusException"


class InsufficientCapabilitiesError(StackError):
    """The template needs capabilities that the caller has not acknowledged."""

    code = "InsufficientCapabilitiesException"


class InternalFailure(StackError):
    """A fault of the local cloud itself."""

    code = "InternalFailure"


class ResourceFailure(Exception):
    """A resource cannot be brought to the state that the template asks for; its text is the reason."""
