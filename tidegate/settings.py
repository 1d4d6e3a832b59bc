"""The only reader of the environment: what the pipeline's stack tells its functions, parsed once.

A function is given only the variables that it needs; asking for one that it was not given is an error that
names the variable, since it means that the stack and the code disagree.
"""

from __future__ import annotations

import json
import math
import os
import sys
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from tidegate.domain.identity import Frozen, StageName
from tidegate.domain.images.references import Images
from tidegate.domain.origins import Origins

PREFIX: Final = "TIDEGATE_"


class StageTarget(Frozen):
    """An account and a region that releases go to; Tidegate's stage stack is deployed there."""

    name: StageName
    account: str
    region: str
    production: bool = False

    @property
    def deploy_role(self) -> str:
        """The role that tasks assume to work in the stage."""
        return f"arn:aws:iam::{self.account}:role/tidegate-deploy-{self.name}"

    @property
    def cloudformation_role(self) -> str:
        """The role that CloudFormation works with in the stage."""
        return f"arn:aws:iam::{self.account}:role/tidegate-cloudformation-{self.name}"

    @property
    def bucket(self) -> str:
        """The stage's own artifact bucket: Lambda reads code only from a bucket of its region."""
        return f"tidegate-artifacts-{self.name}-{self.account}-{self.region}"

    @property
    def image_repository(self) -> str:
        """The stage's own repository of images: Lambda takes them only from one of its region."""
        return f"tidegate-images-{self.name}"


class Settings:
    """Typed access to the TIDEGATE_* variables; times are in seconds."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def _get(self, name: str) -> str:
        try:
            return self._environment[PREFIX + name]
        except KeyError:
            message = f"{PREFIX}{name} is not set: the pipeline's stack does not give it to this function"
            raise LookupError(message) from None

    @property
    def ledger_table(self) -> str:
        """The name of the DynamoDB table that holds the ledger."""
        return self._get("LEDGER_TABLE")

    @property
    def artifact_bucket(self) -> str:
        """The bucket of artifacts and of the releases' documents."""
        return self._get("ARTIFACT_BUCKET")

    @property
    def source_bucket(self) -> str:
        """The bucket that `tidegate push` writes bundles to."""
        return self._get("SOURCE_BUCKET")

    @property
    def event_bus(self) -> str:
        """The name of Tidegate's event bus."""
        return self._get("EVENT_BUS")

    @property
    def release_machine(self) -> str:
        """The ARN of the release state machine."""
        return self._get("RELEASE_MACHINE")

    @property
    def rollback_machine(self) -> str:
        """The ARN of the rollback state machine."""
        return self._get("ROLLBACK_MACHINE")

    @property
    def build_images(self) -> str:
        """The version of the images that CodeBuild builds in; empty where it builds nothing."""
        return self._environment.get(PREFIX + "BUILD_IMAGES", "")

    @property
    def signing_key(self) -> str:
        """The alias of the KMS key that signs statements."""
        return self._get("SIGNING_KEY")

    @property
    def trusted_keys(self) -> tuple[str, ...]:
        """The KMS keys whose statements are taken, by ARN; and whichever the alias leads to.

        A function of an earlier version knows the alias, and so takes what a key signs that it was moved to.
        """
        return (*filter(None, self._get("TRUSTED_KEYS").split(",")), self.signing_key)

    @property
    def sandbox_function(self) -> str:
        """The qualified ARN of the test sandbox."""
        return self._get("SANDBOX_FUNCTION")

    @cached_property
    def stages(self) -> tuple[StageTarget, ...]:
        """The stages in the order of a release."""
        return TypeAdapter(tuple[StageTarget, ...]).validate_python(json.loads(self._get("STAGES")))

    @property
    def other_stages(self) -> tuple[str, ...]:
        """The names of stages that other pipelines have for the same services."""
        return tuple(filter(None, self._environment.get(PREFIX + "OTHER_STAGES", "").split(",")))

    def stage(self, name: str) -> StageTarget:
        """The stage of that name."""
        return next(stage for stage in self.stages if stage.name == name)

    @cached_property
    def branches(self) -> frozenset[str]:
        """The branches whose commits are released."""
        return frozenset(filter(None, self._get("BRANCHES").split(",")))

    def branches_of(self, service: str) -> frozenset[str]:
        """The branches of a service whose commits are released: its repository's, or else the pipeline's."""
        origin = self.origins.of_service(service)
        return frozenset(origin.branches) if origin else self.branches

    @cached_property
    def origins(self) -> Origins:
        """The repositories that commits come from; none where the pipeline names none.

        They may be too many for a variable, so they are a file in a layer, found where modules are.
        """
        name = self._environment.get(PREFIX + "ORIGINS")
        if name is None:
            return Origins()
        found = (Path(folder) / name for folder in sys.path)
        return Origins.model_validate_json(next(file for file in found if file.is_file()).read_bytes())

    @property
    def webhook_url(self) -> str:
        """The address that GitHub posts to."""
        return self._get("WEBHOOK_URL")

    @property
    def build_runtime(self) -> str | None:
        """The runtime to build for, whatever the template says; set in the local cloud only."""
        return self._environment.get(PREFIX + "BUILD_RUNTIME")

    @property
    def build_architecture(self) -> str | None:
        """The same for the architecture."""
        return self._environment.get(PREFIX + "BUILD_ARCHITECTURE")

    @cached_property
    def images(self) -> Images:
        """The images that functions may be built on; none where the pipeline names none."""
        found = self._environment.get(PREFIX + "IMAGES")
        return Images.model_validate_json(found) if found else Images(account="", region="")

    @property
    def scanner(self) -> str:
        """Who looks packages up beside the service's own records: `inspector`, `osv`, `records` (nobody)."""
        return self._get("SCANNER")

    @property
    def pace(self) -> float:
        """What every duration is multiplied by: 1 on AWS, less in the local cloud."""
        return float(self._get("PACE"))

    def wait(self, seconds: float) -> int:
        """What a Wait state is told for `seconds` to pass: whole seconds, at least one.

        The local cloud's state machines wait at its pace, so they are told what AWS would be told.
        """
        return max(1, math.ceil(round(seconds / self.pace, 3)))

    @property
    def metric_period(self) -> int:
        """The period of AWS/Lambda metrics: 60 s on AWS, whole seconds everywhere."""
        return max(1, round(60 * self.pace))


@lru_cache(maxsize=1)
def load() -> Settings:
    """The settings of this process."""
    return Settings({key: value for key, value in os.environ.items() if key.startswith(PREFIX)})
