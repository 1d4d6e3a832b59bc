"""The two state machines, from their files: `${State}` in a definition is the function of that state.

A definition names qualified versions, so that an update of the pipeline leaves running releases on the code
that they began with. A machine may invoke exactly the functions that it names, in any of their versions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.findings import WRITTEN_ORDER, accept, accept_lint, accept_wildcards
from infra.journal import log_group
from infra.rights import arn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.functions import Drawn

# Vended logs of Step Functions are set up through these, none of which knows resources:
# https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
LOG_DELIVERY: Final = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
TRACES: Final = (
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)
# https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html: a number or a JSONata expression.
JSONATA_TIMEOUT: Final = {"E3601": "cfn-lint does not know that TimeoutSeconds may be a JSONata expression."}
SUBSTITUTION: Final = re.compile(r"\$\{(\w+)\}")


class Machine(Construct):
    """One state machine with its role and its log group."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        definition: Path,
        functions: Mapping[str, Drawn],
        log_days: int,
    ) -> None:
        super().__init__(scope, construct_id)
        text = definition.read_text()
        used = _used(definition, text, functions)
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=name,
            definition_body=sfn.DefinitionBody.from_string(text),
            definition_substitutions={state: drawn.version.function_arn for state, drawn in used.items()},
            role=self._role(name, used).without_policy_updates(),
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=log_group(self, f"/aws/vendedlogs/states/{name}", log_days),
                level=sfn.LogLevel.ERROR,
                include_execution_data=False,
            ),
        )
        accept(
            self.machine,
            "AwsSolutions-SF1",
            "Errors are logged; every step of a release stands in the ledger and in the execution's history.",
        )
        accept_lint(self.machine, {**WRITTEN_ORDER, **JSONATA_TIMEOUT})

    def _role(self, name: str, used: Mapping[str, Drawn]) -> iam.Role:
        versions = [
            arn("lambda", f"function:{drawn.task.function}:*")
            for drawn in sorted(used.values(), key=lambda drawn: drawn.task.name)
        ]
        statements = [
            iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=versions),
            iam.PolicyStatement(actions=list(LOG_DELIVERY), resources=["*"]),
            iam.PolicyStatement(actions=list(TRACES), resources=["*"]),
        ]
        role = iam.Role(
            self,
            "Role",
            role_name=f"{name}-machine",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
            description=f"Invokes the functions of {name}",
            inline_policies={"rights": iam.PolicyDocument(statements=statements)},
        )
        accept_wildcards(role, versions, "A running release calls the versions that it began with.")
        accept_wildcards(role, ["*"], "Delivery of vended logs and X-Ray know no resources.")
        return role


def _used(definition: Path, text: str, functions: Mapping[str, Drawn]) -> dict[str, Drawn]:
    """The functions that a definition names."""
    used = sorted(set(SUBSTITUTION.findall(text)))
    unknown = [state for state in used if state not in functions]
    if unknown:
        raise LookupError(f"{definition.name} names {', '.join(unknown)}: no function of that name is drawn")
    return {state: functions[state] for state in used}
