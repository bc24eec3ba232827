"""The report: one page with everything a reader of a backtest asks for, that needs no network."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable
from typing import Any

import pandas as pd

from framework.figures import NOTHING, is_missing, money, number_cell, percent, tables
from framework.page import filled, table
from framework.picture import chosen, equity_picture, price_picture, svg
from framework.result import Result
from framework.stats import monthly_returns, times_of

MOST_TRADES = 500
MOST_PICTURED = 4
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def report(result: Result) -> str:
    """Return the page; see `Result.report`."""
    sections = [
        _section("Key figures", tables(result.stats)),
        _section("Equity and drawdown", _image(equity_picture(result, width=11, height=4.4), "equity and drawdown")),
        _section("Monthly returns", _months(result)),
        _section("Prices and fills", _prices(result)),
        _section("By symbol", _by_symbol(result)),
        _section("Open at the end", _rows(result.positions, _POSITION) if len(result.positions) else ""),
        _section("Orders", _orders(result)),
        _section("Round trips", _trades(result)),
    ]
    return filled("report.html", title=html.escape(result.title), head=_head(result), body="".join(sections))


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>" if body else ""


def _head(result: Result) -> str:
    """Return when it ran, on what, and what the user should know."""
    facts = [
        f"{result.stats.written('start')} to {result.stats.written('end')}, {result.calendar.zone} time",
        f"{result.timeframe} bars, calendar {result.calendar.name}",
        f"engine: {result.engine}",
    ]
    notes = "".join(f"<li>{html.escape(each)}</li>" for each in result.remarks)
    lines = "".join(f"<p>{html.escape(each)}</p>" for each in facts)
    return f"<h1>{html.escape(result.title)}</h1>{lines}" + (f'<ul class="notes">{notes}</ul>' if notes else "")


def _image(figure: Any, name: str) -> str:
    data = base64.b64encode(svg(figure)).decode()
    return f'<img alt="{name}" src="data:image/svg+xml;base64,{data}">'


def _prices(result: Result) -> str:
    shown = chosen(result, None, MOST_PICTURED)
    if not any(len(result.bars[each]) for each in shown):
        return ""
    left_out = len(result.symbols) - len(shown)
    more = f"<p>{left_out} more symbols are not drawn.</p>" if left_out else ""
    return _image(price_picture(result, shown), "prices and fills") + more


def _months(result: Result) -> str:
    months = monthly_returns(result.returns)
    if months.empty:
        return ""
    rows = [
        [f'<th class="text">{year}</th>', *(_shaded(row[at]) for at in range(1, 13)), _shaded(row["year"], "total")]
        for year, row in months.iterrows()
    ]
    return f'<div class="months">{table(["", *MONTHS, "Year"], rows, left=1)}</div>'


def _shaded(value: float, kind: str = "") -> str:
    """Return a cell whose colour says how far from zero it is; ten per cent is as strong as it gets."""
    if is_missing(value):
        return f'<td class="{kind}"></td>'
    red = "179,38,30" if value < 0 else "63,143,124"
    shade = f"rgba({red},{min(abs(value) / 0.1, 1) * 0.45:.3f})"
    text = percent(value).replace("-", "−")
    return f'<td class="{kind}" style="background:{shade}">{text}</td>'


def _by_symbol(result: Result) -> str:
    """Return one line a symbol, where there are several."""
    if len(result.symbols) < 2 or result.trades.empty:
        return ""
    rows = []
    for symbol in result.symbols:
        pnl = result.trades.loc[(result.trades["symbol"] == symbol).to_numpy(), "pnl"].astype(float)
        if pnl.empty:
            continue
        texts = [f"{len(pnl):,}", percent(float((pnl > 0).mean())), money(pnl.mean()), money(pnl.sum())]
        rows.append([_text(symbol), *map(number_cell, texts)])
    return table(["Symbol", "Round trips", "Win rate", "Average", "Profit, net"], rows, left=1)


def _orders(result: Result) -> str:
    """Return how many orders ended how, and why where they say so."""
    if result.orders.empty:
        return "<p>No order was sent.</p>"
    said = result.orders[["status", "reason"]].fillna("").astype(str)
    counts = said.value_counts(sort=True)
    rows = [[_text(status), number_cell(f"{count:,}"), _text(reason)] for (status, reason), count in counts.items()]
    return table(["Status", "Orders", "Reason"], rows, left=1)


def _trades(result: Result) -> str:
    if result.trades.empty:
        return "<p>No round trip was closed.</p>"
    local = result.trades.head(MOST_TRADES).copy()
    for column in ("entry_time", "exit_time"):
        local[column] = times_of(local[column]).tz_convert(result.calendar.zone)
    hidden = len(result.trades) - len(local)
    note = f"<p>The first {len(local):,} of {len(result.trades):,}; all are in <code>result.trades</code>.</p>"
    return (note if hidden else "") + _rows(local, _TRADE)


def _text(value: Any) -> str:
    return f'<td class="text">{html.escape(str(value))}</td>'


def _number(value: float) -> str:
    return number_cell(NOTHING if is_missing(value) else money(value))


def _price(value: float) -> str:
    """Return a price with the decimals it has, two at least and six at most."""
    if is_missing(value):
        return number_cell(NOTHING)
    whole, _, decimals = f"{value:,.6f}".partition(".")
    return number_cell(f"{whole}.{decimals.rstrip('0'):0<2}")


def _size(value: float) -> str:
    return number_cell(NOTHING if is_missing(value) else f"{value:,.10g}")


def _time(value: Any) -> str:
    return f"<td>{NOTHING if is_missing(value) else f'{value:%Y-%m-%d %H:%M}'}</td>"


Cells = dict[str, tuple[str, Callable[[Any], str]]]

_TRADE: Cells = {
    "symbol": ("Symbol", _text), "direction": ("Direction", _text), "size": ("Size", _size),
    "entry_time": ("Entry", _time), "entry_price": ("Price", _price),
    "exit_time": ("Exit", _time), "exit_price": ("Price", _price),
    "commission": ("Commission", _number), "pnl": ("Profit, net", _number),
}  # fmt: skip
_POSITION: Cells = {
    "symbol": ("Symbol", _text), "size": ("Size", _size), "price": ("Price", _price),
    "last": ("Last", _price), "value": ("Value", _number), "pnl": ("Profit", _number),
}  # fmt: skip


def _rows(frame: pd.DataFrame, cells: Cells) -> str:
    columns = [[write(value) for value in frame[name]] for name, (_, write) in cells.items()]
    left = sum(write is _text for _, write in cells.values())
    return table([heading for heading, _ in cells.values()], [list(row) for row in zip(*columns, strict=True)], left)
