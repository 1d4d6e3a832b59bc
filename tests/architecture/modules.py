"""The project's modules as their sources have them: what each imports, and what it reads."""

from __future__ import annotations

import ast
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Module:
    """One source file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = ".".join(path.relative_to(ROOT).with_suffix("").parts)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text())

    @cached_property
    def imports(self) -> frozenset[str]:
        """Every imported module by its full name, those within functions and for types too."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        return frozenset(found)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")[: -node.level]
        return ".".join([*parts, *([node.module] if node.module else [])])

    def attributes(self) -> set[str]:
        """Dotted uses such as `os.environ`."""
        return {
            f"{node.value.id}.{node.attr}"
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }


def modules(folder: str) -> list[Module]:
    """All modules below a folder (or the one module that is named)."""
    path = ROOT / folder
    paths = [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [Module(path) for path in paths if "__pycache__" not in path.parts]
