"""The table of invocation targets: the properties, by resource type, whose ARN decides which code runs.

One line per type. A path is keys and list indexes; `*` is any one of them, `**` everything below. May hold no
logic: what is not in the table is left alone and named in the plan as going around the canary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .intrinsics import Path


def _paths(*paths: str) -> tuple[Path, ...]:
    return tuple(tuple(path.split(".")) for path in paths)


_LEX = "BotAliasLocaleSettings.*.BotAliasLocaleSetting.CodeHookSpecification.LambdaCodeHook.LambdaArn"
_S3_OBJECT = (
    "ObjectLambdaConfiguration.TransformationConfigurations.*.ContentTransformation.AwsLambda.FunctionArn"
)
TARGETS: Mapping[str, tuple[Path, ...]] = {
    "AWS::ApiGateway::Authorizer": _paths("AuthorizerUri"),
    "AWS::ApiGateway::Method": _paths("Integration.Uri"),
    "AWS::ApiGateway::RestApi": _paths("Body.**"),
    "AWS::ApiGatewayV2::Api": _paths("Body.**", "Target"),
    "AWS::ApiGatewayV2::Authorizer": _paths("AuthorizerUri"),
    "AWS::ApiGatewayV2::Integration": _paths("IntegrationUri"),
    "AWS::AppSync::Api": _paths("EventConfig.AuthProviders.*.LambdaAuthorizerConfig.AuthorizerUri"),
    "AWS::AppSync::DataSource": _paths("LambdaConfig.LambdaFunctionArn"),
    "AWS::AppSync::GraphQLApi": _paths(
        "LambdaAuthorizerConfig.AuthorizerUri",
        "AdditionalAuthenticationProviders.*.LambdaAuthorizerConfig.AuthorizerUri",
    ),
    "AWS::Bedrock::Agent": _paths("ActionGroups.*.ActionGroupExecutor.Lambda"),
    "AWS::CloudWatch::Alarm": _paths("AlarmActions.*", "OKActions.*", "InsufficientDataActions.*"),
    "AWS::Cognito::UserPool": _paths("LambdaConfig.*", "LambdaConfig.*.LambdaArn"),
    "AWS::Config::ConfigRule": _paths("Source.SourceIdentifier"),
    "AWS::ElasticLoadBalancingV2::TargetGroup": _paths("Targets.*.Id"),
    "AWS::Events::Rule": _paths("Targets.*.Arn"),
    "AWS::BedrockAgentCore::Gateway": _paths("InterceptorConfigurations.*.Interceptor.Lambda.Arn"),
    "AWS::BedrockAgentCore::GatewayTarget": _paths("TargetConfiguration.Mcp.Lambda.LambdaArn"),
    "AWS::IoT::Authorizer": _paths("AuthorizerFunctionArn"),
    "AWS::IoT::TopicRule": _paths(
        "TopicRulePayload.Actions.*.Lambda.FunctionArn", "TopicRulePayload.ErrorAction.Lambda.FunctionArn"
    ),
    "AWS::KinesisAnalytics::Application": _paths(
        "Inputs.*.InputProcessingConfiguration.InputLambdaProcessor.ResourceARN"
    ),
    "AWS::KinesisAnalytics::ApplicationOutput": _paths("Output.LambdaOutput.ResourceARN"),
    "AWS::KinesisFirehose::DeliveryStream": _paths(
        "*.ProcessingConfiguration.Processors.*.Parameters.*.ParameterValue"
    ),
    "AWS::Lambda::EventInvokeConfig": _paths(
        "DestinationConfig.OnSuccess.Destination", "DestinationConfig.OnFailure.Destination"
    ),
    "AWS::Lambda::EventSourceMapping": _paths("FunctionName"),
    "AWS::Lex::BotAlias": _paths(_LEX),
    "AWS::Logs::SubscriptionFilter": _paths("DestinationArn"),
    "AWS::Pipes::Pipe": _paths("Target", "Enrichment"),
    "AWS::S3::Bucket": _paths("NotificationConfiguration.LambdaConfigurations.*.Function"),
    "AWS::S3ObjectLambda::AccessPoint": _paths(_S3_OBJECT),
    "AWS::SES::ReceiptRule": _paths("Rule.Actions.*.LambdaAction.FunctionArn"),
    "AWS::SNS::Subscription": _paths("Endpoint"),
    "AWS::SNS::Topic": _paths("Subscription.*.Endpoint"),
    "AWS::Scheduler::Schedule": _paths("Target.Arn"),
    "AWS::StepFunctions::StateMachine": _paths(
        "Definition.**", "DefinitionString.**", "DefinitionSubstitutions.*"
    ),
    "AWS::Transfer::Server": _paths("IdentityProviderDetails.Function"),
    "AWS::Transfer::Workflow": _paths(
        "Steps.*.CustomStepDetails.Target", "OnExceptionSteps.*.CustomStepDetails.Target"
    ),
    "AWS::VpcLattice::TargetGroup": _paths("Targets.*.Id"),
}
NAMES_ONLY = frozenset({"DefinitionSubstitutions"})
"""Properties whose value may be put into a longer ARN, so that a function's name must stay a name there."""

QUIET = (
    "AWS::ApplicationAutoScaling::",
    "AWS::CloudWatch::",
    "AWS::CodeDeploy::",
    "AWS::IAM::",
    "AWS::Lambda::",
    "AWS::Logs::",
    "AWS::ResourceGroups::",
)
"""Types that name functions without invoking them (except a function's own environment)."""


def split(resource_type: str, properties: Mapping[str, Any]) -> Iterator[tuple[Path, Any, bool]]:
    """A resource's properties in pieces, each with its path and whether it is an invocation target."""
    yield from _split((), properties, TARGETS.get(resource_type, ()))


def _split(path: Path, value: Any, patterns: tuple[Path, ...]) -> Iterator[tuple[Path, Any, bool]]:  # noqa: ANN401
    if any(pattern in {(), ("**",)} for pattern in patterns):
        yield path, value, True
    elif not patterns or not isinstance(value, (dict, list)):
        yield path, value, False
    else:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            below = tuple(pattern[1:] for pattern in patterns if pattern[0] in {"*", str(key)})
            yield from _split((*path, str(key)), item, below)
