"""What a pipeline with repositories at GitHub has besides: the webhook's address and secret, and the token's.

Secrets outlive no stack: GitHub is told another one, and a token is put in again.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aws_cdk import Aws, CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.findings import accept
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from infra.functions import Functions
    from tidegate.domain.origins import GitHub
    from tidegate.domain.pipeline import Pipeline

SECRET_LENGTH: Final = 48
ROTATION: Final = "AwsSolutions-SMG4"


class Webhook(Construct):
    """The function URL that GitHub posts to, open to anybody: the signature is what counts."""

    def __init__(self, scope: Construct, construct_id: str, *, functions: Functions, github: GitHub) -> None:
        super().__init__(scope, construct_id)
        function = functions.drawn["ReceiveWebhook"].function
        name = function.function_name
        url = lambda_.CfnUrl(self, "Url", auth_type="NONE", target_function_arn=function.function_arn)
        # A URL that is open needs both, and the second only by way of a URL.
        lambda_.CfnPermission(
            self,
            "Anybody",
            action="lambda:InvokeFunctionUrl",
            function_name=name,
            principal="*",
            function_url_auth_type="NONE",
        )
        lambda_.CfnPermission(
            self,
            "AnybodyByUrl",
            action="lambda:InvokeFunction",
            function_name=name,
            principal="*",
            invoked_via_function_url=True,
        )
        self.secret = _secret(self, "Secret", names.WEBHOOK_SECRET, "Signs what GitHub posts to Tidegate")
        rotation = functions.drawn["RotateSecret"].function
        rotation.add_environment("TIDEGATE_WEBHOOK_URL", url.attr_function_url)
        self._rotate(rotation, github.rotation_days)
        CfnOutput(Stack.of(self), "WebhookUrl", value=url.attr_function_url)

    def _rotate(self, rotation: lambda_.Function, days: int | None) -> None:
        """Let Secrets Manager call the function, by a schedule where there is one."""
        permission = lambda_.CfnPermission(
            self,
            "Rotation",
            action="lambda:InvokeFunction",
            function_name=rotation.function_name,
            principal="secretsmanager.amazonaws.com",
            source_account=Aws.ACCOUNT_ID,
            source_arn=self.secret.secret_arn,
        )
        if days is None:
            accept(self.secret, ROTATION, "A token may change webhooks only where its owner lets it.")
            return
        schedule = secretsmanager.CfnRotationSchedule(
            self,
            "Schedule",
            secret_id=self.secret.secret_arn,
            rotation_lambda_arn=rotation.function_arn,
            rotation_rules=secretsmanager.CfnRotationSchedule.RotationRulesProperty(
                automatically_after_days=days
            ),
            rotate_immediately_on_update=False,
        )
        schedule.add_dependency(permission)


class Token(Construct):
    """The secret for a fine-grained token; what is in it at first is no token."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        secret = _secret(self, "Secret", names.TOKEN_SECRET, "A fine-grained token of GitHub, put in by hand")
        accept(secret, ROTATION, "Only its owner can renew a token of GitHub; with an App there is none.")


def layer(scope: Construct, pipeline: Pipeline) -> lambda_.LayerVersion | None:
    """The repositories as a file that functions find beside their modules; None where there are none."""
    if pipeline.origins is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "python" / names.ORIGINS_FILE
        file.parent.mkdir()
        file.write_text(json.dumps(pipeline.origins.model_dump(mode="json"), sort_keys=True))
        # Whoever runs the functions may read it, whatever this process's umask is.
        for path in (Path(name), file.parent):
            path.chmod(0o755)
        file.chmod(0o644)
        return lambda_.LayerVersion(
            scope,
            "Origins",
            code=lambda_.Code.from_asset(name),
            layer_version_name=f"{names.NAME}-origins",
            removal_policy=RemovalPolicy.RETAIN,
        )


def _secret(scope: Construct, construct_id: str, name: str, description: str) -> secretsmanager.Secret:
    return secretsmanager.Secret(
        scope,
        construct_id,
        secret_name=name,
        description=description,
        generate_secret_string=secretsmanager.SecretStringGenerator(
            password_length=SECRET_LENGTH, exclude_punctuation=True
        ),
        removal_policy=RemovalPolicy.DESTROY,
    )
