"""The environment is read in one place; what else uses it does so for a reason that is written here."""

from __future__ import annotations

from tests.architecture.modules import modules

READS = {"os.environ", "os.getenv", "os.environb"}
ALLOWED = {
    "tidegate.settings": "the one reader",
    "tidegate.adapters.import_probe": "watches what a handler asks of it, in a process of its own",
    "tidegate.adapters.programs": "hands a cleaned environment to the programs that it starts",
}


def test_the_environment_is_read_in_settings_only() -> None:
    found = {
        module.name
        for folder in (
            "tidegate/domain",
            "tidegate/adapters",
            "functions",
            "tidegate/settings.py",
            "tidegate/task.py",
        )
        for module in modules(folder)
        if module.attributes() & READS or {"os.environ", "os.getenv"} & module.imports
    }
    assert found == set(ALLOWED)
