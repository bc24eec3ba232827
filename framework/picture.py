"""The pictures of a run, with matplotlib but without pyplot: nothing to close, no display, no backend chosen.

Prices, fills and indicators of each symbol on top, the account's equity and drawdown below, all on
one time axis without overnight holes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from framework import axis, when
from framework.columns import Columns, Floats, Instants, instant, moment
from framework.errors import ConfigError, nearest
from framework.overlays import Overlay, overlays
from framework.result import Result
from framework.stats import stamps_of
from framework.when import When

INK, GREY, GRID, EQUITY = "#1f2933", "#66727f", "#e8ebef", "#1d4e89"
UP, DOWN, BUY, SELL, LOSS = "#3f8f7c", "#c05746", "#1769aa", "#d9720f", "#b3261e"
LINES = ("#7b5ea7", "#c9930a", "#2a7f9e", "#9c4f6d", "#5f7f2f", "#59636e")

MOST_CANDLES = 320
MOST_SYMBOLS = 8
MOST_LINKS = 200
PIXELS = 1200
PRICE_INCHES, PANEL_INCHES, EQUITY_INCHES, DRAWDOWN_INCHES = 3.0, 1.0, 1.9, 1.1


class Picture(Figure):
    """A figure that shows itself in a notebook, where pyplot would have to be told about it."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return twice the resolution, and the size to show it at."""
        return png(self, dpi=2 * self.dpi), {"width": round(self.get_figwidth() * self.dpi)}


@dataclass(frozen=True, slots=True, eq=False)
class _View:
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


def picture(result: Result, start: When, end: When, symbols: str | Sequence[str] | None) -> Figure:
    """Draw a run; see `Result.plot`."""
    shown = chosen(result, symbols)
    view = _view(result, shown, start, end)
    drawn = _by_symbol(result, shown)
    heights = [inches for own in drawn.values() for inches in _heights(own)]
    figure, axes = _panels([*heights, EQUITY_INCHES, DRAWDOWN_INCHES], width=12, head=_HEAD)
    _draw_symbols(axes, result, drawn, view)
    _draw_account(axes[-2:], result, view)
    _draw_axis(axes, view)
    _head(figure, result, shown)
    return figure


def price_picture(result: Result, symbols: Sequence[str]) -> Figure:
    """Draw prices, fills and indicators alone, of one symbol or more."""
    view = _view(result, symbols, None, None)
    drawn = _by_symbol(result, symbols)
    figure, axes = _panels([inches for own in drawn.values() for inches in _heights(own)], width=11)
    _draw_symbols(axes, result, drawn, view)
    _draw_axis(axes, view)
    return figure


def equity_picture(result: Result, width: float = 10, height: float = 3.6) -> Figure:
    """Draw equity and drawdown alone, `width` by `height` inches."""
    view = _view(result, [], None, None)
    share = EQUITY_INCHES / (EQUITY_INCHES + DRAWDOWN_INCHES)
    inner = height - _TOP - _BOTTOM - _BETWEEN
    figure, axes = _panels([inner * share, inner * (1 - share)], width)
    _draw_account(axes, result, view)
    _draw_axis(axes, view, most=round(width))
    return figure


def png(figure: Figure, dpi: float | None = None) -> bytes:
    """Return a figure as PNG bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi or figure.dpi)
    return file.getvalue()


def svg(figure: Figure) -> bytes:
    """Return a figure as SVG bytes, the same each time."""
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "switchback"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def inline(figure: Figure) -> str:
    """Return a figure as an HTML image that carries its own PNG."""
    data, width = base64.b64encode(png(figure, dpi=2 * figure.dpi)).decode(), figure.get_figwidth() * figure.dpi
    return f'<img alt="equity and drawdown" style="width:{width:.0f}px" src="data:image/png;base64,{data}">'


def chosen(result: Result, symbols: str | Sequence[str] | None, most: int = MOST_SYMBOLS) -> list[str]:
    """Return the symbols to draw: those named, or else at most so many, those with the most fills."""
    if symbols is None:
        busiest = result.fills["symbol"].value_counts()
        ranked = sorted(result.symbols, key=lambda each: -busiest.get(each, 0))[:most]
        return [each for each in result.symbols if each in ranked]
    named = [symbols] if isinstance(symbols, str) else list(symbols)
    for each in named:
        if each not in result.bars:
            known = ", ".join(result.symbols)
            raise ConfigError(f"symbol {each!r} was not run{nearest(each, result.symbols)}; there are {known}")
    return named


def _view(result: Result, shown: Sequence[str], start: When, end: When) -> _View:
    every = axis.joined_stamps([stamps_of(result.equity.index), *(result.bars[each].end for each in shown)])
    zone = result.calendar.zone
    first = when.parse(start, zone)
    last = when.parse(end, zone, is_end=True, name="end")
    stamps = every if first is None else every[every >= instant(first)]
    stamps = stamps if last is None else stamps[stamps <= instant(last)]
    if len(every) and not len(stamps):
        ran = f"{when.text(moment(every[0]))} to {when.text(moment(every[-1]))}"
        raise ConfigError(f"nothing was run between {start or 'the start'} and {end or 'the end'}; the run is {ran}")
    return _View(stamps, str(zone))


def _by_symbol(result: Result, shown: Sequence[str]) -> dict[str, list[Overlay]]:
    drawn = overlays(result.strategy, result.bars)
    return {symbol: [each for each in drawn if each.symbol == symbol] for symbol in shown}


def _heights(own: list[Overlay]) -> list[float]:
    below = {each.panel for each in own if each.panel}
    return [PRICE_INCHES] + [PANEL_INCHES] * len(below)


_TOP, _BOTTOM, _BETWEEN, _LEFT, _RIGHT = 0.35, 0.5, 0.24, 0.4, 0.85
_HEAD = 0.3


def _panels(heights: list[float], width: float, head: float = 0.0) -> tuple[Figure, list[Axes]]:
    """Return a figure of panels on one axis, from the top, each so many inches high."""
    total = sum(heights) + _BETWEEN * (len(heights) - 1) + _TOP + _BOTTOM + head
    figure = Picture(figsize=(width, total), facecolor="white", dpi=100)
    axes: list[Axes] = []
    bottom = total - _TOP - head
    for inches in heights:
        bottom -= inches
        box = (_LEFT / width, bottom / total, (width - _LEFT - _RIGHT) / width, inches / total)
        axes.append(figure.add_axes(box, sharex=axes[0] if axes else None))
        bottom -= _BETWEEN
        _style(axes[-1])
    return figure, axes


def _style(ax: Axes) -> None:
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


def _draw_axis(axes: list[Axes], view: _View, most: int = 12) -> None:
    places, labels = axis.ticks(view.stamps, view.zone, most)
    axes[0].set_xlim(-0.6, max(len(view.stamps) - 0.4, 0.6))
    axes[0].set_xticks(places.tolist(), labels)
    for ax in axes:
        ax.tick_params(axis="x", labelbottom=ax is axes[-1], labelsize=9, labelcolor=GREY, length=0)


def _head(figure: Figure, result: Result, shown: Sequence[str]) -> None:
    width, height = figure.get_size_inches()
    hidden = len(shown) < len(result.symbols) and f"{len(shown)} of {len(result.symbols)} symbols, "
    corner = f"{hidden or ''}{result.calendar.zone}"
    level = 1 - 0.24 / height
    left, right = _LEFT / width, 1 - _RIGHT / width
    figure.text(
        left, level, result.title, fontsize=12, fontweight="bold", color=INK, va="center", parse_math=False,
    )  # fmt: skip
    figure.text(right, level, corner, fontsize=8, color=GREY, va="center", ha="right", parse_math=False)


def _name(ax: Axes, text: str) -> None:
    ax.set_title(text, loc="left", fontsize=10, fontweight="bold", color=INK, pad=4, parse_math=False)


def _draw_symbols(axes: list[Axes], result: Result, drawn: dict[str, list[Overlay]], view: _View) -> None:
    at = 0
    for symbol, own in drawn.items():
        count = len(_heights(own))
        _draw_symbol(axes[at : at + count], result, symbol, own, view)
        at += count


def _draw_symbol(axes: list[Axes], result: Result, symbol: str, own: list[Overlay], view: _View) -> None:
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


def _draw_fills(ax: Axes, result: Result, symbol: str, view: _View) -> None:
    """Mark what was bought below and sold above; filled where it opens a position, hollow where it closes one."""
    fills = _shown_rows(result.fills, symbol, "time", view)
    if fills.empty:
        return
    _draw_links(ax, result, symbol, view)
    bought = (fills["side"] == "buy").to_numpy()
    signed = fills["size"].to_numpy(dtype=float) * np.where(bought, 1, -1)
    after = fills["position"].to_numpy(dtype=float)
    opens = np.abs(after) > np.abs(after - signed)
    places, prices = view.places(stamps_of(fills["time"])), fills["price"].to_numpy(dtype=float)
    for mask, label, marker, color in (
        (bought & opens, "buy, opens", "^", BUY), (bought & ~opens, "buy, closes", "^", ""),
        (~bought & opens, "sell, opens", "v", SELL), (~bought & ~opens, "sell, closes", "v", ""),
    ):  # fmt: skip
        kept = _one_a_pixel(places[mask], len(view.stamps))
        if len(kept):
            _mark(ax, places[mask][kept], prices[mask][kept], marker, color or "white", label)


def _mark(ax: Axes, places: axis.Places, prices: Floats, marker: str, fill: str, label: str) -> None:
    size, edge = (7.0, 1.0) if len(places) <= 60 else (5.0, 0.9) if len(places) <= 300 else (2.4, 0.5)
    ax.plot(
        places, prices, linestyle="none", marker=marker, markersize=size, markerfacecolor=fill,
        markeredgecolor=BUY if marker == "^" else SELL, markeredgewidth=edge, label=label, zorder=5,
    )  # fmt: skip


def _one_a_pixel(places: axis.Places, length: int) -> axis.Places:
    kept: axis.Places = np.unique(places * PIXELS // max(length, PIXELS), return_index=True)[1]
    return kept


def _draw_links(ax: Axes, result: Result, symbol: str, view: _View) -> None:
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


def _shown_rows(table: pd.DataFrame, symbol: str, column: str, view: _View) -> pd.DataFrame:
    if table.empty or not len(view.stamps):
        return table.iloc[:0]
    at = stamps_of(table[column])
    return table[(table["symbol"] == symbol).to_numpy() & (at >= view.stamps[0]) & (at <= view.stamps[-1])]


def _draw_account(axes: list[Axes], result: Result, view: _View) -> None:
    equity_axes, drawdown_axes = axes
    stamps = stamps_of(result.equity.index)
    inside = view.within(stamps)
    places, values = view.places(stamps[inside]), result.equity.to_numpy(dtype=float)[inside]
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
