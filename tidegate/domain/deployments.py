"""What samconfig says about deployments, from the file's data; the SAM CLI's own spellings are understood.

Source: AWS SAM Developer Guide, "AWS SAM CLI configuration file": environment, command, `parameters`, where
the command `global` holds what all commands share. Whatever does not concern a deployment is left alone.
"""

from __future__ import annotations

import re
import shlex
from typing import Any, Final

from tidegate.domain.errors import InvalidConfiguration
from tidegate.domain.snapshots import Deployment

LEGACY: Final = re.compile(r"^ParameterKey=(?P<key>[^,]+),ParameterValue=(?P<value>.*)$", re.DOTALL)


def read_deployments(data: dict[str, Any], file: str) -> dict[str, Deployment]:
    """A deployment per environment of samconfig's data; InvalidConfiguration names the place of a mistake."""
    environments = {name: value for name, value in data.items() if isinstance(value, dict)}
    return {name: _read_environment(name, value, file) for name, value in environments.items()}


def _read_environment(name: str, environment: dict[str, Any], file: str) -> Deployment:
    settings: dict[str, Any] = {}
    for command in ("global", "deploy"):
        section = environment.get(command, {})
        parameters = section.get("parameters", {}) if isinstance(section, dict) else None
        if not isinstance(parameters, dict):
            raise InvalidConfiguration(f"[{name}.{command}.parameters] must be a table", file=file)
        settings |= parameters
    place = f"{name}.deploy.parameters"
    return Deployment(
        stack_name=_read_text(settings.get("stack_name"), f"{place}.stack_name", file),
        parameters=_read_overrides(settings.get("parameter_overrides"), f"{place}.parameter_overrides", file),
        capabilities=_read_words(settings.get("capabilities"), f"{place}.capabilities", file),
    )


def _read_text(value: object, place: str, file: str) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value or None
    raise InvalidConfiguration(f"{place} must be text, not {value!r}", file=file)


def _read_words(value: object, place: str, file: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(re.split(r"[\s,]+", value.strip())) if value.strip() else ()
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise InvalidConfiguration(f"{place} must be text or a list of texts", file=file)


def _read_overrides(value: object, place: str, file: str) -> dict[str, str]:
    if isinstance(value, dict):
        return {str(key): _scalar(item, f"{place}.{key}", file) for key, item in value.items()}
    if isinstance(value, list):
        words = [part for item in value for part in _split(item, place, file)]
    else:
        words = _split(value or "", place, file)
    return dict(_read_override(word, place, file) for word in words)


def _split(value: object, place: str, file: str) -> list[str]:
    """The words of one text, quotes taken off: `A=1 B="two words"`."""
    if not isinstance(value, str):
        raise InvalidConfiguration(f"{place} must be text or a list of texts, not {value!r}", file=file)
    lexer = shlex.shlex(value, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        return list(lexer)
    except ValueError as error:
        raise InvalidConfiguration(f"{place}: {error} in {value!r}", file=file) from None


def _read_override(word: str, place: str, file: str) -> tuple[str, str]:
    legacy = LEGACY.match(word)
    key, separator, value = (legacy["key"], "=", legacy["value"]) if legacy else word.partition("=")
    if not separator or not key:
        raise InvalidConfiguration(f"{place}: {word!r} is not written Name=value", file=file)
    return key, value


def _scalar(value: object, place: str, file: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(_scalar(item, place, file) for item in value)
    if isinstance(value, (str, int, float)):
        return str(value)
    raise InvalidConfiguration(f"{place} must be a single value", file=file)
