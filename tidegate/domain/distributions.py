"""What installed distributions say of themselves: names, versions, licences, requirements; pure.

Sources: the core metadata specifications (https://packaging.python.org/specifications/core-metadata/) with
PEP 639 on licences, and npm's package.json.
"""

from __future__ import annotations

import json
import re
from email.parser import HeaderParser
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from tidegate.domain.bills import Kind, Licence
from tidegate.domain.identity import Frozen
from tidegate.domain.locks import normalize

if TYPE_CHECKING:
    from email.message import Message

PYTHON: Final = re.compile(r"(?:.*/)?[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info)")
NAMES: Final = ("/METADATA", "/PKG-INFO", ".egg-info", "/package.json")
NODE: Final = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@][^/]*/package\.json")
# Only classifiers that leave no doubt which licence, and which version of it, is meant (trove classifiers).
CLASSIFIERS: Final = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
}
# What the older field says in words of its own and without doubt, in lower case, without "the" and commas.
WORDS: Final = {
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "mit license": "MIT",
    "isc license": "ISC",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "mpl 2.0": "MPL-2.0",
}
LONGEST_NAME: Final = 100
KEPT: Final = 256


class Distribution(Frozen):
    """A distribution by its own words; `requires` are requirement texts, or names for npm.

    An empty version is one that it does not tell.
    """

    kind: Kind
    name: str
    version: str
    folder: str
    licence: Licence | None = None
    requires: tuple[str, ...] = ()


def is_metadata(path: str) -> bool:
    """Whether a file tells what distribution lies beside it."""
    if not path.endswith(NAMES):
        return False
    return PYTHON.fullmatch(path) is not None or NODE.fullmatch(path) is not None


@lru_cache(maxsize=KEPT)
def read_distribution(path: str, body: bytes) -> Distribution:
    """What a file of metadata tells; where it tells no name, the name of its folder counts.

    Many functions of a service hold the same packages.
    """
    if path.endswith("/package.json"):
        return _read_package(path.removesuffix("/package.json"), body)
    message = HeaderParser().parsestr(body.decode(errors="replace"))
    found = read_folder(path.removesuffix("/METADATA").removesuffix("/PKG-INFO"))
    name = _text(message, "Name")
    return Distribution(
        kind="pypi",
        name=normalize(name) if name else found.name,
        version=_text(message, "Version") if name else found.version,
        folder=found.folder,
        licence=find_licence(message),
        requires=tuple(str(one).strip() for one in message.get_all("Requires-Dist", ())),
    )


def read_folder(folder: str) -> Distribution:
    """What the name of a folder of Python metadata alone tells."""
    stem = folder.rpartition("/")[2].rpartition(".")[0]
    name, version, *_ = (*stem.split("-"), "")
    return Distribution(kind="pypi", name=normalize(name) or "unknown", version=version, folder=folder)


def _text(message: Message, name: str) -> str:
    return str(message.get(name) or "").strip()


def find_licence(message: Message) -> Licence | None:
    """The licence of Python metadata: its expression, else what its older fields say without doubt."""
    words = _text(message, "License")
    found = [
        str(one).split(" :: ")[-1].strip()
        for one in message.get_all("Classifier", ())
        if str(one).startswith("License ::")
    ]
    known = [CLASSIFIERS.get(one, "") for one in found]
    plain = " ".join(words.lower().removeprefix("the ").replace(",", " ").split())
    told = WORDS.get(plain, words)
    for text in (_text(message, "License-Expression"), told, known[0] if len(known) == 1 else ""):
        if licence := _read_expression(text):
            return licence
    name = words.splitlines()[0] if words else found[0] if found else ""
    return None if name in {"", "UNKNOWN"} else Licence(name=name[:LONGEST_NAME].strip())


def _read_expression(text: str) -> Licence | None:
    try:
        found = str(canonicalize_license_expression(text)) if text else ""
    except InvalidLicenseExpression:
        return None
    if not found:
        return None
    is_one = re.fullmatch(r"(?!LicenseRef-)[A-Za-z0-9.-]+", found) is not None
    return Licence(id=found) if is_one else Licence(expression=found)


def _read_package(folder: str, body: bytes) -> Distribution:
    """A package.json of a package that is installed in node_modules."""
    try:
        found: Any = json.loads(body)
    except ValueError:
        found = None
    data: dict[str, Any] = found if isinstance(found, dict) else {}
    needs = [data.get(key) for key in ("dependencies", "optionalDependencies", "peerDependencies")]
    return Distribution(
        kind="npm",
        name=str(data.get("name") or folder.rpartition("node_modules/")[2]),
        version=str(data.get("version") or ""),
        folder=folder,
        licence=_read_node_licence(data.get("license")),
        requires=tuple(sorted({str(name) for one in needs if isinstance(one, dict) for name in one})),
    )


def _read_node_licence(declared: object) -> Licence | None:
    text = declared.get("type") if isinstance(declared, dict) else declared
    if not isinstance(text, str) or not text.strip():
        return None
    return _read_expression(text) or Licence(name=text.strip()[:LONGEST_NAME])
