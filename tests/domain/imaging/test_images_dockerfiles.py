"""What is taken of a Dockerfile, and what is refused by its name and line."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate
from tidegate.domain.images.contexts import Copy
from tidegate.domain.images.dockerfiles import OTHER_WAY, read_dockerfile
from tidegate.domain.images.documents import Runtime
from tidegate.domain.images.recipes import Build, Install, Recipe, find_base, interpret
from tidegate.domain.images.words import UnreadableWord, expand, split

BASE = Runtime.model_validate(
    {
        "architecture": "amd64",
        "config": {
            "Env": ["LAMBDA_TASK_ROOT=/var/task", "PATH=/var/lang/bin:/usr/bin"],
            "WorkingDir": "/var/task",
            "Entrypoint": ["/lambda-entrypoint.sh"],
        },
    }
)
FROM = "FROM public.ecr.aws/lambda/python:3.13\n"


def build(text: str, *, target: str = "", **arguments: str) -> Build:
    instructions = read_dockerfile(text, "Dockerfile")
    return Build("Dockerfile", instructions, arguments, "x86_64", target)


def read(text: str, *, target: str = "", **arguments: str) -> Recipe:
    return interpret(build(text, target=target, **arguments), BASE)


def test_the_usual_dockerfile_of_a_python_function() -> None:
    recipe = read("""# syntax=docker/dockerfile:1
# The function
ARG VERSION=3.12
FROM --platform=linux/amd64 public.ecr.aws/lambda/python:${VERSION} AS base

ARG SUFFIX=none
ENV LEVEL=INFO GREETING="hello $SUFFIX"
LABEL team=web
COPY requirements.txt ${LAMBDA_TASK_ROOT}
RUN pip install --no-cache-dir \\
    # where it goes
    -r requirements.txt --target "${LAMBDA_TASK_ROOT}"
COPY src/ app.py ./
CMD ["app.handler"]
""", VERSION="3.13")  # fmt: skip
    assert recipe == Recipe(
        file="Dockerfile",
        base="public.ecr.aws/lambda/python:3.13",
        copies=(
            Copy(sources=("requirements.txt",), destination="var/task", is_folder=True, line=9),
            Copy(sources=("src/", "app.py"), destination="var/task", is_folder=True, line=13),
        ),
        install=Install(requirements="var/task/requirements.txt", folder="var/task", line=10),
        environment={"LEVEL": "INFO", "GREETING": "hello none"},
        labels={"team": "web"},
        working_folder="/var/task",
        command=("app.handler",),
    )


@pytest.mark.parametrize(
    ("run", "folder"),
    [
        ("pip install -r requirements.txt", ""),
        ("pip3 install --requirement=requirements.txt -t .", "var/task"),
        ("python3.13 -m pip install -r requirements.txt -t .", "var/task"),
        ("python -m pip install -q -U -r ./requirements.txt --target=$LAMBDA_TASK_ROOT/lib", "var/task/lib"),
        ('pip3 install -r requirements.txt --target "${LAMBDA_TASK_ROOT}" -U --no-cache-dir', "var/task"),
        ('["pip", "install", "-r", "requirements.txt", "-t", "/opt/python"]', "opt/python"),
    ],
)
def test_forms_of_installing_requirements(run: str, folder: str) -> None:
    recipe = read(f"{FROM}RUN {run}\n")
    assert recipe.install == Install(requirements="var/task/requirements.txt", folder=folder, line=2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RUN yum install -y gcc", "RUN yum install -y gcc is not run by Tidegate"),
        ("RUN pip install boto3", "pip's boto3 is not taken"),
        ("RUN pip install -r a.txt -r b.txt", "one file of requirements is taken"),
        ("RUN pip install -r a.txt && rm -rf /root/.cache", "is more than one command"),
        ("RUN pip install -r $(echo a.txt)", "is more than one command"),
        ("RUN pip install -r a.txt --index-url https://x.example", "pip's --index-url is not taken"),
        ("RUN --mount=type=cache,target=/root pip install -r a.txt", "is not run by Tidegate"),
        ("RUN pip install -r a.txt -t ~/lib", "~/lib is a path that a shell would have to read"),
        ("RUN pip install -r requirements/*.txt", "requirements/*.txt is a path that a shell"),
        ("RUN <<EOF", "RUN with a here-document is not built"),
        ("ADD https://x.example/a.zip /opt/", "ADD is not built by Tidegate"),
        ("USER nobody", "USER is not built by Tidegate"),
        ("EXPOSE 80", "EXPOSE is not built by Tidegate"),
        ("COPY --from=build /a /b", "COPY --from=build is not built"),
        ("COPY --chown=1:1 a b", "COPY --chown=1:1 is not built"),
        ("CMD app.handler", "CMD must be a JSON list"),
        ("ENTRYPOINT python app.py", "ENTRYPOINT must be a JSON list"),
        ("FROM other", "a build of several stages is not built"),
        ("COPY a /proc/a", "/proc is the system's own"),
        ("WORKDIR /usr/../bin", "/bin is the system's own"),
        ("ENV A=${B#c}", "is no variable that is understood"),
        ("ENV A='b", "a quote (') is not closed"),
        ("COPY a", "needs a source and a destination"),
        ("ENV A", "is no pair of a name and a value"),
    ],
)
def test_everything_else_is_refused_by_file_and_line(line: str, said: str) -> None:
    with pytest.raises(UnsupportedTemplate) as raised:
        read(f"{FROM}\n{line}\n")
    assert str(raised.value).startswith("Dockerfile:3: ")
    assert said in str(raised.value)


def test_what_docker_could_build_is_told_the_other_way() -> None:
    with pytest.raises(UnsupportedTemplate, match=OTHER_WAY):
        read(f"{FROM}RUN make\n")


def test_one_run_is_taken_and_another_is_named_by_what_it_does() -> None:
    installing = f"{FROM}RUN pip install -r a.txt\n"
    with pytest.raises(UnsupportedTemplate, match=r"^Dockerfile:3: a second RUN is not built"):
        read(f"{installing}RUN pip install -r b.txt\n")
    with pytest.raises(UnsupportedTemplate, match=r"^Dockerfile:3: RUN yum install gcc is not run"):
        read(f"{installing}RUN yum install gcc\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("COPY a b\n", "the Dockerfile has no FROM"),
        ("# nothing\n", "the Dockerfile has no FROM"),
        ("FROM a \\\n", "the last instruction does not end"),
        ("RUN a\nFROM b\n", "RUN stands before FROM"),
        ("FROM $NOTHING\n", "names no image"),
        ("FROM scratch\n", "an image from scratch is not built"),
        ("FROM --platform=linux/arm64 a\n", "is not what the function's architecture x86_64 asks for"),
        ("# escape=`\nFROM a\n", "the escape character ` is not understood"),
        ("FROM\n", "FROM says nothing"),
    ],
)
def test_a_dockerfile_that_is_no_build_of_one_image(text: str, said: str) -> None:
    with pytest.raises(UnsupportedTemplate, match="Dockerfile") as raised:
        read(text)
    assert said in str(raised.value)


def test_a_target_must_be_the_one_stage() -> None:
    assert find_base(build("FROM a AS last\n", target="last")) == "a"
    with pytest.raises(InvalidTemplate, match="has no stage first"):
        find_base(build("FROM a AS last\n", target="first"))


def test_a_command_counts_on_either_side_of_an_entrypoint() -> None:
    assert read(f'{FROM}CMD ["a"]\nENTRYPOINT ["x"]\n').command == ("a",)
    assert read(f'{FROM}ENTRYPOINT ["x"]\nCMD ["a"]\n').command == ("a",)
    assert read(f'{FROM}ENTRYPOINT ["x"]\n').command is None


def test_lines_are_joined_without_anything_between_them() -> None:
    recipe = read(f'{FROM}ENV A="one \\\n\n  # not in it\n   two" B=/a:\\  \n/b\r\nLABEL\tc=d\\\n\\\n-e\n')
    assert (recipe.environment, recipe.labels) == ({"A": "one    two", "B": "/a:/b"}, {"c": "d-e"})


def test_only_a_newline_ends_a_line() -> None:
    recipe = read(f'{FROM}# a\x0cCOPY a /opt/\nENV A="b\u2028COPY a /opt/"\nCMD ["a"]\n')
    assert (recipe.copies, recipe.environment) == ((), {"A": "b\u2028COPY a /opt/"})


@pytest.mark.parametrize("name", ["docker/dockerfile:1", "docker.io/docker/dockerfile:1.7-labs"])
def test_another_reader_of_dockerfiles_is_refused(name: str) -> None:
    assert read(f"# syntax={name}\n{FROM}").base
    with pytest.raises(UnsupportedTemplate, match=r"^Dockerfile:2: the syntax x/docker/dockerfile:1 is not"):
        read(f"# check=skip=all\n# syntax = x/docker/dockerfile:1\n{FROM}")


@pytest.mark.parametrize(
    "line", ["ENV PIP_TARGET=/opt/lib", "ENV A=b PIP_TARGET=/opt/lib", "ARG PIP_TARGET=x"]
)
def test_a_variable_that_pip_would_heed_is_refused_where_it_runs(line: str) -> None:
    install = "RUN pip install -r a.txt\n"
    with pytest.raises(UnsupportedTemplate, match=r"^Dockerfile:3: PIP_TARGET changes what pip installs"):
        read(f"{FROM}{line}\n{install}")
    assert read(f"{FROM}{install}{line}\n").install
    assert read(f"{FROM}ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore\n{install}").install


def test_a_base_that_would_run_something_is_refused() -> None:
    base = Runtime.model_validate({"config": {"OnBuild": ["RUN make"]}})
    with pytest.raises(UnsupportedTemplate, match=r"^Dockerfile:1: the base image has .*ONBUILD RUN make"):
        interpret(build(FROM), base)


def test_folders_that_are_made_are_told() -> None:
    recipe = read(f"{FROM}WORKDIR /opt\nWORKDIR app\nCOPY a b\nWORKDIR /var/task\n")
    assert (recipe.folders, recipe.working_folder) == (("opt/app",), "/var/task")
    assert recipe.copies[0].destination == "opt/app/b"


def test_arguments_and_variables_of_one_line_see_what_stood_before_it() -> None:
    recipe = read(
        f"{FROM}ENV A=1\nENV A=2 B=$A\nARG A=9\nENV C=${{A}} D=${{X:-none}} E=${{A:+set}}\nENV F v $A\n"
    )
    assert recipe.environment["B"] == "1"
    assert recipe.environment["C"] == "2", "the environment wins over arguments"
    assert (recipe.environment["D"], recipe.environment["E"]) == ("none", "set")
    assert recipe.environment["F"] == "v 2", "the old form takes the rest of the line"


@pytest.mark.parametrize(
    ("word", "expanded"),
    [
        ("$a", "1"),
        ("${a}b", "1b"),
        ("'$a'", "$a"),
        ('"$a"', "1"),
        ("\\$a", "$a"),
        ('"\\$a"', "$a"),
        ('"\\x"', "\\x"),
        ("${b}", ""),
        ("${b:-c}", "c"),
        ("${a:+c}", "c"),
        ("a'b\"c'd", 'ab"cd'),
    ],
)
def test_words_are_replaced_as_docker_does(word: str, expanded: str) -> None:
    assert expand(word, {"a": "1"}) == expanded


@given(st.lists(st.text("ab $'\"\\", min_size=1).map(lambda one: one), max_size=5))
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    quoted = ["'" + word.replace("'", "'\"'\"'") + "'" for word in words]
    assert [expand(word, {}) for word in split(" ".join(quoted))] == words


@given(st.text("ab $'\"\\{}:-+"))
def test_no_text_is_worse_than_unreadable(text: str) -> None:
    with suppress(UnreadableWord):
        for word in split(text):
            expand(word, {"a": "1"})


@given(st.text(alphabet=st.sampled_from("FROM COPYUN\n\\#=ab./*[]$\"'{}-"), max_size=80))
def test_no_dockerfile_is_worse_than_refused(text: str) -> None:
    with suppress(UnsupportedTemplate):
        read(FROM + text)
