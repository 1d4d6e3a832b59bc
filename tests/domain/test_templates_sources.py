"""What a raw template says has to be built and uploaded, where it is placed, and what is refused."""

from __future__ import annotations

import pytest

from tests.domain.sample_templates import SAMPLES, load
from tidegate.adapters.templates import parse
from tidegate.adapters.translation import translate
from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate
from tidegate.domain.templates import (
    PackageKey,
    S3Object,
    Template,
    place,
    prepare,
    read_functions,
    read_packages,
    refuse_unsupported,
)

SERVERLESS = "AWS::Serverless-2016-10-31"


def serverless(sections=None, **resources):
    data = {"Transform": SERVERLESS, "Resources": resources, **(sections or {})}
    return Template(data=data, lines=dict.fromkeys(resources, 7), file="t.yaml")


def function(**properties):
    base = {"CodeUri": "src", "Handler": "a.b", "Runtime": "python3.12"}
    return {"Type": "AWS::Serverless::Function", "Properties": {**base, **properties}}


def one(template, parameters=None):
    return read_functions(template, parameters)[0]


def test_functions_come_with_globals_parameters_and_lines():
    orders, worker = read_functions(load("serverless_api"))
    assert (orders.code_uri, orders.handler, orders.runtime) == ("orders/", "app.handler", "python3.12")
    assert (orders.architecture, worker.architecture) == ("x86_64", "arm64")
    assert worker.layers == ("Shared",)
    assert orders.line == 18


def test_a_given_parameter_wins_over_its_default():
    assert one(load("serverless_api"), {"Handler": "other.handler"}).handler == "other.handler"


def test_conditions_and_mappings_are_read():
    sections = {
        "Parameters": {
            "Stage": {"Type": "String", "Default": "dev"},
            "Cpu": {"Type": "String", "Default": "arm64"},
        },
        "Conditions": {
            "Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
            "Dev": {"Fn::Not": [{"Condition": "Prod"}]},
        },
        "Mappings": {"Code": {"dev": {"path": "src/dev"}}},
    }
    item = function(
        CodeUri={"Fn::FindInMap": ["Code", {"Ref": "Stage"}, "path"]},
        Handler={"Fn::If": ["Dev", {"Fn::Sub": "${Stage}.handler"}, "prod.handler"]},
        Architectures=[{"Ref": "Cpu"}],
    )
    source = one(serverless(sections, F=item))
    assert (source.code_uri, source.handler, source.architecture) == ("src/dev", "dev.handler", "arm64")


@pytest.mark.parametrize(
    "value",
    [
        {"Fn::GetAtt": ["X", "Arn"]},
        {"Ref": "Missing"},
        {"Fn::ImportValue": "x"},
        {"Fn::If": ["Nowhere", "a", "b"]},
    ],
)
def test_what_only_the_deployment_knows_is_refused_with_its_name(value):
    with pytest.raises(UnsupportedTemplate, match=r"t.yaml:7: Runtime of F must be known before deployment"):
        one(serverless(F=function(Runtime=value)))


def test_a_condition_that_names_itself_ends():
    sections = {"Conditions": {"A": {"Fn::Not": [{"Condition": "A"}]}}}
    with pytest.raises(UnsupportedTemplate, match="the condition A"):
        one(serverless(sections, F=function(Handler={"Fn::If": ["A", "x", "y"]})))


@pytest.mark.parametrize(
    ("properties", "path"),
    [
        ({"CodeUri": "s3://bucket/key"}, None),
        ({"CodeUri": {"Bucket": "b", "Key": "k"}}, None),
        ({"CodeUri": "src/"}, "src/"),
        ({"CodeUri": 7}, "error"),
    ],
)
def test_a_code_path_is_local_or_it_is_none(properties, path):
    template = serverless(F=function(**properties))
    if path == "error":
        with pytest.raises(InvalidTemplate, match="CodeUri of F must be text"):
            one(template)
    else:
        assert one(template).code_uri == path


def test_a_function_without_code_means_the_templates_folder():
    bare = {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "a.b", "Runtime": "python3.12"}}
    inline = {"Type": "AWS::Serverless::Function", "Properties": {**bare["Properties"], "InlineCode": "x"}}
    assert [item.code_uri for item in read_functions(serverless(F=bare, G=inline))] == [".", None]


def test_a_cdk_asset_is_the_code():
    assert one(load("cdk")).code_uri == "asset.aa"


def test_packages_are_those_of_the_table_that_are_local():
    sources = {
        (item.key.logical_id, item.key.property_path): item for item in read_packages(load("packages"))
    }
    assert {key: item.path for key, item in sources.items()} == {
        ("Machine", "DefinitionUri"): "machine.asl.json",
        ("Api", "DefinitionUri"): "./openapi.yaml",
        ("Layer", "Content"): "layer/",
        ("Job", "Command.ScriptLocation"): "job.py",
        ("Graph", "SchemaUri"): "schema.graphql",
        ("Graph", "Functions.find.CodeUri"): "find.js",
        ("Graph", "Resolvers.Query.one.CodeUri"): "one.js",
    }
    assert sources["Layer", "Content"].kind == "zip"
    assert sources["Machine", "DefinitionUri"].kind == "file"


def test_a_layer_names_its_build_method():
    (layer,) = read_packages(load("serverless_api"))
    assert (layer.build_method, layer.kind, layer.path) == ("python3.12", "zip", "shared/")


def test_packages_are_placed_in_each_propertys_own_shape():
    template = load("packages")
    item = S3Object(bucket="b", key="k", version="v")
    resources = place(template, {}, {source.key: item for source in read_packages(template)}).resources
    whole = {"Bucket": "b", "Key": "k", "Version": "v"}
    assert resources["Machine"]["Properties"]["DefinitionUri"] == whole
    assert resources["Layer"]["Properties"]["Content"] == {
        "S3Bucket": "b",
        "S3Key": "k",
        "S3ObjectVersion": "v",
    }
    assert resources["Job"]["Properties"]["Command"]["ScriptLocation"] == "s3://b/k"
    assert resources["Graph"]["Properties"]["Resolvers"]["Query"]["one"]["CodeUri"] == "s3://b/k"
    assert template.resources["Job"]["Properties"]["Command"]["ScriptLocation"] == "job.py"


def test_a_shared_code_path_is_given_to_each_function():
    sections = {"Globals": {"Function": {"CodeUri": "src", "Runtime": "python3.12", "Handler": "a.b"}}}
    bare = {"Type": "AWS::Serverless::Function"}
    template = serverless(sections, F=bare, G=bare)
    item = S3Object(bucket="b", key="k")
    placed = place(template, {"F": item, "G": item}, {})
    resources = translate(prepare(placed).template, {}, "us-east-1")["Resources"]
    assert resources["G"]["Properties"]["Code"] == {"S3Bucket": "b", "S3Key": "k"}


def test_a_forgotten_artifact_is_a_key_error():
    with pytest.raises(KeyError, match="F"):
        place(serverless(F=function()), {}, {})


def test_package_keys_can_be_looked_up():
    key = PackageKey(logical_id="A", property_path="B")
    assert {key: 1}[PackageKey(logical_id="A", property_path="B")] == 1


def distribution(target):
    behaviour = {"LambdaFunctionAssociations": [{"EventType": "origin-request", "LambdaFunctionARN": target}]}
    return {
        "Type": "AWS::CloudFront::Distribution",
        "Properties": {"DistributionConfig": {"DefaultCacheBehavior": behaviour}},
    }


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            serverless(A={"Type": "AWS::Serverless::Application", "Properties": {}}),
            "A is an application of the AWS Serverless Application Repository",
        ),
        (
            serverless({"Transform": [SERVERLESS, "AWS::LanguageExtensions"]}, F=function()),
            "AWS::LanguageExtensions",
        ),
        (serverless({"Transform": {"Name": "MyMacro"}}, F=function()), "the transform MyMacro"),
        (serverless(**{"Fn::ForEach::Each": ["x", ["a"], {}]}), "Fn::ForEach in Fn::ForEach::Each"),
        (
            serverless(F=function(Environment={"Fn::Transform": {"Name": "AWS::Include"}})),
            r"Fn::Transform \(AWS::Include\) in F",
        ),
        (serverless(F=function(), D=distribution({"Ref": "F.Version"})), "F is a Lambda@Edge function"),
        (load("cdk"), "cdk.json:3: Handler886CB40B has a CDK asset"),
        (
            serverless(F=function(Runtime="ruby3.4")),
            "F is built by ruby3.4, and this pipeline builds nothing at CodeBuild; only Python",
        ),
        (serverless(F=function(Runtime="provided.al2023")), "F runs on provided.al2023 and says not how"),
        (serverless(W={"Type": "AWS::Serverless::WebFunction"}), "W is a AWS::Serverless::WebFunction"),
    ],
)
def test_what_is_not_released_is_refused_by_name(template, message):
    with pytest.raises(UnsupportedTemplate, match=message):
        refuse_unsupported(template)


@pytest.mark.parametrize("path", [path for path in SAMPLES if path.stem != "cdk"], ids=lambda path: path.stem)
def test_what_can_be_released_is_not_refused(path):
    refuse_unsupported(parse(path.read_text(), path.name))


@pytest.mark.parametrize(
    ("runtime", "metadata"),
    [("ruby3.4", {}), ("java21", {}), ("provided.al2023", {"BuildMethod": "makefile"})],
)
def test_with_codebuild_other_languages_are_not_refused(runtime, metadata):
    item = {**function(Runtime=runtime), "Metadata": metadata}
    refuse_unsupported(serverless(F=item), errands=True)


def test_a_makefile_elsewhere_than_in_its_code_is_refused():
    item = {**function(), "Metadata": {"BuildMethod": "makefile", "ContextPath": "."}}
    with pytest.raises(UnsupportedTemplate, match=r"t\.yaml:\d+: F has Metadata\.ContextPath"):
        refuse_unsupported(serverless(F=item), errands=True)


def test_a_cdk_template_with_its_manifest_is_not_refused():
    refuse_unsupported(load("cdk"), asset_manifest=True)


def test_inline_code_of_any_runtime_is_not_refused():
    item = {"Type": "AWS::Serverless::Function", "Properties": {"InlineCode": "x", "Runtime": "nodejs22.x"}}
    refuse_unsupported(serverless(F=item))


def test_a_function_of_a_custom_resource_gets_no_alias():
    prepared = prepare(load("custom_resource"))
    assert prepared.injected == {"Worker"}
    assert "AutoPublishAlias" not in prepared.template.resources["Seeder"]["Properties"]


def test_a_preference_that_only_the_deployment_knows_is_refused():
    item = function(DeploymentPreference={"Type": {"Fn::ImportValue": "kind"}})
    with pytest.raises(UnsupportedTemplate, match=r"DeploymentPreference.Type of F"):
        prepare(serverless(F=item))


def test_a_parameter_without_a_value_is_named_as_such():
    template = serverless({"Parameters": {"Place": {"Type": "String"}}}, F=function(CodeUri={"Ref": "Place"}))
    with pytest.raises(UnsupportedTemplate, match="depends on the parameter Place, which is given no value"):
        read_functions(template)
