"""A script as users write them: stock Cerebro, a store, its data and its broker, against a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import backtrader as bt

from brokers import AlpacaStore
from feeds import SampleBars
from framework import Live
from framework.app.sandbox import Sandbox

DAY = "2026-10-05"
OPEN = datetime(2026, 10, 5, 13, 30, tzinfo=UTC)

QUICK = Live(durable="OFF")
"""No power cut is tested here."""

Script = Mapping[int, Callable[[Any], object]]


def half_an_hour(*symbols: str, minutes: int = 30) -> SampleBars:
    """Return some minutes of each symbol, from the open of a Monday."""
    return SampleBars(list(symbols or ("SPY", "IBM")), DAY, OPEN + timedelta(minutes=minutes))


class Scripted(bt.Strategy):
    """Does what `script` says at each `next`, by its number, and notes what it hears and sees."""

    params = (("script", None),)

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.statuses: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.seen: list[tuple[Any, ...]] = []
        self.reasons: list[str] = []
        self.count = 0

    def next(self) -> None:
        self.count += 1
        self.seen.append(tuple((len(d), d.datetime[0], d.open[0], d.close[0], d.volume[0]) for d in self.datas))
        if step := (self.p.script or {}).get(self.count):
            step(self)

    def notify_order(self, order: Any) -> None:
        self.heard.append((order.getstatusname(), len(self)))
        if reason := order.info.get("reason"):
            self.reasons.append(reason)

    def notify_data(self, data: Any, status: int, *_: Any) -> None:
        self.statuses.append((data._name, data._getstatusname(status)))

    def notify_store(self, message: str, *_: Any) -> None:
        self.said.append(message)

    @property
    def times(self) -> list[str]:
        """The times of the first feed's bars, in UTC."""
        return [bt.num2date(each[0][1]).strftime("%H:%M") for each in self.seen]


def stop(strategy: Any) -> None:
    strategy.env.runstop()


def store_of(sandbox: Sandbox, live: Live = QUICK, **more: Any) -> AlpacaStore:
    """Return a store of a sandbox's account."""
    return AlpacaStore(key_id=sandbox.key, secret_key=sandbox.secret, base_url=sandbox.url, live=live, **more)


def live(
    sandbox: Sandbox,
    script: Script | None = None,
    *,
    symbols: Sequence[str] = ("SPY",),
    how: Live = QUICK,
    kind: type[Any] = bt.Cerebro,
    broker: Mapping[str, Any] | None = None,
    **data: Any,
) -> Any:
    """Run a script live, and return its strategy."""
    store = store_of(sandbox, how)
    cerebro = kind()
    cerebro.addstrategy(Scripted, script=script)
    for symbol in symbols:
        cerebro.adddata(
            store.getdata(dataname=symbol, **{"timeframe": bt.TimeFrame.Minutes, "backfill_start": False, **data})
        )
    cerebro.setbroker(store.getbroker(**broker or {}))
    (strategy,) = cerebro.run(quicknotify=True)
    return strategy
