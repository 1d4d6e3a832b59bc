"""The options that say which pipeline a verb works with, the same for every verb that needs one."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tidegate.domain.pipeline import PIPELINE_STACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.cli.pipeline import Pipeline

Result = TypeVar("Result")
OPTIONS = (
    click.option(
        "--local",
        is_flag=True,
        envvar="TIDEGATE_LOCAL",
        help="Work with the running local cloud (`tidegate local up`); also TIDEGATE_LOCAL=1.",
    ),
    click.option("--profile", help="Profile of ~/.aws/config; otherwise boto3's usual credentials."),
    click.option("--region", help="The pipeline's region; otherwise the profile's or AWS_REGION."),
    click.option(
        "--stack-name", default=PIPELINE_STACK, show_default=True, help="Name of the pipeline's stack."
    ),
)


def on_pipeline(verb: Callable[..., Result]) -> Callable[..., Result]:
    """Give a verb the pipeline as its first argument, by the options that every such verb has.

    A Pipeline in the context's `obj` goes before the options: that is how programs call a verb.
    """

    @wraps(verb)
    def call(
        *,
        local: bool,
        profile: str | None,
        region: str | None,
        stack_name: str,
        **rest: Any,  # noqa: ANN401 (the verb's own)
    ) -> Result:
        given = click.get_current_context().obj
        return verb(given or find_pipeline(stack_name, profile, region, local=local), **rest)

    for option in reversed(OPTIONS):
        call = option(call)
    return call


def find_pipeline(stack_name: str, profile: str | None, region: str | None, *, local: bool) -> Pipeline:
    """The pipeline in the running local cloud, or on AWS."""
    from tidegate.cli.pipeline import Pipeline

    if local:
        from tidegate.cli.local_state import read_state

        state = read_state()
        return Pipeline.find(state.session, stack_name, state.endpoint_url)
    import boto3

    return Pipeline.find(boto3.Session(profile_name=profile, region_name=region), stack_name)
