"""What moto refuses and AWS accepts, where templates commonly need it."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, Final

from moto.iam.access_control import PermissionResult
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend
from moto.iam.policy_validation import BaseIAMPolicyValidator
from moto.s3.models import FakeBucket

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud

VERSIONS: Final = frozenset({None, "2008-10-17", "2012-10-17"})
MANAGED: Final = "arn:aws:iam::aws:policy/"
NAMING: Final = (
    "attach_role_policy",
    "attach_user_policy",
    "attach_group_policy",
    "put_role_permissions_boundary",
    "get_policy",
    "get_policy_version",
    "list_policy_versions",
)


def install(cloud: LocalCloud) -> None:
    """Know AWS's managed policies, and accept policies of the older version (which is also the default).

    moto can load all 1,500 managed policies at each start and reset, which takes over a second; here each is
    made when it is first named.
    """
    for name in NAMING:
        cloud.patch(IAMBackend, name, _know_managed(getattr(IAMBackend, name)))
    cloud.patch(BaseIAMPolicyValidator, "_validate_version", _check_version)
    cloud.patch(FakeBucket, "get_permission", _decide_nothing)


def _decide_nothing(_bucket: FakeBucket, _action: str, _resource: str) -> PermissionResult:
    """Bucket policies are stored and not enforced: moto would read every Deny without its Condition.

    A policy that demands TLS, say, would refuse all, since the local cloud speaks plain HTTP on loopback.
    """
    return PermissionResult.NEUTRAL


@functools.cache
def _read_managed() -> dict[str, tuple[str, dict[str, Any]]]:
    found = json.loads(aws_managed_policies_data)
    return {f"{data['Path'].lstrip('/')}{name}": (name, data) for name, data in found.items()}


def _know_managed(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def call(backend: IAMBackend, *args: Any, **named: Any) -> Any:  # noqa: ANN401
        for value in (*args, *named.values()):
            if isinstance(value, str) and value.startswith(MANAGED) and value not in backend.managed_policies:
                _make_managed(backend, value)
        return original(backend, *args, **named)

    return call


def _make_managed(backend: IAMBackend, arn: str) -> None:
    found = _read_managed().get(arn.removeprefix(MANAGED))
    if found:
        name, data = found
        policy = AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, data)
        backend.managed_policies[policy.arn] = policy


def _check_version(validator: Any) -> None:  # noqa: ANN401
    assert validator._policy_json.get("Version") in VERSIONS  # noqa: S101 - moto turns it into the error
