"""Sessions in lock-step with a sandbox in which something goes wrong, and strategies that they are traded by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import backtrader as bt
from tape import Prices, Tape

from brokers import AlpacaVenue
from brokers.alpaca.settings import Settings
from feeds import AlpacaBars
from framework import Comparison, Live, compare, run
from framework.app.sandbox import Sandbox
from framework.ports import Source

OPENS = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)
"""A Monday's open in New York."""


class Scripted(bt.Strategy):
    """Does what `script` says when a bar of the first feed ends so many minutes after the open."""

    params = (("script", None),)

    def next(self) -> None:
        minute = round((self.data.datetime[0] - bt.date2num(OPENS)) * 1440)
        if ask := (self.p.script or {}).get(minute):
            ask(self)


class Threshold(bt.Strategy):
    """Buys ten when a bar's high reaches 101, and sells them when a close is 100 or below."""

    def next(self) -> None:
        if not self.position and self.data.high[0] >= 101:
            self.buy(size=10)
        elif self.position and self.data.close[0] <= 100:
            self.close()


class Above(bt.Strategy):
    """Holds what is above the close of its last five minutes, which are the feeds after the minutes."""

    def __init__(self) -> None:
        self.average = bt.ind.SMA(self.data, period=3)

    def next(self) -> None:
        half = len(self.datas) // 2
        for data, longer in zip(self.datas[:half], self.datas[half:], strict=True):
            is_above = data.close[0] > longer.close[0]
            if is_above != bool(self.getposition(data).size):
                self.buy(data) if is_above else self.close(data)


def tape(*prices: Prices) -> Tape:
    """Return a source of these symbols' bars, A first."""
    return Tape(dict(zip("ABC", prices, strict=False)), opens=OPENS, start=OPENS)


def trade(
    strategy: type[bt.Strategy],
    source: Source,
    *,
    faults: Sequence[Mapping[str, Any]] = (),
    settings: Settings | None = None,
    **how: Any,
) -> Any:
    """Trade a strategy live in lock-step with a sandbox of its own; return what came of it."""
    with Sandbox(source, settings=settings) as sandbox:
        for each in faults:
            sandbox.fault(**each)
        return trade_in(sandbox, strategy, source, **how)


def trade_in(
    sandbox: Sandbox,
    strategy: type[bt.Strategy],
    source: Source,
    *,
    session: str = "s",
    live: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Trade a strategy live in lock-step with this sandbox; return what came of it."""
    bars = AlpacaBars(source.symbols, cache=False, **sandbox.access)
    how = Live(session=session, durable="OFF", **(live or {}))
    return run(strategy, source=bars, venue=AlpacaVenue(**sandbox.access), live=how, **options)


def compared(strategy: type[bt.Strategy], source: Source, *, is_complete: bool = False, **how: Any) -> Comparison:
    """Trade a strategy live and compare the session; where the comparison is complete, with the source's own bars."""
    script = {"script": how["script"]} if "script" in how else {}
    lived = trade(strategy, source, **how)
    found = compare("s", strategy, venue=AlpacaVenue(), source=source if is_complete else (), **script)
    assert abs(lived.equity.iloc[-1] - lived.cash - found.live.pnl) < 1e-6
    return found


def causes(found: Comparison) -> dict[str, float]:
    """Return what each cause that is there has cost or brought, to the cent."""
    there = {each.cause for each in found.differences}
    return {cause: round(money, 2) for cause, money in found.by_cause.items() if cause in there}
