"""What a run finds out about a commit before its cloud starts: events, names, parameters, resources.

The template is looked at as a release would deploy it, once for each stage. May not judge it: a template that
cannot be released gives an empty survey, and the release says why.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from functions.plan_release.templates import build_templates, read_sources, want
from tidegate.adapters.checkouts import check_out
from tidegate.adapters.projects import Override, open_project
from tidegate.adapters.snapshots import take_snapshot
from tidegate.cli.assumed_bases import AssumedBases
from tidegate.cli.bundling import make_bundle
from tidegate.cli.checking import PLACE, NoDocuments
from tidegate.cli.parameters import find_missing, find_stored
from tidegate.cli.samples import find_events
from tidegate.domain.build_names import IMAGES
from tidegate.domain.errors import TidegateError
from tidegate.domain.identity import Commit
from tidegate.domain.nesting import qualify
from tidegate.domain.templates.literals import Literals
from tidegate.domain.templates.template import Template
from tidegate.local.assembly import STAGES
from tidegate.settings import StageTarget

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tidegate.adapters.checkouts import Checkout
    from tidegate.domain.snapshots import Snapshot

NAMES: Final = frozenset(
    {
        "AlarmName",
        "AliasName",
        "BucketName",
        "DeliveryStreamName",
        "FunctionName",
        "LogGroupName",
        "ManagedPolicyName",
        "QueueName",
        "RoleName",
        "StateMachineName",
        "TableName",
        "TopicName",
        "UserPoolName",
    }
)
NAMED: Final = frozenset(
    {
        "AWS::Events::ApiDestination",
        "AWS::Events::Connection",
        "AWS::Events::EventBus",
        "AWS::Events::Rule",
        "AWS::Kinesis::Stream",
        "AWS::Pipes::Pipe",
        "AWS::SSM::Parameter",
        "AWS::Scheduler::Schedule",
        "AWS::Scheduler::ScheduleGroup",
        "AWS::SecretsManager::Secret",
    }
)
# Their FunctionName is whose they are, not what they are called.
UNNAMED: Final = frozenset(
    {
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::Logs::LogStream",
        "AWS::Logs::MetricFilter",
        "AWS::Logs::SubscriptionFilter",
    }
)
PSEUDO: Final = {
    "AWS::AccountId": PLACE["account"],
    "AWS::Region": PLACE["region"],
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}


class Survey(NamedTuple):
    """What a run needs to know of a commit.

    events: by function. fixed_names: `Resource.Property` of physical names that are the same in all stages.
    lacking: the rules of the parameters that nothing gives a value. stored: the rules of those whose value is
    in the parameter store, by its name there. templates: as they would be deployed, the root's first, each
    with what is known of its parameters.
    """

    events: dict[str, list[Any]]
    fixed_names: tuple[str, ...] = ()
    lacking: dict[str, dict[str, Any]] = {}  # noqa: RUF012 (never written to)
    stored: dict[str, dict[str, Any]] = {}  # noqa: RUF012 (never written to)
    templates: tuple[tuple[dict[str, Any], dict[str, str]], ...] = ()


def survey(repository: Path, commit: str) -> Survey:
    """Look at a commit's template; nothing is found in one that cannot be released anyway."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        bundle.write_bytes(make_bundle(repository, commit))
        try:
            with check_out(bundle, commit) as checkout:
                return _survey(checkout, Commit(service="run", id=commit, branch="main"))
        except (TidegateError, json.JSONDecodeError):
            return Survey({})


def merge(surveys: Sequence[Survey]) -> Survey:
    """What holds for one cloud for all these commits; events and templates are those of the last."""
    last = next((one for one in reversed(surveys) if one.templates), Survey({}))
    names = tuple(dict.fromkeys(name for one in surveys for name in one.fixed_names))
    lacking = {name: rule for one in surveys for name, rule in one.lacking.items()}
    stored = {name: rule for one in surveys for name, rule in one.stored.items()}
    return last._replace(fixed_names=names, lacking=lacking, stored=stored)


def _survey(checkout: Checkout, commit: Commit) -> Survey:
    project = open_project(checkout, Override(images=IMAGES))
    named = commit.model_copy(update={"service": project.config.service or commit.service})
    snapshot = take_snapshot(checkout, named, NoDocuments(), Override(images=IMAGES), AssumedBases())
    seen = [_look(snapshot, stage) for stage in STAGES]
    template, given = seen[-1][""]
    names = [
        {qualify(path, key): name for path, part in one.items() for key, name in find_names(*part)}
        for one in seen
    ]
    return Survey(
        events=find_events(project),
        fixed_names=tuple(
            key for key, name in names[0].items() if all(one.get(key) == name for one in names)
        ),
        lacking=find_missing(template.get("Parameters") or {}, given),
        stored=find_stored(template.get("Parameters") or {}, given),
        templates=tuple(seen[-1].values()),
    )


def _look(snapshot: Snapshot, stage: str) -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
    """A stage's templates as they would be deployed, by path, and the parameters that each would be given."""
    target = StageTarget(name=stage, **PLACE)
    wanted = want(snapshot, target, snapshot.config.stage(stage, production=False)).parameters
    given = read_sources(snapshot, target, wanted).given | {"": wanted}
    templates = build_templates(snapshot, target, wanted, {})
    return {path: (item.template, given[path]) for path, item in templates.items()}


def find_names(template: dict[str, Any], given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Physical names that do not depend on the stack: two stacks in one account cannot both have them."""
    declared = template.get("Parameters") or {}
    values = {**PSEUDO, **dict.fromkeys(find_missing(declared, given), "sample"), **given}
    literals = Literals(Template(data=template), values)
    for logical_id, resource in template["Resources"].items():
        for key, value in (resource.get("Properties") or {}).items():
            if _names(resource["Type"], key) and isinstance(name := literals.read_if_known(value), str):
                yield f"{logical_id}.{key}", name
    for logical_id, output in (template.get("Outputs") or {}).items():
        export = (output.get("Export") or {}).get("Name")
        if isinstance(name := literals.read_if_known(export), str):
            yield f"{logical_id}.Export", name


def _names(kind: str, key: str) -> bool:
    named = key in NAMES and kind not in UNNAMED
    domain = (kind, key) == ("AWS::Cognito::UserPoolDomain", "Domain")
    return named or domain or (key == "Name" and kind in NAMED)
