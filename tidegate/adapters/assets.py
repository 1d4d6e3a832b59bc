"""Reads the asset manifest that the CDK writes beside a synthesized template."""

from __future__ import annotations

from pydantic import ValidationError

from tidegate.domain.errors import InvalidTemplate
from tidegate.domain.templates.assets import AssetManifest


def read_manifest(text: str, file: str) -> AssetManifest:
    """The manifest; InvalidTemplate where it is none."""
    try:
        return AssetManifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidTemplate(
            f"not an asset manifest of the CDK: {place}: {first['msg']}", file=file
        ) from None
