"""What an embedded cloud has to be for one service: its stages, and values for the template's parameters.

Says what it decides, since a sample value or a missing stage is nothing that may surprise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.cli.failures import Failed
from tidegate.cli.imports import export_samples, find_imports
from tidegate.cli.parameters import make_sample, make_samples
from tidegate.cli.surveys import PSEUDO
from tidegate.domain.wording import list_names
from tidegate.local.assembly import STAGES
from tidegate.local.availability import look_at
from tidegate.local.cloud import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tidegate.cli.surveys import Survey
    from tidegate.local.cloud import LocalCloud


def choose_stages(survey: Survey, tell: Callable[[str], None]) -> tuple[str, ...]:
    """Both stages, or production alone; Failed where the local cloud cannot make the service at all."""
    seen = [look_at(template, ACCOUNT_ID) for template, _ in survey.templates]
    if absent := [name for one in seen for name in one.absent]:
        raise Failed(f"the local cloud cannot make {list_names(absent)}: not supported")
    if recorded := [name for one in seen for name in one.recorded]:
        tell(f"kept as records, with nothing behind them: {list_names(recorded)}")
    if not survey.fixed_names:
        return STAGES
    names = list_names(survey.fixed_names)
    tell(f"the template names {names} itself: no two stages of one account can have it")
    tell("so the release goes to production alone")
    return STAGES[-1:]


def read_parameters(given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` by name; Failed where one has no name."""
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise Failed(f"--parameter {name!r} is not of the form NAME=VALUE")
    return {name: value for name, _, value in pairs}


def give_parameters(
    cloud: LocalCloud, survey: Survey, given: dict[str, str], tell: Callable[[str], None]
) -> None:
    """Give the cloud a value for each parameter that has none; Failed, with their names, where none fits."""
    strangers = sorted(set(given) - set(survey.lacking))
    if strangers:
        has = list_names(tuple(survey.lacking)) or "none"
        raise Failed(f"--parameter {strangers[0]}: the parameters that lack a value are: {has}")
    if survey.stored:
        _store(cloud, survey.stored, tell)
    rules = {name: rule for name, rule in survey.lacking.items() if name not in given}
    samples = make_samples(rules, _find_network(cloud) if rules else {})
    if samples.unfit:
        example = " ".join(f"--parameter {name}=…" for name in samples.unfit)
        raise Failed(f"no sample value fits the template's parameters: give them by {example}")
    if samples.values:
        shown = ", ".join(f"{name}={value}" for name, value in samples.values.items())
        tell(f"parameters without a value get samples (others by --parameter): {shown}")
    cloud.parameters = samples.values | given
    known = PSEUDO | cloud.parameters
    imports = tuple(
        dict.fromkeys(
            name
            for template, passed in survey.templates
            for name in find_imports(template, {**known, **passed})
        )
    )
    if imports:
        shown = ", ".join(f"{k}={v}" for k, v in export_samples(cloud, imports, _find_network(cloud)).items())
        tell(f"what the template imports from other stacks gets samples: {shown}")


def _store(cloud: LocalCloud, stored: dict[str, dict[str, Any]], tell: Callable[[str], None]) -> None:
    """Put a sample where the template reads the parameter store and nothing is."""
    ssm, network = cloud.client("ssm"), _find_network(cloud)
    absent = [name for name in stored if not ssm.get_parameters(Names=[name])["Parameters"]]
    for name in absent:
        value = make_sample(stored[name]["Name"], stored[name], network)
        if value is not None:
            ssm.put_parameter(Name=name, Value=value, Type="String")
            tell(f"the parameter store gets the sample {name}={value}")


def _find_network(cloud: LocalCloud) -> dict[str, list[str]]:
    """Ids of the account's default network, by the type that a parameter of CloudFormation has."""
    ec2 = cloud.client("ec2")

    def ids(answer: list[dict[str, Any]], key: str) -> list[str]:
        return [str(one[key]) for one in answer][:2]

    return {
        "AWS::EC2::VPC::Id": ids(ec2.describe_vpcs()["Vpcs"], "VpcId"),
        "AWS::EC2::Subnet::Id": ids(ec2.describe_subnets()["Subnets"], "SubnetId"),
        "AWS::EC2::SecurityGroup::Id": ids(ec2.describe_security_groups()["SecurityGroups"], "GroupId"),
        "AWS::EC2::AvailabilityZone::Name": ids(
            ec2.describe_availability_zones()["AvailabilityZones"], "ZoneName"
        ),
    }
