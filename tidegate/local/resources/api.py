"""Types whose properties are, but for names, the parameters of one API call: declared, not programmed."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from tidegate.local.resources.kinds import Kind, Request

ALL: Final = frozenset({"*"})


class ApiKind(Kind):
    """A type with one call each to create, update and delete.

    `key` names the parameter by which the API knows the resource; `identity` is the path of its id in the
    answer to the create (empty: the name). `returned` maps attributes to paths in that answer. `constant`
    are further properties that name it on update and delete (a parent's id, say). Where `create_only` is
    `ALL`, every change replaces.
    """

    service: ClassVar[str]
    creates: ClassVar[str]
    updates: ClassVar[str] = ""
    deletes: ClassVar[str]
    key: ClassVar[str]
    identity: ClassVar[str] = ""
    returned: ClassVar[dict[str, str]] = {}
    constant: ClassVar[tuple[str, ...]] = ()
    renamed: ClassVar[dict[str, str]] = {}
    ignored: ClassVar[tuple[str, ...]] = ()
    # What an update does not take, beyond what is create-only.
    kept: ClassVar[tuple[str, ...]] = ("Tags",)

    def replaced_by(self, changed: set[str]) -> set[str]:
        """Those that are create-only, or all."""
        return changed if self.create_only is ALL or not self.updates else changed & self.create_only

    def parameters(self, request: Request) -> dict[str, Any]:
        """The parameters of the create and update calls."""
        found = request.rest(*self.ignored)
        return {self.renamed.get(name, name): value for name, value in found.items()}

    def create(self, request: Request) -> None:
        """Make it by the one call."""
        parameters = self.parameters(request)
        if self.naming:
            parameters[self.naming.name_property] = request.name
        answer = request.call(self.service, self.creates, **parameters)
        self.take(request, answer)

    def take(self, request: Request, answer: dict[str, Any]) -> None:
        """Read id and attributes from an answer."""
        identity = walk(answer, self.identity) if self.identity else request.name
        found = {name: walk(answer, path) for name, path in self.returned.items()}
        request.settle(str(identity), **found)

    def update(self, request: Request) -> None:
        """Update it by the one call."""
        left = {self.renamed.get(name, name) for name in {*self.create_only, *self.kept} - {*self.constant}}
        parameters = {k: v for k, v in self.parameters(request).items() if k not in left}
        request.call(self.service, self.updates, **parameters, **{self.key: request.physical_id})

    def delete(self, request: Request) -> None:
        """Delete it by the one call."""
        names = {self.renamed.get(name, name): request.properties[name] for name in self.constant}
        request.discard(self.service, self.deletes, **names, **{self.key: request.physical_id})


def walk(answer: dict[str, Any], path: str) -> Any:  # noqa: ANN401
    """Read a dotted path in an answer."""
    value: Any = answer
    for step in path.split("."):
        value = value[step]
    return value
