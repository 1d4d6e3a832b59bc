"""Lambda's HTTP API where moto's falls short: Invoke with all its headers, guards, qualifiers, and pages.

It only reads requests and words answers; what they mean is decided in the modules beside it.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from moto.awslambda import responses, urls
from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError

from tidegate.local.compute.invoker import Call
from tidegate.local.compute.versions import split_name

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud
    from tidegate.local.compute.deliveries import Deliveries
    from tidegate.local.compute.invoker import Invoker

Answer = tuple[int, dict[str, Any], str | bytes]
RUNNING: dict[str, Any] = {}
OF_FUNCTIONS: Final = (
    "response-streaming-invocations.*|runtime-management-config.*"
    "|recursion-config.*|function-scaling-config.*|urls.*"
)
OF_ACCOUNTS: Final = "code-signing-configs.*|capacity-providers.*|durable-executions.*"
PROVISIONED: Final = (
    r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[^/]+)/provisioned-concurrency/?$"
)
SETTINGS: Final = r"{0}/(?P<api_version>[^/]+)/account-settings/?$"
ABSENT: Final = (
    rf"{{0}}/(?P<api_version>[^/]+)/functions/(?P<function_name>[^/]+)/(?P<what>{OF_FUNCTIONS})$",
    rf"{{0}}/(?P<api_version>[^/]+)/(?P<what>{OF_ACCOUNTS})$",
)


class AbsentActionException(LambdaClientError):  # type: ignore[misc]
    """The local cloud does not have this action."""

    code = 501

    def __init__(self, action: str) -> None:
        super().__init__(
            "NotImplementedException", f"The local cloud does not have the Lambda action {action}"
        )


def install(cloud: LocalCloud, invoker: Invoker, deliveries: Deliveries) -> None:
    """Replace the answers of moto's API."""
    RUNNING.update(invoker=invoker, deliveries=deliveries)
    for method in (
        invoke, invoke_async, publish_version, create_alias, update_alias, list_aliases,
        list_functions, list_versions_by_function,
    ):  # fmt: skip
        cloud.patch(responses.LambdaResponse, method.__name__, method)
    cloud.patch(responses.LambdaResponse, "_set_configuration_qualifier", staticmethod(_qualify))
    cloud.patch(responses.LambdaResponse, "_enrich_response", staticmethod(_keep_request_id))
    known = dict.fromkeys((PROVISIONED, SETTINGS), responses.LambdaResponse.dispatch)
    added = {**known, **dict.fromkeys(ABSENT, refuse)}
    cloud.patch(urls, "url_paths", {**urls.url_paths, **added})


def _keep_request_id(headers: dict[str, Any], body: Any) -> tuple[dict[str, Any], Any]:  # noqa: ANN401
    """Let an invocation's own id be the id of the request, which moto draws anew."""
    own = headers.get("x-amzn-requestid")
    enriched, body = responses.BaseResponse._enrich_response(headers, body)
    return ({**enriched, "x-amzn-requestid": own} if own else enriched), body


def _qualify(configuration: dict[str, Any], function_name: str, qualifier: str | None) -> dict[str, Any]:
    """Let the ARN that is told end as the function was asked for."""
    _, wanted = split_name(function_name, qualifier)
    bare = ":".join(configuration["FunctionArn"].split(":")[:7])
    return {**configuration, "FunctionArn": f"{bare}:{wanted}" if wanted else bare}


def refuse(request: Any, full_url: str, headers: Any) -> Any:  # noqa: ANN401, ARG001
    """Answer a call to an action that is absent with an error that names it."""
    response = responses.LambdaResponse()
    response.setup_class(request)
    error = AbsentActionException(response._get_action() or f"{request.method} {response.path}")
    return error.code, dict(error.get_headers() or []), error.description


def _name(self: Any, index: int) -> str:  # noqa: ANN401
    return unquote(self.path.rstrip("/").split("/")[index])


def _query(self: Any, name: str) -> str | None:  # noqa: ANN401
    values = self.querystring.get(name) or [None]
    return str(values[0]) if values[0] is not None else None


def _body(self: Any) -> dict[str, Any]:  # noqa: ANN401
    body: dict[str, Any] = json.loads(self.body or "{}")
    return body


def _call(self: Any, name: str) -> Call:  # noqa: ANN401
    headers = self.headers
    context = headers.get("X-Amz-Client-Context")
    payload = self.body.encode() if isinstance(self.body, str) else self.body
    return Call(
        self.current_account,
        self.region,
        name,
        payload,
        qualifier=_query(self, "Qualifier"),
        tenant_id=headers.get("X-Amz-Tenant-Id"),
        client_context=base64.b64decode(context).decode() if context else None,
    ).numbered()


def invoke(self: Any) -> Answer:  # noqa: ANN401
    """Answer Invoke."""
    call = _call(self, _name(self, -2))
    kind = self.headers.get("X-Amz-Invocation-Type") or "RequestResponse"
    headers = {"x-amzn-requestid": call.request_id}
    match kind:
        case "DryRun":
            RUNNING["invoker"].check(call)
            return 204, {**headers, "status": 204}, b""
        case "Event":
            RUNNING["deliveries"].accept(call)
            return 202, {**headers, "status": 202}, b""
        case "RequestResponse":
            return _invoke_now(self, call, headers)
        case _:
            raise InvalidParameterValueException(f"Unknown invocation type {kind}")


def _invoke_now(self: Any, call: Call, headers: dict[str, Any]) -> Answer:  # noqa: ANN401
    target, outcome = RUNNING["invoker"].run(call)
    headers |= {
        "Content-Type": "application/json",
        "X-Amz-Executed-Version": str(target.function.version),
        "Content-Length": str(len(outcome.payload)),
    }
    if outcome.function_error:
        headers["X-Amz-Function-Error"] = outcome.function_error
    if self.headers.get("X-Amz-Log-Type") == "Tail":
        headers["X-Amz-Log-Result"] = base64.b64encode(outcome.log_tail).decode()
    return 200, headers, outcome.payload


def invoke_async(self: Any) -> Answer:  # noqa: ANN401
    """Answer InvokeAsync, the elder of Invoke with type Event."""
    RUNNING["deliveries"].accept(_call(self, _name(self, -2)))
    return 202, {"status": 202}, b"{}"


def publish_version(self: Any) -> Answer:  # noqa: ANN401
    """Answer PublishVersion."""
    body = _body(self)
    version = self.backend.publish_version(
        _name(self, -2), body.get("Description"), body.get("CodeSha256"), body.get("RevisionId")
    )
    return 201, {"status": 201}, json.dumps(version.get_configuration())


def create_alias(self: Any) -> Answer:  # noqa: ANN401
    """Answer CreateAlias."""
    body = _body(self)
    alias = self.backend.create_alias(
        name=body["Name"],
        function_name=_name(self, -2),
        function_version=body["FunctionVersion"],
        description=body.get("Description", ""),
        routing_config=body.get("RoutingConfig"),
    )
    return 201, {"status": 201}, json.dumps(alias.to_json())


def update_alias(self: Any) -> Answer:  # noqa: ANN401
    """Answer UpdateAlias."""
    body = _body(self)
    alias = self.backend.update_alias(
        name=_name(self, -1),
        function_name=_name(self, -3),
        function_version=body.get("FunctionVersion"),
        description=body.get("Description"),
        routing_config=body.get("RoutingConfig"),
        revision_id=body.get("RevisionId"),
    )
    return 200, {}, json.dumps(alias.to_json())


def list_aliases(self: Any) -> Answer:  # noqa: ANN401
    """Answer ListAliases."""
    name, _ = split_name(_name(self, -2))
    version = _query(self, "FunctionVersion")
    self.backend.get_function(name)
    aliases = [
        alias for alias in self.backend.list_aliases(name) if version is None or version in alias.versions()
    ]
    return _page(self, "Aliases", [alias.to_json() for alias in aliases], 10_000)


def list_functions(self: Any) -> Answer:  # noqa: ANN401
    """Answer ListFunctions."""
    functions = self.backend.list_functions(_query(self, "FunctionVersion"))
    return _page(self, "Functions", [function.get_configuration() for function in functions], 50)


def list_versions_by_function(self: Any) -> Answer:  # noqa: ANN401
    """Answer ListVersionsByFunction."""
    versions = self.backend.list_versions_by_function(_name(self, -2))
    return _page(self, "Versions", [version.get_configuration() for version in versions], 50)


def _page(self: Any, field: str, rows: list[dict[str, Any]], most: int) -> Answer:  # noqa: ANN401
    start = int(_query(self, "Marker") or 0)
    end = start + min(most, int(_query(self, "MaxItems") or most))
    page: dict[str, Any] = {field: rows[start:end]}
    if end < len(rows):
        page["NextMarker"] = str(end)
    return 200, {}, json.dumps(page)
