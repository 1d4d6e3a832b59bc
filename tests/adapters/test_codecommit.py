from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

from botocore.credentials import ReadOnlyCredentials

from tidegate.adapters.codecommit import sign_remote

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
HOST = "git-codecommit.eu-west-1.amazonaws.com"


def test_a_repository_is_signed_as_the_signatures_guide_says() -> None:
    """Computed here step by step, after "Create a signed AWS API request" in the AWS IAM User Guide."""
    remote = sign_remote("Billing", "eu-west-1", ReadOnlyCredentials("AKID", "wJalr/secret", "a/token="), NOW)
    assert (remote.folder, remote.name, remote.suffix) == (f"https://{HOST}/v1/repos/", "Billing", "")
    assert remote.username == "AKID%a/token="
    request = f"GIT\n/v1/repos/Billing\n\nhost:{HOST}\n\nhost\n"
    scope = "20260304/eu-west-1/codecommit/aws4_request"
    text = f"AWS4-HMAC-SHA256\n20260304T050607\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = b"AWS4wJalr/secret"
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert remote.password == f"20260304T050607Z{hmac.digest(key, text.encode(), 'sha256').hex()}"


def test_credentials_that_last_have_no_token() -> None:
    remote = sign_remote("Billing", "cn-north-1", ReadOnlyCredentials("AKID", "secret", None), NOW)
    assert remote.username == "AKID"
    assert remote.folder == "https://git-codecommit.cn-north-1.amazonaws.com.cn/v1/repos/"
    assert "secret" not in repr(remote)
