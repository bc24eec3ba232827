"""Each mend of Backtrader, shown by what breaks without it."""

from __future__ import annotations

import io
import itertools
import pickle
import subprocess
import sys
import warnings
from datetime import datetime
from zoneinfo import ZoneInfo

import backtrader as bt
import matplotlib
import numpy as np
import pytest

from framework.columns import Columns
from framework.engine.compat import MendedCerebro, chosen_backend, tzparse
from framework.engine.data import BarData


def bars(count: int = 30) -> Columns:
    ends = np.datetime64("2026-01-05T14:31", "us") + np.arange(count) * np.timedelta64(1, "m")
    prices = 100 + np.arange(count) % 7
    return Columns.of(ends, prices, prices + 1, prices - 1, prices, np.full(count, 10))


def cerebro_with(strategy: type[bt.Strategy] = bt.Strategy, **params: object) -> MendedCerebro:
    cerebro = MendedCerebro()
    cerebro.adddata(BarData(dataname=bars(), timeframe=bt.TimeFrame.Minutes))
    cerebro.addstrategy(strategy, **params)
    return cerebro


@pytest.mark.parametrize("zone", ["America/New_York", ZoneInfo("America/New_York")])
def test_a_zone_may_be_a_name_or_a_zoneinfo(zone: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backtrader takes the two usual ways to name a time zone, without pytz."""
    monkeypatch.setitem(sys.modules, "pytz", None)
    cerebro = MendedCerebro(tz=zone)
    data = BarData(dataname=bars(), timeframe=bt.TimeFrame.Minutes, tz=zone)
    cerebro.adddata(data)
    (strategy,) = cerebro.run()
    assert strategy.data.datetime.datetime(0) == datetime(2026, 1, 5, 10, 0)  # noqa: DTZ001 (Backtrader's are naive)
    assert strategy.data.date2num(datetime(2026, 1, 5, 10, 0)) == strategy.data.datetime[0]  # noqa: DTZ001


def test_a_zone_localizes_as_pytz_did() -> None:
    """A parsed zone has the `localize` method that Backtrader calls."""
    zone = tzparse("CST")
    assert zone.localize(datetime(2026, 7, 1)).utcoffset().total_seconds() == -5 * 3600  # noqa: DTZ001
    assert tzparse(None) is None


def test_lines_can_be_bound_by_index() -> None:
    """`bindlines` takes line numbers, which needs an alias that Python 3.10 removed."""

    class Inner(bt.Indicator):
        lines = ("value",)

        def __init__(self) -> None:
            self.lines.value = self.data + 1

    class Outer(bt.Indicator):
        lines = ("value",)

        def __init__(self) -> None:
            Inner(self.data).bindlines(0, 0)

    class Uses(bt.Strategy):
        def __init__(self) -> None:
            self.outer = Outer(self.data.close)

    (strategy,) = cerebro_with(Uses).run(runonce=False)
    assert strategy.outer[0] == strategy.data.close[0] + 1


def test_the_loop_over_bars_raises_no_deprecation_warning() -> None:
    """Stock's own loop calls `utcnow` on every bar; the user does not see it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cerebro_with().run(runonce=False)


def test_backtrader_compiles_without_a_word() -> None:
    """The first import on a new Python shows none of Backtrader's SyntaxWarnings."""
    code = "import framework.engine.compat"
    command = [sys.executable, "-W", "always::SyntaxWarning", "-B", "-X", "pycache_prefix=/nonexistent", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "SyntaxWarning" not in done.stderr


@pytest.mark.parametrize("count", [0, 1, 19])
def test_a_feed_shorter_than_its_indicators_need_runs(count: int) -> None:
    """Twenty bars' average of fewer bars is not an IndexError: `next` is just never called."""

    class Averages(bt.Strategy):
        called = 0

        def __init__(self) -> None:
            bt.ind.SMA(period=20)

        def prenext(self) -> None:
            self.called += 1

    cerebro = MendedCerebro()
    cerebro.adddata(BarData(dataname=bars(count), timeframe=bt.TimeFrame.Minutes))
    cerebro.addstrategy(Averages)
    assert cerebro.run()[0].called == count


def test_plot_draws_without_a_display() -> None:
    """`cerebro.plot()` gives figures on a machine without a screen, and leaves the backend alone."""
    cerebro = cerebro_with()
    cerebro.run()
    with chosen_backend() as pyplot:
        before = pyplot.get_backend()
        ((figure,),) = cerebro.plot()
        assert len(figure.axes) >= 2
        assert pyplot.get_backend() == before
        pyplot.close("all")


def test_loading_the_plotter_does_not_choose_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """`backtrader.plot` asks matplotlib for TKAgg when it is imported; nobody hears it."""
    asked: list[str] = []
    monkeypatch.setattr(matplotlib, "use", asked.append)
    monkeypatch.delitem(sys.modules, "backtrader.plot", raising=False)
    with chosen_backend():
        assert asked == []


def test_a_second_plot_starts_on_a_clean_figure() -> None:
    """Plotting twice gives two pictures, not one drawn over the other."""
    cerebro = cerebro_with()
    cerebro.run()
    with chosen_backend() as pyplot:
        axes = [len(cerebro.plot()[0][0].axes) for _ in range(2)]
        pyplot.close("all")
    assert axes[0] == axes[1]


def test_plot_in_a_notebook_keeps_the_inline_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a notebook kernel loaded, stock would switch to nbagg and show no picture."""
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    cerebro = cerebro_with()
    cerebro.run()
    with chosen_backend() as pyplot:
        before = pyplot.get_backend()
        cerebro.plot()
        pyplot.close("all")
        assert pyplot.get_backend() == before


class NoItertools(pickle.Pickler):
    """A pickler as Python 3.14's: it refuses what itertools makes."""

    def reducer_override(self, value: object) -> object:
        if type(value).__module__ == "itertools":
            raise TypeError(f"cannot pickle {type(value).__name__}")
        return NotImplemented


def test_an_optimisation_can_be_sent_to_workers_on_python_3_14() -> None:
    """What `optstrategy` pickles holds no itertools object, during a run and before it."""
    cerebro = MendedCerebro()
    cerebro.adddata(BarData(dataname=bars(), timeframe=bt.TimeFrame.Minutes))
    cerebro.optstrategy(bt.Strategy)
    cerebro._init_stcount()
    NoItertools(io.BytesIO()).dump(cerebro.__getstate__())
    with pytest.raises(TypeError, match="count"):
        NoItertools(io.BytesIO()).dump(itertools.count())


class Periodic(bt.Strategy):
    params = (("period", 5),)


def test_optstrategy_runs_in_worker_processes() -> None:
    """An optimisation over two processes gives a result for each parameter."""
    cerebro = MendedCerebro(maxcpus=2)
    cerebro.adddata(BarData(dataname=bars(), timeframe=bt.TimeFrame.Minutes))
    cerebro.optstrategy(Periodic, period=[3, 5])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside the test runner's threads
        found = cerebro.run()
    assert [run[0].params.period for run in found] == [3, 5]
