"""The keys of images and of their layers: everything that can change their bytes, and nothing else.

A Dockerfile's comments and the lines that its instructions stand on are not in a key, nor are files of the
context that no COPY takes: other words for the same image are the same artifact.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from tidegate.domain.artifacts import BUILDER, Method
from tidegate.domain.sources import SourceFile, tree_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .recipes import Recipe

# Raised whenever the same files would give another layer than before.
LAYER_FORM: Final = "1"


def content_tree(placed: Mapping[str, str], files: Mapping[str, SourceFile]) -> str:
    """SHA-256 (hex) over what is copied: paths in the image, whether executable, and bytes.

    `placed` are the paths of files in the source by those in the image.
    """
    return tree_hash(
        (files[source].model_copy(update={"path": path}) for path, source in placed.items()), "."
    )


def image_key(base: str, architecture: str, recipe: Recipe | None, wheels: Iterable[str], tree: str) -> str:
    """The content key of an image over the base of this digest; without a recipe it is the base itself."""
    told = (
        recipe.model_dump(mode="json", include={"folders", "environment", "labels", "working_folder"})
        | {"entrypoint": recipe.entrypoint, "command": recipe.command}
        | {"installed": recipe.install.folder if recipe.install else None}
        if recipe
        else {}
    )
    inputs = [BUILDER, Method.IMAGE, LAYER_FORM, base, architecture, told, sorted(wheels), tree]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def wheels_key(wheels: Iterable[str], folder: str) -> str:
    """The key of the layer that holds these wheels, by their hashes, in a folder of the image."""
    return _hash("wheels", [folder, *sorted(wheels)])


def source_key(tree: str, folders: Iterable[str]) -> str:
    """The key of the layer that holds what a Dockerfile copies and the folders that it makes."""
    return _hash("source", [tree, *folders])


def layer_record(key: str) -> str:
    """Where it is kept which blob a layer is; the blob itself is in the repository."""
    return f"fragments/{BUILDER}/layer-{key}.json"


def _hash(kind: str, parts: list[str]) -> str:
    return hashlib.sha256(json.dumps([LAYER_FORM, kind, *parts]).encode()).hexdigest()
