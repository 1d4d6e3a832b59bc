"""AWS::Lambda::Function. Code and configuration update in place, so that versions and aliases stay."""

from __future__ import annotations

import io
import time
import zipfile
from typing import Any, Final

from tidegate.local.resources.kinds import Kind, Naming, Request
from tidegate.local.stack_errors import ResourceFailure

# What each property goes back to when a template drops it.
DEFAULTS: Final[dict[str, Any]] = {
    "DeadLetterConfig": {"TargetArn": ""},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "FileSystemConfigs": [],
    "Handler": None,
    "ImageConfig": {},
    "KmsKeyArn": "",
    "Layers": [],
    "LoggingConfig": {"LogFormat": "Text"},
    "MemorySize": 128,
    "Role": None,
    "Runtime": None,
    "SnapStart": {"ApplyOn": "None"},
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
    "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
    "DurableConfig": None,
}
APART: Final = frozenset(
    {
        "Code",
        "Architectures",
        "Tags",
        "ReservedConcurrentExecutions",
        "RecursiveLoop",
        "RuntimeManagementConfig",
    }
)
SETTLING: Final = frozenset({"Pending", "InProgress"})
PATIENCE: Final = 600
ENTRY: Final = (1980, 1, 1, 0, 0, 0)


class Function(Kind):
    """A function; Ref is its name."""

    type = "AWS::Lambda::Function"
    create_only = frozenset({"FunctionName", "PackageType", "TenancyConfig"})
    naming = Naming("FunctionName", 64)
    tagging = "list"

    def create(self, request: Request) -> None:
        """CreateFunction, then what it does not take."""
        own = request.rest("Code", "Tags", "FunctionName", *(APART - {"Architectures"}))
        answer = request.call(
            "lambda",
            "create_function",
            **own,
            FunctionName=request.name,
            Code=_read_code(request),
            Tags=request.tags,
        )
        request.settle(request.name, Arn=answer["FunctionArn"])
        self._settle_apart(request, set(request.properties))
        _await(request, answer)

    def update(self, request: Request) -> None:
        """UpdateFunctionCode and UpdateFunctionConfiguration, each only where something of it changed."""
        changed = request.changed
        name = request.physical_id
        if changed & {"Code", "Architectures"}:
            code = _read_code(request) | request.pick("Architectures")
            _await(request, request.call("lambda", "update_function_code", FunctionName=name, **code))
        configuration = {key: request.properties.get(key, DEFAULTS[key]) for key in changed & set(DEFAULTS)}
        if strangers := changed - set(DEFAULTS) - APART:
            raise ResourceFailure(f"Encountered unsupported property {', '.join(sorted(strangers))}")
        if configuration:
            answer = request.call(
                "lambda", "update_function_configuration", FunctionName=name, **configuration
            )
            _await(request, answer)
        self._settle_apart(request, changed)
        if "Tags" in changed:
            arn = request.attributes["Arn"]
            if request.lost_tags:
                request.call("lambda", "untag_resource", Resource=arn, TagKeys=request.lost_tags)
            request.call("lambda", "tag_resource", Resource=arn, Tags=request.tags)

    def delete(self, request: Request) -> None:
        """DeleteFunction, with all its versions."""
        request.discard("lambda", "delete_function", FunctionName=request.physical_id)

    @staticmethod
    def _settle_apart(request: Request, changed: set[str]) -> None:
        name, properties = request.physical_id, request.properties
        if "ReservedConcurrentExecutions" in changed:
            if "ReservedConcurrentExecutions" in properties:
                reserved = request.pick("ReservedConcurrentExecutions")
                request.call("lambda", "put_function_concurrency", FunctionName=name, **reserved)
            else:
                request.call("lambda", "delete_function_concurrency", FunctionName=name)
        if "RecursiveLoop" in changed:
            loop = properties.get("RecursiveLoop", "Terminate")
            request.call("lambda", "put_function_recursion_config", FunctionName=name, RecursiveLoop=loop)
        if "RuntimeManagementConfig" in changed:
            settings = properties.get("RuntimeManagementConfig", {"UpdateRuntimeOn": "Auto"})
            request.call("lambda", "put_runtime_management_config", FunctionName=name, **settings)


def _read_code(request: Request) -> dict[str, Any]:
    code = dict(request.properties["Code"])
    if "ZipFile" in code:
        code["ZipFile"] = zip_inline(str(code["ZipFile"]), str(request.properties.get("Runtime", "")))
    return code


def zip_inline(text: str, runtime: str) -> bytes:
    """Pack inline code as Lambda does: index.py or index.js, and the module that answers custom resources."""
    from tidegate.local.resources.cfnresponse import MODULE

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if runtime.startswith("python"):
            archive.writestr(zipfile.ZipInfo("index.py", ENTRY), text)
            archive.writestr(zipfile.ZipInfo("cfnresponse.py", ENTRY), MODULE)
        else:
            archive.writestr(zipfile.ZipInfo("index.js", ENTRY), text)
    return buffer.getvalue()


def _await(request: Request, answer: dict[str, Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while {answer.get("State"), answer.get("LastUpdateStatus")} & SETTLING:
        if time.monotonic() > deadline or request.platform.stopping.wait(0.05):
            raise ResourceFailure(f"{request.physical_id} did not become ready")
        answer = request.call("lambda", "get_function_configuration", FunctionName=request.physical_id)
    failed = "Failed" in {answer.get("State"), answer.get("LastUpdateStatus")}
    if failed:
        raise ResourceFailure(answer.get("StateReason") or answer.get("LastUpdateStatusReason") or "Failed")


KINDS: Final = (Function,)
