"""Writes the generated pages of the reference: `python -m docs`, from the root of the checkout."""

from __future__ import annotations

from docs.pages import PAGES


def main() -> None:
    """Write every page that is made from code."""
    for file, write in PAGES.items():
        file.write_text(write())


if __name__ == "__main__":
    main()
