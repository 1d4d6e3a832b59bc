"""The errors of Invoke that moto has not; each has the code and the HTTP status that Lambda's has.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
"""

from __future__ import annotations

from moto.awslambda.exceptions import LambdaClientError


class TooManyRequestsException(LambdaClientError):  # type: ignore[misc]
    """More invocations at once than the function or the account may have."""

    code = 429

    def __init__(self) -> None:
        super().__init__("TooManyRequestsException", "Rate Exceeded.")


class RequestTooLargeException(LambdaClientError):  # type: ignore[misc]
    """The payload is larger than an invocation's may be."""

    code = 413

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            "RequestTooLargeException",
            f"{size} byte payload is too large for the Invoke operation (limit {limit} bytes)",
        )


class InvalidRequestContentException(LambdaClientError):  # type: ignore[misc]
    """The payload is not JSON."""

    code = 400

    def __init__(self, reason: str) -> None:
        super().__init__(
            "InvalidRequestContentException", f"Could not parse request body into json: {reason}"
        )


class InvalidRuntimeException(LambdaClientError):  # type: ignore[misc]
    """The local cloud cannot run this kind of function."""

    code = 502

    def __init__(self, what: str) -> None:
        super().__init__("InvalidRuntimeException", f"The local cloud runs Python and Node, not {what}")


class RuntimeIncompleteException(LambdaClientError):  # type: ignore[misc]
    """What the runtime brings along cannot be had."""

    code = 502

    def __init__(self, function_name: str, reason: str) -> None:
        super().__init__(
            "InvalidRuntimeException", f"The AWS SDK that {function_name} names cannot be fetched: {reason}"
        )


class InvalidZipFileException(LambdaClientError):  # type: ignore[misc]
    """The function's archive cannot be unpacked."""

    code = 502

    def __init__(self, function_name: str) -> None:
        super().__init__(
            "InvalidZipFileException", f"Lambda could not unzip the deployment package of {function_name}"
        )
