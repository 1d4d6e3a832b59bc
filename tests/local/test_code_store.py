"""Archives are unpacked once and faithfully; the runtime folder has Lambda's libraries and no others."""

from __future__ import annotations

import io
import stat
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from tidegate.local.compute.blueprint import network_environment
from tidegate.local.compute.code_store import CodeStore


def archive(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, (text, mode) in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            bundle.writestr(entry, text)
    return buffer.getvalue()


@pytest.fixture
def store(tmp_path):
    return CodeStore(tmp_path)


def test_modes_and_links_survive(store):
    files = {
        "bin/run": ("#!/bin/sh", stat.S_IFREG | 0o755),
        "bin/alias": ("run", stat.S_IFLNK | 0o777),
        "data": ("x", 0),
    }
    root = store.function(archive(files))
    assert (root / "bin/run").stat().st_mode & 0o111
    assert (root / "bin/alias").readlink().name == "run"
    assert not (root / "data").stat().st_mode & 0o111


def test_many_ask_at_once_and_get_one_folder(store):
    code = archive({f"m{index}.py": ("x = 1", 0o644) for index in range(50)})
    with ThreadPoolExecutor(8) as pool:
        roots = set(pool.map(lambda _: store.function(code), range(16)))
    (root,) = roots
    assert len(list(root.iterdir())) == 50
    assert [path.name for path in root.parent.iterdir()] == [root.name]


def test_a_later_layer_lies_over_an_earlier_one(store):
    below = archive({"python/a.py": ("A = 1", 0o644), "python/b.py": ("B = 1", 0o644)})
    above = archive({"python/b.py": ("B = 2", 0o644)})
    root = store.layers([below, above])
    assert (root / "python/a.py").read_text() == "A = 1"
    assert (root / "python/b.py").read_text() == "B = 2"
    assert store.layers([above, below]) != root
    assert not list(store.layers([]).iterdir())


def test_the_runtime_has_boto3_and_no_more(store):
    names = {path.name for path in store.runtime.iterdir()}
    assert {"awslambdaric", "boto3", "botocore", "jmespath", "s3transfer", "urllib3", "simplejson"} <= names
    assert not {"pydantic", "moto", "flask", "requests", "yaml"} & names
    program = (
        f"import sys; sys.path.append({str(store.runtime)!r}); import awslambdaric, boto3, runtime_client"
    )
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)


def test_the_network_environment_takes_what_the_network_needs(tmp_path):
    (tmp_path / ".config").mkdir()
    ours = {
        "HTTPS_PROXY": "http://p", "PIP_INDEX_URL": "i", "UV_OFFLINE": "1", "SSL_CERT_FILE": "c",
        "AWS_PROFILE": "me", "SECRET": "s", "PYTHONPATH": "x",
    }  # fmt: skip
    taken = network_environment(ours, str(tmp_path))
    assert taken == {
        "HTTPS_PROXY": "http://p", "PIP_INDEX_URL": "i", "UV_OFFLINE": "1", "SSL_CERT_FILE": "c",
        "XDG_CONFIG_HOME": str(tmp_path / ".config"),
        "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost",
    }  # fmt: skip
