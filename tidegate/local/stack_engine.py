"""The executor: brings one stack's resources to a revision, and back again if that fails.

A deployment is a transaction. `apply` makes and changes in the order of dependency and never touches a
resource whose resolved properties did not change; replaced and removed resources wait for `clean_up`;
`roll_back` returns every resource to what it was. It sets the statuses of resources; those of the stack
belong to the operations.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tidegate.local.resources import kinds
from tidegate.local.stack_errors import ResourceFailure, ValidationError
from tidegate.local.stack_intrinsics import resolve
from tidegate.local.stack_plans import (
    list_active,
    make_scope,
    read_attribute,
    resolve_resource,
    unresolved,
    write_output,
)
from tidegate.local.stack_records import Deployed
from tidegate.local.stack_secrets import expand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tidegate.local.stack_plans import Wanted
    from tidegate.local.stack_records import Revision, Stack
    from tidegate.local.stack_registry import Platform

LOG: Final = logging.getLogger(__name__)


class Stopped(Exception):
    """The cloud goes down; the operation is left where it stands."""


class _Attributes(Mapping[str, Any]):
    """A resource's attributes, read from its kind when asked for."""

    def __init__(self, kind: kinds.Kind, request: kinds.Request) -> None:
        self.kind, self.request = kind, request

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401
        return self.kind.attribute(self.request, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.request.attributes)

    def __len__(self) -> int:
        return len(self.request.attributes)


class Deployment:
    """One way from a stack's present resources to those of a revision."""

    def __init__(self, stack: Stack, revision: Revision, platform: Platform) -> None:
        self.stack = stack
        self.revision = revision
        self.platform = platform
        self.client = platform.clients.choose(stack.account, stack.region, revision.role_arn)
        self.before = dict(stack.resources)
        self.made: list[Deployed] = []
        self.leftovers: list[Deployed] = []
        # What the failed operation left behind, for as long as a rollback of it fails.
        self.tried: dict[str, Deployed] = {}
        self.failed: dict[str, str] = {}
        self.cancelled = False
        self.imports: set[str] = set()
        self.scope = make_scope(stack, revision, self._refer, self._attribute, self._import)

    def apply(self) -> None:
        """Make and change; on the first failure a ResourceFailure leaves everything where it stands."""
        self.active = list_active(self.revision, self.scope)
        self._check_types()
        for name in self.active:
            if self.platform.stopping.is_set():
                raise Stopped
            if self.cancelled:
                raise ResourceFailure("User Initiated")
            self._bring(name)
        self.stack.outputs = self._list_outputs()
        self.stack.imports = self.imports

    def _check_types(self) -> None:
        missing = {}
        for name in self.active:
            resource = Deployed(name, self.revision.template.resources[name]["Type"], {})
            try:
                kinds.find(resource.type)
            except ResourceFailure as failure:
                missing[name] = str(failure)
                self.stack.tell(resource, "CREATE_FAILED", str(failure))
        if missing:
            self.failed |= dict.fromkeys(missing, "CREATE_FAILED")
            raise ResourceFailure("; ".join(sorted(set(missing.values()))))

    def clean_up(self) -> None:
        """Delete what was replaced or removed, dependents first. A failure is told and left behind."""
        old_order = self._order_before()
        removed = [
            self.stack.resources[n]
            for n in old_order
            if n not in set(self.active) and n in self.stack.resources
        ]
        by_name = {name: index for index, name in enumerate(old_order)}
        doomed = [(r, r.replace_policy) for r in self.leftovers] + [(r, r.deletion_policy) for r in removed]
        for resource, policy in sorted(doomed, key=lambda pair: -by_name[pair[0].logical_id]):
            self.discard(resource, keep=policy in {"Retain", "RetainExceptOnCreate"})
        for resource in removed:
            self.stack.resources.pop(resource.logical_id, None)

    def roll_back(self, skipped: Iterable[str] = ()) -> None:
        """Bring every resource back to what it was before `apply`, again in the order of dependency."""
        for name in self._order_before():
            old, present = self.before[name], self.stack.resources.get(name)
            if present is old or name in skipped:
                continue
            if present is not None and present.physical_id == old.physical_id:
                tried = self.tried.setdefault(name, present)
                self._update(tried, old.properties, Deployed(**vars(old)))
                self.before[name] = self.stack.resources[name]
            else:
                self.stack.resources[name] = old

    def clean_up_rollback(self, *, creating: bool = False) -> bool:
        """Delete what the failed operation made, the last made first; whether all went well."""
        gone = True
        for resource in reversed(self.made):
            keep = resource.deletion_policy == "Retain" and self.before.get(resource.logical_id) is None
            deleted = self.discard(resource, keep=keep)
            gone = gone and deleted
        if not creating:
            for name in set(self.stack.resources) - set(self.before):
                del self.stack.resources[name]
        return gone

    def discard(self, resource: Deployed, *, keep: bool = False) -> bool:
        """Delete one resource, or leave it be; whether that succeeded."""
        if keep or not resource.physical_id:
            self.stack.tell(resource, "DELETE_SKIPPED" if keep else "DELETE_COMPLETE")
            return True
        self.stack.tell(resource, "DELETE_IN_PROGRESS")
        try:
            self._guard(resource, lambda: kinds.find(resource.type).delete(self._request(resource)))
        except ResourceFailure as failure:
            self.stack.tell(resource, "DELETE_FAILED", str(failure))
            return False
        self.stack.tell(resource, "DELETE_COMPLETE")
        return True

    def _order_before(self) -> list[str]:
        if self.stack.revision is None:
            return list(self.before)
        return self.stack.revision.template.order(self.before)

    def _bring(self, name: str) -> None:
        wanted = self._guard_text(name, lambda: resolve_resource(self.revision, name, self.scope))
        old = self.stack.resources.get(name)
        if old is None:
            self._create(wanted)
            return
        kind = kinds.find(wanted.type)
        keys = {*old.properties, *wanted.properties}
        changed = {key for key in keys if old.properties.get(key) != wanted.properties.get(key)}
        fresh = replace(
            old,
            metadata=wanted.metadata,
            deletion_policy=wanted.deletion_policy,
            replace_policy=wanted.replace_policy,
        )
        if not changed:
            self.stack.resources[name] = self._keep(old, fresh)
        elif kind.replaced_by(changed):
            self._replace(kind, fresh, wanted)
        else:
            self._update(old, wanted.properties, fresh)

    def _keep(self, old: Deployed, fresh: Deployed) -> Deployed:
        if fresh == old:
            return old
        self.stack.tell(fresh, "UPDATE_COMPLETE")
        return fresh

    def _replace(self, kind: kinds.Kind, old: Deployed, wanted: Wanted) -> None:
        given = kind.naming and old.properties.get(kind.naming.name_property)
        if given and kind.naming and wanted.properties.get(kind.naming.name_property) == given:
            self._fail(
                old,
                "UPDATE_FAILED",
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {given} and update the stack again.",
            )
        reason = "Requested update requires the creation of a new physical resource; hence creating one."
        self.stack.tell(old, "UPDATE_IN_PROGRESS", reason)
        self._create(wanted, "UPDATE")
        self.leftovers.append(old)

    def _create(self, wanted: Wanted, verb: str = "CREATE") -> None:
        made = self.stack.resources[wanted.logical_id] = Deployed(**vars(wanted))
        self.stack.tell(made, f"{verb}_IN_PROGRESS")
        try:
            kind = kinds.find(made.type)
            request = self._request(made)
            request.name = kind.name(request)
            try:
                self._guard(made, lambda: kind.create(request))
            finally:
                self._take(made, kind, request)
                if made.physical_id:
                    self.made.append(made)
        except ResourceFailure as failure:
            self._fail(made, f"{verb}_FAILED", str(failure))
        self.stack.tell(made, f"{verb}_IN_PROGRESS", "Resource creation Initiated")
        self.stack.tell(made, f"{verb}_COMPLETE")

    def _update(self, old: Deployed, properties: dict[str, Any], fresh: Deployed) -> None:
        kind = kinds.find(old.type)
        fresh = replace(fresh, properties=properties)
        request = self._request(fresh, old)
        self.stack.resources[old.logical_id] = fresh
        self.stack.tell(fresh, "UPDATE_IN_PROGRESS")
        try:
            request.name = old.physical_id if kind.naming is None else kind.name(request)
            self._guard(fresh, lambda: kind.update(request))
        except ResourceFailure as failure:
            self._fail(fresh, "UPDATE_FAILED", str(failure))
        self._take(fresh, kind, request)
        if kind.leaves_old and fresh.physical_id != old.physical_id:
            self.made.append(fresh)
            self.leftovers.append(old)
        self.stack.tell(fresh, "UPDATE_COMPLETE")

    @staticmethod
    def _take(resource: Deployed, kind: kinds.Kind, request: kinds.Request) -> None:
        resource.physical_id = request.physical_id
        resource.model = request.model
        resource.attributes = _Attributes(kind, request)

    def _request(self, resource: Deployed, old: Deployed | None = None) -> kinds.Request:
        attributes = resource.attributes
        if isinstance(attributes, _Attributes):
            attributes = attributes.request.attributes
        return kinds.Request(
            stack_name=self.stack.name,
            stack_id=self.stack.id,
            logical_id=resource.logical_id,
            type=resource.type,
            account=self.stack.account,
            region=self.stack.region,
            properties=expand(resource.properties, self.client),
            client=self.client,
            previous=expand(old.properties, self.client) if old else {},
            physical_id=resource.physical_id,
            attributes=attributes,
            model=resource.model,
            platform=self.platform,
        )

    def _fail(self, resource: Deployed, status: str, reason: str) -> None:
        self.stack.tell(resource, status, reason)
        self.failed[resource.logical_id] = status
        raise ResourceFailure(reason)

    def _guard(self, resource: Deployed, act: Callable[[], Any]) -> Any:  # noqa: ANN401
        try:
            return act()
        except ResourceFailure:
            raise
        except KeyError as error:
            raise ResourceFailure(
                f"Properties validation failed for resource {resource.logical_id} with message: "
                f"required key [{error.args[0]}] not found"
            ) from error
        except Exception as error:
            LOG.exception("%s of type %s", resource.logical_id, resource.type)
            raise ResourceFailure(f"{type(error).__name__}: {error}") from error

    def _guard_text(self, name: str, act: Callable[[], Wanted]) -> Wanted:
        try:
            return act()
        except (ValidationError, ResourceFailure) as error:
            reason = getattr(error, "message", str(error))
            node = self.revision.template.resources[name]
            verb = "UPDATE" if name in self.stack.resources else "CREATE"
            present = self.stack.resources.get(name) or Deployed(name, node["Type"], {})
            self.stack.tell(present, f"{verb}_FAILED", reason)
            self.failed[name] = f"{verb}_FAILED"
            raise ResourceFailure(reason) from error

    def _refer(self, name: str) -> Any:  # noqa: ANN401
        return self._deployed(name).physical_id

    def _attribute(self, name: str, attribute: str) -> Any:  # noqa: ANN401
        return read_attribute(self._deployed(name), attribute)

    def _deployed(self, name: str) -> Deployed:
        if name not in self.active or name not in self.stack.resources:
            raise unresolved(name)
        return self.stack.resources[name]

    def _import(self, name: str) -> str:
        self.imports.add(name)
        return self.platform.import_value(self.stack, name)

    def _list_outputs(self) -> list[dict[str, Any]]:
        outputs = []
        for key, node in self.revision.template.section("Outputs").items():
            if "Condition" in node and not self.scope.holds(node["Condition"]):
                continue
            output = {"OutputKey": key, "OutputValue": write_output(resolve(node.get("Value"), self.scope))}
            if "Description" in node:
                output["Description"] = node["Description"]
            if "Export" in node:
                output["ExportName"] = resolve(node["Export"]["Name"], self.scope)
                self.platform.check_export(self.stack, output["ExportName"])
            outputs.append(output)
        return outputs
