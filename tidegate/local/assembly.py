"""Our own pipeline in the local cloud: the synthesized template of `app.py`, deployed as it stands.

Only what differs by place is overridden: the account, the interpreter at hand, and the pace. The app is
synthesized in a process of its own, once for the same inputs, since that takes seconds.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tidegate.local.cloud import ACCOUNT_ID, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tidegate.local.cloud import LocalCloud

ROOT: Final = Path(__file__).resolve().parent.parent.parent
BUILD: Final = ROOT / "build" / "local"
# What a synthesis depends on; functions/ and tidegate/ are the code asset.
INPUTS: Final = ("app.py", "cdk.json", "infra", "functions", "tidegate", "statemachines", "requirements")
HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
STAGES: Final = ("staging", "production")
# Of the machine at hand, as Lambda calls it.
ARCHITECTURE: Final = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
# Where a stand-in for Lambda's own image may be pushed to; nothing can be built on what is not there.
BASE_IMAGE: Final = {"name": "public.ecr.aws/lambda/python", "repository": "lambda/python"}
KEPT: Final = 86_400  # seconds
CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")
FINAL_STATES: Final = ("CREATE_COMPLETE", "ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED")


def make_layers() -> Path:
    """The folder with the functions' layers for the interpreter at hand, made from the lock if need be."""
    out = BUILD / "layers"
    here = ("--python-version", "here", "--architecture", "here")
    _run([sys.executable, "-m", "infra.layers", *here, "--out", str(out)], {})
    return out


def synthesize(
    pace: float,
    branches: tuple[str, ...] = ("main",),
    stages: tuple[str, ...] = STAGES,
    more: Mapping[str, Any] | None = None,
) -> Path:
    """The cloud assembly for the local cloud: a folder under build/local, made once for the same inputs.

    `more` are further keys of the pipeline's configuration.
    """
    layers = make_layers()
    overrides = {
        "account": ACCOUNT_ID,
        "region": REGION,
        "pace": pace,
        "branches": list(branches),
        "stages": [{"name": name, "production": name == stages[-1]} for name in stages],
        "other_stages": [name for name in STAGES if name not in stages],
        "runtime": f"python{HERE}",
        "architecture": ARCHITECTURE,
        "layers": {name: str(layers / name) for name in ("dependencies", "toolchain")},
        "scanner": "records",
        "images": [BASE_IMAGE],
        "build_override": {"runtime": f"python{HERE}", "architecture": ARCHITECTURE},
        **(more or {}),
    }
    text = json.dumps(overrides, sort_keys=True)
    outdir = BUILD / f"assembly-{_digest(text)}"
    if not (outdir / "manifest.json").exists():
        scratch = outdir.with_name(f"{outdir.name}.{os.getpid()}")
        scratch.mkdir(parents=True)
        config = scratch.with_suffix(".json")
        config.write_text(text)
        _run([sys.executable, "app.py"], {"TIDEGATE_CONFIG": str(config), "CDK_OUTDIR": str(scratch)})
        config.unlink()
        # Two at once made the same; the first one stays.
        if not outdir.exists():
            scratch.rename(outdir)
    os.utime(outdir)
    forget_unused(BUILD)
    return outdir


def forget_unused(folder: Path) -> None:
    """Remove the assemblies in a folder that nothing has asked for in a day: each holds all layers."""
    for old in folder.glob("assembly-*"):
        with suppress(FileNotFoundError):  # another process removes it as well
            if time.time() - old.stat().st_mtime > KEPT:
                shutil.rmtree(old) if old.is_dir() else old.unlink()


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 (our own arguments)
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"{' '.join(command[1:])} failed: {(done.stderr or done.stdout).strip()[-2000:]}"
        raise RuntimeError(message)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for path in _input_files():
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _input_files() -> Iterator[Path]:
    for name in INPUTS:
        path = ROOT / name
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (file for file in files if file.is_file() and "__pycache__" not in file.parts)


def deploy(cloud: LocalCloud, assembly: Path, tell: Callable[[str], None]) -> None:
    """Upload the assembly's assets and create its stacks, each after those that it depends on."""
    manifest = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    stacks = {key: item for key, item in manifest.items() if item["type"] == "aws:cloudformation:stack"}
    uploaded: set[tuple[str, str]] = set()
    for key in _order(stacks):
        item = stacks[key]
        name = item["properties"].get("stackName", key)
        tell(f"creating stack {name}")
        assets = assembly / f"{key}.assets.json"
        if assets.exists():
            _upload_assets(cloud, assembly, json.loads(assets.read_text())["files"], uploaded)
        _create_stack(cloud, name, _concrete(item["properties"]["stackTemplateAssetObjectUrl"]))


def _order(stacks: dict[str, Any]) -> list[str]:
    done: list[str] = []

    def visit(key: str) -> None:
        for dependency in stacks[key].get("dependencies", []):
            if dependency in stacks and dependency not in done:
                visit(dependency)
        if key not in done:
            done.append(key)

    for key in stacks:
        visit(key)
    return done


def _upload_assets(
    cloud: LocalCloud, assembly: Path, files: dict[str, Any], uploaded: set[tuple[str, str]]
) -> None:
    """Upload what is not there yet: keys are digests, and several stacks have the same code."""
    client = cloud.client("s3")
    for asset in files.values():
        path = assembly / asset["source"]["path"]
        places = {
            (_concrete(one["bucketName"]), _concrete(one["objectKey"]))
            for one in asset["destinations"].values()
        }
        missing = places - uploaded
        if not missing:
            continue
        body = _zip(path) if asset["source"]["packaging"] == "zip" else path.read_bytes()
        for bucket, key in missing:
            client.create_bucket(Bucket=bucket)
            client.put_object(Bucket=bucket, Key=key, Body=body)
        uploaded |= missing


def _concrete(text: str) -> str:
    """A name with the placeholders of the CDK's asset manifest filled in."""
    values = {"Partition": "aws", "AccountId": ACCOUNT_ID, "Region": REGION}
    for key, value in values.items():
        text = text.replace(f"${{AWS::{key}}}", value)
    return text


def _zip(folder: Path) -> bytes:
    """The folder as a zip without compression: it is unpacked again on the same machine."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(str(path.relative_to(folder)))
                entry.external_attr = (path.stat().st_mode & 0o777) << 16
                archive.writestr(entry, path.read_bytes())
    return body.getvalue()


def _create_stack(cloud: LocalCloud, name: str, template: str) -> None:
    """Create a stack from the template at an `s3://bucket/key` address, as the CDK uploads it."""
    client = cloud.client("cloudformation")
    bucket, _, key = template.removeprefix("s3://").partition("/")
    url = f"https://{bucket}.s3.{REGION}.amazonaws.com/{key}"
    client.create_stack(StackName=name, TemplateURL=url, Capabilities=list(CAPABILITIES))
    while True:
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
        if stack["StackStatus"] in FINAL_STATES:
            break
        if cloud.stopping.wait(0.05):
            raise RuntimeError(f"the cloud stopped while stack {name} was being created")
    if stack["StackStatus"] != "CREATE_COMPLETE":
        events = client.describe_stack_events(StackName=name)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        reason = failed[-1] if failed else {}
        message = f"stack {name}: {reason.get('LogicalResourceId')}: {reason.get('ResourceStatusReason')}"
        raise RuntimeError(message)
