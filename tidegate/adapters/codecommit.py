"""How one is let into a CodeCommit repository over HTTPS: by a request that is signed, for some minutes.

The user's name is the access key (and session token), the password a time and a signature. Nothing is stored.
Source: AWS Signature Version 4 (AWS IAM User Guide, "Create a signed AWS API request"), with git's own method
`GIT`, the repository's path and the host as all that is signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from tidegate.adapters.clones import Remote

if TYPE_CHECKING:
    from datetime import datetime

SERVICE: Final = "codecommit"
METHOD: Final = "GIT"


def sign_remote(name: str, region: str, credentials: Any, now: datetime) -> Remote:  # noqa: ANN401 (botocore's)
    """A repository of a region, signed for now with credentials as botocore has them, frozen."""
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    host = f"git-codecommit.{region}.{suffix}"
    key, token = credentials.access_key, credentials.token
    return Remote(
        folder=f"https://{host}/v1/repos/",
        name=name,
        username=f"{key}%{token}" if token else key,
        password=sign(f"/v1/repos/{name}", host, region, credentials, now),
    )


def sign(path: str, host: str, region: str, credentials: Any, now: datetime) -> str:  # noqa: ANN401 (botocore's)
    """The password for a path of a host: the time, `Z`, and the signature of both."""
    request = AWSRequest(method=METHOD, url=f"https://{host}{path}")
    request.context["timestamp"] = now.strftime("%Y%m%dT%H%M%S")
    signer = SigV4Auth(credentials, SERVICE, region)
    text = signer.string_to_sign(request, f"{METHOD}\n{path}\n\nhost:{host}\n\nhost\n")
    return f"{request.context['timestamp']}Z{signer.signature(text, request)}"
