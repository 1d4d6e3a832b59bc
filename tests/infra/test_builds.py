"""What foreign code that is built at CodeBuild may do, and what the project is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.infra.conftest import ROOT
from tests.infra.test_templates import flat, listed, statements
from tidegate.local.buildspecs import read_buildspec

if TYPE_CHECKING:
    from tests.infra.conftest import Assembly

PROJECT = "AWS::CodeBuild::Project"
# What GNU tar 1.26 knows of what is asked here: the images of python3.11, java17, ruby3.2, provided.al2 and all
# before them are Amazon Linux 2. Source: GNU tar, NEWS (--sort came with 1.28).
OLD_TAR: Final = frozenset(
    {
        *("create", "extract", "gzip", "file", "directory", "dereference", "hard-dereference"),
        *("mtime", "owner", "group", "numeric-owner", "no-same-owner"),
    }
)


def project(assembly: Assembly) -> dict[str, Any]:
    (found,) = assembly.resources(PROJECT).values()
    properties: dict[str, Any] = found["Properties"]
    return properties


def test_foreign_code_may_print_and_nothing_else(assembly: Assembly) -> None:
    roles = assembly.resources("AWS::IAM::Role")
    name = project(assembly)["ServiceRole"]["Fn::GetAtt"][0]
    role = roles[name]
    assert role["Properties"]["RoleName"] == "tidegate-builds"
    assert "ManagedPolicyArns" not in role["Properties"]
    (statement,) = statements(role)
    assert sorted(listed(statement["Action"])) == ["logs:CreateLogStream", "logs:PutLogEvents"]
    (resource,) = listed(statement["Resource"])
    assert flat(resource).endswith(":log-group:/aws/codebuild/tidegate-builds:*")
    policies = assembly.resources("AWS::IAM::Policy").values()
    assert not [one for one in policies if name in str(one["Properties"]["Roles"])]
    principals = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert [one["Principal"] for one in principals] == [{"Service": "codebuild.amazonaws.com"}]


def test_the_project_is_small_and_bounded_and_has_no_source_of_its_own(assembly: Assembly) -> None:
    found = project(assembly)
    assert found["Source"]["Type"] == "NO_SOURCE"
    assert found["Artifacts"] == {"Type": "NO_ARTIFACTS"}
    environment = found["Environment"]
    assert environment["ComputeType"] == "BUILD_GENERAL1_SMALL"
    assert environment["PrivilegedMode"] is False
    assert "EnvironmentVariables" not in environment
    assert "VpcConfig" not in found
    # Together under the hour that the URLs of a build are good for.
    assert found["TimeoutInMinutes"] + found["QueuedTimeoutInMinutes"] < 60
    groups = assembly.resources("AWS::Logs::LogGroup")
    group = groups[found["LogsConfig"]["CloudWatchLogs"]["GroupName"]["Ref"]]["Properties"]
    assert group["LogGroupName"] == "/aws/codebuild/tidegate-builds"
    assert group["RetentionInDays"]


def test_the_buildspec_is_the_one_that_runs_in_the_local_cloud(assembly: Assembly) -> None:
    text = (ROOT / "infra" / "buildspec.yaml").read_text()
    assert project(assembly)["Source"]["BuildSpec"] == text
    assert list(read_buildspec(text).phases) == ["install", "pre_build", "build", "post_build"]
    assert "secrets" not in str(yaml.safe_load(text))


def test_the_buildspec_asks_nothing_of_tar_that_the_oldest_image_has_not() -> None:
    text = (ROOT / "infra" / "buildspec.yaml").read_text()
    calls = re.findall(r"(?:^|&& |- )tar (--.+)$", text, re.MULTILINE)
    assert len(calls) == 2
    assert {name for call in calls for name in re.findall(r"--([a-z-]+)", call)} <= OLD_TAR


def test_who_starts_a_build_may_not_make_artifacts_of_it(assembly: Assembly) -> None:
    roles = assembly.resources("AWS::IAM::Role").values()
    by_name = {role["Properties"].get("RoleName"): role for role in roles}
    written: dict[str, set[str]] = {}
    for name, role in by_name.items():
        for statement in statements(role):
            if "s3:PutObject" in listed(statement["Action"]):
                keys = {
                    flat(one).rpartition(":::")[2].partition("/")[2] for one in listed(statement["Resource"])
                }
                written.setdefault(str(name), set()).update(keys)
    assert written["tidegate-await-builds"] == {"errands/*"}
    assert {name for name, keys in written.items() if "artifacts/*" in keys} == {"tidegate-build-function"}
    assert "tidegate-builds" not in written
    assert "tidegate-resume-release" not in written


def test_only_the_end_of_our_own_builds_is_heard_of(assembly: Assembly) -> None:
    rules = assembly.resources("AWS::Events::Rule").values()
    (rule,) = [one for one in rules if one["Properties"].get("Name") == "tidegate-build-ended"]
    assert rule["Properties"]["EventPattern"]["detail"] == {
        "project-name": ["tidegate-builds"],
        "build-status": ["SUCCEEDED", "FAILED", "FAULT", "STOPPED", "TIMED_OUT"],
    }


def test_what_builds_are_given_and_leave_expires(assembly: Assembly) -> None:
    buckets = assembly.resources("AWS::S3::Bucket").values()
    (artifacts,) = [b for b in buckets if "artifacts-<" in flat(b["Properties"]["BucketName"])]
    rules = artifacts["Properties"]["LifecycleConfiguration"]["Rules"]
    (rule,) = [one for one in rules if one["Id"] == "errands"]
    assert (rule["Prefix"], rule["ExpirationInDays"], rule["Status"]) == ("errands/", 7, "Enabled")


def test_a_pipeline_may_do_without(synthesize: Any) -> None:
    without: Assembly = synthesize("without_builds", {"build_images": None})
    assert not without.resources(PROJECT)
    for function in without.resources("AWS::Lambda::Function").values():
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        assert "TIDEGATE_BUILD_IMAGES" not in variables
    for role in without.resources("AWS::IAM::Role").values():
        for statement in statements(role):
            assert not [action for action in listed(statement["Action"]) if action.startswith("codebuild:")]
