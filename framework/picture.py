"""The pictures of a run, with matplotlib but without pyplot: nothing to close, no display, no backend chosen.

Prices, fills and indicators of each symbol on top, the account's equity and drawdown below, all on
one time axis without overnight holes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from framework import axis, when
from framework.columns import instant, moment
from framework.errors import ConfigError, nearest
from framework.overlays import Overlay, overlays
from framework.panels import GREY, INK, View, draw_account, draw_symbol, style
from framework.result import Result
from framework.stats import stamps_of
from framework.when import When

MOST_SYMBOLS = 8
PRICE_INCHES, PANEL_INCHES, EQUITY_INCHES, DRAWDOWN_INCHES = 3.0, 1.0, 1.9, 1.1


class Picture(Figure):
    """A figure that shows itself in a notebook, where pyplot would have to be told about it."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Return twice the resolution, and the size to show it at."""
        return png(self, dpi=2 * self.dpi), {"width": round(self.get_figwidth() * self.dpi)}


def picture(result: Result, start: When, end: When, symbols: str | Sequence[str] | None) -> Figure:
    """Draw a run; see `Result.plot`."""
    shown = chosen(result, symbols)
    view = _view(result, shown, start, end)
    drawn = _by_symbol(result, shown)
    heights = [inches for own in drawn.values() for inches in _heights(own)]
    figure, axes = _panels([*heights, EQUITY_INCHES, DRAWDOWN_INCHES], width=12, head=_HEAD)
    _draw_symbols(axes, result, drawn, view)
    draw_account(axes[-2:], result, view)
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
    draw_account(axes, result, view)
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


def _view(result: Result, shown: Sequence[str], start: When, end: When) -> View:
    every = axis.joined_stamps([stamps_of(result.equity.index), *(result.bars[each].end for each in shown)])
    zone = result.calendar.zone
    first = when.parse(start, zone)
    last = when.parse(end, zone, is_end=True, name="end")
    stamps = every if first is None else every[every >= instant(first)]
    stamps = stamps if last is None else stamps[stamps <= instant(last)]
    if len(every) and not len(stamps):
        ran = f"{when.text(moment(every[0]))} to {when.text(moment(every[-1]))}"
        raise ConfigError(f"nothing was run between {start or 'the start'} and {end or 'the end'}; the run is {ran}")
    return View(stamps, str(zone))


def _by_symbol(result: Result, shown: Sequence[str]) -> dict[str, list[Overlay]]:
    drawn = overlays(result.strategy, result.bars)
    return {symbol: [each for each in drawn if each.symbol == symbol] for symbol in shown}


def _heights(own: list[Overlay]) -> list[float]:
    below = {each.panel for each in own if each.panel}
    return [PRICE_INCHES] + [PANEL_INCHES] * len(below)


_TOP, _BOTTOM, _BETWEEN, _LEFT, _RIGHT = 0.35, 0.5, 0.24, 0.48, 0.85
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
        style(axes[-1])
    return figure, axes


def _draw_axis(axes: list[Axes], view: View, most: int = 12) -> None:
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


def _draw_symbols(axes: list[Axes], result: Result, drawn: dict[str, list[Overlay]], view: View) -> None:
    at = 0
    for symbol, own in drawn.items():
        count = len(_heights(own))
        draw_symbol(axes[at : at + count], result, symbol, own, view)
        at += count
