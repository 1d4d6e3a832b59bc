"""AWS::Lambda::Version and AWS::Lambda::Alias, through Lambda's own calls so that its rules decide."""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.api import ALL, ApiKind
from tidegate.local.resources.kinds import Kind, Request
from tidegate.local.stack_errors import ResourceFailure

PROVISIONED: Final = "ProvisionedConcurrencyConfig"


class Version(ApiKind):
    """A published version; Ref is its ARN. It never changes: every other property makes another version."""

    type = "AWS::Lambda::Version"
    create_only = ALL
    service, creates, deletes = "lambda", "publish_version", "delete_function"

    def create(self, request: Request) -> None:
        """PublishVersion; refused, as by CloudFormation, where nothing changed since the last version."""
        name = request.properties["FunctionName"]
        known = _list_versions(request, name)
        own = request.pick("FunctionName", "CodeSha256", "Description")
        answer = request.call("lambda", "publish_version", **own)
        number = answer["Version"]
        if number in known:
            raise ResourceFailure(
                f"A version for this Lambda function exists ( {number} ). "
                "Modify the function to create a new version."
            )
        request.settle(answer["FunctionArn"], Version=number, FunctionArn=answer["FunctionArn"])
        if strangers := set(request.properties) - set(own) - {"ProvisionedConcurrencyConfig"}:
            raise ResourceFailure(f"Encountered unsupported property {', '.join(sorted(strangers))}")
        if "ProvisionedConcurrencyConfig" in request.properties:
            provisioned = request.properties["ProvisionedConcurrencyConfig"]
            request.call(
                "lambda",
                "put_provisioned_concurrency_config",
                FunctionName=name,
                Qualifier=number,
                **provisioned,
            )

    def delete(self, request: Request) -> None:
        """Delete the version alone."""
        names = {
            "FunctionName": request.properties["FunctionName"],
            "Qualifier": request.attributes["Version"],
        }
        request.discard("lambda", "delete_function", **names)


def _list_versions(request: Request, name: str) -> set[str]:
    found: set[str] = set()
    page: dict[str, Any] = {}
    while True:
        marker = {"Marker": page["NextMarker"]} if page else {}
        page = request.call("lambda", "list_versions_by_function", FunctionName=name, **marker)
        found |= {version["Version"] for version in page["Versions"]}
        if not page.get("NextMarker"):
            return found


class Alias(Kind):
    """An alias; Ref is its ARN. An update writes only what changed."""

    type = "AWS::Lambda::Alias"
    create_only = frozenset({"FunctionName", "Name"})

    def create(self, request: Request) -> None:
        """CreateAlias."""
        self._refuse_strangers(request)
        own = request.pick("FunctionName", "Name", "FunctionVersion", "Description")
        answer = request.call("lambda", "create_alias", **own, **_read_routing(request))
        request.settle(answer["AliasArn"], AliasArn=answer["AliasArn"])
        self._provide(request)

    def update(self, request: Request) -> None:
        """UpdateAlias with the changed properties."""
        self._refuse_strangers(request)
        changes: dict[str, Any] = {}
        for name in request.changed & {"FunctionVersion", "Description"}:
            changes[name] = request.properties.get(name, "")
        if "RoutingConfig" in request.changed:
            changes |= _read_routing(request) or {"RoutingConfig": {"AdditionalVersionWeights": {}}}
        request.call("lambda", "update_alias", **request.pick("FunctionName", "Name"), **changes)
        if PROVISIONED in request.changed:
            self._provide(request)

    def delete(self, request: Request) -> None:
        """DeleteAlias."""
        request.discard("lambda", "delete_alias", **request.pick("FunctionName", "Name"))

    @staticmethod
    def _provide(request: Request) -> None:
        target = request.pick("FunctionName", Qualifier="Name")
        wanted = request.properties.get(PROVISIONED)
        if wanted:
            request.call("lambda", "put_provisioned_concurrency_config", **target, **wanted)
        elif request.previous.get(PROVISIONED):
            request.discard("lambda", "delete_provisioned_concurrency_config", **target)

    @staticmethod
    def _refuse_strangers(request: Request) -> None:
        known = {"FunctionName", "Name", "FunctionVersion", "Description", "RoutingConfig", PROVISIONED}
        if strangers := set(request.properties) - known:
            names = ", ".join(sorted(strangers))
            raise ResourceFailure(f"AWS::Lambda::Alias {names} is not available in the local cloud")


def _read_routing(request: Request) -> dict[str, Any]:
    routing = request.properties.get("RoutingConfig")
    if not routing:
        return {}
    weights = {
        str(weight["FunctionVersion"]): float(weight["FunctionWeight"])
        for weight in routing.get("AdditionalVersionWeights", [])
    }
    return {"RoutingConfig": {"AdditionalVersionWeights": weights}}


KINDS: Final = (Version, Alias)
