"""The gate that a report has to pass before it is delivered."""

from typing import Any

import pytest

from data_platform.reports import gate
from data_platform.reports.gate import GateClosed
from data_platform.reports.report_type import ReportType
from platform_tests.reports.examples import TODAY, changed


def gated(**rules: Any) -> ReportType:
    return changed(gate=rules)


def refusal(report: ReportType, num_rows: int, before: int | None = None, **num_empty: int) -> str:
    with pytest.raises(GateClosed) as caught:
        gate.prove_fit(report, TODAY, num_rows, num_empty, before)
    message = str(caught.value)
    assert message.startswith("active_user_report of 2026-11-26 is not delivered: ")
    assert message.endswith("then run the day again.")
    assert "active_user_report.yaml" in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("num_rows", "least"), [(0, 1), (1_499, 1_500)])
def test_too_few_rows_close_the_gate(num_rows: int, least: int) -> None:
    report = gated(min_rows=least)
    assert f"it has {num_rows:,} rows, min_rows is {least:,}" in refusal(report, num_rows)
    gate.prove_fit(report, TODAY, least, {}, None)


def test_an_empty_cell_where_there_may_be_none_closes_the_gate() -> None:
    report = gated(not_empty=["Name", "Date"])
    message = refusal(report, 1_200, Name=1_100)
    assert "1,100 of 1,200 rows have no 'Name', which not_empty lists" in message
    assert "Date" not in message
    gate.prove_fit(report, TODAY, 1_200, {"Name": 0, "Date": 0, "Number of lessons completed": 9}, None)


@pytest.mark.parametrize(
    ("num_rows", "is_open"), [(49, False), (50, True), (100, True), (150, True), (151, False), (0, False)]
)
def test_another_number_of_rows_than_before_closes_the_gate(num_rows: int, is_open: bool) -> None:
    report = gated(max_change=0.5)
    if is_open:
        gate.prove_fit(report, TODAY, num_rows, {}, 100)
        return
    assert f"it has {num_rows} rows and the one before 100, max_change is 0.5" in refusal(report, num_rows, 100)


@pytest.mark.parametrize("before", [None, 0])
def test_a_change_is_of_something(before: int | None) -> None:
    gate.prove_fit(gated(max_change=0.1), TODAY, 1_000, {}, before)


def test_every_rule_that_closes_the_gate_is_told() -> None:
    message = refusal(gated(min_rows=5, not_empty=["Name", "Date"], max_change=0.5), 4, 100, Name=1, Date=2)
    assert all(word in message for word in ("min_rows is 5", "no 'Name'", "no 'Date'", "max_change is 0.5"))


def test_without_rules_the_gate_is_open() -> None:
    gate.prove_fit(gated(), TODAY, 0, {"Name": 5}, 1_000)
