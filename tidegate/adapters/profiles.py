"""What a function's two versions are set to that matters to who watches them, and why a log cannot serve."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tidegate.adapters.threads import side_by_side
from tidegate.domain.log_lines import TELLING
from tidegate.domain.observing import Profile
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import FunctionConfigurationTypeDef as Configuration

    from tidegate.domain.rollouts import RollingFunction


def read_profiles(client: LambdaClient, functions: Sequence[RollingFunction]) -> dict[str, Profile]:
    """Each function's profile by its logical id; three calls for a function, side by side."""
    found = side_by_side(partial(_read_profile, client), functions)
    return {function.logical_id: profile for function, profile in zip(functions, found, strict=True)}


def _read_profile(client: LambdaClient, function: RollingFunction) -> Profile:
    stable, canary = (
        client.get_function(FunctionName=function.name, Qualifier=version)["Configuration"]
        for version in (function.stable, function.canary)
    )
    if _log_group(stable) != _log_group(canary):
        reason = "the two versions write to different log groups"
    else:
        reason = find_obstacle(stable) or find_obstacle(canary) or _find_others(client, function)
    return Profile(
        timeout=max(stable["Timeout"], canary["Timeout"]), memory=stable["MemorySize"], reason=reason
    )


def _find_others(client: LambdaClient, function: RollingFunction) -> str:
    """Whether requests come to the stable version past the alias: what they are like, chance does not decide.

    A log names the version alone, so they could not be told from those that the new version shares.
    """
    pages = client.get_paginator("list_aliases").paginate(
        FunctionName=function.name, FunctionVersion=function.stable
    )
    others = [found["Name"] for page in pages for found in page["Aliases"] if found["Name"] != function.alias]
    if not others:
        return ""
    return (
        f"requests may come to version {function.stable} by {list_names(others)} too, and a log does not "
        "tell by which alias one came"
    )


def _log_group(configuration: Configuration) -> str:
    group = configuration.get("LoggingConfig", {}).get("LogGroup")
    return group or f"/aws/lambda/{configuration['FunctionName']}"


def find_obstacle(configuration: Configuration) -> str:
    """Why a version's log does not tell how its requests went; empty where it does.

    Source: AWS Lambda Developer Guide, "Log-level filtering" (system log event levels).
    """
    logging = configuration.get("LoggingConfig", {})
    if logging.get("LogFormat", "Text") == "JSON":
        if logging.get("SystemLogLevel", "INFO") == "WARN":
            return "its system log level WARN leaves out the reports of requests that went well"
        return ""
    runtime = configuration.get("Runtime", "")
    if runtime.startswith(TELLING):
        return ""
    whose = f"of {runtime}" if runtime else "of a container image"
    return f"a log in text format {whose} does not say which requests raised an exception; JSON would"
