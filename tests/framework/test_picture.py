"""Pictures without pyplot, their time axis without holes, and the strategy's own indicators on it."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from made_result import make_result, minutes, nothing_happened, ran

from framework import axis
from framework.columns import Columns
from framework.errors import ConfigError
from framework.overlays import Overlay, overlays
from framework.panels import MOST_CANDLES
from framework.picture import equity_picture, svg
from framework.result import Result
from framework.stats import stamps_of

ZONE = "America/New_York"
BARS = {"AAPL": minutes(2), "TSLA": minutes(2, seed=8, price=250)}


@pytest.fixture(scope="module")
def result() -> Result:
    return make_result(BARS)


def titles(figure: object) -> list[str]:
    return [ax.get_title(loc="left") for ax in figure.axes]  # type: ignore[attr-defined]


def test_a_picture_has_a_panel_a_symbol_then_equity_and_drawdown(result: Result) -> None:
    """From the top: prices of each symbol, the account, how far it is below its peak."""
    assert titles(result.plot()) == ["AAPL", "TSLA", "Equity", "Drawdown"]


def test_a_range_far_from_the_start_is_not_squeezed_by_the_starting_cash() -> None:
    """The line of the starting cash is left out where it would flatten what is shown."""
    ends = minutes(2).end
    figure = nothing_happened(np.linspace(200_000, 201_000, len(ends)), ends).plot(start="2026-10-02")
    assert figure.axes[-2].get_ylim()[0] > 200_000


def test_symbols_may_be_picked(result: Result) -> None:
    """One by name, or some in the order asked for."""
    assert titles(result.plot(symbols="TSLA"))[:-2] == ["TSLA"]
    assert titles(result.plot(symbols=["TSLA", "AAPL"]))[:-2] == ["TSLA", "AAPL"]


def test_an_unknown_symbol_names_the_nearest(result: Result) -> None:
    """A typing error is answered with what was run."""
    with pytest.raises(ConfigError, match=r"'AAPLE' was not run \(did you mean AAPL\?\); there are AAPL, TSLA"):
        result.plot(symbols="AAPLE")


def test_a_range_narrows_the_axis(result: Result) -> None:
    """A day is the exchange's, its end included; a session has 390 minutes."""
    figure = result.plot(start="2026-10-02", end="2026-10-02")
    assert figure.axes[0].get_xlim() == pytest.approx((-0.6, 389.6))


def test_a_range_without_bars_says_what_was_run(result: Result) -> None:
    """Nothing to show is an error that names the run's own range."""
    with pytest.raises(
        ConfigError, match="nothing was run between 2027-01-01 and the end; the run is 2026-10-01 13:31"
    ):
        result.plot(start="2027-01-01")


def test_few_bars_are_candles_and_many_a_line(result: Result) -> None:
    """Candles only where there is room for them."""
    hour = result.plot(start="2026-10-02T10:00-04:00", end="2026-10-02T11:00-04:00", symbols="AAPL").axes[0]
    whole = result.plot(symbols="AAPL").axes[0]
    assert [type(each).__name__ for each in hour.collections][:2] == ["LineCollection", "PolyCollection"]
    assert max(len(line.get_xdata()) for line in whole.lines) > MOST_CANDLES


def test_fills_are_marked_at_their_bar_and_price(result: Result) -> None:
    """Every buy that opens has a mark at its place on the axis and its price."""
    price = result.plot(symbols="AAPL").axes[0]
    marks = next(line for line in price.lines if line.get_label() == "buy, opens")
    bought = result.fills[(result.fills["symbol"] == "AAPL") & (result.fills["side"] == "buy")]
    assert marks.get_ydata().tolist() == bought["price"].tolist()
    assert marks.get_xdata().tolist() == np.searchsorted(BARS["AAPL"].end, stamps_of(bought["time"])).tolist()


def test_busiest_symbols_are_drawn_where_there_are_many() -> None:
    """Thirty symbols would not fit; those with the most fills are drawn, and the picture says so."""
    figure = nothing_happened(bars={f"S{each}": Columns.empty() for each in range(30)}).plot()
    assert len(figure.axes) == 8 + 2
    assert any("8 of 30 symbols" in each.get_text() for each in figure.texts)


def test_dollar_signs_in_names_are_not_mathematics() -> None:
    """matplotlib would set what is between two dollars as a formula, or fail to."""
    assert nothing_happened(bars={"$A_$\\frac": Columns.empty()}).plot()._repr_png_()


def test_a_notebook_shows_the_picture_once(result: Result) -> None:
    """IPython finds a PNG on the figure itself; pyplot does not know the figure, so nothing shows it again."""
    formats, metadata = DisplayFormatter().format(result.plot(symbols="AAPL"))
    assert formats["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"] == {"width": 1200}
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_drawing_neither_imports_pyplot_nor_needs_a_display() -> None:
    """With a backend that cannot work here a picture is drawn all the same."""
    code = (
        "import sys; from made_result import nothing_happened; nothing_happened().plot().savefig(sys.stderr.buffer);"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    here = os.path.dirname(__file__)
    environment = {**os.environ, "MPLBACKEND": "TkAgg", "DISPLAY": "", "PYTHONPATH": here}
    done = subprocess.run([sys.executable, "-c", code], check=False, env=environment, capture_output=True)
    assert (done.returncode, done.stderr[:4]) == (0, b"\x89PNG")


def test_the_same_run_gives_the_same_svg(result: Result) -> None:
    """No dates and no random names: a report can be compared with another."""
    assert svg(equity_picture(result)) == svg(equity_picture(result))


def test_a_year_of_minutes_is_drawn_in_about_a_second() -> None:
    """100,000 bars: what is drawn is thinned to what can be seen (the limit leaves room for a busy machine)."""
    result = make_result({"SPY": minutes(252, first="2025-01-02")})
    started = time.process_time()
    result.plot()._repr_png_()
    assert time.process_time() - started < 3


def test_ticks_are_at_round_times_and_name_the_day_once() -> None:
    """Two sessions: the day stands below its first label only, and nights take no room."""
    places, labels = axis.ticks(BARS["AAPL"].end, ZONE)
    assert labels[0] == "09:30\n01 Oct 2026"
    assert [each for each in labels if "\n" in each] == [labels[0], "09:30\n02 Oct 2026"]
    assert places[labels.index("09:30\n02 Oct 2026")] == 390


@pytest.mark.parametrize(("days", "labels"), [(20, "05 Oct"), (120, "Nov"), (250, "Jan\n2027")])
def test_longer_runs_have_coarser_ticks(days: int, labels: str) -> None:
    """Weeks, then months, with the year where it is new."""
    stamps = minutes(days)[::390].end
    assert labels in axis.ticks(stamps, ZONE)[1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**7), max_size=200, unique=True), st.integers(2, 20))
def test_ticks_are_few_and_in_order(seconds: list[int], most: int) -> None:
    """Whatever the bars, labels fit and follow one another."""
    stamps = np.array(sorted(seconds), dtype="datetime64[s]").astype("datetime64[us]")
    places, labels = axis.ticks(stamps, ZONE, most)
    assert len(places) == len(labels) <= most + 2
    assert (np.diff(places) > 0).all()


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(1, 40))
def test_thinning_keeps_the_ends_and_the_extremes(values: Sequence[float], buckets: int) -> None:
    """A thinned line reaches as high and as low as the whole, and is no longer than it need be."""
    line = np.array(values)
    kept = line[axis.thinned(line, buckets)]
    assert (kept[0], kept[-1], kept.min(), kept.max()) == (line[0], line[-1], line.min(), line.max())
    assert len(kept) <= max(4 * buckets, 2 * buckets + len(values) // buckets + 4)


class Drawing(bt.Strategy):
    """Indicators of every kind that Backtrader can place."""

    def __init__(self) -> None:
        self.average = bt.ind.SMA(self.data0.close, period=3)
        self.other = bt.ind.EMA(self.data1, period=5, plotname="mine")
        self.rsi = bt.ind.RSI(self.data0, period=4)
        self.smooth = bt.ind.SMA(self.rsi, period=2, subplot=False)
        self.unseen = bt.ind.SMA(self.data0, period=2, plot=False)
        self.macd = bt.ind.MACDHisto(self.data0)


@pytest.fixture(scope="module", params=[True, False], ids=["runonce", "next"])
def drawn(request: pytest.FixtureRequest) -> tuple[bt.Strategy, dict[str, Overlay]]:
    strategy = ran(Drawing, BARS, runonce=request.param)
    return strategy, {each.label: each for each in overlays(strategy, BARS)}


def test_indicators_go_where_their_author_put_them(drawn: tuple[bt.Strategy, dict[str, Overlay]]) -> None:
    """On the prices, in a panel below, on another indicator's panel, or nowhere."""
    placed = {label: (each.symbol, each.panel) for label, each in drawn[1].items()}
    assert placed == {
        "SMA (3)": ("AAPL", 0), "mine (5)": ("TSLA", 0), "RSI (4)": ("AAPL", 1), "SMA (2)": ("AAPL", 1),
        "MACDHisto (12, 26, 9)": ("AAPL", 2),
    }  # fmt: skip


def test_an_indicators_values_are_the_strategys(drawn: tuple[bt.Strategy, dict[str, Overlay]]) -> None:
    """A value a bar, not a number before the first."""
    (values,) = drawn[1]["SMA (3)"].lines.values()
    closes = BARS["AAPL"].close
    assert np.isnan(values[:2]).all()
    assert values[2:] == pytest.approx((closes[:-2] + closes[1:-1] + closes[2:]) / 3)


def test_levels_and_bars_are_as_the_indicator_says(drawn: tuple[bt.Strategy, dict[str, Overlay]]) -> None:
    """RSI has its bands, MACD's histogram is bars."""
    assert drawn[1]["RSI (4)"].levels == (70.0, 30.0)
    assert drawn[1]["MACDHisto (12, 26, 9)"].bars == {"histo"}


def test_warm_up_is_not_shown_but_its_values_are() -> None:
    """Where the run begins after a day of warm-up, the average is there from its first bar."""
    strategy = ran(Drawing, BARS)
    late = {name: each[390:] for name, each in BARS.items()}
    (values,) = next(each for each in overlays(strategy, late) if each.label == "SMA (3)").lines.values()
    assert values[0] == pytest.approx(BARS["AAPL"].close[388:391].mean())


def test_an_indicator_on_longer_bars_is_drawn_as_it_was_known() -> None:
    """Five-minute values begin at the minute that ends the five, and stay until the next."""
    minute, five = BARS["AAPL"], BARS["AAPL"][4::5]
    strategy = ran(Single, {"AAPL-5Min": five})
    (overlay,) = overlays(strategy, {"AAPL": minute})
    (values,) = overlay.lines.values()
    assert overlay.label == "SMA (2) 5Min"
    expected = five.close[:2].mean()
    assert np.isnan(values[8])
    assert values[9:14] == pytest.approx([expected] * 5)


class Single(bt.Strategy):
    def __init__(self) -> None:
        bt.ind.SMA(self.data, period=2)


def test_what_forgets_its_values_is_not_drawn() -> None:
    """With `exactbars` only the last values are kept: no line, and no error."""
    strategy = ran(Single, {"AAPL": BARS["AAPL"]}, exactbars=1)
    assert overlays(strategy, BARS) == []


def test_indicators_are_drawn_in_panels() -> None:
    """A picture of the above: prices, two panels, the other symbol, the account."""
    figure = make_result(BARS, strategy=ran(Drawing, BARS)).plot()
    assert titles(figure) == ["AAPL", "", "", "TSLA", "Equity", "Drawdown"]
    assert "SMA (3)" in {line.get_label() for line in figure.axes[0].lines}
