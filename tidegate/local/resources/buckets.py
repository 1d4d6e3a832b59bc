"""AWS::S3::Bucket and AWS::S3::BucketPolicy."""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.bucket_settings import SETTINGS
from tidegate.local.resources.kinds import Kind, Naming, Request
from tidegate.local.stack_errors import ResourceFailure

AT_CREATION: Final = frozenset({"BucketName", "ObjectLockEnabled", "AccessControl", "Tags"})


class Bucket(Kind):
    """A bucket; Ref is its name. It can only be deleted while it is empty, as on AWS."""

    type = "AWS::S3::Bucket"
    create_only = frozenset({"BucketName", "ObjectLockEnabled"})
    naming = Naming("BucketName", 63, lower=True)
    tagging = "list"

    def create(self, request: Request) -> None:
        """CreateBucket, then each setting that the template gives."""
        own: dict[str, Any] = {}
        if request.region != "us-east-1":
            own["CreateBucketConfiguration"] = {"LocationConstraint": request.region}
        if "AccessControl" in request.properties:
            own["ACL"] = _write_acl(request.properties["AccessControl"])
        if "ObjectLockEnabled" in request.properties:
            own["ObjectLockEnabledForBucket"] = request.properties["ObjectLockEnabled"]
        self._check_free(request)
        request.call("s3", "create_bucket", Bucket=request.name, **own)
        host = f"{request.name}.s3.amazonaws.com"
        request.settle(
            request.name,
            Arn=f"arn:aws:s3:::{request.name}",
            DomainName=host,
            RegionalDomainName=f"{request.name}.s3.{request.region}.amazonaws.com",
            DualStackDomainName=f"{request.name}.s3.dualstack.{request.region}.amazonaws.com",
            WebsiteURL=f"http://{request.name}.s3-website-{request.region}.amazonaws.com",
        )
        self._settle(request, set(request.properties))

    def update(self, request: Request) -> None:
        """Each setting that changed."""
        if "AccessControl" in request.changed:
            acl = _write_acl(request.properties.get("AccessControl", "Private"))
            request.call("s3", "put_bucket_acl", Bucket=request.physical_id, ACL=acl)
        self._settle(request, request.changed)

    def delete(self, request: Request) -> None:
        """DeleteBucket."""
        request.discard("s3", "delete_bucket", Bucket=request.physical_id)

    @staticmethod
    def _check_free(request: Request) -> None:
        # S3 in us-east-1 answers a second CreateBucket by the same owner with a success.
        owned = request.call("s3", "list_buckets")["Buckets"]
        if any(bucket["Name"] == request.name for bucket in owned):
            raise ResourceFailure(f"{request.name} already exists")

    @staticmethod
    def _settle(request: Request, changed: set[str]) -> None:
        bucket = request.physical_id
        for name in sorted(changed - AT_CREATION):
            if name not in SETTINGS:
                raise ResourceFailure(f"AWS::S3::Bucket {name} is not available in the local cloud")
            setting = SETTINGS[name]
            if name in request.properties:
                value = setting.convert(request.properties[name])
                request.call("s3", setting.put, Bucket=bucket, **{setting.parameter: value})
            elif setting.take:
                request.call("s3", setting.take, Bucket=bucket)
            else:
                request.call("s3", setting.put, Bucket=bucket, **{setting.parameter: setting.default})
        if "Tags" in changed:
            request.call("s3", "put_bucket_tagging", Bucket=bucket, Tagging={"TagSet": request.tag_list()})


def _write_acl(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


class BucketPolicy(Kind):
    """A bucket's policy."""

    type = "AWS::S3::BucketPolicy"
    create_only = frozenset({"Bucket"})

    def create(self, request: Request) -> None:
        """PutBucketPolicy."""
        self.update(request)
        request.settle(request.properties["Bucket"])

    def update(self, request: Request) -> None:
        """The same."""
        own = {"Bucket": request.properties["Bucket"], "Policy": request.properties["PolicyDocument"]}
        request.call("s3", "put_bucket_policy", **own)

    def delete(self, request: Request) -> None:
        """DeleteBucketPolicy."""
        request.discard("s3", "delete_bucket_policy", Bucket=request.properties["Bucket"])


KINDS: Final = (Bucket, BucketPolicy)
