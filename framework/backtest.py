"""A backtest: feeds, costs and a strategy put into Cerebro, played, and made into a Result."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import backtrader as bt
import numpy as np

from framework.columns import instant
from framework.engine.cerebro import Cerebro
from framework.engine.clock_data import NAME as CLOCK
from framework.engine.clock_data import ClockData
from framework.engine.data import BarData
from framework.engine.quote_data import QuoteData
from framework.engine.quoted_broker import QuotedBroker
from framework.engine.recorder import Recorder
from framework.engine.ruled import RuledBroker
from framework.engine.signal_data import SignalData
from framework.engine.timers import Zoned
from framework.feeding import Feed, beats_of, waiting
from framework.progress import watched
from framework.result import Result
from framework.signalling import SignalFeed, silent, unfollowed
from framework.stage import Piece, cast, clock_options, data_options, funded, result, signal_options, zone

log = logging.getLogger("switchback.run")


@dataclass(frozen=True, slots=True)
class Backtest:
    """A piece over these feeds, of bars and of signals. See `framework.run` for what each is."""

    piece: Piece
    feeds: Sequence[Feed]
    intrabar: bool
    engine: str
    progress: bool | None
    signals: Sequence[SignalFeed] = ()


def play(backtest: Backtest) -> Result:
    """Run it, and return what came of it."""
    piece, feeds = backtest.piece, backtest.feeds
    where = zone(piece, feeds)
    loop = {"quicknotify": piece.quicknotify, "engine": backtest.engine, "intrabar": backtest.intrabar}
    cerebro = _Cerebro(stdstats=False, tz=where, **loop)
    datas: list[tuple[Any, str]] = [(_data(feed)(**data_options(feed, where)), feed.name) for feed in feeds]
    datas += [(SignalData(**signal_options(each, feeds, where)), each.name) for each in backtest.signals]
    if beats_of(feeds) is not None:
        datas.append((ClockData(**clock_options(feeds, where)), CLOCK))
    end = piece.at_close.made() if piece.at_close else None
    cast(cerebro, piece, datas, funded(_broker(backtest), piece, piece.cash), end)
    with watched(_instants(backtest), lambda: _played(cerebro), backtest.progress):
        (strategy,) = cerebro.run()
    if end is not None:
        end.over(strategy)
    return _result(backtest, strategy, end.missed if end else ())


def _data(feed: Feed) -> type[Any]:
    return BarData if feed.quotes is None else QuoteData


class _Cerebro(Zoned, Cerebro):
    """The engine, with timers that mean the exchange's clock."""


def _instants(backtest: Backtest) -> int:
    """Return how many instants there are at which a bar ends or a signal comes: each is one `next`."""
    told = np.array([instant(each.at) for feed in backtest.signals for each in feed.told], dtype="datetime64[us]")
    return len(np.unique(np.concatenate([*(feed.bars.end for feed in backtest.feeds), told])))


def _played(cerebro: Cerebro) -> int:
    running = getattr(cerebro, "runningstrats", None)
    return len(running[0]) if running else 0


def _broker(backtest: Backtest) -> Any:
    """Return Backtrader's own broker, or one that keeps to rules where there are any to keep to."""
    venue, has_more = backtest.piece.venue, backtest.piece.at_close is not None or backtest.signals
    if beats_of(backtest.feeds) is not None:
        broker = QuotedBroker(rules=venue.rules if venue else None, stale=backtest.piece.stale)
    elif venue is None and not has_more and all(feed.opens_at is None for feed in backtest.feeds):
        broker = bt.brokers.BackBroker()
    else:
        broker = RuledBroker(rules=venue.rules if venue else None)
    if backtest.piece.slippage:
        broker.set_slippage_perc(backtest.piece.slippage)
    return broker


def _result(backtest: Backtest, strategy: bt.Strategy, missed: Sequence[str]) -> Result:
    symbols = [feed.symbol for feed in backtest.feeds]
    lacking = [*silent(backtest.signals), *unfollowed(backtest.signals, symbols)]
    notes = (*_waited(backtest.feeds, strategy), *_stale(strategy.analyzers.recorder), *missed, *lacking)
    for note in notes:
        log.info(note)
    feeds = backtest.feeds
    bars = {feed.symbol: feed.bars[feed.warm :] for feed in feeds if not feed.is_resampled}
    return result(strategy, feeds, bars, cash=backtest.piece.cash, engine=strategy.cerebro.engine, notes=notes)


def _stale(recorder: Recorder) -> tuple[str, ...]:
    """Return a word of warning where Backtrader has filled orders in the past."""
    if not recorder.stale:
        return ()
    return (
        f"{recorder.stale} of {len(recorder.fills)} fills are on a bar that had ended before the order was sent: "
        "Backtrader tries an order on its symbol's last bar again when only another symbol has a new one; "
        "a venue would fill these later, or not at all",
    )


def _waited(feeds: Sequence[Feed], strategy: bt.Strategy) -> tuple[str, ...]:
    """Return what kept `next` from being called: in the whole run, or from the first bar after the start on."""
    pairs = list(zip(feeds, strategy._minperiods, strict=False))  # after these come signals, which wait for nothing
    periods = {(feed.symbol, feed.timeframe): period for feed, period in pairs}
    short = [f"{feed.name}: {len(feed.bars)} of {period} bars" for feed, period in pairs if len(feed.bars) < period]
    if short:
        return (f"next was never called; it waited for {', '.join(short)}",)
    late = waiting(feeds, periods)
    return (f"next was not called from the start; it waited for {late}",) if late else ()
