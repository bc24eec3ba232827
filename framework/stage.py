"""What a backtest and a live run have in common: feeds, costs and a strategy put into Cerebro, and the Result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, TypeAlias

import backtrader as bt

from framework import tables
from framework.calendar import utc_to_wall
from framework.columns import Columns, instant, moment
from framework.engine.calendar import TradingCalendar
from framework.engine.data import bt_timeframe
from framework.engine.dates import date2num
from framework.engine.day_end import AtClose, DayEndAnalyzer
from framework.engine.recorder import EquityCurve, Recorder
from framework.engine.session_end import AtEnd, End
from framework.feeding import Feed, beats_of
from framework.live.limits import Limits
from framework.ports import Venue
from framework.result import Result
from framework.signalling import SignalFeed

Sizer = int | type[bt.Sizer] | tuple[type[bt.Sizer], Mapping[str, Any]]
Analyzer = type[bt.Analyzer] | tuple[type[bt.Analyzer], Mapping[str, Any]]
Commission: TypeAlias = "float | bt.CommInfoBase"

ALWAYS = float("-inf")

_NEARLY = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """What is played, and what decides how it comes out, live or not. See `framework.run` for what each is."""

    strategy: type[bt.Strategy]
    params: Mapping[str, Any]
    venue: Venue | None
    cash: float
    commission: Commission
    slippage: float
    sizer: Sizer | None
    analyzers: Sequence[Analyzer]
    tz: tzinfo | None
    quicknotify: bool
    at_close: AtClose | AtEnd | None = None
    stale: float = Limits().stale


def zone(piece: Piece, feeds: Sequence[Feed]) -> tzinfo:
    """Return the zone that times mean: what was asked for, else the first feed's exchange's."""
    return piece.tz or feeds[0].calendar.zone


def cast(
    cerebro: bt.Cerebro,
    piece: Piece,
    datas: Iterable[tuple[Any, str]],
    broker: Any,
    end: End | None,
    *,
    is_live: bool = False,
) -> None:
    """Put feeds (each with its name), broker, strategy, recorders, analyzers, the end and sizer into Cerebro."""
    for data, name in datas:
        cerebro.adddata(data, name=name)
    cerebro.setbroker(broker)
    cerebro.addstrategy(piece.strategy, **piece.params)
    cerebro.addanalyzer(Recorder, _name="recorder")
    cerebro.addanalyzer(EquityCurve, _name="equity")
    for analyzer, options in map(_with_options, piece.analyzers):
        cerebro.addanalyzer(analyzer, **options)
    if end is not None:
        cerebro.addanalyzer(DayEndAnalyzer, _name="day_end", day_end=end, is_backtest=not is_live)
    if piece.sizer is not None:
        sizer, options = _sizer(piece.sizer)
        cerebro.addsizer(sizer, **options)


def data_options(feed: Feed, zone: tzinfo) -> dict[str, Any]:
    """Return a feed as the parameters of Backtrader's: bars, the exchange's zone, session times and calendar."""
    sessions = {} if feed.calendar.name == "24/7" else _session_times(feed)
    return {
        "dataname": feed.bars if feed.quotes is None else feed.quotes,
        "symbol": feed.symbol,
        "opens_at": number(feed.opens_at),
        "tz": zone,
        "calendar": TradingCalendar(name=feed.calendar.name),  # type: ignore[call-arg]  # Backtrader's metaclass
        **sessions,
        **bt_timeframe(feed.timeframe),
    }


def signal_options(feed: SignalFeed, feeds: Sequence[Feed], zone: tzinfo) -> dict[str, Any]:
    """Return a feed of signals, beside these of bars, as the parameters of Backtrader's."""
    return {
        "dataname": feed.told,
        "publisher": feed.publisher,
        "algorithm": feed.algorithm,
        "opens": number(feed.opens),
        "opens_at": min(number(each.opens_at) for each in feeds),
        "tz": zone,
    }


def clock_options(feeds: Sequence[Feed], zone: tzinfo) -> dict[str, Any]:
    """Return a run's clock as the parameters of Backtrader's feed: the instants at which quotes are looked at."""
    ends = [feed.bars.end for feed in feeds if feed.beats is not None]
    first, last = min(each[0] for each in ends if len(each)), max(each[-1] for each in ends if len(each))
    beats = beats_of(feeds)
    assert beats is not None
    instants = beats.between(moment(first) - _NEARLY, moment(last))
    return {"dataname": instants, "every": beats.every.total_seconds(), "tz": zone}


def _session_times(feed: Feed) -> dict[str, Any]:
    """Return the usual session in wall-clock times: what Backtrader reads for orders at the close."""
    sessions, zone = feed.calendar.sessions, str(feed.calendar.zone)
    longest = [(sessions.closes - sessions.opens).argmax()]
    opens, closes = (utc_to_wall(each[longest], zone)[0].item() for each in (sessions.opens, sessions.closes))
    return {"sessionstart": opens.time(), "sessionend": closes.time()}


def number(at: datetime | None) -> float:
    """Return an instant as Backtrader's number, minus infinity for None."""
    return ALWAYS if at is None else float(date2num(instant(at).reshape(1))[0])


def funded(broker: Any, piece: Piece, cash: float) -> Any:
    """Give a broker its cash and its costs."""
    broker.setcash(cash)
    if isinstance(piece.commission, bt.CommInfoBase):
        broker.addcommissioninfo(piece.commission)
    else:
        broker.setcommission(commission=piece.commission)
    return broker


def _with_options(analyzer: Analyzer) -> tuple[type[bt.Analyzer], Mapping[str, Any]]:
    return analyzer if isinstance(analyzer, tuple) else (analyzer, {})


def _sizer(sizer: Sizer) -> tuple[type[bt.Sizer], Mapping[str, Any]]:
    if isinstance(sizer, tuple):
        return sizer
    return (bt.sizers.FixedSize, {"stake": sizer}) if isinstance(sizer, int) else (sizer, {})


def result(
    strategy: bt.Strategy,
    feeds: Sequence[Feed],
    bars: Mapping[str, Columns],
    *,
    cash: float,
    engine: str,
    notes: Sequence[str],
    session: str = "",
    not_flat: Sequence[str] = (),
) -> Result:
    """Return what came of a run; `bars` are each symbol's, warm-up left out."""
    recorder = strategy.analyzers.recorder
    own = [feed for feed in feeds if not feed.is_resampled]
    return Result(
        strategy=strategy,
        equity=tables.equity(strategy.analyzers.equity, min(number(feed.opens_at) for feed in own)),
        orders=tables.orders(recorder),
        fills=tables.fills(recorder),
        trades=tables.trades(recorder),
        positions=tables.positions(strategy),
        bars=bars,
        timeframe=own[0].timeframe,
        calendar=own[0].calendar,
        cash=cash,
        engine=engine,
        notes=tuple(notes),
        session=session,
        not_flat=tuple(not_flat),
    )
