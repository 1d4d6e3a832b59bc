"""Downloads of what runs: GetFunction and GetLayerVersion give URLs, and these URLs give the archives."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from moto.awslambda import models, urls

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

PATH: Final = r"{0}/lambda_(?P<region>[^/]+)/archives/(?P<key>.+)$"
ORIGINAL: dict[str, Any] = {}


def install(cloud: LocalCloud) -> None:
    """Give the URLs, and serve them; whoever has a URL may download, as with a presigned one."""
    ORIGINAL["endpoint"] = cloud.endpoint_url
    ORIGINAL["function"] = cloud.patch(models.LambdaFunction, "get_code", describe_function)
    ORIGINAL["layer"] = cloud.patch(models.LayerVersion, "get_layer_version", describe_layer)
    cloud.patch(urls, "url_paths", {**urls.url_paths, PATH: serve})


def _url(region: str, *key: object) -> str:
    return "/".join([ORIGINAL["endpoint"], f"lambda_{region}", "archives", *map(str, key)])


def describe_function(self: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer GetFunction with the place of the archive that this version runs."""
    described: dict[str, Any] = ORIGINAL["function"](self)
    if self.package_type == "Zip":
        place = _url(self.region, "function", self.account_id, self.function_name, self.version)
        described["Code"] = {"RepositoryType": "S3", "Location": place}
    else:
        described["Code"] = {"RepositoryType": "ECR", **self.code}
    return described


def describe_layer(self: Any) -> dict[str, Any]:  # noqa: ANN401
    """Answer GetLayerVersion with the place of its archive."""
    described: dict[str, Any] = ORIGINAL["layer"](self)
    place = _url(self.region, "layer", self.account_id, self.name, self.version)
    return {**described, "Content": {**described["Content"], "Location": place}}


def serve(request: Any, full_url: str, headers: Any) -> tuple[int, dict[str, str], bytes]:  # noqa: ANN401, ARG001
    """Answer a download."""
    _, place, _, kind, account, name, version = urlsplit(full_url).path.split("/")
    backend = models.lambda_backends[account][place.removeprefix("lambda_")]
    if kind == "layer":
        found = backend.get_layer_version(name, version)
    else:
        found = backend.get_function(name, version)
    digest = base64.b64encode(bytes.fromhex(found.code_digest)).decode()
    return 200, {"Content-Type": "application/zip", "x-amz-meta-code-sha256": digest}, found.code_bytes
