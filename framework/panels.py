"""What is drawn in a picture's panels: candles or a line, fills, indicators, equity and drawdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.ticker import FuncFormatter, MaxNLocator

from framework import axis
from framework.columns import Columns, Floats, Instants
from framework.overlays import Overlay
from framework.result import Result
from framework.stats import stamps_of

INK, GREY, GRID, EQUITY = "#1f2933", "#66727f", "#e8ebef", "#1d4e89"
UP, DOWN, BUY, SELL, LOSS = "#3f8f7c", "#c05746", "#1769aa", "#d9720f", "#b3261e"
LINES = ("#7b5ea7", "#c9930a", "#2a7f9e", "#9c4f6d", "#5f7f2f", "#59636e")

MOST_CANDLES = 320
MOST_LINKS = 200
PIXELS = 1200
"""How many columns a picture's line is thinned to."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The instants shown, in order."""

    stamps: Instants
    zone: str

    def within(self, stamps: Instants) -> slice:
        """Return which of a series' instants are shown."""
        if not len(self.stamps):
            return slice(0, 0)
        first = np.searchsorted(stamps, self.stamps[0], side="left")
        return slice(int(first), int(np.searchsorted(stamps, self.stamps[-1], side="right")))

    def places(self, stamps: Any) -> axis.Places:
        """Return where instants are on the axis; one between two bars is at the later."""
        found: axis.Places = np.searchsorted(self.stamps, stamps).astype(np.int64)
        return found


def style(ax: Axes) -> None:
    """Give a panel its quiet looks: a light grid, numbers to the right, no frame."""
    ax.set_facecolor("white")
    ax.grid(True, color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color("#c3cad2")
    ax.yaxis.tick_right()
    ax.yaxis.set_major_locator(MaxNLocator(5, min_n_ticks=2))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    ax.tick_params(labelsize=9, labelcolor=GREY, length=0, pad=6)


def _number(value: float) -> str:
    return f"{value:,.10g}".replace("-", "−")


def _percent(value: float) -> str:
    return f"{_number(round(value * 100, 6))} %"


def _name(ax: Axes, text: str) -> None:
    ax.set_title(text, loc="left", fontsize=10, fontweight="bold", color=INK, pad=4, parse_math=False)


def draw_symbol(axes: list[Axes], result: Result, symbol: str, own: list[Overlay], view: View) -> None:
    """Draw a symbol's prices, fills and indicators; the first of `axes` is for prices, the rest for panels below."""
    price, below = axes[0], axes[1:]
    bars = result.bars[symbol]
    inside = view.within(bars.end)
    places = view.places(bars.end[inside])
    _draw_prices(price, bars[inside], places)
    for at, each in enumerate(own):
        panels = sorted({one.panel for one in own if one.panel})
        ax = below[panels.index(each.panel)] if each.panel else price
        _draw_overlay(ax, each, inside, places, LINES[at % len(LINES)])
    _draw_fills(price, result, symbol, view)
    _name(price, symbol)
    for ax in axes:
        _legend(ax)


def _draw_prices(ax: Axes, bars: Columns, places: axis.Places) -> None:
    if not len(bars):
        ax.text(0.5, 0.5, "no bars", transform=ax.transAxes, ha="center", va="center", color=GREY, fontsize=10)
    elif len(bars) <= MOST_CANDLES:
        _draw_candles(ax, bars, places)
    else:
        _draw_line(ax, places, bars.close, color="#43505c", linewidth=0.9)


def _draw_candles(ax: Axes, bars: Columns, places: axis.Places) -> None:
    x = places.astype(float)
    colors = np.where(bars.close >= bars.open, UP, DOWN)
    wicks = np.stack([np.column_stack((x, bars.low)), np.column_stack((x, bars.high))], axis=1)
    left, right = x - 0.32, x + 0.32
    corners = [(left, bars.open), (right, bars.open), (right, bars.close), (left, bars.close)]
    bodies = np.stack([np.column_stack(each) for each in corners], axis=1)
    ax.add_collection(LineCollection(list(wicks), colors=list(colors), linewidths=0.8))
    ax.add_collection(PolyCollection(list(bodies), facecolors=list(colors), edgecolors=list(colors), linewidths=0.7))
    ax.autoscale_view()


def _draw_line(ax: Axes, places: axis.Places, values: Floats, **style: Any) -> None:
    drawn = axis.thinned(values, PIXELS)
    ax.plot(places[drawn], values[drawn], solid_joinstyle="round", **style)


def _draw_overlay(ax: Axes, overlay: Overlay, inside: slice, places: axis.Places, color: str) -> None:
    for level in overlay.levels:
        ax.axhline(level, color="#aab3bd", linewidth=0.7, linestyle=(0, (4, 3)))
    for at, (name, values) in enumerate(overlay.lines.items()):
        label = overlay.label if len(overlay.lines) == 1 else f"{overlay.label} {name}"
        shade = color if not at else LINES[(LINES.index(color) + at) % len(LINES)]
        label = label.lstrip("_")  # matplotlib keeps what begins with one out of the legend
        if name in overlay.bars:
            drawn = axis.thinned(values[inside], PIXELS)
            ax.vlines(places[drawn], 0, values[inside][drawn], color="#9aa5b1", linewidth=1, label=label)
        else:
            _draw_line(ax, places, values[inside], color=shade, linewidth=1.1, label=label)


def _legend(ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if not handles:
        return
    legend = ax.legend(
        handles, labels, loc="lower right", bbox_to_anchor=(1.0, 0.985), ncols=min(len(handles), 7), frameon=False,
        fontsize=8, labelcolor=GREY, handlelength=1.4, columnspacing=1.4, borderaxespad=0, borderpad=0,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def _draw_fills(ax: Axes, result: Result, symbol: str, view: View) -> None:
    """Mark what was bought (▲) and sold (▼) at its price; hollow where it closes a position."""
    fills = _shown_rows(result.fills, symbol, "time", view)
    if fills.empty:
        return
    _draw_links(ax, result, symbol, view)
    bought = (fills["side"] == "buy").to_numpy()
    signed = fills["size"].to_numpy(dtype=float) * np.where(bought, 1, -1)
    after = fills["position"].to_numpy(dtype=float)
    opens = np.abs(after) > np.abs(after - signed)
    places, prices = view.places(stamps_of(fills["time"])), fills["price"].to_numpy(dtype=float)
    size = 7.0 if len(fills) <= 120 else 5.0 if len(fills) <= 600 else 2.4
    for mask, label, marker, color in (
        (bought & opens, "buy, opens", "^", BUY), (bought & ~opens, "buy, closes", "^", ""),
        (~bought & opens, "sell, opens", "v", SELL), (~bought & ~opens, "sell, closes", "v", ""),
    ):  # fmt: skip
        kept = _one_a_pixel(places[mask], len(view.stamps))
        if len(kept):
            _mark(ax, places[mask][kept], prices[mask][kept], marker, color or "white", label, size)


def _mark(ax: Axes, places: axis.Places, prices: Floats, marker: str, fill: str, label: str, size: float) -> None:
    ax.plot(
        places, prices, linestyle="none", marker=marker, markersize=size, markerfacecolor=fill,
        markeredgecolor=BUY if marker == "^" else SELL, markeredgewidth=0.5 + size / 15, label=label, zorder=5,
    )  # fmt: skip


def _one_a_pixel(places: axis.Places, length: int) -> axis.Places:
    kept: axis.Places = np.unique(places * PIXELS // max(length, PIXELS), return_index=True)[1]
    return kept


def _draw_links(ax: Axes, result: Result, symbol: str, view: View) -> None:
    """Join entry and exit of each round trip, where there are few enough to see."""
    trades = _shown_rows(result.trades, symbol, "entry_time", view)
    trades = _shown_rows(trades, symbol, "exit_time", view)
    if trades.empty or len(trades) > MOST_LINKS:
        return
    entries = np.column_stack((view.places(stamps_of(trades["entry_time"])), trades["entry_price"].astype(float)))
    exits = np.column_stack((view.places(stamps_of(trades["exit_time"])), trades["exit_price"].astype(float)))
    colors = np.where(trades["pnl"].astype(float) >= 0, UP, LOSS)
    segments = np.stack([entries, exits], axis=1)
    ax.add_collection(LineCollection(list(segments), colors=list(colors), linewidths=1.0, linestyles="--"))


def _shown_rows(table: pd.DataFrame, symbol: str, column: str, view: View) -> pd.DataFrame:
    if table.empty or not len(view.stamps):
        return table.iloc[:0]
    at = stamps_of(table[column])
    return table[(table["symbol"] == symbol).to_numpy() & (at >= view.stamps[0]) & (at <= view.stamps[-1])]


def draw_account(axes: list[Axes], result: Result, view: View) -> None:
    """Draw equity and drawdown, each in its own panel."""
    equity_axes, drawdown_axes = axes
    stamps = stamps_of(result.equity.index)
    inside = view.within(stamps)
    places, values = view.places(stamps[inside]), result.equity.to_numpy(dtype=float)[inside]
    if len(values) == len(stamps) or (values.min(initial=np.inf) <= result.cash <= values.max(initial=-np.inf)):
        equity_axes.axhline(result.cash, color="#aab3bd", linewidth=0.8, linestyle=(0, (4, 3)))
    _draw_line(equity_axes, places, values, color=EQUITY, linewidth=1.3)
    _name(equity_axes, "Equity")
    fall = result.drawdown.to_numpy(dtype=float)[inside]
    drawn = axis.thinned(fall, PIXELS)
    drawdown_axes.fill_between(places[drawn], fall[drawn], 0, color=LOSS, alpha=0.22, linewidth=0)
    _draw_line(drawdown_axes, places, fall, color=LOSS, linewidth=0.8)
    drawdown_axes.yaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
    drawdown_axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _percent(value)))
    drawdown_axes.set_ylim(top=0)
    if not np.nanmin(fall, initial=0.0) < 0:
        drawdown_axes.set_ylim(-0.01, 0)
    _name(drawdown_axes, "Drawdown")
