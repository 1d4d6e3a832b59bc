from __future__ import annotations

import pytest

from tidegate.domain.errors import ImportFailed
from tidegate.domain.imports import (
    ImportOutcome,
    ImportReport,
    ImportVerdict,
    check_report,
    find_misfits,
    judge,
    list_checks,
)
from tidegate.domain.snapshots import FunctionSnapshot


def function(name: str, **about: object) -> FunctionSnapshot:
    told = {
        "code_uri": "src",
        "handler": "app.handler",
        "runtime": "python3.13",
        "declared_runtime": "python3.13",
    }
    return FunctionSnapshot.model_validate(
        {"logical_id": name, "architecture": "x86_64", "artifact": "a" * 64, **told, **about}
    )


def test_functions_that_differ_in_nothing_share_a_check() -> None:
    same = [function(f"F{number}") for number in range(1000)]
    (check,) = list_checks(same)
    assert len(check.functions) == 1000
    others = [
        function("A", handler="other.handler"),
        function("B", environment={"X": "1"}),
        function("C", artifact="b" * 64),
    ]
    assert len({check.key for check in list_checks([*same, *others])}) == 4
    assert list_checks([function("Node", runtime="nodejs22.x")]) == ()


def test_a_runtime_that_the_sandbox_has_not_is_named() -> None:
    functions = [function("A", runtime="python3.9"), function("B", runtime="nodejs22.x"), function("C")]
    found = find_misfits(functions, "python3.13", "x86_64")
    assert {verdict.text for verdict in found.values()} == {
        "not checked: A: runs on python3.9, the sandbox on python3.13 (x86_64)",
        "not checked: B: runs on nodejs22.x, the sandbox on python3.13 (x86_64)",
    }


def test_a_report_with_failures_ends_the_release_in_a_line_that_is_not_too_long() -> None:
    failed = {str(n): ImportVerdict(status="failed", text=f"F{n}: no") for n in range(1000)}
    with pytest.raises(ImportFailed, match=r"^F0: no; .*F4: no; and 995 more, in imports\.json$"):
        check_report(ImportReport(verdicts=failed))
    fine = ImportReport(
        verdicts={"a": ImportVerdict(status="imported"), "b": ImportVerdict(status="warned", text="b?")},
        known=1,
    )
    assert check_report(fine) == "imports of handlers: 1 imported, 1 uncertain, 1 known from before"
    assert fine.notes == ("b?",)


def test_what_an_import_raised_is_shown_and_not_obeyed() -> None:
    (check,) = list_checks([function("A")])
    outcome = ImportOutcome(kind="raised", errors=("NameError",), message="\x1b[31mno\x1b[0m x\x9b2J\nmore")
    assert judge(check, outcome).text == "A: app.handler cannot be imported: NameError: no x2J"
