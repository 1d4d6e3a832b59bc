"""What one version of a function needs to run: a fixed snapshot, and the environment of its processes.

A blueprint is made from moto's record of the function and never changes: a changed function is another one.
Documented variables: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Variables that stand for the machine's network: proxies, certificate bundles, package index settings.
NETWORK_NAMES: Final = frozenset({
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "XDG_CONFIG_HOME",
    "NODE_EXTRA_CA_CERTS", "NPM_CONFIG_REGISTRY",
})  # fmt: skip
NETWORK_PREFIXES: Final = ("PIP_", "UV_")
LOCAL_HOSTS: Final = "127.0.0.1,localhost"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary credentials of a function's role."""

    access_key_id: str
    secret_access_key: str
    session_token: str


@dataclass(frozen=True, slots=True)
class Logging:
    """Where and how a function logs."""

    group: str
    json: bool = False
    application_level: str | None = None
    system_level: str = "INFO"


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One version of one function, ready to start; `key` is the identity of its code and configuration."""

    key: str
    account_id: str
    region: str
    name: str
    version: str
    runtime: str
    handler: str
    role: str
    memory_size: int
    timeout: int
    variables: Mapping[str, str]
    logging: Logging
    task_root: Path
    layers_root: Path
    runtime_root: Path


def network_environment(environment: Mapping[str, str], home: str) -> dict[str, str]:
    """Take from `environment` what a process needs to reach the network and package indexes from here.

    `home` is where the configuration of package clients is looked for when nothing says otherwise.
    """
    taken = {
        name: value
        for name, value in environment.items()
        if name.upper() in NETWORK_NAMES or name.startswith(NETWORK_PREFIXES)
    }
    configuration = os.path.join(home, ".config")  # noqa: PTH118
    if "XDG_CONFIG_HOME" not in taken and os.path.isdir(configuration):  # noqa: PTH112
        taken["XDG_CONFIG_HOME"] = configuration
    if any(name.upper().endswith("_PROXY") for name in taken):
        spared = taken.get("NO_PROXY") or taken.get("no_proxy")
        hosts = f"{spared},{LOCAL_HOSTS}" if spared else LOCAL_HOSTS
        taken |= {"NO_PROXY": hosts, "no_proxy": hosts}
    return taken


def process_environment(
    blueprint: Blueprint,
    *,
    api_address: str,
    stream: str,
    scratch: Path,
    endpoint_url: str,
    credentials: Credentials,
    network: Mapping[str, str],
) -> dict[str, str]:
    """Make a process's whole environment: defaults, the function's own variables, what is reserved."""
    return {
        **network,
        **_defaults(blueprint, scratch, endpoint_url),
        **blueprint.variables,
        **_identity(blueprint, stream),
        **_logging(blueprint.logging),
        "AWS_LAMBDA_RUNTIME_API": api_address,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
    }


def _defaults(blueprint: Blueprint, scratch: Path, endpoint_url: str) -> dict[str, str]:
    layers = blueprint.layers_root
    return {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": os.pathsep.join([str(layers / "bin"), *search_path()]),
        "LD_LIBRARY_PATH": os.pathsep.join([str(blueprint.task_root / "lib"), str(layers / "lib")]),
        **_import_path(blueprint),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "AWS_ENDPOINT_URL": endpoint_url,
    }


def _import_path(blueprint: Blueprint) -> dict[str, str]:
    """Where modules are looked for besides the function's own; Node's version is the one of its runtime."""
    if not blueprint.runtime.startswith("nodejs"):
        return {"PYTHONPATH": str(blueprint.runtime_root)}
    version = blueprint.runtime.removeprefix("nodejs").partition(".")[0]
    packages = blueprint.layers_root / "nodejs"
    folders = (packages / f"node{version}", packages, blueprint.runtime_root)
    places = (*(folder / "node_modules" for folder in folders), blueprint.task_root)
    return {"NODE_PATH": os.pathsep.join(str(place) for place in places)}


def search_path() -> list[str]:
    """Our own search path without the programs of our own environment, which no function may lean on."""
    return [
        entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if not os.path.realpath(entry).startswith(os.path.realpath(sys.prefix) + os.sep)
        or sys.prefix == sys.base_prefix
    ]  # fmt: skip


def _identity(blueprint: Blueprint, stream: str) -> dict[str, str]:
    return {
        "_HANDLER": blueprint.handler,
        "LAMBDA_TASK_ROOT": str(blueprint.task_root),
        "LAMBDA_RUNTIME_DIR": str(blueprint.runtime_root),
        "AWS_REGION": blueprint.region,
        "AWS_DEFAULT_REGION": blueprint.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{blueprint.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": blueprint.name,
        "AWS_LAMBDA_FUNCTION_VERSION": blueprint.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(blueprint.memory_size),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": blueprint.logging.group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
    }


def _logging(logging: Logging) -> dict[str, str]:
    variables: dict[str, Any] = {"AWS_LAMBDA_LOG_FORMAT": "JSON" if logging.json else "Text"}
    if logging.application_level:
        variables["AWS_LAMBDA_LOG_LEVEL"] = logging.application_level
    return variables
