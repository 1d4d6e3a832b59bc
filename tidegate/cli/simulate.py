"""`tidegate simulate`: policies of traffic replayed over traffic and faults, to choose one by its figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from pydantic import TypeAdapter, ValidationError

from tidegate.adapters.configuration import read_model, say
from tidegate.cli.failures import Failed
from tidegate.cli.screens import duration, show_json, show_table
from tidegate.domain.simulation.choices import Choice, Share, Source
from tidegate.domain.simulation.scenarios import Fault, Scenario, show_interval, show_share

if TYPE_CHECKING:
    from tidegate.cli.simulating import Simulated
    from tidegate.domain.simulation.results import Summary

COLUMNS: Final = (
    "new version",
    "policy",
    "wrong",
    "95 % interval",
    "failed requests",
    "95 of 100 at most",
    "to rollback",
    "to promotion",
    "undecided",
)


class Value(click.ParamType):  # type: ignore[type-arg] # generic in newer releases only
    """A text that a model of the scenario reads; what it refuses is wrong usage."""

    def __init__(self, name: str, annotation: Any) -> None:  # noqa: ANN401 (any annotation)
        self.name = name
        self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """The value, or a usage error that says what is wrong with it."""
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            self.fail(say(error.errors()[0]), param, ctx)


@click.command()
@click.argument("scenario", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--rate", type=click.FloatRange(0, 100_000, min_open=True), help="Requests a second.")
@click.option("--baseline", type=Value("share", Share), help="Share of requests that fail anyhow: 0.1%.")
@click.option(
    "--fault",
    "faults",
    type=Value("fault", Fault),
    multiple=True,
    help="+2%, outage, latency x2, …; may be given again.",
)
@click.option(
    "--policy",
    "policies",
    type=Value("policy", Choice),
    multiple=True,
    help="What to compare; may be given again.",
)
@click.option("--source", type=click.Choice([source.value for source in Source]), help="What judges see.")
@click.option("--runs", type=click.IntRange(1, 1_000_000), help="Replays of each policy and fault.")
@click.option("--seed", type=int, help="The same seed gives the same replays.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with charts.")
def simulate(scenario: Path | None, plot: Path | None, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401
    """Replay policies of traffic over declared traffic and faults, and compare what they do.

    SCENARIO is a YAML file; options overrule it. A healthy version is always replayed as well: "wrong" are
    the false rollbacks of a healthy version and the promotions of a bad one. Failed requests are those that
    the stable version would not have failed, up to the horizon (an hour by default), on average. Times are
    medians.
    """
    from tidegate.cli.simulating import replay_all

    asked = overrule(read_scenario(scenario), given)
    if plot is not None:
        check_place(plot)
    simulated = replay_all(asked)
    if plot is not None:
        from tidegate.cli.simulation_report import render_simulation

        plot.write_text(render_simulation(simulated))
    if as_json:
        show_json(tell(simulated))
    else:
        show_simulated(simulated)
    if plot is not None:
        click.echo(f"charts: {plot}", err=True)


def check_place(file: Path) -> None:
    """Make the file, or fail before anything is replayed for it."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror}") from error


def read_scenario(file: Path | None) -> Scenario:
    """The scenario of a file, or all defaults."""
    return read_model(file.read_text(), str(file), Scenario) if file else Scenario()


def overrule(scenario: Scenario, given: dict[str, Any]) -> Scenario:
    """The scenario with what the options say; options that were not given say nothing."""
    told = {name: value for name, value in given.items() if value is not None and value != ()}
    traffic: dict[str, Any] = {name: told.pop(name) for name in ("rate", "baseline") if name in told}
    try:
        return Scenario.model_validate(
            {**_fields(scenario), **told, "traffic": scenario.traffic.model_copy(update=traffic)}
        )
    except ValidationError as error:
        raise click.UsageError(say(error.errors()[0])) from None


def _fields(scenario: Scenario) -> dict[str, Any]:
    return {name: getattr(scenario, name) for name in Scenario.model_fields}


def tell(simulated: Simulated) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "scenario": simulated.scenario.model_dump(mode="json", by_alias=True),
        "thresholds": simulated.thresholds,
        "results": [summary.model_dump(mode="json") for summary in simulated.summaries],
    }


def show_simulated(simulated: Simulated) -> None:
    """The table, with what it was replayed on."""
    scenario = simulated.scenario
    traffic = scenario.traffic
    click.echo(
        f"{traffic.rate:g} requests a second, of which {show_share(traffic.baseline)} fail anyhow; "
        f"{scenario.runs} replays each, seed {scenario.seed}; failures are counted over "
        f"{duration(scenario.horizon)}"
    )
    for policy, threshold in simulated.thresholds.items():
        click.echo(f"{policy}: its alarm fires above {show_share(threshold)}")
    show_table(COLUMNS, [_row(summary) for summary in simulated.summaries])


def _row(summary: Summary) -> tuple[str, ...]:
    wrong = summary.wrong
    return (
        summary.fault,
        summary.policy,
        show_share(wrong.share),
        show_interval(wrong),
        f"{summary.failed:,.1f}",
        f"{summary.failed_95:,.0f}",
        duration(summary.to_rollback) if summary.to_rollback is not None else "-",
        duration(summary.to_promotion) if summary.to_promotion is not None else "-",
        show_share(summary.undecided / summary.runs) if summary.undecided else "-",
    )
