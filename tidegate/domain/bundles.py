"""What `Metadata: {BuildMethod: esbuild}` asks for, as the arguments of esbuild's program; pure.

The properties, their defaults and what they become are those of `sam build`. One that is not known is refused
by name. esbuild's version is part of the content key: another one may write other bytes.
Sources: AWS SAM Developer Guide, "Building Node.js Lambda functions with esbuild"; https://esbuild.github.io/api/.
"""

from __future__ import annotations

import base64
import posixpath
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate
from tidegate.domain.modules import MODULES, REGISTRY, Module
from tidegate.domain.sources import resolve

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

ESBUILD: Final = "0.28.2"
# The integrity that the registry tells of @esbuild/<system>-<machine> in that version.
PROGRAMS: Final = {
    "linux-x64": "4xTZr1FUmSoQW4XIWmit3tzQrUTZM+N3P0XV8xROKYF50XfI7xeO90+1bZvNwxIufQ9hDQVRJH5YhgPVF8A/HQ==",
    "linux-arm64": "pW4AC0P3it8c7do9MVM4p51FzHzdM/TZrerurgRcHJ2WTa1VQ1CIq18xncfpBJw4ojkiZZrKW2yIBWBP92j6Ug==",
    "darwin-x64": "uq6suIWYP37qzGddBKPw5QEQPi6HiLGsO7UmkpfyaYNQ3D+rN6w6WfwH+nuqcGXWvawGwxOEroO4YGnFh95azw==",
    "darwin-arm64": "n4KqkOQrraxHJcgjM1RvwbigfQKIKJVpM7xp+KsxiyUSrRdIXnt73VhrPAx0fV44hgfmIVKjxMN9J1t5jySVkw==",  # noqa: E501 (a hash)
}
METHOD: Final = "esbuild"
SOURCE_MAPS: Final = "--enable-source-maps"
# Set, or not; a value; a value whose items are joined by commas; items that are each an argument.
SWITCHES: Final = frozenset(
    {
        "IgnoreAnnotations",
        "KeepNames",
        "Minify",
        "MinifyIdentifiers",
        "MinifySyntax",
        "MinifyWhitespace",
        "Sourcemap",
    }
)
VALUES: Final = frozenset(
    {
        "Charset",
        "Format",
        "Jsx",
        "JsxDev",
        "JsxFactory",
        "JsxFragment",
        "JsxImportSource",
        "JsxSideEffects",
        "LegalComments",
        "LineLimit",
        "Packages",
        "SourceRoot",
        "Sourcemap",
        "SourcesContent",
        "TreeShaking",
        "Tsconfig",
    }
)
JOINED: Final = frozenset({"Conditions", "MainFields", "ResolveExtensions", "Target"})
LISTS: Final = frozenset(
    {
        "Alias",
        "Banner",
        "Define",
        "Drop",
        "DropLabels",
        "External",
        "Footer",
        "Inject",
        "Loader",
        "OutExtension",
        "Pure",
        "Supported",
    }
)
# Set by `sam build` itself, whatever the template says, and what only concerns npm.
FIXED: Final = frozenset({"Bundle", "Outdir", "Platform", "UseNpmCi"})
ENTRY_POINTS: Final = "EntryPoints"
DEFAULTS: Final = {"Target": "es2020", "Format": "cjs", "Minify": True}
# It is put at the end of an output's path as it stands, so that a slash in it would lead anywhere.
OUT_EXTENSION: Final = re.compile(r"\.(?:js|css)=(?:\.\w+)+")
# What names files of the source.
FILES: Final = frozenset({"Inject", "Tsconfig"})
KINDS: Final = (".ts", ".js")


class Asked(NamedTuple):
    """What the template says of a function: its BuildProperties, handler and NODE_OPTIONS."""

    logical_id: str
    properties: Mapping[str, Any]
    handler: str
    node_options: str


def read_options(asked: Asked, paths: Collection[str]) -> tuple[str, ...]:
    """The arguments for esbuild but its working folder and its output; `paths` are those of the code.

    UnsupportedTemplate names properties that are not known, InvalidTemplate values that cannot be meant.
    """
    unknown = sorted(asked.properties.keys() - SWITCHES - VALUES - JOINED - LISTS - FIXED - {ENTRY_POINTS})
    if unknown:
        message = f"{asked.logical_id} has the BuildProperties {', '.join(unknown)}"
        raise UnsupportedTemplate(f"{message}, which Tidegate does not pass to esbuild")
    given = {**DEFAULTS, **asked.properties}
    if "Sourcemap" not in given and SOURCE_MAPS in asked.node_options.split():
        given["Sourcemap"] = True
    options = [text for key in sorted(given.keys() - FIXED) for text in _render(asked, key, given[key])]
    return ("--bundle", "--platform=node", *options, *_list_entries(asked, paths))


def _render(asked: Asked, key: str, value: object) -> Iterator[str]:
    """A property as arguments."""
    flag, word = _flag(key), _word(value)
    if key == ENTRY_POINTS:
        return
    if key in FILES:
        _check_files(asked, key, value)
    if key == "OutExtension":
        _check_extensions(asked, value)
    if key in SWITCHES and word in {"true", "false"}:
        yield from ([flag] if word == "true" else [])
    elif key in VALUES | JOINED and word:
        yield f"{flag}={word}"
    elif key in JOINED | LISTS and isinstance(value, list) and all(_word(one) for one in value):
        words = [str(_word(one)) for one in value]
        yield from ([f"{flag}={','.join(words)}"] if key in JOINED else [f"{flag}:{one}" for one in words])
    else:
        raise InvalidTemplate(f"{asked.logical_id}: BuildProperties.{key} cannot be {value!r}")


def _word(value: object) -> str | None:
    """A single value as esbuild writes it; None where it is none."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else None


def _flag(key: str) -> str:
    """`--main-fields` of MainFields."""
    return "--" + "".join(f"-{one.lower()}" if one.isupper() else one for one in key).lstrip("-")


def _check_files(asked: Asked, key: str, value: object) -> None:
    for one in value if isinstance(value, list) else [value]:
        if resolve(".", str(one)) is None:
            raise InvalidTemplate(f"{asked.logical_id}: BuildProperties.{key}: {one} is not in the code")


def _check_extensions(asked: Asked, value: object) -> None:
    for one in value if isinstance(value, list) else [value]:
        if OUT_EXTENSION.fullmatch(str(one)) is None:
            message = f"{asked.logical_id}: BuildProperties.OutExtension: {one} is not such as .js=.mjs"
            raise InvalidTemplate(message)


def _list_entries(asked: Asked, paths: Collection[str]) -> list[str]:
    """`output=input` for each entry point; the handler's own module comes to where the handler names it.

    Outputs lie as below the folder that all entry points have in common. Where the handler's module would lie
    elsewhere, `sam build` rewrites the handler; the output is moved instead.
    """
    named = asked.properties.get(ENTRY_POINTS) or [asked.handler.split(".")[0]]
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise InvalidTemplate(f"{asked.logical_id}: BuildProperties.EntryPoints must be a list of files")
    inputs = [_find_entry(asked, one, paths) for one in named]
    base = posixpath.commonpath([posixpath.dirname(one) for one in inputs])
    outputs = [posixpath.relpath(posixpath.splitext(one)[0], base or ".") for one in inputs]
    module = posixpath.normpath(asked.handler.rpartition("/")[0] + "/" + _stem(asked.handler)).lstrip("/")
    alike = [place for place, one in enumerate(outputs) if posixpath.basename(one) == _stem(asked.handler)]
    if module not in outputs and alike and not asked.handler.startswith("/"):
        outputs[alike[0]] = module
    if option := next((one for one in outputs if one.startswith("-")), None):
        raise InvalidTemplate(f"{asked.logical_id}: the entry point {option} cannot be named to esbuild")
    return [f"{output}={place}" for output, place in zip(outputs, inputs, strict=True)]


def _stem(handler: str) -> str:
    return posixpath.basename(handler).partition(".")[0]


def _find_entry(asked: Asked, name: str, paths: Collection[str]) -> str:
    path = resolve(".", name)
    candidates = [path] if posixpath.splitext(name)[1] else [f"{path}{kind}" for kind in KINDS]
    found = next((one for one in candidates if path is not None and one in paths), None)
    if found is None:
        raise InvalidTemplate(f"{asked.logical_id}: the entry point {name} does not exist in the code")
    if "=" in found:  # esbuild would read it as something else
        raise InvalidTemplate(f"{asked.logical_id}: the entry point {found} cannot be named to esbuild")
    return found


def find_program(system: str) -> Module:
    """Esbuild's program for such as linux-arm64; UnsupportedTemplate where there is none."""
    if system not in PROGRAMS:
        raise UnsupportedTemplate(f"esbuild is pinned for {', '.join(PROGRAMS)}, and not for {system}")
    name = f"@esbuild/{system}"
    return Module(
        folder=f"{MODULES}{name}",
        name=name,
        version=ESBUILD,
        url=f"{REGISTRY}/{name}/-/{system}-{ESBUILD}.tgz",
        sha512=base64.b64decode(PROGRAMS[system]).hex(),
    )


def list_inputs(metafile: Mapping[str, Any]) -> tuple[str, ...]:
    """The files that went into a bundle, by esbuild's own account; those that it made itself are left out."""
    outputs: Sequence[Mapping[str, Any]] = tuple(metafile.get("outputs", {}).values())
    used = {path for one in outputs for path in one.get("inputs", {})}
    return tuple(sorted(path for path in used if not path.startswith(("(", "<"))))


def find_folder(path: str) -> str | None:
    """The folder of the package that a file lies in; None for the service's own."""
    if MODULES not in path:
        return None
    head, _, rest = path.rpartition(MODULES)
    parts = rest.split("/")
    return head + MODULES + "/".join(parts[: 2 if rest.startswith("@") else 1])
