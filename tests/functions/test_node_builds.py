"""Functions in Node from a commit to an artifact: source with its packages, and bundles of both."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.functions.test_build_function import build, contents, prepare, read_bill, remove
from tests.tarballs import add, lock, make_package, serve
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.esbuild import bundle
from tidegate.adapters.module_locks import own_platform
from tidegate.adapters.module_shelves import ModuleShelf
from tidegate.adapters.shelves import fragment_key
from tidegate.domain.artifacts import archive_key, record_key
from tidegate.domain.bundles import ESBUILD as ESBUILD_VERSION
from tidegate.domain.bundles import find_program
from tidegate.domain.errors import BuildFailed, InvalidTemplate, TidegateError, UnsupportedTemplate
from tidegate.domain.snapshots import Artifact, Snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Repository
    from tests.functions.conftest import Pipeline
    from tests.package_index import PackageIndex
    from tidegate.domain.identity import Commit

Files = dict[str, str | bytes]


def template(metadata: dict[str, Any] | None = None, **properties: Any) -> str:
    told = {"CodeUri": "src", "Handler": "app.handler", "Runtime": "nodejs22.x", **properties}
    only = {"Type": "AWS::Serverless::Function", "Properties": told, "Metadata": metadata or {}}
    return json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Only": only}})


def service(index: PackageIndex, **files: str | bytes) -> Files:
    packages = {
        "node_modules/one": {**add(index, "one"), "dependencies": {"@s/two": "1"}},
        "node_modules/@s/two": add(index, "@s/two", license="MIT"),
        "node_modules/dev": {**add(index, "dev"), "dev": True},
    }
    asked = {"dependencies": {"one": "^1.0.0"}, "devDependencies": {"dev": "1"}}
    return {
        "template.yaml": template(),
        "src/app.js": "exports.handler = async () => require('one');\n",
        "src/package.json": json.dumps({"name": "svc", **asked}),
        "src/package-lock.json": lock(packages, **asked),
        "src/.npmrc": "loglevel=silent\n",
        **files,
    }


def snapshot_of(pipeline: Pipeline, commit: Commit) -> Snapshot:
    return pipeline.tools.documents.read(f"{release_prefix(pipeline.ref(commit))}snapshot.json", Snapshot)


def make(pipeline: Pipeline, repository: Repository, files: Files) -> tuple[Commit, str]:
    repository.git("rm", "-r", "-f", "--quiet", "--ignore-unmatch", ".")
    commit, key = prepare(pipeline, repository, {"src/app.py": "", "src/pkg/data.txt": "", **files})
    if snapshot_of(pipeline, commit).to_build:
        build(pipeline, commit)
    return commit, key


def test_source_lies_beside_the_packages_of_its_lock(
    pipeline: Pipeline, repository: Repository, index: PackageIndex
) -> None:
    files = service(index, **{"src/node_modules/stray/index.js": ""})
    commit, key = make(pipeline, repository, files)
    assert sorted(contents(pipeline, key)) == [
        "app.js",
        "app.py",
        "node_modules/@s/two/index.js",
        "node_modules/@s/two/package.json",
        "node_modules/one/index.js",
        "node_modules/one/package.json",
        "package.json",
        "pkg/data.txt",
    ]
    record = pipeline.tools.documents.read(record_key(key), Artifact)
    assert (record.runtime, record.method, record.lock) == (
        "nodejs22.x",
        "npm",
        ("@s/two@1.0.0", "one@1.0.0"),
    )
    (function,) = snapshot_of(pipeline, commit).functions
    assert function.requirements == ()  # the tests' environment is Python's
    assert pipeline.tools.documents.find_bytes(function.lock) == files["src/package-lock.json"].encode()
    bill = read_bill(pipeline, key)
    assert [one["purl"] for one in bill["components"]] == ["pkg:npm/%40s/two@1.0.0", "pkg:npm/one@1.0.0"]
    assert {one["hashes"][0]["alg"] for one in bill["components"]} == {"SHA-512"}


def test_only_what_can_change_the_bytes_gives_another_artifact(
    pipeline: Pipeline, repository: Repository, index: PackageIndex
) -> None:
    files = service(index)
    _, first = make(pipeline, repository, files)
    packages = json.loads(files["src/package-lock.json"])
    packages["packages"]["node_modules/dev"]["version"] = "9.9.9"
    asked = len(index.asked)
    same = {**files, "src/package-lock.json": json.dumps(packages), "src/.npmrc": "", "README.md": "x"}
    assert make(pipeline, repository, same)[1] == first
    others = [
        {**files, "src/app.js": "exports.handler = async () => 1;\n"},
        {**files, "template.yaml": template(Architectures=["arm64"], Runtime="nodejs20.x")},
    ]
    keys = {first, *(make(pipeline, repository, other)[1] for other in others)}
    assert len(keys) == 3
    assert len(index.asked) == asked, "packages are fetched once"


def test_an_artifact_has_the_same_bytes_wherever_it_is_built(
    pipeline: Pipeline, repository: Repository, index: PackageIndex
) -> None:
    commit, key = make(pipeline, repository, service(index))
    first = pipeline.tools.documents.find_bytes(archive_key(key))
    remove(pipeline, archive_key(key), record_key(key), *pipeline.keys("fragments/"))
    assert build(pipeline, commit).built
    assert pipeline.tools.documents.find_bytes(archive_key(key)) == first


def test_the_root_s_lock_counts_where_nothing_beside_the_code_does(
    pipeline: Pipeline, repository: Repository, index: PackageIndex
) -> None:
    files = service(index)
    moved = {path.replace("src/p", "p"): text for path, text in files.items()}
    commit, key = make(pipeline, repository, moved)
    assert "node_modules/one/index.js" in contents(pipeline, key)
    notes = snapshot_of(pipeline, commit).notes
    assert [note for note in notes if "package-lock.json says what is required" in note]
    # What lies beside the code is taken as it is.
    _, key = make(pipeline, repository, {**moved, "src/node_modules/own/index.js": ""})
    assert [path for path in contents(pipeline, key) if path.startswith("node_modules/")] == [
        "node_modules/own/index.js"
    ]
    _, key = make(pipeline, repository, {**moved, "src/package.json": "{}"})
    assert "node_modules/one/index.js" not in contents(pipeline, key)


def test_a_member_of_a_workspace_has_the_workspace_s_lock(
    pipeline: Pipeline, repository: Repository, index: PackageIndex
) -> None:
    files = service(index)
    data = json.loads(files.pop("src/package-lock.json"))
    data["packages"] = {**data["packages"], "": {"workspaces": ["src"]}, "src": data["packages"][""]}
    files |= {"package-lock.json": json.dumps(data), "package.json": '{"workspaces": ["src"]}'}
    commit, key = make(pipeline, repository, files)
    assert "node_modules/one/index.js" in contents(pipeline, key)
    assert snapshot_of(pipeline, commit).functions[0].member == "src"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"src/package-lock.json": None},
            r"^src/package\.json: one required, and there is no package-lock.json ",
        ),
        (
            {"src/package-lock.json": None, "src/yarn.lock": ""},
            r"yarn\.lock is not read: run `npm install --pack",
        ),
        ({"src/package.json": '{"dependencies": {"one": "^2"}}'}, r"asks for one \^2, .* made for one \^1"),
        ({"src/package.json": "{"}, r"^src/package\.json: not valid JSON"),
        ({"src/package.json": '{"dependencies": 3}'}, r"an entry has an unknown shape"),
        (
            {"src/app.js": None},
            r"^template\.yaml:\d+: Only in src: the handler 'app\.handler' has no module app\.js",
        ),
        ({"template.yaml": template({"BuildMethod": "python-uv"})}, "Only has BuildMethod python-uv"),
    ],
)
def test_what_cannot_be_built_is_named(
    pipeline: Pipeline, repository: Repository, index: PackageIndex, changes: dict[str, Any], message: str
) -> None:
    files = {path: text for path, text in {**service(index), **changes}.items() if text is not None}
    with pytest.raises(TidegateError, match=message):
        make(pipeline, repository, files)


def test_install_scripts_are_told_and_not_run(
    pipeline: Pipeline, repository: Repository, index: PackageIndex
) -> None:
    files = service(index)
    data = json.loads(files["src/package-lock.json"])
    body = make_package("one", "1.0.0", scripts={"postinstall": "touch /tmp/evil"})
    data["packages"]["node_modules/one"] = serve(index, body, "one", "1.0.0", hasInstallScript=True)
    commit, _ = make(pipeline, repository, {**files, "src/package-lock.json": json.dumps(data)})
    assert "the install scripts of one 1.0.0 are not run (Only)" in snapshot_of(pipeline, commit).notes


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The fragment of esbuild's program, fetched once for all tests."""
    machine = own_platform()
    shelf = ModuleShelf(tmp_path_factory.mktemp("esbuild"))
    return shelf.find(find_program(f"{machine.os}-{machine.cpu}")).file.read_bytes()


@pytest.fixture
def esbuild(program: bytes, pipeline: Pipeline) -> None:
    machine = own_platform()
    sha512 = find_program(f"{machine.os}-{machine.cpu}").sha512
    pipeline.tools.documents.write_bytes(fragment_key(sha512), program)


ESBUILD: dict[str, Any] = {
    "BuildMethod": "esbuild",
    "BuildProperties": {"EntryPoints": ["app.ts"], "Minify": False},
}


def bundled(index: PackageIndex, **files: str | bytes) -> Files:
    found = service(index, **{"template.yaml": template(ESBUILD), **files})
    code = "import one from 'one';\nexport const handler = async (event: object): Promise<string> => one;\n"
    return {
        **{path: text for path, text in found.items() if path != "src/app.js"},
        "src/app.ts": code,
        **files,
    }


@pytest.mark.registry
@pytest.mark.usefixtures("esbuild")
def test_a_bundle_holds_what_its_code_uses(
    pipeline: Pipeline, repository: Repository, index: PackageIndex
) -> None:
    files = bundled(index)
    data = json.loads(files["src/package-lock.json"])
    data["packages"]["node_modules/esbuild"] = {"version": "0.1.0", "dev": True}
    commit, key = make(pipeline, repository, {**files, "src/package-lock.json": json.dumps(data)})
    (note,) = [one for one in snapshot_of(pipeline, commit).notes if "esbuild" in one]
    assert note == f"bundled by esbuild {ESBUILD_VERSION}, and not by the lock's 0.1.0 (Only)"
    found = contents(pipeline, key)
    assert list(found) == ["app.js"]
    assert b"one 1.0.0" in found["app.js"]
    bill = read_bill(pipeline, key)
    assert [(one["purl"], one["hashes"][0]["alg"]) for one in bill["components"]] == [
        ("pkg:npm/one@1.0.0", "SHA-512")
    ]
    first = pipeline.tools.documents.find_bytes(archive_key(key))
    remove(pipeline, archive_key(key), record_key(key))
    assert build(pipeline, commit).built
    assert pipeline.tools.documents.find_bytes(archive_key(key)) == first


@pytest.mark.registry
@pytest.mark.usefixtures("esbuild")
@pytest.mark.parametrize(
    ("properties", "handler", "files", "outputs"),
    [
        (
            {"EntryPoints": ["lib/app.ts"]},
            "lib/app.handler",
            {"src/lib/app.ts": "export const handler = 1"},
            ["lib/app.js"],
        ),
        (
            {"EntryPoints": ["lib/app.ts"]},
            "app.handler",
            {"src/lib/app.ts": "export const handler = 1"},
            ["app.js"],
        ),
        ({}, "app.handler", {}, ["app.js"]),
        ({"Sourcemap": True}, "app.handler", {}, ["app.js", "app.js.map"]),
        ({"OutExtension": [".js=.mjs"], "Format": "esm"}, "app.handler", {}, ["app.mjs"]),
        ({"EntryPoints": ["app.ts", "b/c.ts"]}, "app.handler", {"src/b/c.ts": ""}, ["app.js", "b/c.js"]),
    ],
)
def test_outputs_lie_where_the_handler_names_them(
    pipeline: Pipeline,
    repository: Repository,
    index: PackageIndex,
    properties: Any,
    handler: str,
    files: Any,
    outputs: Any,
) -> None:
    metadata = {"BuildMethod": "esbuild", "BuildProperties": properties}
    text = template(metadata, Handler=handler)
    _, key = make(pipeline, repository, bundled(index, **{"template.yaml": text, **files}))
    assert sorted(contents(pipeline, key)) == outputs


@pytest.mark.registry
@pytest.mark.usefixtures("esbuild")
def test_what_is_external_is_not_in_the_bundle(
    pipeline: Pipeline, repository: Repository, index: PackageIndex
) -> None:
    metadata = {"BuildMethod": "esbuild", "BuildProperties": {"External": ["one"], "Target": "es2022"}}
    _, key = make(pipeline, repository, bundled(index, **{"template.yaml": template(metadata)}))
    assert b'require("one")' in contents(pipeline, key)["app.js"]
    assert read_bill(pipeline, key)["components"] == []


@pytest.mark.registry
@pytest.mark.usefixtures("esbuild")
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import 'nowhere';", r'^app\.ts:1: Only in src: Could not resolve "nowhere"'),
        ("const = 1", r"^app\.ts:1: Only in src: "),
        (
            "import x from '/etc/hostname'; console.log(x)",
            "Only in src imports .*etc/hostname, which is neither in",
        ),
        ("import x from '/proc/self/environ'; console.log(x)", "Only in src"),
    ],
)
def test_what_cannot_be_bundled_is_named(
    pipeline: Pipeline, repository: Repository, index: PackageIndex, code: str, message: str
) -> None:
    metadata: dict[str, Any] = {"BuildMethod": "esbuild", "BuildProperties": {}}
    files = bundled(index, **{"template.yaml": template(metadata), "src/app.ts": code})
    with pytest.raises(BuildFailed, match=message) as caught:
        make(pipeline, repository, files)
    assert "\n" not in str(caught.value)
    assert not pipeline.keys("artifacts/")


@pytest.mark.registry
@pytest.mark.usefixtures("esbuild")
def test_what_is_written_outside_of_the_bundle_ends_the_build(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.ts").write_text("export const handler = 1;\n")
    options = ("--bundle", "--platform=node", "--out-extension:.js=./../../stray", "app=app.ts")
    shelf = ModuleShelf(tmp_path / "shelf", pipeline.tools.documents)
    with pytest.raises(BuildFailed, match=r"^F: esbuild wrote \.\./stray, which is outside of the bundle"):
        bundle(tmp_path, options, shelf, "F")
    assert (tmp_path / "stray").exists(), "esbuild itself does not refuse it"


@pytest.mark.registry
@pytest.mark.usefixtures("esbuild")
@pytest.mark.parametrize("kind", ["linked", "inline", "external"])
def test_a_source_map_holds_no_file_of_the_builders(
    pipeline: Pipeline, repository: Repository, index: PackageIndex, kind: str
) -> None:
    def build_with(source: str, **more: Any) -> bytes:
        told = {"version": 3, "sources": [source], "mappings": "AAAA", "names": [], **more}
        comment = base64.b64encode(json.dumps(told).encode()).decode()
        code = f"exports.handler = 1;\n//# sourceMappingURL=data:application/json;base64,{comment}\n"
        metadata = {"BuildMethod": "esbuild", "BuildProperties": {"Sourcemap": kind}}
        files = {"template.yaml": template(metadata), "src/app.js": code}
        found = {path: body for path, body in bundled(index, **files).items() if path != "src/app.ts"}
        return contents(pipeline, make(pipeline, repository, found)[1])["app.js"]

    with pytest.raises(BuildFailed, match=r"^Only in src: its source map holds \S*etc/hostname, which is"):
        build_with("/etc/hostname")
    assert not pipeline.keys("artifacts/")
    assert build_with("/nowhere/at/all.ts")
    assert build_with("../../elsewhere.ts", sourcesContent=["its own"])
    assert build_with("package.json")


def test_an_entry_point_is_never_read_as_an_option(
    pipeline: Pipeline, repository: Repository, index: PackageIndex
) -> None:
    properties = {"EntryPoints": ["lib/--outdir.ts", "lib/app.ts"]}
    text = template({"BuildMethod": "esbuild", "BuildProperties": properties})
    files = {"src/lib/--outdir.ts": "", "src/lib/app.ts": "export const handler = 1;\n"}
    with pytest.raises(InvalidTemplate, match="the entry point --outdir cannot be named to esbuild"):
        make(pipeline, repository, bundled(index, **{"template.yaml": text, **files}))


@pytest.mark.parametrize(
    ("properties", "error", "message"),
    [
        ({"Plugins": ["x"]}, UnsupportedTemplate, "Only has the BuildProperties Plugins, which"),
        ({"Minify": "perhaps"}, InvalidTemplate, r"Only: BuildProperties\.Minify cannot be 'perhaps'"),
        ({"External": "one"}, InvalidTemplate, r"BuildProperties\.External cannot be 'one'"),
        ({"Target": {"Ref": "X"}}, InvalidTemplate, r"BuildProperties\.Target cannot be"),
        ({"EntryPoints": ["other.ts"]}, InvalidTemplate, "the entry point other.ts does not exist"),
        ({"EntryPoints": ["../../app"]}, InvalidTemplate, "does not exist"),
        ({"EntryPoints": "app.ts"}, InvalidTemplate, "EntryPoints must be a list"),
        (
            {"Tsconfig": "../tsconfig.json"},
            InvalidTemplate,
            r"Tsconfig: \.\./tsconfig\.json is not in the code",
        ),
        (
            {"OutExtension": [".js=./../../x"]},
            InvalidTemplate,
            r"OutExtension: \.js=\./\.\./\.\./x is not such",
        ),
    ],
)
def test_properties_that_cannot_be_meant_are_refused(
    pipeline: Pipeline, repository: Repository, index: PackageIndex, properties: Any, error: Any, message: str
) -> None:
    text = template({"BuildMethod": "esbuild", "BuildProperties": properties})
    with pytest.raises(error, match=message):
        make(pipeline, repository, bundled(index, **{"template.yaml": text}))


def test_a_layer_holds_its_packages_in_node_s_folder(
    pipeline: Pipeline, repository: Repository, index: PackageIndex
) -> None:
    files = service(index)
    layer = {
        "Type": "AWS::Serverless::LayerVersion",
        "Properties": {"ContentUri": "shared"},
        "Metadata": {"BuildMethod": "nodejs22.x"},
    }
    text = json.loads(template())
    text["Resources"]["Shared"] = layer
    moved = {path.replace("src/p", "shared/p"): body for path, body in files.items()}
    commit, _ = make(pipeline, repository, {**moved, "template.yaml": json.dumps(text), "shared/own.js": ""})
    (package,) = snapshot_of(pipeline, commit).packages
    body = pipeline.tools.documents.find_bytes(package.key) or b""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert sorted(archive.namelist()) == [
            "nodejs/node_modules/@s/two/index.js",
            "nodejs/node_modules/@s/two/package.json",
            "nodejs/node_modules/one/index.js",
            "nodejs/node_modules/one/package.json",
            "nodejs/own.js",
            "nodejs/package.json",
        ]
    bill = json.loads(pipeline.tools.documents.find_bytes(package.bill) or b"")
    assert {one["hashes"][0]["alg"] for one in bill["components"]} == {"SHA-512"}
