"""What a service can get wrong: each ends in the right state, traffic untouched, the cause in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.pipelines.services import HANDLER, TESTS

if TYPE_CHECKING:
    from tests.pipelines.services import Service

BUILD, TEST, SMOKE = "BuildFunction", "TestFunction", "SmokeTest"


class Bad(NamedTuple):
    """A commit's files, or changes of template and configuration, and how its release must end."""

    state: str
    error: str
    words: str
    files: dict[str, str] = {}  # noqa: RUF012 (never changed)
    config: dict[str, Any] = {}  # noqa: RUF012
    properties: dict[str, Any] = {}  # noqa: RUF012
    resources: dict[str, Any] = {}  # noqa: RUF012


def code(head: str) -> dict[str, str]:
    return {"front/app.py": head + "\n" + HANDLER.format(body="pass", answer="bad")}


# Only where it is deployed: what the sandbox can import.
LATER = 'import os\nif os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] != "import": raise RuntimeError("no luck")'
CASES = {
    "invalid tidegate.yaml": Bad(
        "CheckOutSource", "InvalidConfiguration", "tidegate.yaml:", {"tidegate.yaml": "stagez: {}\n"}
    ),
    "tidegate.yaml that is no YAML": Bad(
        "CheckOutSource", "InvalidConfiguration", "tidegate.yaml:", {"tidegate.yaml": "a: [\n"}
    ),
    "secret in the source": Bad(
        "CheckOutSource",
        "SecretFound",
        "front/settings.py:1: AWS Access Key",
        {"front/settings.py": "KEY = 'AKIA" + "QX7ZP2LW9V4TN8RB'"},
    ),
    "unreadable template": Bad(
        "CheckOutSource", "InvalidTemplate", "template.yaml:", {"template.yaml": "Resources: [\n"}
    ),
    "missing code": Bad("CheckOutSource", "InvalidTemplate", "nowhere", properties={"CodeUri": "nowhere/"}),
    "missing handler": Bad(BUILD, "BuildFailed", "gone.handler", properties={"Handler": "gone.handler"}),
    "handler that does not import": Bad(
        TEST, "ImportFailed", "(app.py:1 of its artifact)", code("import no_such_module")
    ),
    "code that is no Python": Bad(BUILD, "BuildFailed", "does not parse", code("def (:")),
    "crash at init": Bad(TEST, "ImportFailed", "no luck", code('raise RuntimeError("no luck")')),
    "crash at init where it is deployed": Bad(SMOKE, "SmokeFailed", "no luck", code(LATER)),
    "exit at init": Bad(TEST, "ImportFailed", "exit code 3", code("import os; os._exit(3)")),
    "unresolvable dependency": Bad(
        "CheckOutSource", "BuildFailed", "six", {"front/requirements.txt": "six==1.16.0\nsix==1.15.0\n"}
    ),
    "failing test": Bad(
        TEST, "TestsFailed", "python -m unittest", {"test_it.py": TESTS.format(body="self.fail()")}
    ),
    "test that never ends": Bad(
        TEST,
        "TestsFailed",
        "1 s",
        {"test_it.py": TESTS.format(body="import time; time.sleep(600)")},
        config={"tests": {"command": "python -m unittest -q", "timeout": "1s"}},
    ),
    "change set that fails": Bad(
        "ProvisionStage",
        "ChangeSetFailed",
        "Parameter",
        resources={
            "Parameter": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Name": "aws/reserved", "Value": "x"},
            }
        },
    ),
    "template that CloudFormation refuses": Bad(
        "PlanRelease",
        "ChangeSetFailed",
        "Nowhere",
        resources={"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Nowhere"}}}},
    ),
    "parameter that is missing": Bad(
        "PlanRelease",
        "InvalidConfiguration",
        "Missing",
        config={"stages": {"staging": {"parameters": {"Missing": "x"}}}},
    ),
}


@pytest.mark.parametrize("bad", CASES.values(), ids=[name.replace(" ", "-") for name in CASES])
def test_bad_input_is_rejected(service: Service, bad: Bad) -> None:
    service.config |= bad.config
    service.properties |= bad.properties
    service.resources |= bad.resources
    service.change(**bad.files)
    pushed = service.release()
    service.check_rejected(pushed, bad.state, bad.error, bad.words)


def test_a_first_release_that_fails_leaves_the_way_open(fresh: Service) -> None:
    broken = code(LATER)
    fresh.change(**broken)
    pushed = fresh.release()
    fresh.check_rejected(pushed, SMOKE, "SmokeFailed", "no luck")
    # Nothing of the broken function changes, and its stack is there already: still it goes no further.
    fresh.commit({**broken, "README.md": "nothing else"})
    fresh.check_rejected(fresh.release(), SMOKE, "SmokeFailed", "no luck")
    fresh.release_good()
    fresh.check_settled()


def test_the_next_release_succeeds(service: Service) -> None:
    service.config["stages"]["production"]["strategy"] = "AllAtOnce"
    service.release_good()
    service.check_settled()
