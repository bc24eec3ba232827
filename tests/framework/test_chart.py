"""The interactive chart's page: what it carries, exactly, and that it needs no network."""

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_result import make_result, minutes, nothing_happened, ran, utc

from framework.calendar import Calendar
from framework.chart import chart, decimals_of, packed, script_json, series
from framework.columns import Columns
from framework.result import Result
from framework.stats import stamps_of

BARS = {"AAPL": minutes(2), "TSLA": minutes(2, seed=8, price=250)}


def unpacked(text: str) -> np.ndarray:
    """Do what the page's script does."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8)
    return np.cumsum(np.ascontiguousarray(planes.reshape(4, -1).T).view("<i4").ravel().astype(np.int64))


def data_of(page: str) -> Any:
    found = re.search(r"<script>const DATA = (.*);</script>", page)
    assert found is not None
    return json.loads(found[1])


def walls(data: Any, which: str) -> np.ndarray:
    return (unpacked(data[which]) + data["origin"]).astype("datetime64[s]")


@pytest.fixture(scope="module")
def result() -> Result:
    return make_result(BARS, strategy=ran(Averages, BARS))


class Averages(bt.Strategy):
    def __init__(self) -> None:
        bt.ind.SMA(self.data0, period=20)
        bt.ind.RSI(self.data0)


@pytest.fixture(scope="module")
def page(result: Result) -> str:
    return chart(result)


@settings(deadline=None)
@given(st.lists(st.integers(-(10**9), 10**9)))
def test_packed_numbers_come_back(numbers: list[int]) -> None:
    """Whole numbers of nine digits survive the packing, negative ones and none at all too."""
    assert unpacked(packed(np.array(numbers, dtype=np.int64))).tolist() == numbers


@settings(deadline=None)
@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=50))
def test_values_come_back_to_the_precision_of_the_largest(values: list[float]) -> None:
    """Any value fits: nine digits of the largest are kept."""
    stamps = np.arange(len(values)).astype("datetime64[us]")
    sent = series(stamps, stamps, np.array(values))
    back = unpacked(sent["values"]) / 10.0 ** sent["decimals"]
    assert back == pytest.approx(values, abs=max(map(abs, values)) * 1e-8 + 1e-8)


@pytest.mark.parametrize(
    ("values", "decimals"), [([1.0, 2.0], 0), ([1.25], 2), ([0.00001234], 8), ([4e9], -1), ([], 0)]
)
def test_decimals_are_those_that_the_values_have(values: list[float], decimals: int) -> None:
    """Prices in cents are sent as cents, sums too large for 32 bits as tens."""
    assert decimals_of(np.array(values)) == decimals


def test_candles_come_back_exactly(page: str) -> None:
    """Prices in cents are the same to the cent."""
    sent, bars = data_of(page)["symbols"][1], BARS["TSLA"]
    close, opened = unpacked(sent["close"]), unpacked(sent["close"]) + unpacked(sent["open"])
    high, low = np.maximum(opened, close) + unpacked(sent["high"]), np.minimum(opened, close) - unpacked(sent["low"])
    back = np.stack([opened, high, low, close]) / 10 ** sent["decimals"]
    assert back == pytest.approx(np.stack([bars.open, bars.high, bars.low, bars.close]))
    assert unpacked(sent["volume"]).tolist() == bars.volume.tolist()


def test_equity_comes_back(page: str, result: Result) -> None:
    """The account's value to a hundredth of a cent."""
    sent = data_of(page)["equity"]
    assert unpacked(sent["values"]) / 10 ** sent["decimals"] == pytest.approx(result.equity.to_numpy(), abs=1e-4)


def test_times_are_the_exchanges_wall_clock(page: str) -> None:
    """New York's sessions begin at 09:31 and end at 16:00, and overnight there is nothing."""
    shown = walls(data_of(page), "shown").astype(str)
    assert (shown[0], shown[389], shown[390]) == ("2026-10-01T09:31:00", "2026-10-01T16:00:00", "2026-10-02T09:31:00")


def test_an_hour_that_is_there_twice_is_plotted_in_order() -> None:
    """In autumn 01:30 comes twice; plotted times still grow, shown times are what the clock said."""
    ends = np.arange(np.datetime64("2026-11-01T04:00"), np.datetime64("2026-11-01T08:00"), np.timedelta64(1, "m"))
    data = data_of(chart(nothing_happened(np.arange(len(ends)), ends)))
    plotted, shown = walls(data, "plotted"), walls(data, "shown")
    assert (np.diff(plotted) > np.timedelta64(0, "us")).all()
    assert (shown == np.datetime64("2026-11-01T01:30")).sum() == 2
    assert plotted[-1] == shown[-1]


def test_fills_are_at_their_bars(page: str, result: Result) -> None:
    """Signed sizes and positions at places on the axis."""
    sent = data_of(page)["symbols"][0]["fills"]
    own = result.fills[result.fills["symbol"] == "AAPL"]
    assert sent["at"] == np.searchsorted(BARS["AAPL"].end, stamps_of(own["time"])).tolist()
    assert sent["sizes"][:2] == [400.0, -400.0]
    assert sent["positions"] == own["position"].tolist()


def test_a_fill_after_the_last_bar_is_at_the_last() -> None:
    """A fill between bars, or after all of them, does not fall off the axis."""
    result = make_result(BARS)
    late = result.fills.tail(1).assign(time=utc(np.array(["2027-01-01"], dtype="datetime64[us]")))
    sent = data_of(chart(make_result(BARS, fills=late)))["symbols"]
    assert [at for each in sent for at in each["fills"]["at"]] == [len(BARS["AAPL"]) - 1]


def test_indicators_on_the_prices_are_drawn_and_others_are_not(page: str) -> None:
    """The average is a line from its first value on; the RSI has another scale."""
    (line,) = data_of(page)["symbols"][0]["lines"]
    assert line["name"] == "SMA (20)"
    assert unpacked(line["at"])[0] == 19


def test_a_page_needs_no_network(page: str) -> None:
    """Nothing is loaded from anywhere: no address in any element but the link to who made the chart."""
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert re.findall(r"https?://[^\"]+", own) == ["https://www.tradingview.com/"]
    assert not re.search(r"<(link|img|iframe)|\bsrc=", own)


def test_the_makers_of_the_chart_are_named(page: str) -> None:
    """The licence of lightweight-charts asks for its notice and a link."""
    assert "Licensed under Apache License 2.0" in page
    assert "attributionLogo: true" in page
    assert "TradingView</a> Lightweight Charts" in page


def test_names_cannot_break_the_page() -> None:
    """A symbol with markup is text in the title, and cannot close the script."""
    page = chart(nothing_happened(bars={"</script><b>{{data}}": Columns.empty()}))
    assert "<b>" not in page.split("<script>const DATA")[1].split("</script>")[0]
    assert "&lt;/script&gt;&lt;b&gt;{{data}}" in page
    assert script_json("</script>") == '"\\u003c/script>"'


def test_bars_that_are_not_numbers_are_left_out() -> None:
    """A hole in the prices is a hole in the chart."""
    bars = minutes(1)
    bars.close[5] = np.nan
    sent = data_of(chart(make_result({"ABC": bars}, equity=nothing_happened().equity)))["symbols"][0]
    assert 5 not in unpacked(sent["at"])
    assert len(unpacked(sent["close"])) == 389


def test_a_year_of_minutes_is_small(tmp_path: Path) -> None:
    """100,000 candles with fills, equity and volume are less than two megabytes of page."""
    path = make_result({"SPY": minutes(252, first="2025-01-02")}).chart(tmp_path / "chart.html")
    assert path.stat().st_size < 2_000_000


def test_an_empty_run_has_a_page() -> None:
    """No bar, no instant, another calendar."""
    data = data_of(chart(nothing_happened(calendar=Calendar("24/7"))))
    assert data["symbols"][0]["fills"]["at"] == []
