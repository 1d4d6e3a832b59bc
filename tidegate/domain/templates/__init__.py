"""What Tidegate understands of SAM and CloudFormation templates, as pure functions over plain data.

In the order of use: refuse_unsupported, read_functions and read_packages (the raw template), place, prepare,
then the adapter's translate, then normalize; adopt compares the result with what is deployed, and
changed_functions and diff_notices read the change set. May not read text, call the translator or know AWS
clients.
"""

from __future__ import annotations

from .adoption import Adoption, adopt
from .aliases import RolledFunction
from .changes import ChangedResource, changed_functions, diff_notices
from .definitions import unqualify_definition
from .functions import FunctionSource, read_functions
from .normalization import Normalized, normalize
from .notices import Notice, NoticeKind
from .packages import PackageKey, PackageSource, read_packages
from .placement import S3Object, place
from .preparation import DeploymentPreference, Prepared, prepare
from .refusals import refuse_unsupported
from .template import Template

__all__ = [
    "Adoption",
    "ChangedResource",
    "DeploymentPreference",
    "FunctionSource",
    "Normalized",
    "Notice",
    "NoticeKind",
    "PackageKey",
    "PackageSource",
    "Prepared",
    "RolledFunction",
    "S3Object",
    "Template",
    "adopt",
    "changed_functions",
    "diff_notices",
    "normalize",
    "place",
    "prepare",
    "read_functions",
    "read_packages",
    "refuse_unsupported",
    "unqualify_definition",
]
