from __future__ import annotations

import pytest

from tidegate.adapters.lock_files import list_pins, parse_lock, write_texts
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Lock, Target

TARGET = Target("3.13", "x86_64-manylinux_2_34")
ONE = "1" * 64
URL = "https://files.example.com/a/idna-3.10%2Blocal-py3-none-any.whl?x=1#y"
HEAD = 'lock-version = "1.0"\ncreated-by = "uv"\n'


def package(name: str = "Idna", more: str = "", url: str = URL, hashes: str = f'sha256 = "{ONE}"') -> str:
    wheel = f'{{ url = "{url}", size = 7, hashes = {{ {hashes} }} }}'
    return f'[[packages]]\nname = "{name}"\nversion = "3.10"\nwheels = [{wheel}]\n{more}\n'


def test_a_lock_names_one_wheel_of_each_package() -> None:
    lock = parse_lock(HEAD + package("Zope.Event") + package(), "r.txt", TARGET)
    assert [wheel.name for wheel in lock.wheels] == ["idna", "zope-event"]
    wheel = lock.wheels[0]
    assert (wheel.version, wheel.sha256, wheel.size) == ("3.10", ONE, 7)
    assert wheel.filename == "idna-3.10+local-py3-none-any.whl"
    assert lock.hashes == (ONE, ONE)
    assert parse_lock(HEAD, "r.txt", TARGET) == Lock()


def test_a_wheel_named_by_its_address_is_an_archive() -> None:
    text = f'{HEAD}[[packages]]\nname = "a"\narchive = {{ url = "{URL}", hashes = {{ sha256 = "{ONE}" }} }}\n'
    assert parse_lock(text, "r.txt", TARGET).wheels[0].url == URL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a =", "not valid TOML"),
        ("", "lock-version is None"),
        (HEAD + 'packages = ["x"]', "an entry has an unknown shape"),
        (HEAD + package() + package("idna"), "idna stands twice"),
        (HEAD + package(more='vcs = { type = "git" }'), "is a vcs"),
        (HEAD + '[[packages]]\nname = "x"\ndirectory = { path = "../x" }', r"x is a directory \(\.\./x\)"),
        ('lock-version = "1.0"\nrequires-python = ">=3.14"\n', r"requires Python >=3\.14"),
        (HEAD + package(more='requires-python = "<3.13"'), r"idna==3\.10: it requires Python <3\.13"),
        (HEAD + "environments = [\"sys_platform == 'win32'\"]\n", "for other environments"),
        (
            HEAD + '[[packages]]\nname = "x"\nversion = "1"\nsdist = { url = "https://a/x.tar.gz" }',
            "x==1 has no wheel",
        ),
        (
            HEAD + package(url="https://a/x-1-cp312-cp312-any.whl"),
            r"no wheel for Python 3\.13 on x86_64.*: x-1-cp312",
        ),
        (HEAD + package(url="https://a/x.whl"), r"x\.whl, which would have to be built"),
        (HEAD + package(url="https://me:secret@a/x-1.tar.gz"), r"x-1\.tar\.gz, which would have to be built"),
        (HEAD + package(url="wheels/x-1-py3-none-any.whl"), "no address of a registry"),
        (HEAD + package(hashes=f'md5 = "{ONE}"'), "has no SHA-256"),
        (HEAD + package(hashes='sha256 = "../../x"'), "String should match"),
    ],
)
def test_what_no_build_takes_is_named(text: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=rf"^r\.txt: .*{message}") as caught:
        parse_lock(text, "r.txt", TARGET)
    assert "secret" not in str(caught.value)


def test_what_is_not_for_the_target_is_left_out() -> None:
    marked = package("never", more="marker = \"sys_platform == 'win32'\"") + package(
        more="marker = \"platform_machine == 'x86_64'\""
    )
    assert [wheel.name for wheel in parse_lock(HEAD + marked, "r.txt", TARGET).wheels] == ["idna"]


def test_of_several_wheels_the_one_counts_that_installers_prefer() -> None:
    names = ("x-1-py3-none-any", "x-1-cp39-abi3-manylinux_2_28_x86_64", "x-1-cp39-abi3-manylinux2014_x86_64")
    wheels = ", ".join(
        f'{{ url = "https://a/{name}.whl", hashes = {{ sha256 = "{ONE}" }} }}' for name in names
    )
    text = f'{HEAD}[[packages]]\nname = "x"\nversion = "1"\nwheels = [{wheels}]\n'
    assert parse_lock(text, "r.txt", TARGET).wheels[0].filename == f"{names[1]}.whl"


def test_groups_count_where_the_lock_says_so_and_the_project_itself_does_not() -> None:
    marked = package(more="marker = \"'dev' in dependency_groups\"")
    itself = '[[packages]]\nname = "svc"\ndirectory = { path = ".", editable = true }\n'
    assert not parse_lock(HEAD + marked + itself, "r.txt", TARGET).wheels
    lock = parse_lock(f'{HEAD}default-groups = ["dev"]\n{marked}{itself}', "r.txt", TARGET)
    assert [wheel.name for wheel in lock.wheels] == ["idna"]


def test_versions_are_told_of_what_cannot_be_built_too() -> None:
    source = '[[packages]]\nname = "X"\nversion = "1"\nsdist = { url = "https://a/x.tar.gz" }\n'
    never = package("never", more="marker = \"sys_platform == 'win32'\"")
    assert [one[:2] for one in list_pins(HEAD + source + never, "r.txt", TARGET)] == [("x", "1")]


COMMIT = "ab" * 20
SDIST = f'sdist = {{ url = "https://x/one-1.0.tar.gz", hashes = {{ sha256 = "{ONE}" }} }}'


def bare(more: str) -> str:
    return f'{HEAD}[[packages]]\nname = "One"\nversion = "1.0"\n{more}\n'


def test_where_sources_are_built_what_has_no_wheel_is_taken_by_hash_or_commit() -> None:
    lock = parse_lock(bare(SDIST), "r.txt", TARGET, sources=True)
    assert (lock.wheels, lock.needs_build) == ((), True)
    (source,) = lock.sources
    assert source.requirement == f"one @ https://x/one-1.0.tar.gz --hash=sha256:{ONE}"
    vcs = f'vcs = {{ type = "git", url = "https://x/one", commit-id = "{COMMIT}", subdirectory = "py" }}'
    (source,) = parse_lock(bare(vcs), "r.txt", TARGET, sources=True).sources
    assert source.requirement == f"one @ git+https://x/one@{COMMIT}#subdirectory=py"
    assert source.identity == f"git:{COMMIT}"


def test_a_wheel_that_fits_comes_before_the_sources() -> None:
    lock = parse_lock(HEAD + package(more=SDIST), "r.txt", TARGET, sources=True)
    assert (len(lock.wheels), lock.needs_build) == (1, False)
    other = URL.replace("py3-none-any", "cp39-cp39-win32")
    lock = parse_lock(HEAD + package(more=SDIST, url=other), "r.txt", TARGET, sources=True)
    assert [one.name for one in lock.sources] == ["idna"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            bare(f'vcs = {{ type = "hg", url = "https://x", commit-id = "{COMMIT}" }}'),
            "commit of git by https",
        ),
        (bare('vcs = { type = "git", url = "https://x", commit-id = "main" }'), "commit of git by https"),
        (
            bare(f'vcs = {{ type = "git", url = "ssh://x", commit-id = "{COMMIT}" }}'),
            "commit of git by https",
        ),
        (bare('sdist = { url = "https://x/one-1.0.tar.gz", hashes = { md5 = "1" } }'), "has no wheel"),
        (bare(f'sdist = {{ path = "one.tar.gz", hashes = {{ sha256 = "{ONE}" }} }}'), "has no wheel"),
        (bare('directory = { path = "../x" }'), "is a directory"),
    ],
)
def test_what_no_build_may_take_is_named(text: str, message: str) -> None:
    with pytest.raises(BuildFailed, match=message):
        parse_lock(text, "r.txt", TARGET, sources=True)


def test_texts_that_a_build_resolves_are_a_lock_of_ours_alone() -> None:
    texts = {"src/requirements.txt": '-r more.txt # ö 🙂 \\ "\n', "src/more.txt": "docopt==0.6.2\n"}
    lock = parse_lock(write_texts(texts), "r.txt", TARGET, sources=True)
    assert dict(lock.texts) == texts
    assert list(lock.texts) == list(texts)
    assert lock.inputs != parse_lock(write_texts({"a": "b"}), "r.txt", TARGET, sources=True).inputs
    with pytest.raises(BuildFailed, match="must be resolved by a build"):
        parse_lock(write_texts(texts), "r.txt", TARGET)
    foreign = write_texts(texts).replace('"tidegate"', '"uv"')
    assert parse_lock(foreign, "r.txt", TARGET) == Lock()
