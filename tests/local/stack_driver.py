"""Drives one stack of the local cloud through its API."""

from __future__ import annotations

import json
import time

CAPABILITIES = ["CAPABILITY_NAMED_IAM"]


class Driver:
    """One stack by name, and the calls that tests make on it."""

    def __init__(self, cloud, name):
        self.cloud = cloud
        self.name = name
        self.api = cloud.client("cloudformation")
        self.count = 0

    def create(self, resources, **options):
        self.api.create_stack(**self._given(resources, options))
        return self.wait()

    def update(self, resources, **options):
        self.api.update_stack(**self._given(resources, options))
        return self.wait()

    def delete(self):
        identity = self.describe()["StackId"]
        self.api.delete_stack(StackName=self.name)
        return self.wait(identity)

    def propose(self, resources, kind="UPDATE", **options):
        self.count += 1
        change_set = f"c{self.count}"
        given = self._given(resources, options)
        self.api.create_change_set(ChangeSetName=change_set, ChangeSetType=kind, **given)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = self.api.describe_change_set(StackName=self.name, ChangeSetName=change_set)
            if found["Status"] in {"CREATE_COMPLETE", "FAILED"}:
                return found
            time.sleep(0.01)
        raise AssertionError(found)

    def execute(self, change_set):
        self.api.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
        return self.wait()

    def wait(self, identity=None):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            status = self.describe(identity)["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(0.01)
        raise AssertionError(status)

    def describe(self, identity=None):
        return self.api.describe_stacks(StackName=identity or self.name)["Stacks"][0]

    def events(self, identity=None):
        """The events, oldest first."""
        pages = self.api.get_paginator("describe_stack_events").paginate(StackName=identity or self.name)
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def statuses(self, logical_id, identity=None):
        found = [e["ResourceStatus"] for e in self.events(identity) if e["LogicalResourceId"] == logical_id]
        return list(dict.fromkeys(found))

    def reasons(self):
        return " ".join(event.get("ResourceStatusReason", "") for event in self.events())

    def physical(self, logical_id):
        found = self.api.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def resources(self):
        found = self.api.describe_stack_resources(StackName=self.name)["StackResources"]
        return {resource["LogicalResourceId"]: resource for resource in found}

    def outputs(self):
        return {o["OutputKey"]: o["OutputValue"] for o in self.describe().get("Outputs", [])}

    def _given(self, resources, options):
        sections = {key: options.pop(key) for key in list(options) if key in SECTIONS}
        body = options.pop("text", None) or json.dumps({"Resources": resources, **sections})
        return {"StackName": self.name, "TemplateBody": body, "Capabilities": CAPABILITIES, **options}


SECTIONS = {"Outputs", "Conditions", "Mappings", "Rules", "Transform", "Description"}
