"""Each handler is imported for real, in a process of its own, as the sandbox does it."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import pytest

from tidegate.adapters import imports
from tidegate.adapters.imports import import_one
from tidegate.domain.imports import PLACEHOLDER, ImportCheck, ImportVerdict, judge

if TYPE_CHECKING:
    from pathlib import Path

HANDLER = "def handler(event, context): return 1\n"


def try_import(tmp_path: Path, files: dict[str, str], **about: object) -> ImportVerdict:
    folder = tmp_path / "task"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    told = {
        "key": "k",
        "artifact": "a",
        "handler": "app.handler",
        "architecture": "native",
        "environment": {},
        "uncertain": (),
        "is_open": False,
        "has_layers": False,
        "functions": ("Orders",),
    }
    check = ImportCheck.model_validate({**told, **about})
    return judge(check, import_one(check, tmp_path, folder))


@pytest.mark.parametrize(
    "code",
    [
        "",
        "import boto3\nclient = boto3.client('dynamodb')\n",
        "import os\nos.environ['AWS_REGION'], os.environ['LAMBDA_TASK_ROOT'], os.environ['_HANDLER']\n",
        "import threading\nthreading.Thread(target=threading.Event().wait).start()\n",
        "print('x' * 10_000)\n",
        "from lib.inner import value\n",
    ],
)
def test_what_can_be_imported_is(code: str, tmp_path: Path) -> None:
    files = {"app.py": code + HANDLER, "lib/inner.py": "value = 1\n"}
    assert try_import(tmp_path, files) == ImportVerdict(status="imported")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            "import no_such_thing\n",
            "ModuleNotFoundError: No module named 'no_such_thing' (app.py:1 of its artifact)",
        ),
        ("import pydantic\n", "No module named 'pydantic'"),  # Tidegate's own, and not the service's
        ("from lib.inner import nothing\n", "cannot import name 'nothing' from 'lib.inner'"),
        ("\n\nimport lib.broken\n", "SyntaxError: invalid syntax (broken.py, line 2) (lib/broken.py:2 of"),
        ("x = 1\nraise RuntimeError('boom')\n", "RuntimeError: boom (app.py:2 of"),
        (
            "class E(Exception):\n    def __str__(self): raise ValueError\nraise E\n",
            "app.E: its message raises ValueError",
        ),
        ("raise SystemExit('bye')\n", "SystemExit: bye"),
        ("import os\nos._exit(3)\n", "ends the process (exit code 3)"),
        ("import os\nos.kill(os.getpid(), 11)\n", "ends the process (signal 11)"),
        (
            "import os\nos.environ['SIZE']\nundefined\n",
            "NameError: name 'undefined' is not defined (app.py:3",
        ),
        ("open('settings.json')\n", "No such file or directory: 'settings.json'"),
        ("del handler\n", "app has no handler"),
    ],
)
def test_what_fails_wherever_it_runs_stops_the_release(code: str, text: str, tmp_path: Path) -> None:
    head, tail = (HANDLER, code) if code.startswith("del") else (code, HANDLER)
    files = {"app.py": head + tail, "lib/inner.py": "", "lib/broken.py": "x = 1\nif if\n"}
    found = try_import(tmp_path, files, environment={"SIZE": PLACEHOLDER}, uncertain=("SIZE",))
    assert found.status == "failed", found
    assert found.text.startswith("Orders: app.handler cannot be imported: ")
    assert text in found.text


@pytest.mark.parametrize(
    ("code", "doubt"),
    [
        ("import os\nos.environ['TABLE']\n", "the template gives it no variable TABLE"),
        ("import os\nint(os.getenv('LIMIT'))\n", "the template gives it no variable LIMIT"),
        ("import os\nif not os.environ.get('LIMIT'): raise RuntimeError('LIMIT?')\n", "no variable LIMIT"),
        ("import os\nint(os.environ['SIZE'])\n", "only the deployment knows the value of SIZE"),
        ("import os\nos.environ['AWS_ACCESS_KEY_ID']\n", None),
        ("import boto3\nboto3.client('s3').list_buckets()\n", "no AWS credentials (NoCredentialsError)"),
        (
            "import boto3\nboto3.client('s3', aws_access_key_id='a', aws_secret_access_key='b').list_buckets()\n",
            "it called s3.",
        ),
        ("import urllib.request\nurllib.request.urlopen('http://example.com')\n", "it called example.com"),
        ("import socket\nsocket.create_connection(('169.254.170.2', 80), 60)\n", "it called 169.254.170.2"),
        ("import time\ntime.sleep(60)\n", "it may wait for what the sandbox does not reach"),
        ("open('/mnt/models/a.bin')\n", "a file that is not in the artifact"),
        ("x = bytearray(4_000_000_000)\n", "more memory than the sandbox gives"),
        ("import os\nos.kill(os.getpid(), 9)\n", "more memory than the sandbox gives"),
    ],
)
def test_what_may_work_in_the_service_s_account_is_a_warning(
    code: str, doubt: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "SECONDS", 4)
    found = try_import(
        tmp_path, {"app.py": code + HANDLER}, environment={"SIZE": PLACEHOLDER}, uncertain=("SIZE",)
    )
    assert found.status == ("warned" if doubt else "failed"), found
    assert (doubt or "") in found.text


def test_variables_of_the_template_are_there(tmp_path: Path) -> None:
    code = "import os\nassert os.environ['MODE'] == 'fast'\nassert os.environ['TABLE']\n" + HANDLER
    given = {"environment": {"MODE": "fast", "TABLE": PLACEHOLDER}, "uncertain": ("TABLE",)}
    assert try_import(tmp_path, {"app.py": code}, **given).status == "imported"


def test_a_layer_may_hold_what_is_missing(tmp_path: Path) -> None:
    found = try_import(tmp_path, {"app.py": "import shared\n" + HANDLER}, has_layers=True)
    assert found.status == "warned"
    assert "a layer may hold it" in found.text


def test_native_code_for_another_machine_is_not_tried(tmp_path: Path) -> None:
    other = "x86_64" if platform.machine() == "aarch64" else "arm64"
    plain = {"app.py": HANDLER}
    assert try_import(tmp_path, plain, architecture=other).status == "imported"
    found = try_import(tmp_path, {**plain, "fast.abi3.so": ""}, architecture=other)
    assert found.status == "unchecked"
    assert f"native code for {other}" in found.text


def test_a_module_in_a_folder_is_found_by_its_path(tmp_path: Path) -> None:
    assert try_import(tmp_path, {"src/app.py": HANDLER}, handler="src/app.handler").status == "imported"


def test_a_forged_answer_is_no_answer(tmp_path: Path) -> None:
    code = "import os, pathlib\npathlib.Path('../k.json').write_text('[]')\nos._exit(0)\n"
    found = try_import(tmp_path, {"app.py": code + HANDLER})
    assert found.status == "failed"


def test_nothing_of_this_process_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code = f"import os, sys\nassert 'secret' not in os.environ.values()\nassert len(sys.argv) == 1\nassert sys.version_info[:2] == {sys.version_info[:2]}\n"
    assert try_import(tmp_path, {"app.py": code + HANDLER}).status == "imported"
