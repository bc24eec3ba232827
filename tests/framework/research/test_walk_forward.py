"""`walk_forward`: parameters chosen on the past, tried on what came next."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from swept import Dip, counted
from tape import Tape

from feeds import SampleBars, SampleSignals
from framework import WalkForward, run, sweep, walk_forward
from framework.calendar import Calendar
from framework.columns import Columns
from framework.errors import ConfigError
from framework.model import Timeframe
from framework.research.overfitting import moments
from framework.research.rows import row, row_of
from framework.research.walked import Step
from framework.result import Result
from strategies.signal_follower import SignalFollower

GRID = {"period": [2, 5, 3], "lot": [10, 100]}
HOUR = Timeframe.parse("30Min")


def bars(first: Any = "2026-01-05", last: Any = "2026-02-06") -> SampleBars:
    return SampleBars("ACME", first, last, timeframe=HOUR)


def walked(**how: Any) -> WalkForward:
    fixed: dict[str, Any] = {"source": bars(), "grid": GRID, "train": "8D", "test": 5, "workers": 1}
    return walk_forward(Dip, **{**fixed, **how})


@pytest.fixture(scope="module")
def found() -> WalkForward:
    return walked()


def same(one: Result, other: Result) -> bool:
    return row(row_of(one, 0)).same() == row(row_of(other, 0)).same()


@pytest.mark.parametrize("how", [{}, {"resample": ["1Day"]}, {"warmup": 7, "commission": 0.001, "anchored": True}])
def test_each_run_is_what_run_gives_over_the_windows_days(how: dict[str, Any]) -> None:
    """To the last bit: with its own warm-up from the days before, and the account as it begins."""
    found = walked(grid={"period": [2, 30]}, **how)
    more = {name: each for name, each in how.items() if name != "anchored"}
    for number, step in enumerate(found.steps):
        train, test = step.window.train, step.window.test
        alone = sweep(Dip, source=bars(train.first, train.last), grid={"period": [2, 30]}, workers=1, **more)
        assert step.train.digest == alone.digest
        assert same(alone.best(), alone.result(step.chosen or 0))
        chosen = {"period": found.table["period"][number], **more}
        assert same(found.result(number), run(Dip, source=bars(test.first, test.last), **chosen))


def test_signals_are_cut_into_windows_as_bars_are() -> None:
    """Each run follows what was published in its window, as it does alone."""
    source = SampleBars(["SPY", "IBM"], "2026-10-05", "2026-10-14", timeframe=HOUR)
    how: dict[str, Any] = {"grid": {"capital": [1_000, 5_000]}, "train": 4, "test": 2, "objective": "fills"}
    found = walk_forward(SignalFollower, source=[source, SampleSignals(source)], workers=1, **how)
    for number, step in enumerate(found.steps):
        first, last = step.window.test.first, step.window.test.last
        part = SampleBars(["SPY", "IBM"], first, last, timeframe=HOUR)
        capital = found.table["capital"][number]
        alone = run(SignalFollower, source=[part, SampleSignals(source)], capital=capital)
        assert same(found.result(number), alone)
        assert len(alone.fills) > 0


def test_a_day_that_is_half_done_makes_no_longer_bar() -> None:
    """At the end of the last window, as at the end of a run."""
    ends = bars().history()["ACME"]
    source = Tape({"ACME": ends[:-4]}, timeframe=HOUR)
    found = walked(source=source, grid={"period": [2]}, resample=["1Day"])
    last = found.steps[-1].window.test
    start = Calendar().midnight(last.first)
    alone = run(Dip, source=Tape({"ACME": ends[:-4]}, timeframe=HOUR, start=start), resample=["1Day"], period=2)
    assert same(found.result(len(found) - 1), alone)


def test_the_table_has_a_row_a_window(found: WalkForward) -> None:
    """Its days, what was chosen, and what that promised and kept."""
    table = found.table
    assert table["test_start"].tolist() == [pd.Timestamp(f"2026-{day}") for day in ("01-15", "01-23", "01-30", "02-06")]
    assert table["train_start"][0] == pd.Timestamp("2026-01-05")
    for number, step in enumerate(found.steps):
        best = step.train.table["sharpe"].max()
        assert table["train_sharpe"][number] == best
        assert step.train.table["sharpe"][step.chosen] == best
        assert table["test_total_return"][number] == found.result(number).stats["total_return"]
    assert (table["error"] == "").all()


def test_equity_joins_the_test_parts_by_their_returns(found: WalkForward) -> None:
    """Every day after the first train part is in it once, and the last value is all windows' growth together."""
    results = [found.result(number) for number in range(len(found))]
    assert found.returns.tolist() == [each for one in results for each in one.returns]
    assert found.equity.index.is_monotonic_increasing
    assert not found.equity.index.has_duplicates
    growth = math.prod(1 + each.stats["total_return"] for each in results)
    assert found.equity.iloc[-1] == pytest.approx(100_000 * growth, rel=1e-12)


def test_figures_of_the_joined_parts(found: WalkForward) -> None:
    """Of the account by its days, of trades by the windows'; the others are a dash."""
    assert found.stats["final_equity"] == found.equity.iloc[-1]
    assert found.stats["trades"] == found.table["test_trades"].sum()
    trades = pd.concat([found.result(number).trades for number in range(len(found))])
    assert found.stats["win_rate"] == pytest.approx((trades["pnl"] > 0).mean())
    assert found.stats["average_trade"] == pytest.approx(trades["pnl"].mean())
    assert found.stats.written("holding_time") == "–"
    assert "Sharpe ratio" in repr(found.stats)


def test_the_test_parts_are_told_how_probable_they_are(found: WalkForward) -> None:
    """The probabilistic Sharpe ratio of all their days together."""
    assert found.probability == moments(found.returns).probability()
    assert 0 < found.probability < 1


def test_the_smallest_may_be_the_best() -> None:
    """And any figure of a sweep's table may be the objective."""
    found = walked(objective="fills", smallest=True)
    assert found.table["train_fills"].tolist() == [each.train.table["fills"].min() for each in found.steps]


def test_of_parameter_sets_alike_the_first_is_chosen() -> None:
    """In the grid's order."""
    assert set(walked(grid={"folder": ["b", "a"]}).table["folder"]) == {"b"}


class Fussy(Dip):
    """Cannot stand a certain day."""

    def next(self) -> None:
        if self.data.datetime.date(0) == date(2026, 1, 28):
            raise RuntimeError("not on a day like this")
        super().next()


def test_a_window_whose_runs_fail_is_a_row_that_says_so() -> None:
    """The test run's error, or that nothing could be chosen; the account stands still."""
    kwargs: dict[str, Any] = {"source": bars(), "grid": {"period": [2, 3]}, "train": 8, "test": 5, "workers": 1}
    found = walk_forward(Fussy, **kwargs)
    said = found.table["error"].tolist()
    assert said[0] == ""
    assert said[1] == "RuntimeError: not on a day like this"
    assert said[2] == said[3] == "there is no best run by sharpe: RuntimeError: not on a day like this"
    chosen = [None if each.chosen is None else each.train.job.sets[each.chosen]["period"] for each in found.steps]
    assert chosen[2:] == [None, None]
    assert [repr(each) for each in found.table["period"]] == [repr(each) for each in chosen]
    idle = found.returns["2026-01-23":]
    assert len(idle) == 11
    assert (idle == 0).all()
    assert repr(found) == "<WalkForward: Fussy, 4 windows, 3 without a test run>"
    with pytest.raises(ConfigError, match="window 2 has no test run: there is no best run by sharpe"):
        found.result(2)


def test_where_no_window_has_a_test_run() -> None:
    """The table is there with the errors; what is made of test runs cannot be."""
    found = walked(grid={"mishap": ["init"]})
    assert found.table["error"].str.contains("RuntimeError: unlucky").all()
    with pytest.raises(ConfigError, match="no window has a test run: there is no best run by sharpe: RuntimeError"):
        _ = found.equity


DAYS = Calendar().sessions.closes[Calendar().sessions.days >= np.datetime64("2026-01-05")][:26]
PRICES = st.lists(st.floats(50, 150), min_size=len(DAYS), max_size=len(DAYS))


def daily(prices: list[float]) -> Tape:
    made = Columns.of(DAYS, *[prices] * 4, [1_000] * len(DAYS))
    return Tape({"ACME": made}, timeframe=Timeframe.parse("1Day"))


@settings(max_examples=3, deadline=None)
@given(PRICES, PRICES, st.integers(0, 2), st.booleans())
def test_what_comes_after_a_window_changes_nothing_in_it(
    prices: list[float], others: list[float], number: int, anchored: bool
) -> None:
    """Nor in those before it, nor in what the next one chooses: nothing looks ahead."""
    how: dict[str, Any] = {"grid": {"period": [2, 4]}, "train": 8, "test": 6, "workers": 1, "anchored": anchored}
    one = walk_forward(Dip, source=daily(prices), **how)
    known = 8 + 6 * (number + 1)
    two = walk_forward(Dip, source=daily(prices[:known] + others[known:]), **how)
    assert [told(each) for each in one.steps[: number + 1]] == [told(each) for each in two.steps[: number + 1]]
    later = slice(number + 1, number + 2)
    assert [each.train.digest for each in one.steps[later]] == [each.train.digest for each in two.steps[later]]


def told(step: Step) -> tuple[Any, ...]:
    """Return all that came of a window."""
    return step.train.digest, step.chosen, step.test and step.test.digest, step.error


def test_a_store_has_what_was_done(tmp_path: Path) -> None:
    """Called again nothing is run; with later bars, what these make new."""
    folder = tmp_path / "begun"
    folder.mkdir()
    grid = {"period": [2, 3]}
    params = {"mishap": "count", "folder": str(folder)}
    how: dict[str, Any] = {"grid": grid, "params": params, "store": tmp_path / "store"}
    first = walked(**how)
    assert counted(folder) == 12
    assert walked(**how).table.equals(first.table)
    assert counted(folder) == 12
    walked(**how, source=bars(last="2026-02-12"))
    assert counted(folder) == 13


def test_the_same_from_several_processes(found: WalkForward) -> None:
    """Each with spans of its own."""
    other = walked(workers=2, source=bars(last="2026-01-22"))
    assert len(other) == 1
    assert told(other.steps[0]) == told(found.steps[0])


def test_a_picture_of_the_account_and_of_each_window(found: WalkForward) -> None:
    """The joined equity above; below what was promised beside what was kept."""
    above, below = found.plot().axes
    assert above.lines[-1].get_ydata().tolist() == found.equity.tolist()
    heights = [each.get_height() for each in below.patches]
    np.testing.assert_array_equal(heights, [*found.table["train_sharpe"], *found.table["test_sharpe"]])


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"objective": "sharp"}, r"objective='sharp' is no figure \(did you mean sharpe\?\)"),
    ({"objective": "start"}, "objective='start' is a time"),
    ({"train": "8W"}, "train='8W' is no number of trading sessions"),
    ({"test": 0}, "test=0 is no number of trading sessions"),
    ({"train": 100}, "24 trading sessions are too few to train on 100"),
    ({"grid": {"perod": [5]}}, "did you mean period"),
    ({"grid": {"period": [5]}, "params": {"period": 4}}, "given in the grid and fixed in params"),
    ({"live": True}, "live=True is for a live session"),
    ({"workers": 0}, "workers=0 can run nothing"),
]


@pytest.mark.parametrize(("how", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_said_before_anything_runs(how: dict[str, Any], said: str) -> None:
    """In one line."""
    with pytest.raises(ConfigError, match=said) as raised:
        walked(**how)
    assert "\n" not in str(raised.value)


def test_a_walk_in_a_notebook_is_its_table(found: WalkForward) -> None:
    """With its title."""
    assert "<b>Dip, 4 windows</b>" in found._repr_html_()
    assert "<th>test_sharpe</th>" in found._repr_html_()
