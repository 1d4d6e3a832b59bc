"""A service that has never been released: nothing of it is there, or its stacks run already."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

from tests.faults.acts import CANARY, Ended, configure, release
from tests.pipelines.services import HANDLER, STAGES, template
from tidegate.adapters.templates import parse
from tidegate.adapters.translation import translate
from tidegate.domain.templates import S3Object, place
from tidegate.local.cloud import REGION

if TYPE_CHECKING:
    from tests.faults.subjects import Subject

OLD = "old"


def drive_first(subject: Subject) -> Ended:
    configure(subject, CANARY)
    return release(subject)


def prepare_adoption(subject: Subject) -> None:
    """A stack in each stage, as `sam deploy` makes them, with a trigger of the bare function."""
    rule = {"Type": "EventBridgeRule", "Properties": {"Pattern": {"source": [subject.name]}}}
    subject.properties = {"Events": {"Told": rule}}
    bucket, body = f"{subject.name}-own", io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("app.py", HANDLER.format(body="pass", answer=OLD))
    subject.client("s3").create_bucket(Bucket=bucket)
    subject.client("s3").put_object(Bucket=bucket, Key="front", Body=body.getvalue())
    text = json.dumps(template(subject.functions, subject.properties, subject.resources))
    code = dict.fromkeys(subject.functions, S3Object(bucket=bucket, key="front"))
    plain = translate(place(parse(text, "template.yaml"), code, {}), {}, REGION)
    for stage in STAGES:
        subject.client("cloudformation").create_stack(
            StackName=f"{subject.name}-{stage}",
            TemplateBody=json.dumps(plain),
            Capabilities=["CAPABILITY_IAM"],
        )
    subject.until(
        lambda: set(subject.stacks().values()) == {"CREATE_COMPLETE"}, lambda: str(subject.stacks())
    )
    subject.live = OLD


def drive_adoption(subject: Subject) -> Ended:
    """The first release of what runs: the stack is adopted with its code, then it is canaried."""
    configure(subject, CANARY)
    return release(subject)
