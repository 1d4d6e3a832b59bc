"""What a pipeline with repositories has besides: webhook, secrets, the file of repositories."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.infra.conftest import KEY
from tests.infra.test_templates import flat, listed, statements
from tidegate.domain import pipeline as names
from tidegate.domain.origins import Origins

if TYPE_CHECKING:
    from tests.infra.conftest import Assembly

ARN, PLACE = "arn:<AWS::Partition>", "<AWS::Region>:<AWS::AccountId>"


def by_name(assembly: Assembly) -> dict[str, dict[str, Any]]:
    functions = assembly.resources("AWS::Lambda::Function").values()
    return {f["Properties"]["FunctionName"]: f["Properties"] for f in functions}


def rights(assembly: Assembly, function: str) -> dict[str, list[str]]:
    roles = assembly.resources("AWS::IAM::Role").values()
    found = next(role for role in roles if role["Properties"].get("RoleName") == function)
    return {
        action: [flat(arn) for arn in listed(statement["Resource"])]
        for statement in statements(found)
        for action in listed(statement["Action"])
    }


def origins(assembly: Assembly) -> Origins:
    assets = json.loads((assembly.folder / "Pipeline.assets.json").read_text())["files"].values()
    files = [assembly.folder / asset["source"]["path"] / "python" / names.ORIGINS_FILE for asset in assets]
    (file,) = [file for file in files if file.exists()]
    return Origins.model_validate_json(file.read_bytes())


def test_a_pipeline_without_repositories_has_none_of_it(assembly: Assembly) -> None:
    for kind in ("AWS::Lambda::Url", "AWS::SecretsManager::Secret"):
        assert assembly.resources(kind) == {}
    assert "tidegate-receive-webhook" not in by_name(assembly)
    assert "TIDEGATE_ORIGINS" not in by_name(assembly)["tidegate-intake"]["Environment"]["Variables"]


def test_functions_find_the_repositories_in_a_layer(sourced: Assembly) -> None:
    found = origins(sourced)
    assert {one.name: (one.host, one.service, one.branches) for one in found.repositories} == {
        "acme/orders": ("github", "orders", ("main",)),
        "acme/api": ("github", "api", ("live",)),
        "Billing": ("codecommit", "billing", ("main",)),
    }
    (layer,) = [
        key
        for key, one in sourced.resources("AWS::Lambda::LayerVersion").items()
        if one["Properties"]["LayerName"] == "tidegate-origins"
    ]
    for name, function in by_name(sourced).items():
        given = "TIDEGATE_ORIGINS" in function.get("Environment", {}).get("Variables", {})
        assert ({"Ref": layer} in function["Layers"]) is given, name
    assert by_name(sourced)["tidegate-intake"]["Layers"][-1] == {"Ref": layer}


def test_anybody_may_call_the_webhook_by_its_url_alone(sourced: Assembly) -> None:
    (url,) = sourced.resources("AWS::Lambda::Url").values()
    assert url["Properties"]["AuthType"] == "NONE"
    function = url["Properties"]["TargetFunctionArn"]["Fn::GetAtt"][0]
    granted = {
        one["Properties"]["Action"]: one["Properties"]
        for one in sourced.resources("AWS::Lambda::Permission").values()
        if one["Properties"]["Principal"] == "*"
    }
    assert set(granted) == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
    assert granted["lambda:InvokeFunctionUrl"]["FunctionUrlAuthType"] == "NONE"
    assert granted["lambda:InvokeFunction"]["InvokedViaFunctionUrl"] is True
    assert {one["FunctionName"]["Ref"] for one in granted.values()} == {function}


def test_what_the_webhook_may_do(sourced: Assembly) -> None:
    found = rights(sourced, "tidegate-receive-webhook")
    assert found["secretsmanager:GetSecretValue"] == [
        f"{ARN}:secretsmanager:{PLACE}:secret:tidegate-github-webhook-??????"
    ]
    assert found["events:PutEvents"] == [f"{ARN}:events:{PLACE}:event-bus/tidegate"]


def test_a_flood_takes_no_more_concurrency_than_is_reserved(sourced: Assembly, by_app: Assembly) -> None:
    reserved = {
        name: function["ReservedConcurrentExecutions"]
        for name, function in by_name(sourced).items()
        if "ReservedConcurrentExecutions" in function
    }
    assert reserved == {"tidegate-receive-webhook": 5}
    assert "ReservedConcurrentExecutions" not in by_name(by_app)["tidegate-receive-webhook"]


def test_an_app_needs_no_token(sourced: Assembly, by_app: Assembly) -> None:
    def secrets(assembly: Assembly) -> set[str]:
        found = assembly.resources("AWS::SecretsManager::Secret").values()
        return {one["Properties"]["Name"] for one in found}

    assert secrets(sourced) == {"tidegate-github-webhook", "tidegate-github-token"}
    assert secrets(by_app) == {"tidegate-github-webhook"}
    app = origins(by_app).app
    assert app is not None
    assert app.key == KEY


def test_an_app_is_asked_to_sign_and_a_token_is_read(sourced: Assembly, by_app: Assembly) -> None:
    token = f"{ARN}:secretsmanager:{PLACE}:secret:tidegate-github-token-??????"
    for function in ("tidegate-check-out-source", "tidegate-compare-branches", "tidegate-report-status"):
        by_token, asked = rights(sourced, function), rights(by_app, function)
        assert by_token["secretsmanager:GetSecretValue"] == [token]
        assert "kms:Sign" not in by_token
        assert asked["kms:Sign"] == [KEY]
        assert "secretsmanager:GetSecretValue" not in asked


def test_repositories_in_codecommit_are_pulled_and_no_others(sourced: Assembly, by_app: Assembly) -> None:
    pulled = rights(sourced, "tidegate-check-out-source")["codecommit:GitPull"]
    assert pulled == [f"{ARN}:codecommit:{PLACE}:Billing"]
    assert "codecommit:GitPull" not in rights(by_app, "tidegate-check-out-source")


def test_branches_are_compared_and_statuses_reported(assembly: Assembly, sourced: Assembly) -> None:
    def rules(of: Assembly) -> dict[str, dict[str, Any]]:
        found = of.resources("AWS::Events::Rule").values()
        return {rule["Properties"]["Name"]: rule["Properties"] for rule in found}

    found = rules(sourced)
    assert set(found) - set(rules(assembly)) == {"tidegate-branches-compared", "tidegate-status-reported"}
    assert found["tidegate-branches-compared"]["ScheduleExpression"] == "rate(15 minutes)"
    report = found["tidegate-status-reported"]
    assert report["EventPattern"] == {"source": ["tidegate"], "detail-type": list(names.REPORTED_EVENTS)}
    assert "EventBusName" in report
    assert set(names.REPORTED_EVENTS) <= set(names.NOTIFIED_EVENTS)
    for name in ("tidegate-branches-compared", "tidegate-status-reported"):
        assert found[name]["Targets"][0]["DeadLetterConfig"]
    for name in ("tidegate-compare-branches", "tidegate-report-status", "tidegate-rotate-secret"):
        assert by_name(sourced)[name]["DeadLetterConfig"]


def test_the_webhooks_secret_is_rotated_where_that_is_configured(sourced: Assembly, by_app: Assembly) -> None:
    assert sourced.resources("AWS::SecretsManager::RotationSchedule") == {}
    (schedule,) = by_app.resources("AWS::SecretsManager::RotationSchedule").values()
    properties = schedule["Properties"]
    assert properties["RotationRules"] == {"AutomaticallyAfterDays": 30}
    assert properties["RotateImmediatelyOnUpdate"] is False
    for of in (sourced, by_app):
        (called,) = [
            one["Properties"]
            for one in of.resources("AWS::Lambda::Permission").values()
            if one["Properties"]["Principal"] == "secretsmanager.amazonaws.com"
        ]
        assert called["SourceAccount"] == {"Ref": "AWS::AccountId"}
        assert "Secret" in called["SourceArn"]["Ref"]
        variables = by_name(of)["tidegate-rotate-secret"]["Environment"]["Variables"]
        assert variables["TIDEGATE_WEBHOOK_URL"]["Fn::GetAtt"][1] == "FunctionUrl"


def test_builds_elsewhere_may_upload_bundles_of_their_service_and_nothing_else(sourced: Assembly) -> None:
    folder = f"{ARN}:s3:::tidegate-source-<AWS::AccountId>-<AWS::Region>/stock/live"
    assert rights(sourced, "tidegate-upload-stock") == {
        "s3:PutObject": [f"{folder}/{'?' * size}.bundle" for size in (40, 64)]
    }
    roles = sourced.resources("AWS::IAM::Role").values()
    role = next(one for one in roles if one["Properties"].get("RoleName") == "tidegate-upload-stock")
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Condition"] == {
        "StringEquals": {"gitlab.com:aud": "https://gitlab.com"},
        "StringLike": {"gitlab.com:sub": ["project_path:acme/stock:ref_type:branch:ref:live"]},
    }
    providers = sourced.resources("AWS::IAM::OIDCProvider")
    assert trust["Principal"]["Federated"]["Fn::GetAtt"][0] in providers
    assert {one["Properties"]["Url"]: one["Properties"]["ClientIdList"] for one in providers.values()} == {
        "https://token.actions.githubusercontent.com": ["sts.amazonaws.com"],
        "https://gitlab.com": ["https://gitlab.com"],
    }
    outputs = sourced.template("Pipeline")["Outputs"]
    assert {"UploadRolePriceList", "UploadRoleStock", "WebhookUrl"} <= set(outputs)
