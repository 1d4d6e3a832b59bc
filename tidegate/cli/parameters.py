"""Values for the parameters of a template that has no defaults for them, for a local cloud where any will do.

A release on AWS never gets one of these: there a parameter without a value ends the release. May not guess
what a pattern means: where no sample fits, the operator gives a value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
# By what a parameter's name says; the first that fits is tried first.
HINTS: Final = (
    (r"e-?mail|recipient|sender", "sample@example.com"),
    (r"role.*arn|arn.*role", f"arn:aws:iam::{ACCOUNT}:role/sample"),
    (r"cert\w*arn|cert\w*$", f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/sample"),
    (r"secret\w*arn", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:sample"),
    (r"kms", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"),
    (r"topic\w*arn", f"arn:aws:sns:{REGION}:{ACCOUNT}:sample"),
    (r"queue\w*arn", f"arn:aws:sqs:{REGION}:{ACCOUNT}:sample"),
    (r"bucket\w*arn", "arn:aws:s3:::sample"),
    (r"table\w*arn", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/sample"),
    (r"arn", f"arn:aws:sample:{REGION}:{ACCOUNT}:sample"),
    (r"url|webhook", "https://example.com/"),
    (r"domain|host", "example.com"),
    (r"phone", "+15555550100"),
    (r"cidr", "10.0.0.0/16"),
)
FALLBACKS: Final = ("sample", "Sample1", "sample@example.com", "https://example.com/", "1")
STORED: Final = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
SCHEDULE: Final = "rate(1 day)"
# The types and names for which the network of the local cloud has a real id.
NETWORK: Final = (
    ("AWS::EC2::VPC::Id", r"^(\w*vpc|vpc-?id)$|vpcid$"),
    ("AWS::EC2::Subnet::Id", r"subnet"),
    ("AWS::EC2::SecurityGroup::Id", r"security_?groups?(_?ids?)?$|^sg"),
    ("AWS::EC2::AvailabilityZone::Name", r"availability_?zone"),
)


class Samples(NamedTuple):
    """Values by parameter, and the parameters that no sample fits."""

    values: dict[str, str]
    unfit: tuple[str, ...]


def find_missing(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The declared parameters that have neither a default nor a given value."""
    return {
        name: rule
        for name, rule in declared.items()
        if isinstance(rule, dict) and "Default" not in rule and name not in given
    }


def find_stored(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The rules of the values that lie in the parameter store, by the names that they have there."""
    found: dict[str, dict[str, Any]] = {}
    for name, rule in declared.items():
        kind = STORED.fullmatch(str(rule.get("Type"))) if isinstance(rule, dict) else None
        place = given.get(name, rule.get("Default")) if kind else None
        if kind and isinstance(place, str):
            found[place] = {"Type": kind[1], "Name": name}
    return found


def make_samples(missing: Mapping[str, dict[str, Any]], network: Mapping[str, Sequence[str]]) -> Samples:
    """A value for each parameter. network: the ids that the local cloud has, by their parameter type."""
    found = {name: make_sample(name, rule, network) for name, rule in missing.items()}
    values = {name: value for name, value in found.items() if value is not None}
    return Samples(values, tuple(name for name in found if name not in values))


def make_sample(name: str, rule: Mapping[str, Any], network: Mapping[str, Sequence[str]]) -> str | None:
    """A value that the parameter's rule allows; None where no sample does."""
    kind = str(rule.get("Type", "String"))
    if kind.startswith("AWS::SSM::Parameter::Value"):
        return None
    if rule.get("AllowedValues"):
        return _write(rule["AllowedValues"][0])
    if kind in {"Number", "List<Number>"}:
        return _write(rule.get("MinValue", 1))
    found = list(dict.fromkeys(_candidates(name, kind, network)))
    return next((value for value in found if _allows(rule, value)), None)


def _candidates(name: str, kind: str, network: Mapping[str, Sequence[str]]) -> Iterator[str]:
    several = kind.startswith("List<") or kind == "CommaDelimitedList"
    single = kind.removeprefix("List<").removesuffix(">")
    for known, pattern in NETWORK:
        by_name = single in {"String", "CommaDelimitedList"} and re.search(pattern, name, re.IGNORECASE)
        if single == known or by_name:
            ids = network.get(known, ())
            yield from [",".join(ids)] if several and ids else ids
    if single.startswith("AWS::EC2::") and single != "AWS::EC2::KeyPair::KeyName":
        return
    if re.search(r"schedule|rate|cron", name, re.IGNORECASE):
        yield SCHEDULE
    yield from (value for pattern, value in HINTS if re.search(pattern, name, re.IGNORECASE))
    # Each its own, since two may be names of two things.
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    yield from (f"sample-{plain}", f"sample{plain}", *FALLBACKS)
    yield from ("a" * 64, "A1" + "a" * 38, "0" * 12)


def _allows(rule: Mapping[str, Any], value: str) -> bool:
    if not int(rule.get("MinLength", 0)) <= len(value) <= int(rule.get("MaxLength", 4096)):
        return False
    try:
        return re.fullmatch(str(rule.get("AllowedPattern", ".*")), value) is not None
    except re.error:
        return False


def _write(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
