"""An image's manifest stands for it wherever an artifact is named, and its digest is what a function must run."""

from __future__ import annotations

import pytest

from tidegate.domain.artifacts import Method, archive_key, manifest_key, object_key
from tidegate.domain.bills import BaseComponent, Subject, bill_key, read_packages, render
from tidegate.domain.errors import ArtifactAltered
from tidegate.domain.images.contexts import Copy
from tidegate.domain.images.keys import image_key, source_key, wheels_key
from tidegate.domain.images.recipes import Install, Recipe
from tidegate.domain.provenance import check_image

DIGEST = "a" * 64
URI = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/tidegate-images-staging@sha256:{DIGEST}"
RECIPE = Recipe(file="Dockerfile", base="b:1", command=("app.handler",))


def test_a_function_must_run_the_attested_image() -> None:
    check_image("f", URI, DIGEST)
    for resolved in (URI.replace("aaaa", "bbbb"), URI.partition("@")[0] + ":v1", ""):
        with pytest.raises(ArtifactAltered, match="was built and attested"):
            check_image("f", resolved, DIGEST)


def test_where_an_artifact_lies_by_its_method() -> None:
    assert object_key(Method.IMAGE, "k") == manifest_key("k") == "artifacts/k.manifest.json"
    assert object_key(Method.PYTHON, "k") == archive_key("k")
    assert bill_key(manifest_key("k")) == bill_key(archive_key("k")) == "artifacts/k.cdx.json"


def test_a_base_is_in_the_bill_and_no_package() -> None:
    base = BaseComponent(name="public.ecr.aws/lambda/python", digest=f"sha256:{DIGEST}")
    body = render(Subject(key="k", sha256=DIGEST), [], base)
    assert base.purl == f"pkg:oci/python@sha256%3A{DIGEST}"
    assert list(read_packages(body)) == []


def key(recipe: Recipe | None = RECIPE, base: str = DIGEST, tree: str = "t", *wheels: str) -> str:
    return image_key(base, "x86_64", recipe, wheels, tree)


def test_other_words_for_the_same_image_give_the_same_key() -> None:
    copied = Copy(sources=("a",), destination="b", is_folder=False, line=9)
    same = RECIPE.model_copy(update={"file": "other", "copies": (copied,)})
    assert key(same) == key()
    assert key(RECIPE, DIGEST, "t", "1", "2") == key(RECIPE, DIGEST, "t", "2", "1")
    moved = [RECIPE.model_copy(update={"install": Install(requirements=path, folder="x")}) for path in "ab"]
    assert key(moved[0]) == key(moved[1]) != key()


@pytest.mark.parametrize(
    "change",
    [
        {"environment": {"A": "1"}},
        {"labels": {"a": "1"}},
        {"working_folder": "/opt"},
        {"entrypoint": ("/e",)},
        {"command": ("other.handler",)},
        {"command": None},
        {"folders": ("opt/new",)},
    ],
)
def test_what_changes_an_image_changes_its_key(change: dict[str, object]) -> None:
    assert key(RECIPE.model_copy(update=change)) != key()


def test_keys_of_layers_are_apart() -> None:
    assert key(RECIPE, "b" * 64) != key()
    assert key(RECIPE, DIGEST, "u") != key()
    assert key(None) != key()
    assert wheels_key(["1", "2"], "a") == wheels_key(["2", "1"], "a") != wheels_key(["1", "2"], "b")
    assert source_key("t", ["a"]) != source_key("t", [])
    assert len({wheels_key(["a"], "t"), source_key("t", ["a"])}) == 2
