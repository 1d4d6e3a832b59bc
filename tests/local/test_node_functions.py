"""Functions in Node run as on AWS: how modules are found, what a handler may do, and how it fails."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.scene import eventually
from tidegate.domain.log_lines import Mark, read_lines
from tidegate.local.compute.node_sdk import SdkUnavailable, fetch_clients, find_clients

if TYPE_CHECKING:
    from pathlib import Path

ROLE = "arn:aws:iam::123456789012:role/node-runner"
CODE = """
let count = 0;
exports.handler = async (event, context) => {
  count += 1;
  if (event.do === "fail") throw new TypeError("no luck");
  if (event.do === "text") throw "only text";
  if (event.do === "never") return new Promise(() => {});
  if (event.do === "exit") process.exit(3);
  if (event.do === "later") { setTimeout(() => { throw new RangeError("later"); }, 1); await new Promise((r) => setTimeout(r, 9000)); }
  if (event.do === "reject") { Promise.reject(new Error("lost")); await new Promise((r) => setTimeout(r, 9000)); }
  if (event.do === "sleep") await new Promise((r) => setTimeout(r, 9000));
  if (event.do === "say") { console.log("said", { a: 1 }); console.error("in two\\nlines"); process.stdout.write("plain\\n"); }
  return { count, mark: process.env.MARK, arn: context.invokedFunctionArn, left: context.getRemainingTimeInMillis() };
};
exports.callback = (event, context, callback) => {
  setTimeout(() => { context.seen = true; }, 30);
  callback(event.fail ? new Error("called back") : null, "called");
};
exports.early = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  setTimeout(() => {}, 60000);
  callback(null, "early");
};
exports.nothing = () => {};
exports.done = (event, context) => context.succeed({ done: true });
exports.deep = { er: { handler: async () => "deep" } };
exports.value = 3;
"""


@pytest.fixture(scope="module")
def api(cloud):
    cloud.client("iam").create_role(RoleName="node-runner", AssumeRolePolicyDocument="{}")
    return cloud.client("lambda")


@pytest.fixture
def run(api, request):
    made = []

    def create(files: dict[str, str] | str = CODE, handler: str = "index.handler", **options: Any):
        name = f"{re.sub(r'[^a-zA-Z0-9-]', '-', request.node.name)[:50]}-{len(made)}"
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as archive:
            for path, text in ({"index.js": files} if isinstance(files, str) else files).items():
                archive.writestr(path, text)
        api.create_function(
            FunctionName=name, Role=ROLE, Handler=handler, Code={"ZipFile": body.getvalue()},
            **{"Timeout": 20, "Runtime": "nodejs22.x", **options},
        )  # fmt: skip
        made.append(name)

        def invoke(event: Any = None) -> tuple[Any, str | None]:
            answer = api.invoke(FunctionName=name, Payload=json.dumps(event or {}))
            return json.loads(answer["Payload"].read()), answer.get("FunctionError")

        invoke.name = name
        return invoke

    yield create
    for name in made:
        api.delete_function(FunctionName=name)


def messages(cloud: Any, name: str) -> list[dict[str, Any]]:
    logs = cloud.client("logs")
    found = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return [{"id": one["eventId"], "timestamp": one["timestamp"], "message": one["message"]} for one in found]


def test_an_environment_is_used_again(run) -> None:
    invoke = run(Environment={"Variables": {"MARK": "x"}})
    first, second = invoke()[0], invoke()[0]
    assert (first["count"], second["count"], first["mark"]) == (1, 2, "x")
    assert first["arn"].endswith(invoke.name)
    assert 0 < first["left"] <= 20_000


@pytest.mark.parametrize(
    ("handler", "answer"),
    [
        ("index.callback", "called"),
        ("index.early", "early"),
        ("index.nothing", None),
        ("index.done", {"done": True}),
        ("index.deep.er.handler", "deep"),
    ],
)
def test_handlers_answer_in_every_way_that_lambda_takes(run, handler: str, answer: Any) -> None:
    invoke = run(handler=handler)
    assert invoke() == (answer, None)
    assert invoke() == (answer, None)


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [
        ({"do": "fail"}, "TypeError", "no luck"),
        ({"do": "text"}, "string", "only text"),
        ({"do": "never"}, "Runtime.NodeJsExit", "exited"),
        ({"do": "later"}, "RangeError", "later"),
        ({"do": "reject"}, "Runtime.UnhandledPromiseRejection", "Error: lost"),
        ({"do": "exit"}, "Runtime.ExitError", "exit status 3"),
        ({"do": "sleep"}, "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
    ],
)
def test_every_way_to_fail_has_lambda_s_error(run, event: Any, kind: str, message: str) -> None:
    invoke = run(Timeout=1 if event["do"] == "sleep" else 20)
    answer, error = invoke(event)
    assert (answer["errorType"], error) == (kind, "Unhandled")
    assert message in answer["errorMessage"]
    assert invoke()[0]["count"] >= 1


def test_an_error_tells_its_stack_and_marks_its_request(cloud, run) -> None:
    invoke = run()
    answer, _ = invoke({"do": "fail"})
    assert answer["trace"][0] == "TypeError: no luck"
    assert "index.js" in answer["trace"][1]
    eventually(lambda: any("REPORT" in one["message"] for one in messages(cloud, invoke.name)))
    found = messages(cloud, invoke.name)
    (line,) = [one["message"] for one in found if "Invoke Error" in one["message"]]
    stamp, request, level, title, told = line.rstrip("\n").split("\t")
    assert (stamp[-1], level, title) == ("Z", "ERROR", "Invoke Error ")
    record = json.loads(told)
    assert (record["errorType"], record["errorMessage"], record["stack"][0]) == (
        "TypeError",
        "no luck",
        "TypeError: no luck",
    )
    marks = [one for one in read_lines(found, lambda _: False) if isinstance(one, Mark)]
    assert [one.request for one in marks] == [request]


def test_lines_of_the_console_are_one_message_each(cloud, run) -> None:
    invoke = run()
    invoke({"do": "say"})
    eventually(lambda: any("REPORT" in one["message"] for one in messages(cloud, invoke.name)))
    said = [one["message"] for one in messages(cloud, invoke.name)]
    assert said[0] == "INIT_START Runtime Version: nodejs:22\n"
    assert [text.split("\t")[2:] for text in said if "\tINFO\t" in text] == [["INFO", "said { a: 1 }\n"]]
    assert [text.split("\t")[2:] for text in said if "\tERROR\t" in text] == [["ERROR", "in two\nlines\n"]]
    assert "plain\n" in said


def test_json_logs_are_records(cloud, run) -> None:
    invoke = run(LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN"})
    invoke({"do": "say"})
    invoke({"do": "fail"})
    eventually(lambda: sum("platform.report" in one["message"] for one in messages(cloud, invoke.name)) == 2)
    records = [
        json.loads(one["message"]) for one in messages(cloud, invoke.name) if '"level"' in one["message"]
    ]
    assert [(one["level"], one["message"]) for one in records][:1] == [("ERROR", "in two\nlines")]
    assert records[-1]["message"]["errorType"] == "TypeError"
    assert len(records) == 2


MODULE = "export const handler = async () => import.meta.url.split('/').at(-1);\n"


@pytest.mark.parametrize(
    ("files", "handler", "answer"),
    [
        ({"index.mjs": MODULE}, "index.handler", "index.mjs"),
        ({"index.js": MODULE, "package.json": '{"type": "module"}'}, "index.handler", "index.js"),
        ({"a/b.js": MODULE, "a/package.json": '{"type": "module"}'}, "a/b.handler", "b.js"),
        (
            {
                "index.cjs": "exports.handler = async () => require('x');",
                "node_modules/x/index.js": "module.exports = 7",
            },
            "index.handler",
            7,
        ),
        (
            {
                "index.mjs": "import x from 'x'; export const handler = async () => x;",
                "node_modules/x/index.js": "module.exports = 7",
            },
            "index.handler",
            7,
        ),
        ({"node_modules/x/index.js": "exports.handler = async () => 8"}, "x.handler", 8),
    ],
)
def test_modules_are_found_as_lambda_finds_them(
    run, files: dict[str, str], handler: str, answer: Any
) -> None:
    assert run(files, handler)() == (answer, None)


@pytest.mark.parametrize(
    ("files", "handler", "kind"),
    [
        ("require('nowhere')", "index.handler", "Runtime.ImportModuleError"),
        ({"index.mjs": "import 'nowhere'"}, "index.handler", "Runtime.ImportModuleError"),
        ("const = 1", "index.handler", "Runtime.UserCodeSyntaxError"),
        (CODE, "index.missing", "Runtime.HandlerNotFound"),
        (CODE, "index.value", "Runtime.HandlerNotFound"),
        (CODE, "other.handler", "Runtime.ImportModuleError"),
        (CODE, "index", "Runtime.MalformedHandlerName"),
        ("throw new RangeError('at once')", "index.handler", "RangeError"),
        (
            "exports.handler = awslambda.streamifyResponse(() => 1)",
            "index.handler",
            "Runtime.InvalidStreamingOperation",
        ),
    ],
)
def test_what_cannot_be_loaded_has_lambda_s_error(run, files: Any, handler: str, kind: str) -> None:
    answer, error = run(files, handler)()
    assert (answer["errorType"], error) == (kind, "Unhandled")


def test_callbacks_have_gone_with_node_24(run) -> None:
    assert (
        run(handler="index.callback", Runtime="nodejs24.x")()[0]["errorType"]
        == "Runtime.CallbackHandlerDeprecated"
    )
    assert run(Runtime="nodejs24.x")()[1] is None


def test_layers_hold_packages(api, run) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("nodejs/node_modules/x/index.js", "module.exports = 9")
    layer = api.publish_layer_version(LayerName="node-x", Content={"ZipFile": body.getvalue()})
    layers = [layer["LayerVersionArn"]]
    assert run("exports.handler = async () => require('x');", Layers=layers)() == (9, None)
    module = "import x from 'x'; export const handler = async () => x;"
    assert run({"index.mjs": module}, Layers=layers)() == (9, None)


@pytest.mark.registry
@pytest.mark.parametrize(
    "files",
    [
        "const sdk = require('@aws-sdk/util-utf8-browser'); exports.handler = async () => typeof sdk.toUtf8;",
        {
            "index.mjs": "import { toUtf8 } from '@aws-sdk/util-utf8-browser'; export const handler = async () => typeof toUtf8;"
        },
    ],
)
def test_the_sdk_is_the_runtime_s(run, files: Any) -> None:
    assert run(files)() == ("function", None)


def test_only_clients_that_code_and_layers_lack_are_fetched(tmp_path: Path) -> None:
    for path, text in {
        "task/index.js": "require('@aws-sdk/client-s3'); require('@aws-sdk/own'); require('x'); require(`@smithy/a`);"
        " const name = '@aws-sdk/mentioned'; import'@aws-sdk/client-sqs'; import {A}from\"@aws-sdk/client-sns/x\";"
        " await import('@aws-sdk/client-sts')",
        "task/node_modules/@aws-sdk/own/index.js": "require('@aws-sdk/deeper')",
        "task/notes.txt": "'@aws-sdk/client-ssm'",
        "opt/nodejs/node_modules/@smithy/a/index.js": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert find_clients(tmp_path / "task", tmp_path / "opt") == tuple(
        f"@aws-sdk/client-{name}" for name in ("s3", "sns", "sqs", "sts")
    )


def test_clients_that_cannot_be_fetched_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(SdkUnavailable, match="npm ended with 1"):
        fetch_clients(["@aws-sdk/client-s3"], tmp_path)
