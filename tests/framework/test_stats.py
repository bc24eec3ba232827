"""Each figure against its definition, and against empyrical where the definitions agree."""

import math
from typing import Any

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from made_result import empty, utc

from framework import stats
from framework.calendar import Calendar

RETURNS = st.lists(st.floats(-0.3, 0.3, allow_nan=False), min_size=2, max_size=60)
XNYS = Calendar()


def series(values: list[float], ends: list[str]) -> pd.Series:
    return pd.Series(values, index=utc(np.array(ends, dtype="datetime64[us]")), name="equity", dtype=float)


def grown(returns: list[float], cash: float = 1000.0) -> np.ndarray:
    return cash * np.cumprod(1 + np.array(returns))


@settings(deadline=None)
@given(RETURNS)
def test_volatility_is_empyricals(returns: list[float]) -> None:
    """The annual volatility of any daily returns is the one that empyrical gives."""
    expected = empyrical.annual_volatility(np.array(returns))
    assert stats.volatility(returns, 252) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(RETURNS, st.sampled_from([252, 365]))
def test_sharpe_is_empyricals_where_there_is_risk(returns: list[float], year: int) -> None:
    """The Sharpe ratio agrees where returns differ from one another."""
    assume(np.std(returns) > 1e-9)
    assert stats.sharpe(returns, year) == pytest.approx(empyrical.sharpe_ratio(np.array(returns), annualization=year))


@settings(deadline=None)
@given(RETURNS)
def test_sortino_is_empyricals_where_a_day_lost(returns: list[float]) -> None:
    """The Sortino ratio agrees where at least one day lost."""
    assume(min(returns) < -1e-9)
    assert stats.sortino(returns, 252) == pytest.approx(empyrical.sortino_ratio(np.array(returns)))


@settings(deadline=None)
@given(RETURNS)
def test_growth_is_empyricals(returns: list[float]) -> None:
    """Total return and CAGR agree with empyrical's compounding."""
    total = stats.total_return(grown(returns)[-1], 1000.0)
    assert total == pytest.approx(empyrical.cum_returns_final(np.array(returns)), abs=1e-9)
    assert stats.cagr(total, len(returns), 252) == pytest.approx(empyrical.annual_return(np.array(returns)), rel=1e-6)


@settings(deadline=None)
@given(RETURNS)
def test_max_drawdown_and_calmar_are_empyricals_on_daily_values(returns: list[float]) -> None:
    """Given an account's values at day ends, the deepest fall and Calmar agree."""
    deepest = stats.max_drawdown(stats.drawdowns(grown(returns), 1000.0))
    assert deepest == pytest.approx(empyrical.max_drawdown(np.array(returns)), abs=1e-9)
    assume(deepest < -1e-6)
    growth = empyrical.annual_return(np.array(returns))
    assert stats.calmar(growth, deepest) == pytest.approx(empyrical.calmar_ratio(np.array(returns)), rel=1e-6)


@settings(deadline=None)
@given(RETURNS)
def test_months_multiply_to_the_year(returns: list[float]) -> None:
    """The product of a year's months is the product of its days, as empyrical aggregates them."""
    daily = pd.Series(returns, index=pd.bdate_range("2026-11-16", periods=len(returns)))
    months = stats.monthly_returns(daily)
    expected = empyrical.aggregate_returns(daily, "monthly")
    found = {(year, month): months.loc[year, month] for year, month in expected.index}
    assert list(found.values()) == pytest.approx(expected.tolist(), abs=1e-12)
    assert (1 + months[list(range(1, 13))]).prod(axis=1).tolist() == pytest.approx((1 + months["year"]).tolist())


@pytest.mark.parametrize("figure", [stats.sharpe, stats.sortino])
def test_a_ratio_without_risk_is_not_a_number(figure: Any) -> None:
    """Where every day is the same there is nothing to divide by: NaN here, infinite in empyrical."""
    assert math.isnan(figure([0.01, 0.01, 0.01], 252))
    assert math.isnan(figure([], 252))


def test_days_that_are_not_numbers_are_left_out() -> None:
    """A day after the account fell to zero has no return, and does not spoil the rest."""
    assert stats.volatility([0.1, math.nan, -0.1], 252) == stats.volatility([0.1, -0.1], 252)


def test_daily_equity_is_the_last_value_of_the_exchanges_day() -> None:
    """20:00 in New York is the next day in UTC, and still the same day on the exchange."""
    equity = series([1, 2, 3], ["2026-10-01T20:00", "2026-10-02T00:00", "2026-10-02T20:00"])
    daily = stats.daily_equity(equity, XNYS)
    assert dict(zip(daily.index.strftime("%m-%d"), daily, strict=True)) == {"10-01": 2.0, "10-02": 3.0}


def test_midnight_belongs_to_the_day_that_it_ends() -> None:
    """The day bar of a market that never closes is stamped with the next midnight."""
    days = stats.exchange_days(np.array(["2026-10-02T00:00", "2026-10-02T00:01"], "datetime64[us]"), Calendar("24/7"))
    assert days.astype(str).tolist() == ["2026-10-01", "2026-10-02"]


def test_a_trading_day_without_bars_returns_zero() -> None:
    """Bars of a week still make five daily returns, four of them zero, so that a year has 252 days."""
    equity = series([100, 110], ["2026-10-02T20:00", "2026-10-09T20:00"])
    returns = stats.daily_returns(stats.daily_equity(equity, XNYS), 100.0)
    assert returns.round(9).tolist() == [0, 0, 0, 0, 0, 0.1]


def test_the_first_return_is_against_the_starting_cash() -> None:
    """What the first day made counts."""
    daily = stats.daily_equity(series([110, 99], ["2026-10-01T20:00", "2026-10-02T20:00"]), XNYS)
    assert stats.daily_returns(daily, 100.0).tolist() == pytest.approx([0.1, -0.1])


def test_a_return_on_nothing_is_not_a_number() -> None:
    """From zero or from debt there is no return."""
    ends = ["2026-10-01T20:00", "2026-10-02T20:00", "2026-10-05T20:00", "2026-10-06T20:00"]
    returns = stats.daily_returns(stats.daily_equity(series([0, 50, -10, 20], ends), XNYS), 100.0)
    assert returns.tolist() == pytest.approx([-1, math.nan, -1.2, math.nan], nan_ok=True)


def test_a_loss_of_more_than_everything_has_no_growth_rate() -> None:
    """An account below zero has no CAGR, one at exactly zero lost all of it."""
    assert math.isnan(stats.cagr(-1.2, 10, 252))
    assert stats.cagr(-1.0, 10, 252) == -1.0


def test_drawdown_length_is_from_the_peak_to_the_recovery() -> None:
    """The deepest fall began at 120 on the 2nd and was made good on the 7th; the later one was longer."""
    ends = [f"2026-10-{day:02}T20:00" for day in (1, 2, 5, 6, 7, 8, 30)]
    equity = series([100, 120, 90, 110, 120, 115, 116], ends)
    assert stats.drawdown_length(equity, 100.0) == pd.Timedelta(days=5)
    assert stats.longest_drawdown(equity, 100.0) == pd.Timedelta(days=23)


def test_a_fall_from_the_starting_cash_counts_from_the_first_instant() -> None:
    """A run that only loses is under water from its start to its end."""
    equity = series([99, 98, 97], [f"2026-10-{day:02}T20:00" for day in (1, 2, 5)])
    assert stats.drawdown_length(equity, 100.0) == stats.longest_drawdown(equity, 100.0) == pd.Timedelta(days=4)


@settings(deadline=None)
@given(st.lists(st.floats(1, 200), max_size=30))
def test_the_longest_drawdown_is_never_shorter_than_the_deepest(values: list[float]) -> None:
    """The deepest fall is one of the falls; neither is longer than the run."""
    equity = series(values, [str(np.datetime64("2026-01-01") + np.timedelta64(day, "D")) for day in range(len(values))])
    deepest, longest = stats.drawdown_length(equity, 100.0), stats.longest_drawdown(equity, 100.0)
    assert pd.Timedelta(0) <= deepest <= longest <= pd.Timedelta(days=max(len(values) - 1, 0))


def fills(*rows: tuple[str, str, float, float, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["symbol", "time", "size", "price", "position"])
    return frame.assign(time=utc(frame["time"].to_numpy(dtype="datetime64[us]")))


STAMPS = np.array([f"2026-10-01T14:0{minute}" for minute in range(5)], dtype="datetime64[us]")


def test_exposure_counts_instants_at_which_anything_is_held() -> None:
    """In A at two of five instants and in B, overlapping, at two: three of five in all."""
    both = fills(
        ("A", "2026-10-01T14:01", 1, 10, 1), ("B", "2026-10-01T14:02", 1, 10, -1),
        ("A", "2026-10-01T14:03", 1, 10, 0), ("B", "2026-10-01T14:04", 1, 10, 0),
    )  # fmt: skip
    assert stats.exposure(STAMPS, both) == pytest.approx(0.6)


def test_exposure_takes_the_position_after_all_fills_of_an_instant() -> None:
    """What is opened and closed within one instant is not held at it."""
    wash = fills(("A", "2026-10-01T14:01", 1, 10, 1), ("A", "2026-10-01T14:01", 1, 10, 0))
    assert stats.exposure(STAMPS, wash) == 0.0
    assert math.isnan(stats.exposure(STAMPS[:0], wash))


def test_buying_and_selling_the_whole_account_once_turns_it_over_once() -> None:
    """Half of the two-way value over the average account, a year."""
    trip = fills(("A", "2026-10-01T14:01", 10, 100, 10), ("A", "2026-10-01T14:03", 10, 100, 0))
    assert stats.turnover(trip, 1000.0, 0.5) == pytest.approx(2.0)
    assert math.isnan(stats.turnover(empty(("size", "price")), 0.0, 0.0))


def test_the_figures_of_trades() -> None:
    """Two profits and two losses, worked out by hand."""
    pnl = [30.0, -10.0, 20.0, -10.0]
    assert (stats.win_rate(pnl), stats.profit_factor(pnl), stats.average(pnl)) == (0.5, 2.5, 7.5)
    assert (stats.average_win(pnl), stats.average_loss(pnl)) == (25.0, -10.0)
    assert (stats.best(pnl), stats.worst(pnl), stats.expectancy(pnl)) == (30.0, -10.0, 0.75)
    assert stats.sqn(pnl) == pytest.approx(2 * 7.5 / np.std(pnl, ddof=1))


def test_a_profit_factor_without_losses_is_infinite() -> None:
    """Nothing lost, nothing to divide by; with nothing won either there is no factor."""
    assert stats.profit_factor([1.0]) == math.inf
    assert math.isnan(stats.profit_factor([0.0]))


FIGURES = [
    stats.win_rate, stats.profit_factor, stats.average, stats.average_win, stats.average_loss, stats.best,
    stats.worst, stats.expectancy, stats.sqn,
]  # fmt: skip


@pytest.mark.parametrize("figure", FIGURES)
def test_without_trades_no_figure_is_a_number(figure: Any) -> None:
    """No trade, no figure, and no error."""
    assert math.isnan(figure([]))
    assert math.isnan(figure(pd.Series([], dtype=object)))


def test_holding_time_is_the_mean_of_the_round_trips() -> None:
    """One minute and three minutes are two on average."""
    times = pd.DataFrame({"entry_time": utc(STAMPS[[0, 1]]), "exit_time": utc(STAMPS[[1, 4]])})
    assert stats.holding_time(times) == pd.Timedelta(minutes=2)
    assert stats.holding_time(times.iloc[:0]) is pd.NaT


def test_a_year_has_252_days_on_an_exchange_and_365_where_nothing_closes() -> None:
    """The days that annual figures are reckoned with."""
    assert (stats.days_a_year(XNYS), stats.days_a_year(Calendar("24/7"))) == (252, 365)
