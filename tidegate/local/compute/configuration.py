"""The configuration of functions as Lambda keeps it: every documented field, a revision for each change.

moto drops many fields and lets an update change what versions share with $LATEST; here an update replaces
values, never mutates them, and gives the function a new RevisionId and a new environment id, which ends
its sandboxes.
"""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from moto.awslambda import models
from moto.awslambda.exceptions import (
    FunctionAlreadyExists,
    InvalidParameterValueException,
    PreconditionFailedException,
)

from tidegate.local.compute.images import find_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud

LOCK: Final = threading.RLock()
LATEST: Final = "$LATEST"
RESERVED: Final = frozenset({
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
})  # fmt: skip
# Fields of the API that need nothing but to be kept: name, attribute, value when absent.
PLAIN: Final = {
    "Description": ("description", ""),
    "Handler": ("handler", None),
    "Role": ("role", None),
    "Runtime": ("run_time", None),
    "VpcConfig": ("_vpc_config", None),
    "KMSKeyArn": ("kms_key_arn", None),
    "TracingConfig": ("tracing_config", {"Mode": "PassThrough"}),
    "DeadLetterConfig": ("dead_letter_config", {}),
    "LoggingConfig": ("logging_config", {}),
    "SnapStart": ("snap_start", {"ApplyOn": "None"}),
    "FileSystemConfigs": ("file_system_configs", []),
    "Architectures": ("architectures", ["x86_64"]),
}
ABSENT: Final = ("DurableConfig", "CapacityProviderConfig", "PublishTo")
NUMBERS: Final = {"MemorySize": ("memory_size", 128), "Timeout": ("timeout", 3)}
ORIGINAL: dict[str, Any] = {}


def install(cloud: LocalCloud, on_change: Callable[[set[str]], None]) -> None:
    """Replace moto's keeping of configurations; `on_change` gets the blueprints' keys that became stale."""
    function = models.LambdaFunction
    ORIGINAL["on_change"] = on_change
    for name, replacement in (
        ("__init__", _init),
        ("get_configuration", _get_configuration),
        ("update_configuration", _update_configuration),
        ("update_function_code", _update_function_code),
        ("_set_function_code", _set_function_code),
    ):
        ORIGINAL[name] = cloud.patch(function, name, replacement)
    backend = models.LambdaBackend
    cloud.patch(backend, "update_function_code", _backend_update_code)
    cloud.patch(backend, "update_function_configuration", _backend_update_configuration)
    cloud.patch(backend, "create_function", _backend_create_function)


def environment_variables(variables: dict[str, Any]) -> dict[str, str]:
    """Turn values into text as CloudFormation does; raises for names that Lambda keeps for itself."""
    reserved = sorted(RESERVED & variables.keys())
    if reserved:
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment variables "
            "you have provided contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in variables.items()
    }


def refuse_absent(given: dict[str, Any]) -> None:
    """Refuse what would change how a function runs and is not to be had here."""
    for name in ABSENT:
        if given.get(name):
            raise InvalidParameterValueException(f"The local cloud does not have {name} of functions")


def touch(function: Any, *, environment: bool = True) -> None:  # noqa: ANN401
    """Give a function a new revision, and, as its code or configuration changed, a new environment id."""
    function.revision_id = str(uuid.uuid4())
    if environment:
        stale = getattr(function, "environment_id", None)
        function.environment_id = uuid.uuid4().hex
        function.last_modified = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
        if stale:
            ORIGINAL["on_change"]({f"{stale}:{LATEST}"})


def check_revision(found: str, wanted: str | None) -> None:
    """Refuse a call that names another revision than the current one."""
    if wanted and wanted != found:
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
        )


def fingerprint(function: Any) -> dict[str, Any]:  # noqa: ANN401
    """Give all of a function that makes a version differ from another."""
    ignored = {"FunctionArn", "LastModified", "Version", "RevisionId", "State", "LastUpdateStatus"}
    return {name: value for name, value in function.get_configuration().items() if name not in ignored}


def _init(self: Any, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1) -> None:  # noqa: ANN401
    tenancy = spec.get("TenancyConfig") or {}
    self.tenancy_config = tenancy
    for name, (attribute, absent) in PLAIN.items():
        if name not in {"Handler", "Role", "Runtime", "VpcConfig"}:
            setattr(self, attribute, spec.get(name) or absent)
    numbers = {name: int(spec[name]) for name in NUMBERS if spec.get(name) is not None}
    ORIGINAL["__init__"](self, account_id, {**spec, "Code": dict(spec["Code"]), **numbers}, region, version)
    self.environment_vars = environment_variables(self.environment_vars)
    touch(self)


def _get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:  # noqa: ANN401
    configuration: dict[str, Any] = ORIGINAL["get_configuration"](self, on_create)
    configuration["RevisionId"] = self.revision_id
    configuration["LoggingConfig"] = logging_config(self)
    configuration["SnapStart"] = {"OptimizationStatus": "Off", **self.snap_start}
    if self.dead_letter_config.get("TargetArn"):
        configuration["DeadLetterConfig"] = self.dead_letter_config
    if self.tenancy_config:
        configuration["TenancyConfig"] = self.tenancy_config
    if self.file_system_configs:
        configuration["FileSystemConfigs"] = self.file_system_configs
    return configuration


def logging_config(function: Any) -> dict[str, Any]:  # noqa: ANN401
    """Give a function's LoggingConfig with its defaults."""
    declared = {name: value for name, value in function.logging_config.items() if value}
    structured = declared.get("LogFormat") == "JSON"
    levels = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"} if structured else {}
    return {"LogFormat": "Text", "LogGroup": function.logs_group_name, **levels, **declared}


def _update_configuration(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    refuse_absent(config_updates)
    before = fingerprint(self)
    for name, value in config_updates.items():
        if name in PLAIN:
            attribute, absent = PLAIN[name]
            setattr(self, attribute, absent if value is None else value)
        elif name in NUMBERS:
            setattr(self, NUMBERS[name][0], int(value))
        elif name == "Environment":
            self.environment_vars = environment_variables((value or {}).get("Variables") or {})
        elif name == "Layers":
            self.layers = self._get_layers_data(value or [])
        elif name == "EphemeralStorage":
            self.ephemeral_storage = int(value["Size"])
        elif name == "ImageConfig":
            self.image_config = models.ImageConfig(value or {})
    touch(self, environment=before != fingerprint(self))
    configuration: dict[str, Any] = self.get_configuration()
    return configuration


def _set_function_code(self: Any, updated_spec: dict[str, Any]) -> None:  # noqa: ANN401
    if updated_spec is not self.code:
        self.code = dict(self.code)
    if "ImageUri" in updated_spec:
        image = find_image(updated_spec["ImageUri"], self.region)
        self.code = {"ImageUri": updated_spec["ImageUri"], "ResolvedImageUri": image.uri}
        self.code_sha_256, self.code_size = image.digest.removeprefix("sha256:"), 0
        return
    try:
        ORIGINAL["_set_function_code"](self, updated_spec)
    except ValueError as error:
        if error.args[:1] == ("InvalidParameterValueException",):
            raise InvalidParameterValueException(error.args[1]) from error
        raise


def _update_function_code(self: Any, updated_spec: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    if not updated_spec.get("DryRun"):
        before = fingerprint(self)
        self._set_function_code(updated_spec)
        if updated_spec.get("Architectures"):
            self.architectures = updated_spec["Architectures"]
        touch(self, environment=before != fingerprint(self))
    configuration: dict[str, Any] = self.get_configuration()
    return configuration


def _backend_update_code(
    self: models.LambdaBackend, function_name: str, qualifier: str | None, body: dict[str, Any]
) -> dict[str, Any]:
    with LOCK:
        function = self.get_function(function_name, qualifier)
        check_revision(function.revision_id, body.get("RevisionId"))
        function.update_function_code(body)
        if body.get("Publish") and not body.get("DryRun"):
            function = self.publish_version(function_name)
        configuration: dict[str, Any] = function.get_configuration()
        return configuration


def _backend_update_configuration(
    self: models.LambdaBackend, function_name: str, qualifier: str | None, body: dict[str, Any]
) -> dict[str, Any]:
    with LOCK:
        function = self.get_function(function_name, qualifier)
        check_revision(function.revision_id, body.get("RevisionId"))
        configuration: dict[str, Any] = function.update_configuration(body)
        return configuration


def _backend_create_function(self: models.LambdaBackend, spec: dict[str, Any]) -> Any:  # noqa: ANN401
    if not spec.get("FunctionName"):
        raise InvalidParameterValueException("Missing FunctionName")
    refuse_absent(spec)
    with LOCK:
        if spec["FunctionName"] in self._lambdas._functions:
            raise FunctionAlreadyExists(spec["FunctionName"])
        function = models.LambdaFunction(
            account_id=self.account_id, spec=spec, region=self.region_name, version=LATEST
        )
        self._lambdas.put_function(function)
        return self.publish_version(spec["FunctionName"]) if spec.get("Publish") else function
