"""Types that are kept as records: made, read, changed and deleted as templates ask, with nothing behind them.

They stand beside the functions of a service and decide nothing about a release: dashboards, firewalls,
content delivery, data sources of an API. Each has its id and the attributes that templates read, in the shape
of AWS; whoever calls the service behind one gets no answer. A command that brings its own cloud says which
resources are such (`tidegate.local.availability`). A type that is not in the table is refused by name.
"""

from __future__ import annotations

import functools
import uuid
from typing import Any, Final, NamedTuple

from tidegate.local.resources.kinds import Kind, Naming, Request


class Record(NamedTuple):
    """How a type names itself: Ref, GetAtt by attribute, and the property that gives its name.

    `{name}` is the given or generated name, `{id}` an id, `{place}` is `region:account`, `{account}` and
    `{region}` are what they say; any property that is text can be named too.
    """

    ref: str = "{name}"
    attributes: dict[str, str] = {}  # noqa: RUF012 (never written to)
    named_by: str = "Name"


def _arn(resource: str, *attributes: str, ref: str = "", named_by: str = "Name", **more: str) -> Record:
    """A record whose ARN is Ref too, unless `ref` says otherwise."""
    arn = f"arn:aws:{resource}"
    return Record(ref or arn, dict.fromkeys(attributes or ("Arn",), arn) | more, named_by)


_APPSYNC = "appsync:{place}:apis/{ApiId}"
_WAF = "wafv2:{place}:regional"
_COLLECTION = "aoss:{place}:collection/{id}"
_HOST = "{id}.{region}.example.com"
RECORDS: Final[dict[str, Record]] = {
    "AWS::Amplify::App": _arn("amplify:{place}:apps/{id}", AppId="{id}", DefaultDomain="{id}.example.com"),
    "AWS::Amplify::Branch": _arn("amplify:{place}:apps/{AppId}/branches/{name}", named_by="BranchName"),
    "AWS::AppSync::ApiCache": Record("{id}"),
    "AWS::AppSync::DataSource": _arn(_APPSYNC + "/datasources/{name}", "DataSourceArn", Name="{name}"),
    "AWS::AppSync::FunctionConfiguration": _arn(
        _APPSYNC + "/functions/{id}",
        "FunctionArn",
        FunctionId="{id}",
        Name="{name}",
        DataSourceName="{DataSourceName}",
    ),
    "AWS::AppSync::Resolver": _arn(
        _APPSYNC + "/types/{TypeName}/resolvers/{FieldName}",
        "ResolverArn",
        TypeName="{TypeName}",
        FieldName="{FieldName}",
    ),
    "AWS::ApiGateway::ClientCertificate": Record("{id}", {"ClientCertificateId": "{id}"}),
    "AWS::ApiGateway::DocumentationPart": Record("{id}"),
    "AWS::ApiGateway::DocumentationVersion": Record("{id}"),
    "AWS::ApplicationInsights::Application": _arn(
        "applicationinsights:{place}:application/resource-group/{name}",
        "ApplicationARN",
        named_by="ResourceGroupName",
    ),
    "AWS::Athena::WorkGroup": Record(),
    "AWS::Backup::BackupPlan": _arn("backup:{place}:backup-plan:{id}", "BackupPlanArn", ref="{id}"),
    "AWS::Backup::BackupSelection": Record("{id}"),
    "AWS::Backup::BackupVault": _arn(
        "backup:{place}:backup-vault:{name}", "BackupVaultArn", ref="{name}", named_by="BackupVaultName"
    ),
    "AWS::Bedrock::Agent": _arn("bedrock:{place}:agent/{id}", "AgentArn", ref="{id}", AgentId="{id}"),
    "AWS::Bedrock::AgentAlias": Record("{AgentId}|{id}", {"AgentAliasId": "{id}"}),
    "AWS::Bedrock::DataSource": Record("{KnowledgeBaseId}|{id}", {"DataSourceId": "{id}"}),
    "AWS::Bedrock::Guardrail": _arn(
        "bedrock:{place}:guardrail/{id}", "GuardrailArn", GuardrailId="{id}", Version="DRAFT"
    ),
    "AWS::Bedrock::KnowledgeBase": _arn(
        "bedrock:{place}:knowledge-base/{id}", "KnowledgeBaseArn", ref="{id}", KnowledgeBaseId="{id}"
    ),
    "AWS::Budgets::Budget": Record(),
    "AWS::CertificateManager::Certificate": _arn("acm:{place}:certificate/{id}"),
    "AWS::Chatbot::SlackChannelConfiguration": _arn(
        "chatbot::{account}:chat-configuration/slack-channel/{id}"
    ),
    "AWS::CloudFormation::Macro": Record(),
    "AWS::CloudFront::CachePolicy": Record("{id}", {"Id": "{id}"}),
    "AWS::CloudFront::CloudFrontOriginAccessIdentity": Record(
        "{id}", {"Id": "{id}", "S3CanonicalUserId": "{id}"}
    ),
    "AWS::CloudFront::Distribution": Record("{id}", {"Id": "{id}", "DomainName": "{id}.cloudfront.net"}),
    "AWS::CloudFront::Function": _arn("cloudfront::{account}:function/{name}", "FunctionARN"),
    "AWS::CloudFront::OriginAccessControl": Record("{id}", {"Id": "{id}"}),
    "AWS::CloudFront::OriginRequestPolicy": Record("{id}", {"Id": "{id}"}),
    "AWS::CloudFront::ResponseHeadersPolicy": Record("{id}", {"Id": "{id}"}),
    "AWS::CloudTrail::Trail": _arn("cloudtrail:{place}:trail/{name}", ref="{name}", named_by="TrailName"),
    "AWS::CloudWatch::AnomalyDetector": Record("{id}"),
    "AWS::CodeBuild::Project": _arn("codebuild:{place}:project/{name}", ref="{name}"),
    "AWS::Cognito::IdentityPoolRoleAttachment": Record("{id}"),
    "AWS::Cognito::UserPoolIdentityProvider": Record("{ProviderName}"),
    "AWS::Cognito::UserPoolResourceServer": Record("{Identifier}"),
    "AWS::Cognito::UserPoolUICustomizationAttachment": Record("{id}"),
    "AWS::Cognito::UserPoolUser": Record("{Username}"),
    "AWS::Cognito::UserPoolUserToGroupAttachment": Record("{id}"),
    "AWS::Config::ConfigRule": _arn(
        "config:{place}:config-rule/{id}", ref="{name}", named_by="ConfigRuleName"
    ),
    "AWS::CodePipeline::Pipeline": Record(),
    "AWS::CodeStarConnections::Connection": _arn(
        "codestar-connections:{place}:connection/{id}", "ConnectionArn"
    ),
    "AWS::DSQL::Cluster": _arn("dsql:{place}:cluster/{id}", "ResourceArn", ref="{id}", Identifier="{id}"),
    "AWS::EC2::SecurityGroupEgress": Record("{id}", {"Id": "{id}"}),
    "AWS::EventSchemas::Discoverer": _arn("schemas:{place}:discoverer/{id}", "DiscovererArn"),
    "AWS::EventSchemas::Registry": _arn("schemas:{place}:registry/{name}", "RegistryArn"),
    "AWS::Glue::Crawler": Record(),
    "AWS::Glue::Database": Record(),
    "AWS::Glue::Table": Record(),
    "AWS::IoT::TopicRule": _arn("iot:{place}:rule/{name}", ref="{name}", named_by="RuleName"),
    "AWS::IoT::TopicRuleDestination": _arn("iot:{place}:ruledestination/http/{id}"),
    "AWS::Kendra::DataSource": _arn("kendra:{place}:index/{IndexId}/data-source/{id}", ref="{id}", Id="{id}"),
    "AWS::Kendra::Index": _arn("kendra:{place}:index/{id}", ref="{id}", Id="{id}"),
    "AWS::Lambda::LayerVersionPermission": Record("{LayerVersionArn}#{id}", {"Id": "{id}"}),
    "AWS::Location::PlaceIndex": _arn(
        "geo:{place}:place-index/{name}", "Arn", "IndexArn", ref="{name}", named_by="IndexName"
    ),
    "AWS::OpenSearchServerless::AccessPolicy": Record(),
    "AWS::OpenSearchServerless::Collection": _arn(
        _COLLECTION,
        ref="{id}",
        Id="{id}",
        CollectionEndpoint="https://" + _HOST,
        DashboardEndpoint="https://" + _HOST,
    ),
    "AWS::OpenSearchServerless::SecurityPolicy": Record(),
    "AWS::RDS::DBCluster": _arn(
        "rds:{place}:cluster:{name}",
        "DBClusterArn",
        ref="{name}",
        named_by="DBClusterIdentifier",
        **{"Endpoint.Address": _HOST, "Endpoint.Port": "5432", "ReadEndpoint.Address": _HOST},
    ),
    "AWS::ResourceGroups::Group": _arn("resource-groups:{place}:group/{name}", ref="{name}"),
    "AWS::SES::ConfigurationSet": Record(),
    "AWS::SES::ConfigurationSetEventDestination": Record("{id}", {"Id": "{id}"}),
    "AWS::SES::EmailIdentity": Record(
        "{name}",
        {f"DkimDNSToken{part}{number}": "{id}.example.com" for part in ("Name", "Value") for number in "123"},
        "EmailIdentity",
    ),
    "AWS::SES::ReceiptRule": Record("{id}"),
    "AWS::SES::ReceiptRuleSet": Record("{name}", {}, "RuleSetName"),
    "AWS::SES::Template": Record("{id}", {"Id": "{id}"}),
    "AWS::SecretsManager::RotationSchedule": Record("{SecretId}"),
    "AWS::SecretsManager::SecretTargetAttachment": Record("{SecretId}"),
    "AWS::ServiceDiscovery::PrivateDnsNamespace": _arn(
        "servicediscovery:{place}:namespace/{id}", ref="{id}", Id="{id}"
    ),
    "AWS::Synthetics::Canary": Record("{name}", {"Id": "{id}", "State": "READY"}),
    "AWS::WAFv2::IPSet": _arn(_WAF + "/ipset/{name}/{id}", ref="{name}|{id}|REGIONAL", Id="{id}"),
    "AWS::WAFv2::LoggingConfiguration": Record("{ResourceArn}"),
    "AWS::WAFv2::WebACL": _arn(_WAF + "/webacl/{name}/{id}", ref="{name}|{id}|REGIONAL", Id="{id}"),
    "AWS::WAFv2::WebACLAssociation": Record("{WebACLArn}|{ResourceArn}"),
    "AWS::XRay::Group": _arn("xray:{place}:group/{name}", "GroupARN", named_by="GroupName"),
    "AWS::XRay::SamplingRule": _arn("xray:{place}:sampling-rule/{name}", "RuleARN", named_by="RuleName"),
}


class RecordedKind(Kind):
    """One type of the table; every change is one in place, but for its name."""

    def __init__(self, name: str, record: Record) -> None:
        self.type = name  # type: ignore[misc] # one class, many types
        self.record = record
        self.naming = Naming(record.named_by, 64)  # type: ignore[misc]
        self.create_only = frozenset({record.named_by})  # type: ignore[misc]

    def create(self, request: Request) -> None:
        """Make up its id, and with it what templates read."""
        request.model = {"id": uuid.uuid4().hex[:13], "name": request.name}
        self._settle(request)

    def update(self, request: Request) -> None:
        """Keep its id and name; attributes that repeat properties follow them."""
        self._settle(request)

    def delete(self, request: Request) -> None:
        """There is nothing behind it."""

    def _settle(self, request: Request) -> None:
        known = _Known({key: value for key, value in request.properties.items() if isinstance(value, str)})
        known.update(request.model, account=request.account, region=request.region)
        known["place"] = f"{request.region}:{request.account}"
        filled = {name: text.format_map(known) for name, text in self.record.attributes.items()}
        request.settle(self.record.ref.format_map(known), **filled)


class _Known(dict[str, Any]):
    """A property that the template leaves out, or that is not text, is empty."""

    def __missing__(self, key: str) -> str:
        return ""


@functools.cache
def find(name: str) -> Kind | None:
    """The kind for a type of the table."""
    return RecordedKind(name, RECORDS[name]) if name in RECORDS else None
