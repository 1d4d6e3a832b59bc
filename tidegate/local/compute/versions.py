"""Published versions: fixed snapshots with numbers that are never given twice.

A version shares nothing that changes with $LATEST. Names and ARNs, whole or partial, are read in here too.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
"""

from __future__ import annotations

import copy
import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from moto.awslambda import models
from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError

from tidegate.local.compute.configuration import LATEST, LOCK, check_revision, fingerprint, touch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud

NAME: Final = re.compile(
    r"(?:(?:arn:aws[a-z-]*:lambda:[a-z0-9-]+:)?\d{12}:function:|function:)?(?P<name>[\w-]+)(?::(?P<qualifier>[\w$-]+))?"
)
HOOKS: dict[str, Any] = {}


class ResourceConflictException(LambdaClientError):  # type: ignore[misc]
    """The resource is in use."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


def split_name(text: str, qualifier: str | None = None) -> tuple[str, str | None]:
    """Read a function's name, whole ARN or partial ARN; gives its bare name and its qualifier, if any."""
    matched = NAME.fullmatch(text)
    if matched is None:
        raise InvalidParameterValueException(f"{text} is not a valid function name or ARN")
    named = matched["qualifier"]
    if named and qualifier and named != qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return matched["name"], named or qualifier


def install(cloud: LocalCloud, on_delete: Callable[[set[str]], None]) -> None:
    """Replace moto's keeping of versions; `on_delete` gets the keys of the blueprints that are gone."""
    HOOKS["on_delete"] = on_delete
    storage = models.LambdaStorage
    for name in (
        "get_function_by_name_or_arn_with_qualifier",
        "get_function_by_name_or_arn_forbid_qualifier",
    ):
        HOOKS[name] = cloud.patch(storage, name, globals()[f"_{name}"])
    cloud.patch(storage, "publish_version", _storage_publish)
    cloud.patch(storage, "del_function", _delete)
    cloud.patch(storage, "list_versions_by_function", _list_versions)
    cloud.patch(storage, "all", _all)
    cloud.patch(models.LambdaBackend, "publish_version", _publish)


def _get_function_by_name_or_arn_with_qualifier(
    self: Any,  # noqa: ANN401
    name_or_arn: str,
    qualifier: str | None = None,
) -> Any:  # noqa: ANN401
    name, wanted = split_name(name_or_arn, qualifier)
    return self.get_function_by_name_with_qualifier(name, wanted)


def _get_function_by_name_or_arn_forbid_qualifier(self: Any, name_or_arn: str) -> Any:  # noqa: ANN401
    name, qualifier = split_name(name_or_arn)
    if qualifier not in {None, LATEST}:
        raise InvalidParameterValueException("Cannot provide qualifier")
    return self.get_function_by_name_forbid_qualifier(name)


def _publish(
    self: models.LambdaBackend,
    function_name: str,
    description: str | None = "",
    code_sha256: str | None = None,
    revision_id: str | None = None,
) -> Any:  # noqa: ANN401
    """Publish $LATEST, or give the latest version if nothing has changed since."""
    with LOCK:
        storage = self._lambdas
        function = storage.get_function_by_name_or_arn_forbid_qualifier(function_name)
        if code_sha256 and code_sha256 != function.code_sha_256:
            raise InvalidParameterValueException(
                f"CodeSHA256 ({code_sha256}) is different from current CodeSHA256 in $LATEST "
                f"({function.code_sha_256}). Please try again with the CodeSHA256 in $LATEST."
            )
        check_revision(function.revision_id, revision_id)
        return storage.publish_version(function_name, description)


def _storage_publish(self: Any, name_or_arn: str, description: str | None = "") -> Any:  # noqa: ANN401
    with LOCK:
        latest = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
        name = latest.function_name
        published = self._functions[name]["versions"]
        counters = self.__dict__.setdefault("version_counters", {})
        made_of = fingerprint(latest)
        if published and published[-1].version == counters[name] and published[-1].made_of == made_of:
            return published[-1]
        counters[name] = counters.get(name, 0) + 1
        version = _snapshot(latest, counters[name], description or "", made_of)
        published.append(version)
        self._arns[version.function_arn] = version
        touch(latest, environment=False)
        return version


def _snapshot(latest: Any, number: int, description: str, made_of: dict[str, Any]) -> Any:  # noqa: ANN401
    version = copy.copy(latest)
    version.code = dict(latest.code)
    version.environment_vars = dict(latest.environment_vars)
    version.layers = list(latest.layers)
    version.made_of = made_of
    version.revision_id = str(uuid.uuid4())
    version.set_version(number)
    if description:
        version.description = description
    return version


def blueprint_key(function: Any) -> str:  # noqa: ANN401
    """Give the identity of what runs for a function or version."""
    return f"{function.environment_id}:{function.version}"


def _delete(self: Any, name_or_arn: str, qualifier: str | None = None) -> None:  # noqa: ANN401
    with LOCK:
        name, wanted = split_name(name_or_arn, qualifier)
        function = self.get_function_by_name_with_qualifier(name, wanted)
        if wanted is None:
            group = self._functions.pop(name)
            self._aliases.pop(group["latest"].function_arn, None)
            gone = [group["latest"], *group["versions"]]
        else:
            _refuse_deletion(self, name, wanted)
            self._functions[name]["versions"].remove(function)
            gone = [function]
        for each in gone:
            self._arns.pop(each.function_arn, None)
        HOOKS["on_delete"]({blueprint_key(each) for each in gone})


def _refuse_deletion(storage: Any, name: str, qualifier: str) -> None:  # noqa: ANN401
    if qualifier == LATEST:
        raise InvalidParameterValueException(
            "$LATEST version cannot be deleted without deleting the function."
        )
    aliases = storage._get_function_aliases(name).values()
    if qualifier in {alias.name for alias in aliases}:
        raise InvalidParameterValueException("Deletion of aliases is not currently supported.")
    users = [alias.name for alias in aliases if qualifier in alias.versions()]
    if users:
        raise ResourceConflictException(
            f"Version {qualifier} of function {name} is in use by the aliases {users} and cannot be deleted."
        )


def _list_versions(self: Any, name: str) -> list[Any]:  # noqa: ANN401
    bare, _ = split_name(name)
    latest = self.get_function_by_name_forbid_qualifier(bare)
    return [_qualified(latest), *self._functions[bare]["versions"]]


def _qualified(latest: Any) -> Any:  # noqa: ANN401
    shown = copy.copy(latest)
    shown.function_arn = f"{latest.function_arn}:{LATEST}"
    return shown


def _all(self: Any) -> list[Any]:  # noqa: ANN401
    return [
        function
        for group in list(self._functions.values())
        for function in [_qualified(group["latest"]), *group["versions"]]
    ]
