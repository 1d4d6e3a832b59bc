from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tidegate.domain.origins import GitHub, Origins
from tidegate.domain.pipeline import Pipeline

KEY = "arn:aws:kms:us-east-1:123456789012:key/0f0e-1"


def pipeline(github: Any = None, codecommit: Any = (), **more: Any) -> Pipeline:
    body = {"stages": [{"name": "staging"}], "github": github, "codecommit": codecommit, **more}
    return Pipeline.model_validate(body)


def at_github(*names: str, **more: Any) -> dict[str, Any]:
    return {"repositories": [{"name": name} for name in names], **more}


def test_defaults_are_filled_in() -> None:
    named = {"name": "acme/shop.api", "service": "shop", "branches": ["live"]}
    found = pipeline({"repositories": [{"name": "acme/Order_Desk"}, named]}, [{"name": "Billing"}]).origins
    assert found is not None
    assert [(one.host, one.name, one.service, one.branches) for one in found.repositories] == [
        ("github", "acme/Order_Desk", "order-desk", ("main",)),
        ("github", "acme/shop.api", "shop", ("live",)),
        ("codecommit", "Billing", "billing", ("main",)),
    ]
    assert found.of_repository("github", "ACME/order_desk") == found.of_service("order-desk")
    assert found.of_repository("codecommit", "billing") is None
    assert Origins.model_validate_json(found.model_dump_json()) == found


def test_no_repository_is_no_origin() -> None:
    assert pipeline().origins is None


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://git.example.org", "https://git.example.org/api/v3"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9/api/v3"),
    ],
)
def test_where_the_api_is(url: str, api: str) -> None:
    found = pipeline(at_github("a/orders", url=url)).origins
    assert found is not None
    assert found.api == api


@pytest.mark.parametrize(
    ("github", "codecommit", "problem"),
    [
        (at_github(), (), "github.repositories"),
        (at_github("orders"), (), "'orders' is not owner/name"),
        (at_github("a/b/c"), (), "'a/b/c' is not owner/name"),
        (at_github("a/../x"), (), "is not owner/name"),
        (at_github("a/orders", "A/Orders"), (), "a/orders is named twice"),
        (at_github("a/orders", "b/orders"), (), "the service orders has two repositories"),
        (at_github("a/orders"), [{"name": "orders"}], "the service orders has two repositories"),
        (at_github("a/1"), (), "a/1 gives no service's name"),
        ({"repositories": [{"name": "a/orders", "branches": ["a b"]}]}, (), "'a b' is no branch's name"),
        ({"repositories": [{"name": "a/orders", "branch": "main"}]}, (), "branch"),
        (None, [{"name": "a/b"}], "'a/b' is not a repository's name"),
        (at_github("a/orders", url="http://github.com"), (), "github.url"),
        (at_github("a/orders", url="https://github.com/"), (), "github.url"),
        (at_github("a/orders", app={"client_id": "Iv1.x", "key": "alias/app"}), (), "github.app.key"),
        (at_github("a/orders", compare_minutes=0), (), "github.compare_minutes"),
    ],
)
def test_mistakes_are_named(github: Any, codecommit: Any, problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        pipeline(github, codecommit)
    errors = caught.value.errors()
    told = " ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in errors)
    assert problem in told


def test_an_app_and_its_key() -> None:
    found = GitHub.model_validate(at_github("a/orders", app={"client_id": "Iv23li", "key": KEY}))
    assert found.app is not None
    assert found.app.key == KEY


STOCK = {"service": "stock", "issuer": "gitlab.com", "subjects": ["project_path:acme/stock:*"]}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"subjects": []}, "uploads.0.subjects"),
        ({"subjects": ["*"]}, "uploads: stock: the subject '*' would let anybody in"),
        ({"subjects": ["*:acme/stock"]}, "would let anybody in"),
        ({"subjects": ["repo:*"]}, "the subject 'repo:*' would let anybody in"),
        ({"issuer": "https://gitlab.com"}, "uploads.0.issuer"),
        ({"branches": ["a b"]}, "uploads: stock: 'a b' is no branch's name"),
        ({"service": "No"}, "uploads.0.service"),
    ],
)
def test_mistakes_in_uploads_are_named(changes: dict[str, Any], problem: str) -> None:
    assert pipeline(uploads=[STOCK]).uploads[0].audience == "sts.amazonaws.com"
    with pytest.raises(ValidationError) as caught:
        pipeline(uploads=[{**STOCK, **changes}])
    errors = caught.value.errors()
    assert problem in " ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in errors)


def test_a_service_is_uploaded_by_one_role() -> None:
    with pytest.raises(ValidationError, match="uploads: stock is named twice"):
        pipeline(uploads=[STOCK, STOCK])
