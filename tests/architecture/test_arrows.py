"""Imports go one way: cli, local → functions → task → adapters → domain; infra takes names from domain."""

from __future__ import annotations

import sys

import pytest

from tests.architecture.modules import Module, modules

DOMAIN = "tidegate.domain"
# Each layer: where it lies, and what of the project it may import besides itself.
LAYERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "domain": ("tidegate/domain", ()),
    "settings": ("tidegate/settings.py", (DOMAIN,)),
    "adapters": ("tidegate/adapters", (DOMAIN,)),
    "task": ("tidegate/task.py", (DOMAIN, "tidegate.adapters", "tidegate.settings")),
    "functions": ("functions", (DOMAIN, "tidegate.adapters", "tidegate.task", "tidegate.settings")),
    "local": ("tidegate/local", (DOMAIN, "tidegate.adapters", "tidegate.settings")),
    "cli": (
        "tidegate/cli",
        ("tidegate.local", DOMAIN, "tidegate.adapters", "tidegate.settings", "functions"),
    ),
    "infra": (
        "infra",
        (
            "tidegate.domain.pipeline",
            "tidegate.domain.config",
            "tidegate.domain.identity",
            "tidegate.domain.origins",
            "tidegate.domain.uploads",
        ),
    ),
}
OURS = ("tidegate", "functions", "infra", "tests", "docs", "app")
NOT_IN_DOMAIN = {"os", "time", "random", "socket", "subprocess", "pathlib", "tempfile", "logging", "urllib"}
SEEDED = {"tidegate.domain.simulation.sampling": {"random"}}  # chance by a seed, which is a value
# Libraries that hold a public standard's rules and do nothing else: PEP 440 and its kin, CVSS.
RULES = {"packaging", "cvss"}
CASES = [(layer, module) for layer, (folder, _) in LAYERS.items() for module in modules(folder)]


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def own_package(layer: str) -> str:
    return LAYERS[layer][0].removesuffix(".py").replace("/", ".")


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_what_lies_below_it_only(layer: str) -> None:
    allowed = (own_package(layer), *LAYERS[layer][1])
    wrong = {
        f"{module.name} imports {name}"
        for of, module in CASES
        if of == layer
        for name in module.imports
        if name.split(".")[0] in OURS
        and name not in {"tidegate", "tidegate.__version__", "tidegate.adapters"}
        if not any(is_within(name, package) or is_within(package, name) for package in allowed)
    }
    assert wrong == set()


def domain_modules() -> list[Module]:
    return [module for layer, module in CASES if layer == "domain"]


@pytest.mark.parametrize("module", domain_modules(), ids=lambda module: module.name)
def test_the_domain_is_pure(module: Module) -> None:
    roots = {name.split(".")[0] for name in module.imports}
    assert roots <= set(sys.stdlib_module_names) | {"pydantic", "pydantic_core", "tidegate"} | RULES
    assert not roots & NOT_IN_DOMAIN - SEEDED.get(module.name, set())
    clocks = {"datetime.now", "datetime.utcnow", "date.today", "time.time"}
    assert not module.attributes() & clocks


def test_a_function_imports_no_other_function() -> None:
    wrong = {
        f"{module.name} imports {name}"
        for layer, module in CASES
        if layer == "functions"
        for name in module.imports
        if name.startswith("functions.") and name.split(".")[1] != module.name.split(".")[1]
    }
    assert wrong == set()


def test_what_is_shipped_imports_nothing_that_is_not() -> None:
    left_behind = {"moto", "awslambdaric", "jsonata", "click", "rich", "aws_cdk", "cdk_nag", "pytest"}
    for layer, module in CASES:
        if layer not in {"local", "cli", "infra"}:
            assert not {name.split(".")[0] for name in module.imports} & left_behind, module.name
