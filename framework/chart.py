"""The interactive chart: candles with fills, and the equity below, as one page that needs no network.

TradingView's lightweight-charts draws (litecharts carries it); the data are ours: every series is
whole numbers at places on one time axis, as differences, byte by byte, deflated. 100,000 bars are
about a megabyte of page where plain JSON is thirteen.
"""

from __future__ import annotations

import base64
import html
import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from litecharts import getLwcScript
from numpy.typing import NDArray

from framework import axis
from framework.calendar import utc_to_wall
from framework.columns import Columns, Floats, Instants
from framework.overlays import Overlay, overlays
from framework.page import filled
from framework.result import Result
from framework.stats import stamps_of

MOST_DECIMALS = 8
_LARGEST = 2**31 - 1


def chart(result: Result) -> str:
    """Return the page; see `Result.chart`."""
    stamps = _stamps(result)
    drawn = [each for each in overlays(result.strategy, result.bars) if not each.panel]
    data = {
        **_times(result, stamps),
        "intraday": result.timeframe.length is not None,
        "cash": result.cash,
        "equity": series(stamps, stamps_of(result.equity.index), result.equity.to_numpy(dtype=float)),
        "symbols": [_symbol(result, each, drawn, stamps) for each in result.symbols],
    }
    return filled(
        "chart.html",
        title=html.escape(result.title),
        zone=html.escape(str(result.calendar.zone)),
        library=getLwcScript(),
        data=script_json(data),
    )


def script_json(data: Any) -> str:
    """Return JSON that may stand inside a script element: it cannot close it."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def packed(numbers: NDArray[np.int64]) -> str:
    """Return whole numbers (each and each difference below 2^31) as text: differences, byte by byte, deflated."""
    differences = np.diff(numbers, prepend=0).astype("<i4")
    planes = differences.view(np.uint8).reshape(-1, 4).T.tobytes()
    return base64.b64encode(zlib.compress(planes, 6)).decode()


def series(stamps: Instants, own: Instants, values: Floats, most: int = MOST_DECIMALS) -> dict[str, Any]:
    """Return values at instants of the axis, those that are numbers: places, scaled values, and their decimals."""
    there = np.isfinite(values)
    decimals = decimals_of(values[there], most)
    return {
        "at": packed(np.searchsorted(stamps, own[there])),
        "values": packed(np.rint(values[there] * 10.0**decimals).astype(np.int64)),
        "decimals": decimals,
    }


def decimals_of(values: Floats, most: int = MOST_DECIMALS) -> int:
    """Return how many decimals these values have, so few that differences stay below 2^31 (below 0: tens, hundreds)."""
    largest = float(np.abs(values).max(initial=0.0))
    fits = next(each for each in range(most, -310, -1) if 2 * largest * 10.0**each < _LARGEST)
    exact = (each for each in range(fits) if np.allclose(np.round(values, each), values, rtol=0, atol=10.0**-9))
    return next(exact, fits)


def _stamps(result: Result) -> Instants:
    """Return every instant anything happened at; where there are none, the axis is empty."""
    return axis.joined_stamps([stamps_of(result.equity.index), *(each.end for each in result.bars.values())])


def _times(result: Result, stamps: Instants) -> dict[str, Any]:
    """Return the axis in seconds of the exchange's wall clock: what is shown, and what is plotted.

    The library wants times that grow; an hour that is there twice in autumn is plotted second by
    second, and still shown as what it is.
    """
    shown = utc_to_wall(stamps, str(result.calendar.zone)).astype("datetime64[s]").astype(np.int64)
    steps = np.arange(len(shown))
    plotted = np.maximum.accumulate(shown - steps) + steps
    origin = int(shown[0]) if len(shown) else 0
    return {"origin": origin, "shown": packed(shown - origin), "plotted": packed(plotted - origin)}


def _symbol(result: Result, symbol: str, drawn: list[Overlay], stamps: Instants) -> dict[str, Any]:
    bars = result.bars[symbol]
    candles = _candles(bars, stamps)
    most = min(candles["decimals"] + 2, MOST_DECIMALS)
    lines = [
        {"name": name if len(each.lines) > 1 else each.label, **series(stamps, bars.end, values, most)}
        for each in drawn
        if each.symbol == symbol
        for name, values in each.lines.items()
    ]
    fills = result.fills[(result.fills["symbol"] == symbol).to_numpy(dtype=bool)]
    return {"name": symbol, **candles, "lines": lines, "fills": _fills(fills, stamps)}


def _candles(bars: Columns, stamps: Instants) -> dict[str, Any]:
    """Return prices as the close before, and what open, high and low differ from it: small numbers."""
    prices = np.stack([bars.open, bars.high, bars.low, bars.close])
    whole = np.isfinite(prices).all(axis=0)
    decimals = decimals_of(prices[:, whole].ravel())
    opened, high, low, close = np.rint(prices[:, whole] * 10.0**decimals).astype(np.int64)
    columns: Mapping[str, NDArray[np.int64]] = {
        "at": np.searchsorted(stamps, bars.end[whole]),
        "close": close,
        "open": opened - close,
        "high": high - np.maximum(opened, close),
        "low": np.minimum(opened, close) - low,
        "volume": np.rint(np.nan_to_num(bars.volume[whole]).clip(0, _LARGEST)).astype(np.int64),
    }
    return {**{name: packed(each) for name, each in columns.items()}, "decimals": decimals}


def _fills(fills: pd.DataFrame, stamps: Instants) -> dict[str, Any]:
    """Return the fills: places, signed sizes, prices, positions after."""
    at = np.searchsorted(stamps, stamps_of(fills["time"])).clip(max=max(len(stamps) - 1, 0))
    signed = fills["size"].to_numpy(dtype=float) * np.where(fills["side"].to_numpy() == "buy", 1, -1)
    return {
        "at": at.tolist(),
        "sizes": [float(each) for each in signed],
        "prices": [float(each) for each in fills["price"]],
        "positions": [float(each) for each in fills["position"]],
    }
