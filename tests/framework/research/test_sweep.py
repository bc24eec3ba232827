"""`sweep`: its table, its rows as `run` makes them, and what it says where something is wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from swept import DAY, Dip

from feeds import SampleBars
from framework import run, sweep
from framework.errors import ConfigError
from framework.research.outcome import KEYS, Sweep
from framework.research.rows import row, row_of
from framework.result import Result


def same(one: Result, other: Result) -> bool:
    return row(row_of(one, 0)).same() == row(row_of(other, 0)).same()


def alike(one: Any, other: Any) -> bool:
    return bool(one == other or (pd.isna(one) and pd.isna(other)))


def dips(**how: Any) -> Sweep:
    return sweep(Dip, **{"source": DAY, "grid": {"period": [3, 7], "lot": [1, 2]}, "workers": 1, **how})


def test_the_table_has_every_combination_in_the_grids_order() -> None:
    """The last parameter changes fastest; then figures, fills, error, seconds."""
    table = dips().table
    assert table[["period", "lot"]].values.tolist() == [[3, 1], [3, 2], [7, 1], [7, 2]]
    assert list(table.columns) == ["period", "lot", *KEYS, "fills", "error", "seconds"]
    assert (table["error"] == "").all()
    assert (table["seconds"] > 0).all()


@pytest.mark.parametrize(
    "how", [{}, {"resample": ["5Min", "1Day"]}, {"warmup": 30}, {"commission": 0.001, "cash": 5_000}]
)
def test_each_row_is_what_run_alone_gives(how: dict[str, Any]) -> None:
    """To the last bit, although the warm-up that is loaded is that of the neediest run."""
    found = sweep(Dip, source=DAY, grid={"period": [3, 40, 7]}, workers=1, **how)
    for number, period in enumerate([3, 40, 7]):
        alone = run(Dip, source=DAY, period=period, **how)
        assert found.rows[number].same() == row(row_of(alone, 0)).same()
        shown = found.table.loc[number]
        assert [key for key in KEYS if not alike(shown[key], alone.stats[key])] == []
        assert found.table.loc[number, "fills"] == len(alone.fills)


def test_a_failing_run_is_a_row_with_its_error() -> None:
    """In one line; the others go on."""
    table = dips(grid={"mishap": ["", "init", "exit", "leave"]}).table
    assert table["error"].tolist() == ["", "RuntimeError: unlucky", "SystemExit: 3", "SystemExit: at once"]
    assert table["final_equity"].isna().tolist() == [False, True, True, True]


def test_a_parameter_may_be_called_as_a_figure_is() -> None:
    """Its column then bears Backtrader's own word for it."""
    table = dips(grid={"trades": [1, 2]}).table
    assert table["p.trades"].tolist() == [1, 2]
    assert table["trades"].nunique() == 1


def test_parameters_that_all_runs_have() -> None:
    """Directly or in `params`, as for `run`."""
    given = [dips(grid={"period": [3]}, lot=4), dips(grid={"period": [3]}, params={"lot": 4})]
    assert {each.rows[0].same() for each in given} == {dips(grid={"period": [3], "lot": [4]}).rows[0].same()}


def test_numbers_of_numpy_are_plain_numbers() -> None:
    """A grid of an array is that of a range."""
    assert dips(grid={"period": np.arange(3, 6)}).digest == dips(grid={"period": range(3, 6)}).digest


def test_the_digest_tells_tables_apart_and_not_how_long_they_took() -> None:
    """Two sweeps alike have one, another commission has another."""
    assert dips().digest == dips().digest
    assert dips().digest != dips(commission=0.001).digest


def test_best_opens_the_run_with_the_greatest_figure() -> None:
    """As the whole result that `run` gives; of those alike the first."""
    found = dips()
    at = int(found.table["final_equity"].idxmax())
    best = found.best(by="final_equity")
    assert same(best, run(Dip, source=DAY, **found.job.sets[at]))
    assert best.notes == ()
    assert found.ranked("final_equity", smallest=True)["final_equity"].is_monotonic_increasing


def test_best_without_a_run_that_was_made_says_why_they_failed() -> None:
    """The first error is the message."""
    with pytest.raises(ConfigError, match="no best run by sharpe: RuntimeError: unlucky"):
        dips(grid={"mishap": ["init"]}).best()


def test_best_by_an_unknown_figure_names_the_nearest() -> None:
    """A typing error is answered with what there is."""
    with pytest.raises(ConfigError, match=r"by='sharp' is no figure \(did you mean sharpe\?\)"):
        dips().best(by="sharp")


def test_a_row_that_is_not_there() -> None:
    """Rows are counted from 0, as in the table."""
    with pytest.raises(ConfigError, match="no row 4; there are 0 to 3"):
        dips().result(4)


class Fickle(Dip):
    """Has another lot at every run."""

    lots = iter(range(1, 9))

    def __init__(self) -> None:
        super().__init__()
        self.p.lot = next(self.lots)


def test_a_run_that_comes_out_otherwise_says_so() -> None:
    """A strategy that is not the same each time cannot be trusted in a table."""
    (note,) = sweep(Fickle, source=DAY, grid={"period": [3]}, workers=1).result(0).notes
    assert "this run is not the one in the table" in note


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"grid": {}}, "names no parameter"),
    ({"grid": {"period": []}}, r"grid\['period'\] is empty"),
    ({"grid": {"period": 5}}, r"give the values to try in a list, such as \[5\]"),
    ({"grid": {"mishap": "init"}}, r"such as \['init'\]"),
    ({"grid": {"perod": [5]}}, r"Dip has no parameter 'perod' \(did you mean period\?\)"),
    ({"grid": {"period": range(10_000), "lot": range(10_000)}}, "100,000,000 parameter sets"),
    ({"params": {"period": 4}}, "period is given in the grid and fixed in params"),
    ({"period": 4}, "period is given twice"),
    ({"comission": 0.1}, r"no parameter 'comission' \(did you mean commission\?\)"),
    ({"engine": "leen"}, "did you mean lean"),
    ({"cash": -1}, "not an amount to start with"),
    ({"live": True}, "live=True is for a live session"),
    ({"background": True}, "background=True is for a live session"),
    ({"workers": 0}, "workers=0 can run nothing"),
    ({"workers": "two"}, "workers='two' is not known"),
]


@pytest.mark.parametrize(("how", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_said_before_anything_runs(how: dict[str, Any], said: str) -> None:
    """In one line, with what to try."""
    with pytest.raises(ConfigError, match=said) as raised:
        dips(**how)
    assert "\n" not in str(raised.value)


def test_bars_that_cannot_be_had_are_no_row() -> None:
    """What every run would fail on ends the sweep at once."""
    with pytest.raises(ConfigError, match="no session"):
        dips(source=SampleBars("ACME", "2026-01-04", "2026-01-04"))


def test_a_sweep_shows_its_bar_where_it_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    """With the rate, on standard error."""
    dips(progress=True)
    shown = capsys.readouterr().err
    assert "runs" in shown
    assert "4/4" in shown
    assert "/s" in shown


def test_a_sweep_in_a_notebook_is_its_table() -> None:
    """With what was swept, and the figures that matter most."""
    found = dips(grid={"period": [3], "mishap": ["", "init"]})
    assert repr(found) == "<Sweep: Dip, 2 runs, 1 failed>"
    assert "<th>sharpe</th>" in found._repr_html_()
    assert "RuntimeError: unlucky" in found._repr_html_()


def test_figures_survive_being_written_down() -> None:
    """Times keep their zone, and numbers every bit, also those that are not finite."""
    result = run(Dip, source=DAY)
    read = row(row_of(result, 1.0)).values()
    assert read["start"] == result.stats["start"]
    assert str(read["start"].tz) == "America/New_York"
    assert all(read[name] == each or math.isnan(each) for name, each in result.stats.items() if isinstance(each, float))


def test_daily_returns_survive_being_written_down() -> None:
    """Day by day and to the last bit, a column a run that was made."""
    source = SampleBars("ACME", "2026-01-05", "2026-01-08")
    found = sweep(Dip, source=source, grid={"mishap": ["init", ""], "period": [3, 7]}, workers=1)
    assert list(found.returns.columns) == [2, 3]
    pd.testing.assert_series_equal(found.returns[3], run(Dip, source=source, period=7).returns, check_names=False)


def test_a_sweep_without_a_run_that_was_made_has_no_returns() -> None:
    """Nor is it an error to ask."""
    assert dips(grid={"mishap": ["init"]}).returns.empty
