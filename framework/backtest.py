"""A backtest: feeds, costs and a strategy put into Cerebro, played, and made into a Result."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, TypeAlias

import backtrader as bt
import numpy as np

from framework import tables
from framework.calendar import utc_to_wall
from framework.columns import instant
from framework.engine.calendar import TradingCalendar
from framework.engine.cerebro import Cerebro
from framework.engine.data import BarData, bt_timeframe
from framework.engine.dates import date2num
from framework.engine.recorder import EquityCurve, Recorder
from framework.engine.ruled import RuledBroker
from framework.feeding import Feed, waiting
from framework.ports import Venue
from framework.progress import watched
from framework.result import Result

log = logging.getLogger("switchback.run")

Sizer = int | type[bt.Sizer] | tuple[type[bt.Sizer], Mapping[str, Any]]
Analyzer = type[bt.Analyzer] | tuple[type[bt.Analyzer], Mapping[str, Any]]
Commission: TypeAlias = "float | bt.CommInfoBase"

ALWAYS = float("-inf")


@dataclass(frozen=True, slots=True)
class Backtest:
    """Everything that decides how a backtest comes out. See `framework.run` for what each is."""

    strategy: type[bt.Strategy]
    params: Mapping[str, Any]
    feeds: Sequence[Feed]
    venue: Venue | None
    cash: float
    commission: Commission
    slippage: float
    sizer: Sizer | None
    analyzers: Sequence[Analyzer]
    tz: tzinfo | None
    quicknotify: bool
    intrabar: bool
    engine: str
    progress: bool | None


def play(backtest: Backtest) -> Result:
    """Run it, and return what came of it."""
    loop = {"quicknotify": backtest.quicknotify, "engine": backtest.engine, "intrabar": backtest.intrabar}
    cerebro = _Cerebro(stdstats=False, tz=_zone(backtest), **loop)
    for feed in backtest.feeds:
        cerebro.adddata(_data(feed, _zone(backtest)), name=feed.name)
    cerebro.setbroker(_broker(backtest))
    cerebro.addstrategy(backtest.strategy, **backtest.params)
    cerebro.addanalyzer(Recorder, _name="recorder")
    cerebro.addanalyzer(EquityCurve, _name="equity")
    for analyzer, options in map(_with_options, backtest.analyzers):
        cerebro.addanalyzer(analyzer, **options)
    if backtest.sizer is not None:
        sizer, options = _sizer(backtest.sizer)
        cerebro.addsizer(sizer, **options)
    with watched(_instants(backtest.feeds), lambda: _played(cerebro), backtest.progress):
        (strategy,) = cerebro.run()
    return _result(backtest, strategy)


class _Cerebro(Cerebro):
    """A Cerebro whose timers mean the exchange's clock, as all times in a run do; stock's mean UTC."""

    def _add_timer(self, *args: Any, tzdata: Any = None, **kwargs: Any) -> Any:
        return super()._add_timer(*args, tzdata=self.datas[0] if tzdata is None else tzdata, **kwargs)


def _instants(feeds: Sequence[Feed]) -> int:
    """Return how many instants the bars of all feeds end at: each is one `next`."""
    return len(np.unique(np.concatenate([feed.bars.end for feed in feeds])))


def _played(cerebro: Cerebro) -> int:
    running = getattr(cerebro, "runningstrats", None)
    return len(running[0]) if running else 0


def _zone(backtest: Backtest) -> tzinfo:
    return backtest.tz or backtest.feeds[0].calendar.zone


def _data(feed: Feed, zone: tzinfo) -> BarData:
    """Return a feed as Backtrader's, with the exchange's zone, session times and calendar."""
    sessions = {} if feed.calendar.name == "24/7" else _session_times(feed)
    return BarData(
        dataname=feed.bars,
        symbol=feed.symbol,
        opens_at=_number(feed.opens_at),
        tz=zone,
        calendar=TradingCalendar(name=feed.calendar.name),  # type: ignore[call-arg]  # Backtrader's metaclass takes it
        **sessions,
        **bt_timeframe(feed.timeframe),
    )


def _session_times(feed: Feed) -> dict[str, Any]:
    """Return the usual session in wall-clock times: what Backtrader reads for orders at the close."""
    sessions, zone = feed.calendar.sessions, str(feed.calendar.zone)
    longest = [(sessions.closes - sessions.opens).argmax()]
    opens, closes = (utc_to_wall(each[longest], zone)[0].item() for each in (sessions.opens, sessions.closes))
    return {"sessionstart": opens.time(), "sessionend": closes.time()}


def _number(at: datetime | None) -> float:
    return ALWAYS if at is None else float(date2num(instant(at).reshape(1))[0])


def _broker(backtest: Backtest) -> bt.brokers.BackBroker:
    """Return Backtrader's own broker, or one that keeps to rules where there are any to keep to."""
    if backtest.venue is None and all(feed.opens_at is None for feed in backtest.feeds):
        broker = bt.brokers.BackBroker()
    else:
        broker = RuledBroker(rules=backtest.venue.rules if backtest.venue else None)
    broker.setcash(backtest.cash)
    if isinstance(backtest.commission, bt.CommInfoBase):
        broker.addcommissioninfo(backtest.commission)
    else:
        broker.setcommission(commission=backtest.commission)
    if backtest.slippage:
        broker.set_slippage_perc(backtest.slippage)
    return broker


def _with_options(analyzer: Analyzer) -> tuple[type[bt.Analyzer], Mapping[str, Any]]:
    return analyzer if isinstance(analyzer, tuple) else (analyzer, {})


def _sizer(sizer: Sizer) -> tuple[type[bt.Sizer], Mapping[str, Any]]:
    if isinstance(sizer, tuple):
        return sizer
    return (bt.sizers.FixedSize, {"stake": sizer}) if isinstance(sizer, int) else (sizer, {})


def _result(backtest: Backtest, strategy: bt.Strategy) -> Result:
    recorder = strategy.analyzers.recorder
    notes = (*_waited(backtest, strategy), *_stale(recorder))
    for note in notes:
        log.info(note)
    own = [feed for feed in backtest.feeds if not feed.is_resampled]
    return Result(
        strategy=strategy,
        equity=tables.equity(strategy.analyzers.equity, min(_number(feed.opens_at) for feed in own)),
        orders=tables.orders(recorder),
        fills=tables.fills(recorder),
        trades=tables.trades(recorder),
        positions=tables.positions(strategy),
        bars={feed.symbol: feed.bars[feed.warm :] for feed in own},
        timeframe=own[0].timeframe,
        calendar=own[0].calendar,
        cash=backtest.cash,
        engine=strategy.cerebro.engine,
        notes=notes,
    )


def _stale(recorder: Recorder) -> tuple[str, ...]:
    """Return a word of warning where Backtrader has filled orders in the past."""
    if not recorder.stale:
        return ()
    return (
        f"{recorder.stale} of {len(recorder.fills)} fills are on a bar that had ended before the order was sent: "
        "Backtrader tries an order on its symbol's last bar again when only another symbol has a new one; "
        "a venue would fill these later, or not at all",
    )


def _waited(backtest: Backtest, strategy: bt.Strategy) -> tuple[str, ...]:
    """Return what kept `next` from being called: in the whole run, or from the first bar after the start on."""
    pairs = list(zip(backtest.feeds, strategy._minperiods, strict=True))
    periods = {(feed.symbol, feed.timeframe): period for feed, period in pairs}
    short = [f"{feed.name}: {len(feed.bars)} of {period} bars" for feed, period in pairs if len(feed.bars) < period]
    if short:
        return (f"next was never called; it waited for {', '.join(short)}",)
    late = waiting(backtest.feeds, periods)
    return (f"next was not called from the start; it waited for {late}",) if late else ()
