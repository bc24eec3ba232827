"""A result's tables, figures and texts, in good runs and in those where nothing happened."""

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from made_result import CASH, make_result, minutes, nothing_happened

from framework.errors import ConfigError
from framework.figures import FEW_DAYS, FIGURES, Stats, caution, is_negative, number_cell, span
from framework.result import Result

DAY = [f"2026-10-01T14:3{minute}" for minute in range(4)]


@pytest.fixture(scope="module")
def result() -> Result:
    return make_result({"AAPL": minutes(3), "TSLA": minutes(3, seed=8, price=250)})


def test_stats_has_every_figure_that_is_printed(result: Result) -> None:
    """The mapping and the printed table name the same figures, in the same order."""
    assert [key for group in FIGURES.values() for key, _, _ in group] == list(result.stats)


def test_stats_agrees_with_the_tables(result: Result) -> None:
    """Counts and sums in the figures are those of the tables."""
    assert result.stats["trades"] == len(result.trades)
    assert result.stats["commission"] == pytest.approx(result.fills["commission"].sum())
    assert result.stats["total_return"] == pytest.approx(result.equity.iloc[-1] / CASH - 1)
    assert result.stats["max_drawdown"] == result.drawdown.min()


def test_stats_makes_a_series(result: Result) -> None:
    """A sweep puts many results' figures into one frame."""
    assert pd.Series(result.stats)["trades"] == len(result.trades)
    assert pd.DataFrame([result.stats, result.stats])["sharpe"].nunique() == 1


def test_a_misspelt_figure_names_the_nearest(result: Result) -> None:
    """A typing error is answered with what was meant."""
    with pytest.raises(KeyError, match="did you mean sharpe"):
        result.stats["sharp"]


def test_returns_compound_to_the_total_return(result: Result) -> None:
    """Three exchange days, the first against the starting cash."""
    assert len(result.returns) == 3
    assert (1 + result.returns).prod() - 1 == pytest.approx(result.stats["total_return"])


def test_start_and_end_are_in_the_exchanges_zone(result: Result) -> None:
    """The first minute of a New York session ends at 09:31."""
    assert result.stats.written("start") == "2026-10-01 09:31"
    assert result.stats["start"] == result.equity.index[0]


def test_summary_tells_what_ran_and_what_to_know(result: Result) -> None:
    """The text for a terminal has the title, the engine, the notes and the figures."""
    text = str(result)
    assert text.startswith("Quiet on AAPL, TSLA, 1Min bars\nengine: stock\nnote: ABC: 3 of 21 bars\n")
    assert "Sharpe ratio" in text


@pytest.mark.parametrize(("days", "start"), [(1, "1 trading day is few"), (62, "62 trading days are few"), (63, "")])
def test_a_short_run_warns_of_its_annual_figures(days: int, start: str) -> None:
    """A Sharpe ratio of two days means nothing, and a reader is told so; of a quarter it is left to them."""
    said = caution(Stats({"days": days}))
    assert said.startswith(start)
    assert bool(said) == (days < FEW_DAYS)


def test_repr_is_one_line(result: Result) -> None:
    """In a list or a log a result takes one line."""
    assert repr(result).startswith("<Result: Quiet on AAPL, TSLA, 1Min bars, return ")
    assert "\n" not in repr(result)


def test_summary_shows_what_is_still_open() -> None:
    """A position that was never closed is part of the outcome."""
    held = pd.DataFrame({"symbol": ["ABC"], "size": [7.0], "price": [1.5], "last": [2.0], "value": [14], "pnl": [3.5]})
    assert "ABC" in nothing_happened(positions=held).summary().split("Open at the end")[1]


def test_html_is_a_table_and_a_picture_without_script(result: Result) -> None:
    """A notebook shows the figures and a PNG; there is nothing to run or to load."""
    page = result._repr_html_()
    assert "Sharpe ratio" in page
    assert "data:image/png;base64," in page
    assert "<script" not in page


def test_names_are_escaped_in_html() -> None:
    """A symbol or a note cannot put markup into a notebook."""
    page = nothing_happened(bars={"<b>": minutes(0)}, notes=("<i>",))._repr_html_()
    assert "<b>&lt;b&gt;" not in page.replace("on &lt;b&gt;", "")
    assert "on &lt;b&gt;," in page
    assert "<li>&lt;i&gt;</li>" in page


FLAT, RUINED, IN_DEBT, HOLES = [CASH] * 4, [CASH, 10.0, 0.0, 0.0], [CASH, -5.0, -10.0, 20.0], [math.nan] * 4


@pytest.mark.parametrize("values", [[], [CASH], FLAT, RUINED, IN_DEBT, HOLES, [CASH, math.nan, 1.0, 2.0]], ids=str)
def test_a_run_in_which_little_happened_still_has_everything(values: Sequence[float], tmp_path: Path) -> None:
    """No trade, no bar, a flat, ruined, indebted or missing account: every view works."""
    result = nothing_happened(values, DAY[: len(values)])
    assert math.isnan(result.stats["win_rate"])
    assert result.summary()
    assert result._repr_html_()
    assert result.plot()._repr_png_()
    assert result.chart(tmp_path / "chart.html").exists()
    assert result.report(tmp_path / "report.html").exists()


def test_a_run_without_symbols_is_shown_as_one() -> None:
    """Even without a symbol there is a title and a picture."""
    result = nothing_happened(bars={})
    assert result.title == "Quiet on no symbols, 1Min bars"
    assert result.plot().axes


def test_one_day_has_returns_and_drawdown() -> None:
    """A single session is a run like any other; what needs two days is not a number."""
    result = make_result({"ABC": minutes(1)})
    assert len(result.returns) == 1
    assert math.isnan(result.stats["volatility"])
    assert result.stats["max_drawdown"] <= 0


@pytest.mark.parametrize("write", ["chart", "report"])
def test_a_missing_folder_is_one_clear_line(write: str, tmp_path: Path) -> None:
    """The error says which folder is missing, before any work is done."""
    with pytest.raises(ConfigError, match=r"no folder .*absent; make it first$"):
        getattr(nothing_happened(), write)(tmp_path / "absent" / "page.html")


@pytest.mark.parametrize("write", ["chart", "report"])
def test_a_folder_is_not_a_file(write: str, tmp_path: Path) -> None:
    """A folder instead of a file is answered with an example."""
    with pytest.raises(ConfigError, match=r"it is a folder; add a file name"):
        getattr(nothing_happened(), write)(tmp_path)


def test_what_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    """The system's reason is passed on."""
    with pytest.raises(ConfigError, match=r"cannot write .*: File name too long"):
        nothing_happened().report(tmp_path / f"{'a' * 300}.html")


@pytest.mark.parametrize(
    ("length", "text"),
    [("0s", "0 s"), ("59s", "59 s"), ("61min", "1 h 1 min"), ("2h", "2 h"), ("1D 5h 7min", "1 d 5 h")],
)
def test_lengths_of_time_are_written_in_two_units(length: str, text: str) -> None:
    """No more precision than a reader needs."""
    assert span(pd.Timedelta(length)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.nan, "–"), (0.1234, "12.34 %"), (-0.5, "-50.00 %"), (1e9, "> 100,000 %"), (math.inf, "∞")],
)
def test_returns_are_written_as_percent(value: float, text: str) -> None:
    """A fraction is shown as per cent, what is not defined as a dash."""
    assert Stats({"cagr": value}).written("cagr") == text


def test_negative_numbers_are_red_with_a_true_minus() -> None:
    """A loss cannot be missed; a loss that rounds to nothing is not one."""
    assert "color:#b3261e" in number_cell("-1.00")
    assert "−1.00" in number_cell("-1.00")
    assert not is_negative("-0.00")
    assert is_negative("-∞")


def test_importing_a_result_does_not_import_matplotlib() -> None:
    """The command line starts fast: what draws is loaded when something is drawn."""
    code = "import sys, framework.result; sys.exit(any(m in sys.modules for m in ('matplotlib', 'litecharts')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
