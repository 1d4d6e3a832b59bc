from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.scene import eventually
from tidegate.adapters.installs import RegistryUnreachable, compile_lock, readable
from tidegate.adapters.programs import foreign, inherited, run
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Target


def test_the_installer_s_reason_is_one_line_without_credentials() -> None:
    output = (
        "Using CPython 3.13 interpreter at: /x\nerror: No solution found\n"
        "  cause: Because a was not found at https://me:secret@example.com/simple,\n  \u2502  nothing fits.\n"
    )
    expected = "No solution found: Because a was not found at https://***@example.com/simple,: nothing fits."
    assert readable(output) == expected


def install_from(index: str, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", index)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(folder / "cache"))
    (folder / "requirements.txt").write_text(text)
    file = folder / "requirements.txt"
    compile_lock(file, folder / "pylock.toml", root=folder, target=Target("3.13", None))


def test_a_registry_that_does_not_answer_is_no_mistake_of_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RegistryUnreachable):
        install_from("http://127.0.0.1:1/simple", "idna\n", tmp_path, monkeypatch)


def test_a_line_that_is_no_requirement_is_the_service_s_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BuildFailed, match=r"^requirements\.txt: .*parse"):
        install_from("http://127.0.0.1:1/simple", "this is ! no requirement\n", tmp_path, monkeypatch)


def test_programs_inherit_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    assert "secret" not in {**inherited(), **foreign()}.values()
    assert inherited()["HTTPS_PROXY"] == "http://proxy"
    assert set(foreign()) <= {"PATH", "LANG", "LD_LIBRARY_PATH"}


def test_a_program_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    environment = {"PATH": os.environ["PATH"]}
    outcome = run(["/bin/sh", "-c", script], folder=tmp_path, environment=environment, seconds=0.5)
    assert outcome.timed_out
    child = int((tmp_path / "child").read_text())
    assert eventually(lambda: has_ended(child))


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or dead and not yet collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
