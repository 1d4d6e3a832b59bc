"""The example of the guide to judging runs, and prints what the guide says."""

from __future__ import annotations

import contextlib
import io
import re

from docs.pages import REFERENCE


def test_the_example_prints_what_the_guide_says() -> None:
    text = (REFERENCE.parent / "guide" / "judging.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    printed = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert code is not None
    assert printed is not None
    found = io.StringIO()
    with contextlib.redirect_stdout(found):
        exec(compile(code[1], "judging.md", "exec"), {})  # noqa: S102
    assert found.getvalue() == printed[1]
