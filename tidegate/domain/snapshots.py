"""What CheckOutSource found in a commit: the documents that later tasks read instead of the source.

`Snapshot` lies at releases/<service>/<release>/snapshot.json beside source.zip. An artifact lies at
artifacts/<key>.zip, or, of an image, its manifest at artifacts/<key>.manifest.json; its bill of materials at
artifacts/<key>.cdx.json and its `Artifact` record at artifacts/<key>.json, which is written last: an artifact
exists when its record does. The record says what is so for every service and release that shares the
artifact; what a release adds is in its own documents.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from tidegate.domain.artifacts import Method, object_key
from tidegate.domain.config import ServiceConfig
from tidegate.domain.identity import Commit, Frozen
from tidegate.domain.images.recipes import Recipe
from tidegate.domain.nesting import split

MOST_BUILDS: Final = 10


class ImageSnapshot(Frozen):
    """What the image of a function is made of.

    `base` is the image that it begins from, in the ECR repository `repository`: by `digest`, the SHA-256
    (sha256:…) of its manifest. Without a recipe the base is the image, taken as it stands. `ignore` is the
    text of its .dockerignore, from the file `ignore_file`; `tree` is the hash of all that is copied.
    """

    base: str
    repository: str
    digest: str
    recipe: Recipe | None = None
    ignore: str = ""
    ignore_file: str = ""
    tree: str = ""


class FunctionSnapshot(Frozen):
    """A function of the template, or of a nested one (`<child>/<logical id>`), whose artifact is built.

    `artifact` is the content key: the SHA-256 (hex) of everything that can change the artifact's bytes.
    `code_uri` is relative to the source's root. `runtime` is what is built for; `declared_runtime` is what
    the template says, different only under the local override. `requirements` are Python's files that `lock`
    was resolved from. `member` is the package that is meant of a lock of npm's, `options` are esbuild's
    arguments. `has_layers`: a layer may hold the handler. `environment` are the variables that the template
    gives it; the values of `uncertain` ones are placeholders or defaults, and `is_open`: not even their names
    are known before deployment.
    """

    logical_id: str
    code_uri: str
    handler: str
    runtime: str
    declared_runtime: str
    architecture: str
    artifact: str
    method: Method = Method.PYTHON
    requirements: tuple[str, ...] = ()
    lock: str = Field("", description="where its lock lies; empty where it has no requirements")
    member: str = "."
    options: tuple[str, ...] = ()
    has_layers: bool = False
    environment: dict[str, str] = Field(default_factory=dict)
    uncertain: tuple[str, ...] = ()
    is_open: bool = False
    built_in: str = Field("", description="the image that CodeBuild builds it in; empty where Tidegate does")
    build_metadata: dict[str, Any] = Field(default_factory=dict, description="what `sam build` is told of it")
    line: int = Field(0, description="of the function in the template")
    image: ImageSnapshot | None = Field(None, description="of a function that is packaged as an image")

    @property
    def object_key(self) -> str:
        """Where its artifact lies: a zip, or an image's manifest."""
        return object_key(self.method, self.artifact)


class PackageSnapshot(Frozen):
    """Another local file or folder that the template refers to, as `sam package` would upload it.

    It lies at packages/<sha256><suffix> in the artifact bucket; `key` is that key.
    """

    logical_id: str
    property_path: str
    key: str
    bill: str = Field("", description="where its bill of materials lies; empty where it is no layer")


class ChildTemplate(Frozen):
    """The template of a nested stack, by the path of that stack: `<child>`, or `<child>/<grandchild>`."""

    path: str
    file: str = Field(description="relative to the source's root")
    text: str


class Deployment(Frozen):
    """What samconfig.toml says about a deployment, per stage or for all."""

    stack_name: str | None = None
    parameters: dict[str, str] = Field(default_factory=dict)
    capabilities: tuple[str, ...] = ()


class TestsSnapshot(Frozen):
    """How the service's own tests are run; `requirements` are files relative to the source's root."""

    __test__ = False  # pytest would collect it by its name

    command: str
    requirements: tuple[str, ...]
    timeout: int = Field(description="seconds")
    report: str = Field("", description="the JUnit XML that the command writes, if it is not pytest's")


class Snapshot(Frozen):
    """Everything that a release needs to know of its commit's source."""

    commit: Commit
    template: str = Field(description="path of the template, relative to the source's root")
    template_text: str
    config: ServiceConfig
    deployments: dict[str, Deployment] = Field(description="by samconfig environment; `default` among them")
    functions: tuple[FunctionSnapshot, ...]
    packages: tuple[PackageSnapshot, ...]
    to_build: tuple[str, ...] = Field(description="content keys without an artifact yet, each once, sorted")
    has_tests: bool
    tests: TestsSnapshot | None = Field(None, description="absent where there are none")
    children: tuple[ChildTemplate, ...] = Field((), description="nested stacks, parents first")
    notes: tuple[str, ...] = Field((), description="what the operator should know, such as an override")

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the nested stacks, parents first."""
        return tuple(child.path for child in self.children)

    @property
    def texts(self) -> dict[str, str]:
        """The text of each template by its file."""
        return {self.template: self.template_text, **{child.file: child.text for child in self.children}}

    def file_of(self, function: FunctionSnapshot) -> str:
        """The file of the template that a function stands in."""
        path = split(function.logical_id)[0]
        return next((child.file for child in self.children if child.path == path), self.template)

    @property
    def builds(self) -> int:
        """How many builds go side by side; each makes its share of the artifacts."""
        return min(len(self.to_build), MOST_BUILDS)

    def share(self, build: int) -> tuple[str, ...]:
        """The content keys that one of the builds makes."""
        return self.to_build[build :: self.builds]

    def function_of(self, artifact: str) -> FunctionSnapshot:
        """A function with that artifact; functions with equal content share one."""
        return next(function for function in self.functions if function.artifact == artifact)


class Artifact(Frozen):
    """The record of a built artifact.

    `bill` is the key of its bill of materials, `bill_sha256` the SHA-256 (hex) of that document's bytes.
    """

    key: str
    sha256: str = Field(description="of the zip's bytes, hexadecimal")
    size: int
    unzipped_size: int
    runtime: str
    architecture: str
    lock: tuple[str, ...] = Field(description="the pinned requirements that went in, name==version")
    method: Method = Method.PYTHON
    bill: str
    bill_sha256: str
    components: int = Field(description="how many the bill lists")
    built_in: str = Field("", description="the image that CodeBuild built it in; empty where Tidegate did")
