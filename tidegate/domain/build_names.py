"""Names of what CodeBuild builds with: infrastructure draws them, tasks call them; values only."""

from __future__ import annotations

from typing import Final

PROJECT: Final = "tidegate-builds"
LOG_GROUP: Final = f"/aws/codebuild/{PROJECT}"
# The version of the SAM CLI in the images, if the pipeline's configuration names none.
IMAGES: Final = "1.161.0"
MACHINES: Final = {"x86_64": "LINUX_CONTAINER", "arm64": "ARM_CONTAINER"}
# Minutes that a build may take, and may wait for a machine: together less than its URLs are good for.
LONGEST: Final = 30
LONGEST_QUEUED: Final = 20


def name_image(runtime: str, architecture: str, version: str) -> str:
    """AWS SAM's image for a runtime, by the version of the SAM CLI in it.

    Source: AWS SAM Developer Guide, "Image repositories for AWS SAM".
    """
    return f"public.ecr.aws/sam/build-{runtime}:{version}-{architecture}"
