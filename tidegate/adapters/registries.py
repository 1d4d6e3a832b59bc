"""Which registry of npm's is asked: the one that a lock names, or its stand-in by npm's usual setting.

npm takes its default registry in a lock as "the registry that is set", so that a lock made at a desk works
behind a mirror. Any other host is asked as it stands.
Source: https://docs.npmjs.com/cli/v11/using-npm/config, `registry` and `replace-registry-host`.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from tidegate.adapters.programs import inherited
from tidegate.domain.modules import REGISTRY

SETTINGS: Final = ("npm_config_registry", "NPM_CONFIG_REGISTRY")


def find_address(url: str) -> str:
    """Where a lock's address is asked for."""
    settings = inherited()
    registry = next((settings[name] for name in SETTINGS if settings.get(name)), "")
    parts, default = urlsplit(url), urlsplit(REGISTRY)
    if not registry or parts.hostname != default.hostname:
        return url
    own = urlsplit(registry)
    base = own.path.rstrip("/")
    path = parts.path if parts.path.startswith(f"{base}/") else base + parts.path
    return parts._replace(scheme=own.scheme, netloc=own.netloc, path=path).geturl()
