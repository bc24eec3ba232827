"""The report: one file with figures, pictures and tables, in which names are only text."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_result import empty, make_result, minutes, nothing_happened

from framework import report as module
from framework.report import report
from framework.result import Result


@pytest.fixture(scope="module")
def result() -> Result:
    return make_result({"AAPL": minutes(25), "TSLA": minutes(25, seed=8, price=250)})


@pytest.fixture(scope="module")
def page(result: Result) -> str:
    return report(result)


def section(page: str, title: str) -> str:
    return page.split(f"<h2>{title}</h2>")[1].split("</section>")[0]


def cells(table: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]


def test_a_report_is_written_and_its_path_returned(result: Result, tmp_path: Path) -> None:
    """The path comes back as a `Path`, given as text or not."""
    path = result.report(str(tmp_path / "report.html"))
    assert path == tmp_path / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_report_needs_no_network_and_no_script(page: str) -> None:
    """Pictures are inside, and nothing is fetched or run."""
    assert page.count('src="data:image/svg+xml;base64,') == 2
    assert "http" not in re.sub(r'src="[^"]*"', "", page)
    assert "<script" not in page


def test_key_figures_are_those_of_the_result(page: str, result: Result) -> None:
    """Each label with its text."""
    rows = dict(each for each in cells(section(page, "Key figures")) if len(each) == 2)
    assert rows["Round trips"] == f"{len(result.trades):,}"
    assert rows["Sharpe ratio"].replace("−", "-") == result.stats.written("sharpe")


def test_months_are_in_the_row_of_their_year(page: str, result: Result) -> None:
    """October and November 2026, and the whole year at the end."""
    heading, row = cells(section(page, "Monthly returns"))
    assert (heading[10], heading[11], row[0]) == ("Oct", "Nov", "2026")
    assert row[1:10] == [""] * 9
    october = (1 + result.returns[result.returns.index.month == 10]).prod() - 1
    assert row[10].replace("−", "-") == f"{october * 100:,.2f} %"


def test_long_tables_of_trades_are_cut_with_a_note(page: str, result: Result) -> None:
    """What does not fit is counted."""
    table = section(page, "Round trips")
    assert f"The first 500 of {len(result.trades):,}" in table
    assert len(cells(table)) == 1 + module.MOST_TRADES


def test_trades_are_at_the_exchanges_time(page: str, result: Result) -> None:
    """Entry and exit in New York, prices with the decimals that they have."""
    first, trade = cells(section(page, "Round trips"))[1], result.trades.iloc[0]
    assert first[3] == trade["entry_time"].tz_convert("America/New_York").strftime("%Y-%m-%d %H:%M")
    assert first[4] == f"{trade['entry_price']:.2f}"


def test_symbols_are_compared(page: str, result: Result) -> None:
    """One line a symbol, whose profits sum to that of all trades."""
    rows = cells(section(page, "By symbol"))[1:]
    assert [each[0] for each in rows] == ["AAPL", "TSLA"]
    total = sum(float(each[4].replace(",", "").replace("−", "-")) for each in rows)
    assert total == pytest.approx(result.trades["pnl"].sum(), abs=0.02)


def test_orders_are_counted_by_status_and_reason(page: str, result: Result) -> None:
    """How many were filled, how many not, and why."""
    rows = cells(section(page, "Orders"))[1:]
    assert rows == [["filled", f"{len(result.orders) - 1:,}", ""], ["canceled", "1", ""]]


def test_what_is_open_is_listed() -> None:
    """Open positions have their own section, only where there are some."""
    held = pd.DataFrame(
        {"symbol": ["ABC"], "size": [-7.0], "price": [1.5], "last": [2.0], "value": [-14], "pnl": [-3.5]}
    )
    rows = cells(section(report(nothing_happened(positions=held)), "Open at the end"))
    assert rows[1] == ["ABC", "−7", "1.50", "2.00", "−14.00", "−3.50"]
    assert "Open at the end" not in report(nothing_happened())


def test_names_reasons_and_notes_are_escaped() -> None:
    """Markup from a symbol, a venue or a note is text."""
    orders = nothing_happened().orders.reindex([0]).assign(status="rejected", reason="<b>")
    page = report(nothing_happened(orders=orders, notes=("<i>",), engine="<u>", bars={"<a>": minutes(0)}))
    assert not re.search(r"<[biu]>|<a>", page)
    assert all(each in page for each in ("&lt;b&gt;", "&lt;i&gt;", "&lt;u&gt;", "&lt;a&gt;"))


def test_a_run_without_trades_says_so() -> None:
    """No empty tables."""
    page = report(nothing_happened([100.0, 100.0], ["2026-10-01T14:00", "2026-10-01T14:01"]))
    assert "No order was sent." in page
    assert "No round trip was closed." in page


def test_missing_numbers_are_dashes() -> None:
    """A trade with a hole in it is shown with its hole."""
    trades = empty(nothing_happened().trades.columns).reindex([0]).assign(
        symbol="ABC", direction="long", entry_time=pd.Timestamp("2026-10-01T14:00Z"), exit_time=pd.NaT, pnl=np.nan,
    )  # fmt: skip
    row = cells(section(report(nothing_happened(trades=trades)), "Round trips"))[1]
    assert row == ["ABC", "long", "–", "2026-10-01 10:00", "–", "–", "–", "–", "–"]
