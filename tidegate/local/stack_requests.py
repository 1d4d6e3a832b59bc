"""From the parameters of a call to a revision: template, parameters, tags, capabilities, role.

Everything that AWS checks before it answers is checked here. https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlparse

from botocore.exceptions import ClientError

from tidegate.local.stack_errors import InsufficientCapabilitiesError, ValidationError
from tidegate.local.stack_includes import include_parts
from tidegate.local.stack_parameters import Given, settle_given, settle_parameters
from tidegate.local.stack_plans import make_scope
from tidegate.local.stack_records import Revision
from tidegate.local.stack_rules import check_rules
from tidegate.local.stack_templates import LARGEST_BODY, Template, parse_template

if TYPE_CHECKING:
    from tidegate.local.stack_intrinsics import Scope
    from tidegate.local.stack_records import Stack
    from tidegate.local.stack_registry import Platform, Registry

    Parameters = dict[str, Any]

LARGEST_OBJECT: Final = 1_048_576
MOST_TAGS: Final = 50
UNAVAILABLE: Final = (
    "StackPolicyBody",
    "StackPolicyURL",
    "RollbackConfiguration",
    "ResourcesToImport",
    "ImportExistingResources",
    "DeploymentMode",
    "TimeoutInMinutes",
    "ResourceTypes",
)


def read_flag(parameters: Parameters, name: str) -> bool:
    """Read a boolean parameter."""
    return str(parameters.get(name, False)).lower() == "true"


def make_revision(platform: Platform, stack: Stack, parameters: Parameters) -> Revision:
    """Make the revision that a call asks for; what it leaves open is the stack's present one."""
    for name in UNAVAILABLE:
        if parameters.get(name) and parameters[name] not in ({}, "false", False):
            raise ValidationError(f"{name} is not available in the local cloud")
    present = stack.revision
    template = _choose_template(platform, stack, parameters)
    given = settle_given(parameters.get("Parameters") or [], present.parameters if present else {})
    given = _complete(platform, template) | given
    capabilities = list(parameters.get("Capabilities") or [])
    _check_capabilities(template, capabilities)
    settled = settle_parameters(template, given, lambda name: _fetch(platform, stack, name))
    revision = Revision(
        template=template,
        parameters=settled,
        tags=_choose_tags(parameters, present),
        capabilities=capabilities,
        role_arn=parameters.get("RoleARN") or (present.role_arn if present else None),
        notification_arns=list(
            parameters.get("NotificationARNs") or (present.notification_arns if present else [])
        ),
        on_failure=_choose_on_failure(parameters),
    )
    scope = _make_static_scope(stack, revision)
    s3 = platform.clients.choose(stack.account, stack.region, None)("s3")
    revision.template = include_parts(revision.template, scope, s3)
    _check_conditions(revision, scope)
    if revision.role_arn:
        platform.clients.choose(stack.account, stack.region, revision.role_arn)
    return revision


def _complete(platform: Platform, template: Template) -> dict[str, Given]:
    """What the cloud was told to give to parameters that have no default."""
    declared = template.section("Parameters")
    known = platform.cloud.parameters
    return {key: known[key] for key, rule in declared.items() if "Default" not in rule and key in known}


def _make_static_scope(stack: Stack, revision: Revision) -> Scope:
    def outside(name: str, *_: str) -> str:
        raise ValidationError(f"Template error: conditions, rules and includes may not refer to [{name}]")

    return make_scope(stack, revision, outside, outside, outside)


def _check_conditions(revision: Revision, scope: Scope) -> None:
    for condition in revision.template.section("Conditions"):
        scope.holds(condition)
    check_rules(revision.template.section("Rules"), scope)
    for name, node in revision.template.resources.items():
        if "Condition" in node and node["Condition"] not in scope.condition_nodes:
            raise ValidationError(
                f"Template format error: Unresolved condition dependency "
                f"{node['Condition']} in the Resources block of the template ({name})"
            )


def _choose_on_failure(parameters: Parameters) -> str:
    if read_flag(parameters, "DisableRollback"):
        return "DO_NOTHING"
    return str(parameters.get("OnFailure") or parameters.get("OnStackFailure") or "ROLLBACK")


def _choose_tags(parameters: Parameters, present: Revision | None) -> dict[str, str]:
    if "Tags" not in parameters or parameters["Tags"] is None:
        return dict(present.tags) if present else {}
    tags = {tag["Key"]: tag["Value"] for tag in parameters["Tags"]}
    if len(tags) > MOST_TAGS:
        raise ValidationError(f"A stack may have at most {MOST_TAGS} tags")
    return tags


def _choose_template(platform: Platform, stack: Stack, parameters: Parameters) -> Template:
    previous = read_flag(parameters, "UsePreviousTemplate")
    sources = [parameters.get("TemplateBody"), parameters.get("TemplateURL"), previous]
    if sum(1 for source in sources if source) != 1:
        raise ValidationError("Either Template URL or Template Body must be specified.")
    if previous:
        if stack.revision is None:
            raise ValidationError(f"Stack [{stack.name}] has no previous template")
        return stack.revision.template
    return parse_template(read_text(platform, stack.account, stack.region, parameters))


def read_text(platform: Platform, account: str, region: str, parameters: Parameters) -> str:
    """The text of TemplateBody or of the object that TemplateURL names."""
    body = parameters.get("TemplateBody")
    if body:
        if len(body.encode()) > LARGEST_BODY:
            raise ValidationError(
                "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
                f"Member must have length less than or equal to {LARGEST_BODY}"
            )
        return str(body)
    bucket, key = parse_template_url(str(parameters.get("TemplateURL")))
    try:
        found = platform.clients.choose(account, region, None)("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        raise ValidationError(f"S3 error: {error.response['Error']['Message']}") from error
    data = found["Body"].read()
    if len(data) > LARGEST_OBJECT:
        raise ValidationError(f"Template may not exceed {LARGEST_OBJECT} bytes in size.")
    return str(data.decode())


def parse_template_url(url: str) -> tuple[str, str]:
    """Split an S3 address, of either style, into bucket and key."""
    parts = urlparse(url)
    host, path = parts.hostname or "", unquote(parts.path.lstrip("/"))
    if parts.scheme not in {"http", "https"} or not path:
        raise ValidationError("TemplateURL must be a supported URL.")
    for marker in (".s3.", ".s3-"):
        if marker in host and host.endswith("amazonaws.com"):
            return host.split(marker, 1)[0], path
    bucket, _, key = path.partition("/")
    return bucket, key


def _check_capabilities(template: Template, given: list[str]) -> None:
    for needed in template.capabilities:
        accepted = {needed, "CAPABILITY_NAMED_IAM"}
        if not accepted & set(given):
            raise InsufficientCapabilitiesError(f"Requires capabilities : [{needed}]")


def _fetch(platform: Platform, stack: Stack, name: str) -> str:
    try:
        found = platform.clients.choose(stack.account, stack.region, None)("ssm").get_parameter(Name=name)
    except ClientError as error:
        raise ValidationError(
            f"Unable to fetch parameters [{name}] from parameter store for this account."
        ) from error
    return str(found["Parameter"]["Value"])


def find_or_refuse(registry: Registry, name: str) -> Stack:
    """A stack to operate on; AWS words its absence differently here than in DescribeStacks."""
    stack = registry.find(name)
    if stack is None or stack.status == "DELETE_COMPLETE":
        raise ValidationError(f"Stack [{name}] does not exist")
    return stack


def page(items: list[Any], token: str | None, size: int = 100) -> tuple[list[Any], str | None]:
    """One page of a list, and the token of the next."""
    start = int(token) if token else 0
    following = start + size
    return items[start:following], str(following) if following < len(items) else None
