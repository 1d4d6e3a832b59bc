"""Names of images as Dockerfiles and templates write them, and which repository stands for each.

Images are read from Amazon ECR alone, and from repositories that the pipeline's configuration names: a build
has rights on these and on no others. So a public image is named together with the copy that stands for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import Field

from tidegate.domain.errors import UnsupportedTemplate
from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .documents import Runtime

REFERENCE: Final = re.compile(
    r"(?P<name>[a-zA-Z0-9][\w.-]*(?:(?::[0-9]+)?(?:/[\w.-]+)+)?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
REGISTRY: Final = re.compile(
    r"(?P<account>[0-9]{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<repository>.+)"
)
TASK_ROOT: Final = "LAMBDA_TASK_ROOT"
LAMBDA_PYTHON: Final = "AWS_Lambda_python"
TAGGED_PYTHON: Final = re.compile(r"(3\.\d{1,2})(?![\d])")


class BaseImage(Frozen):
    """An image that functions may be built on: its name in Dockerfiles, and the repository to read it from.

    An empty name means the repository's own address.
    """

    repository: str = Field(pattern=r"^[a-z0-9]+(?:[._/-][a-z0-9]+)*$", max_length=256)
    name: str = Field("", pattern=r"^(?:[a-zA-Z0-9][\w.-]*(?:(?::[0-9]+)?(?:/[\w.-]+)+)?)?$")


class Images(Frozen):
    """The base images that a pipeline knows, and the account and region that their repositories are in."""

    account: str
    region: str
    bases: tuple[BaseImage, ...] = ()


class Reference(NamedTuple):
    """An image's name without tag and digest, and these; one of them may be empty."""

    name: str
    tag: str
    digest: str

    @property
    def identifier(self) -> str:
        """What a registry is asked for: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"


def read_reference(text: str) -> Reference | None:
    """The parts of an image's name; None where it is none."""
    found = REFERENCE.fullmatch(text)
    return Reference(found["name"], found["tag"] or "", found["digest"] or "") if found else None


def find_repository(
    reference: Reference, known: Iterable[BaseImage], account: str, region: str
) -> str | None:
    """The repository that is read for a name; None where the configuration names none."""
    own = REGISTRY.fullmatch(reference.name)
    for one in known:
        if one.name and reference.name in {one.name, f"docker.io/{one.name}"}:
            return one.repository
        if (
            own
            and own["repository"] == one.repository
            and (own["account"], own["region"]) == (account, region)
        ):
            return one.repository
    return None


def find_python(runtime: Runtime, image: str, file: str, line: int) -> str:
    """The runtime, such as python3.13, of an image: by its variables, else by its tag."""
    reference = read_reference(image) or Reference(image, "", "")
    told = runtime.environment.get("AWS_EXECUTION_ENV", "")
    version = told.removeprefix(LAMBDA_PYTHON) if told.startswith(LAMBDA_PYTHON) else ""
    version = version or runtime.environment.get("PYTHON_VERSION", "") or reference.tag
    found = TAGGED_PYTHON.match(version)
    if found is None:
        message = (
            f"the image {reference.name} does not tell its version of Python: neither AWS_EXECUTION_ENV "
        )
        message += "nor PYTHON_VERSION nor its tag do"
        raise UnsupportedTemplate(message, file=file, line=line)
    if "alpine" in reference.tag:
        message = f"{reference.name}:{reference.tag} is built on Alpine, for which Tidegate chooses no wheels"
        raise UnsupportedTemplate(message, file=file, line=line)
    return f"python{found[1]}"


def packages_folder(runtime: Runtime, python: str) -> str:
    """Where the pip of an image installs to, without the first slash; empty where that is not known.

    Lambda's images have their interpreter in /var/lang, Docker's official ones theirs in /usr/local.
    """
    variables = runtime.environment
    lambdas = TASK_ROOT in variables or "/var/lang/bin" in variables.get("PATH", "").split(":")
    prefix = "var/lang" if lambdas else "usr/local" if "PYTHON_VERSION" in variables else ""
    return f"{prefix}/lib/{python}/site-packages" if prefix else ""


def image_uri(account: str, region: str, repository: str, digest: str) -> str:
    """The address that Lambda takes an image by."""
    return f"{account}.dkr.ecr.{region}.amazonaws.com/{repository}@{digest}"
