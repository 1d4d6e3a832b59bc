"""`tidegate local`: a local cloud that keeps running, for every verb with --local."""

from __future__ import annotations

import os
import signal
import threading

import click

from tidegate.cli.local_state import LocalState, read_state, state_file


@click.group()
def local() -> None:
    """Keep a local cloud with the pipeline running, for every verb with --local."""


@local.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Its port; a free one by default.")
@click.option(
    "--branch", "branches", multiple=True, default=("main",), show_default=True, help="Released branch."
)
def up(port: int, branches: tuple[str, ...]) -> None:
    """Start a local cloud and keep it running until Ctrl-C; what it holds is gone then."""
    from tidegate.cli.embedded import embed
    from tidegate.cli.playing import say

    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    with embed(say, port=port, branches=branches) as (cloud, pipeline):
        state = LocalState(
            endpoint_url=cloud.endpoint_url,
            account=pipeline.resources.account,
            region=pipeline.resources.region,
            pid=os.getpid(),
            outputs={"Branches": ",".join(branches)},
        )
        file = state.write()
        try:
            say(f"running at {cloud.endpoint_url}; Ctrl-C stops it")
            say("in another terminal: tidegate push REPO --local --wait")
            stopped.wait()
        except KeyboardInterrupt:
            say("stopping")
        finally:
            file.unlink(missing_ok=True)


@local.command()
def down() -> None:
    """Stop the local cloud that is running."""
    state = read_state()
    os.kill(state.pid, signal.SIGTERM)
    click.echo(f"stopping the local cloud of process {state.pid} ({state_file()})")
