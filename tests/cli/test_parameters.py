"""Samples for parameters without a value: allowed by their rules, and real where the network has such a thing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.cli.parameters import find_missing, find_stored, make_sample, make_samples

NETWORK = {"AWS::EC2::VPC::Id": ["vpc-1"], "AWS::EC2::Subnet::Id": ["subnet-1", "subnet-2"]}


@pytest.mark.parametrize(
    ("name", "rule", "value"),
    [
        ("Stage", {"Type": "String", "AllowedValues": ["dev", "prod"]}, "dev"),
        ("Flag", {"Type": "String", "AllowedValues": [True, False]}, "true"),
        ("Count", {"Type": "Number", "MinValue": 3}, "3"),
        ("VpcId", {"Type": "AWS::EC2::VPC::Id"}, "vpc-1"),
        ("Subnets", {"Type": "List<AWS::EC2::Subnet::Id>"}, "subnet-1,subnet-2"),
        ("SubnetIds", {"Type": "CommaDelimitedList"}, "subnet-1,subnet-2"),
        ("Image", {"Type": "AWS::EC2::Image::Id"}, None),
        ("Latest", {"Type": "AWS::SSM::Parameter::Value<String>"}, None),
        ("NotificationEmail", {"Type": "String"}, "sample@example.com"),
        ("TopicArn", {"Type": "String"}, "arn:aws:sns:us-east-1:123456789012:sample"),
        ("Rate", {"Type": "String"}, "rate(1 day)"),
        ("Password", {"Type": "String", "MinLength": 12, "AllowedPattern": "[a-zA-Z0-9]*"}, "samplepassword"),
        ("Bucket", {"Type": "String"}, "sample-bucket"),
        ("Odd", {"Type": "String", "AllowedPattern": "odd-[0-9]{3}"}, None),
    ],
)
def test_a_sample_fits_its_rule(name, rule, value):
    assert make_sample(name, rule, NETWORK) == value


def test_defaults_and_given_values_are_not_missing():
    declared = {"A": {"Default": ""}, "B": {"Type": "String"}, "C": {"Type": "String"}}
    assert find_missing(declared, {"C": "x"}) == {"B": {"Type": "String"}}


def test_values_of_the_parameter_store_are_known_by_their_names_there():
    kind = "AWS::SSM::Parameter::Value<AWS::EC2::VPC::Id>"
    declared = {"A": {"Type": kind, "Default": "/net/vpc"}, "B": {"Type": kind}, "C": {"Type": "String"}}
    assert find_stored(declared, {"B": "/other"}) == {
        "/net/vpc": {"Type": "AWS::EC2::VPC::Id", "Name": "A"},
        "/other": {"Type": "AWS::EC2::VPC::Id", "Name": "B"},
    }


def test_what_no_sample_fits_is_named():
    assert make_samples({"A": {"Type": "String", "AllowedPattern": "^q+$"}, "B": {"Type": "String"}}, {}) == (
        {"B": "sample-b"},
        ("A",),
    )


@given(
    st.text("abcDEF", min_size=1),
    st.integers(0, 70),
    st.integers(0, 90),
    st.sampled_from(["[a-z]+", r"\d+", ".*"]),
)
def test_no_sample_breaks_its_rule(name, least, most, pattern):
    rule = {"Type": "String", "MinLength": least, "MaxLength": most, "AllowedPattern": pattern}
    value = make_sample(name, rule, {})
    assert value is None or (least <= len(value) <= most and re.fullmatch(pattern, value))
