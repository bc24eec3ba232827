"""`run`: one line for a backtest and for trading live. The only place that reads `live`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Literal, overload

import backtrader as bt

from framework.backtest import Backtest, play
from framework.closing import at_close_of
from framework.engine.day_end import HOLD, How
from framework.engine.probe import minimum_periods
from framework.errors import ConfigError, nearest
from framework.feeding import Auto, fed
from framework.live.settings import Live
from framework.model import Timeframe
from framework.parameters import checked
from framework.ports import SignalSource, Source, Venue, Warmup
from framework.result import Result
from framework.signalling import parted, signalled
from framework.stage import Analyzer, Commission, Piece, Sizer
from framework.when import zone_named

if TYPE_CHECKING:
    from framework.live.running import Running


@overload
def run(
    strategy: type[bt.Strategy],
    *,
    source: Source | Sequence[Source | SignalSource],
    background: Literal[True],
    **how: Any,
) -> Running: ...


@overload
def run(
    strategy: type[bt.Strategy],
    *,
    source: Source | Sequence[Source | SignalSource],
    background: Literal[False] = False,
    **how: Any,
) -> Result: ...


def run(
    strategy: type[bt.Strategy],
    *,
    source: Source | Sequence[Source | SignalSource],
    venue: Venue | None = None,
    live: bool | Live = False,
    cash: float = 100_000,
    commission: Commission = 0.0,
    slippage: float = 0.0,
    sizer: Sizer | None = None,
    analyzers: Sequence[Analyzer] = (),
    resample: Sequence[str | Timeframe] = (),
    warmup: Warmup | Auto = "auto",
    tz: str | tzinfo | None = None,
    quicknotify: bool = True,
    intrabar: bool = False,
    at_close: How = HOLD,
    before_close: float | timedelta = 5,
    engine: Literal["lean", "stock"] = "lean",
    progress: bool | None = None,
    background: bool = False,
    params: Mapping[str, Any] | None = None,
    **more_params: Any,
) -> Result | Running:
    """Run a strategy over a source's bars and return what came of it.

    strategy     a `bt.Strategy` subclass, unmodified
    source       one Source or a list of them; sources of signals (`feeds.AlphaHubSignals`) stand beside those of bars
    venue        backtest: prices and sizes are rounded and orders refused by this venue's rules;
                 None leaves Backtrader's own broker as it is
    live         False: a backtest; True: trade on the venue, with bars from a live source; `Live(...)` says how.
                 Slippage, intrabar, engine and progress are a backtest's and change nothing then
    cash         the account's cash at the start, in its currency; live what the session may spend of it
    commission   a fraction of each fill's value (0.0005 is 5 basis points), or a `bt.CommInfoBase`
    slippage     a fraction of the price (Backtrader's percentage slippage)
    sizer        a fixed size, a `bt.Sizer` class, or (class, parameters)
    analyzers    `bt.Analyzer` classes, or (class, parameters); see `result.strategy.analyzers`
    resample     longer bars of every symbol, such as ("5Min", "1Day"), as more feeds after the minutes
    warmup       history before the source's start, in which nothing trades: "auto" is what the
                 strategy's indicators need, or a number of bars, or a timedelta
    tz           the zone that `datetime.time()` and day bars mean; the exchange's unless given
    quicknotify  a fill is notified before `next` of its bar, as it is live (Backtrader's own setting)
    intrabar     play each bar along its path (open, nearer extreme, other extreme, close): a fill is heard
                 of within its bar, and what is sent in answer works from the next stretch of the path on;
                 not stock's results
    at_close     what is done at the end of each trading day, in a backtest and live: "hold" nothing; "liquidate"
                 cancels every order, closes every position at the market, and takes no order of the strategy's
                 until the close; a function is called with the strategy
    before_close how long before the exchange's real close (early closes included): minutes, or a timedelta
    engine       "stock" runs Backtrader's own loop, some ten times slower and the same to the last bit;
                 `result.engine` says which one ran, and why
    progress     show a bar: None for long runs in a terminal, True and False always and never
    background   live: return at once a `Running`, with `.stop()` and `.result()`; the session goes on beside
    params       the strategy's parameters; those whose name is not one of the above may be given
                 directly: `run(SmaCross, source=bars, fast=10)`

    Raises `ConfigError` where something is wrong before anything runs, `VenueError` where bars cannot
    be fetched, and `Unsupported` for what is not there.
    """
    ready = prepared(locals())
    if live:
        return _traded(ready, live, background=background)
    if background:
        raise ConfigError("background=True is for a live session; a backtest is over before you look")
    feeds = fed(ready.sources, ready.longer, ready.warmup, ready.need)
    return play(Backtest(ready.piece, feeds, intrabar, engine, progress, signalled(ready.signals, feeds)))


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `run` was given, checked: a piece, the sources of its bars and signals, and what is made of them."""

    piece: Piece
    sources: Sequence[Source]
    signals: Sequence[SignalSource]
    longer: Sequence[Timeframe]
    warmup: Warmup | Auto

    def need(self, kinds: Sequence[tuple[str, Timeframe]]) -> list[int]:
        """Return how many bars each feed (symbol, timeframe) must have before the first `next`."""
        algorithms = [(each.publisher, name) for each in self.signals for name in each.algorithms]
        periods = minimum_periods(self.piece.strategy, self.piece.params, kinds, algorithms)
        return [max(each, 2) for each in periods] if self.signals else periods  # a signal need not wait for a bar


def prepared(given: Mapping[str, Any]) -> Prepared:
    """Check what `run` was given, by the names of its parameters, before anything runs; raise `ConfigError`."""
    strategy, tz = given["strategy"], given["tz"]
    chosen = checked(strategy, given["params"] or {}, given["more_params"], _is_given(given))
    costs = (given["cash"], given["commission"], given["slippage"])
    _check_account(*costs)
    sources, signals = parted(given["source"])
    longer = [Timeframe.parse(each) for each in given["resample"]]
    _check_engine(given["engine"])
    end = at_close_of(given["at_close"], given["before_close"], sources)
    zone = zone_named(tz) if isinstance(tz, str) else tz
    who, how = (strategy, chosen, given["venue"]), (given["sizer"], given["analyzers"])
    piece = Piece(*who, *costs, *how, tz=zone, quicknotify=given["quicknotify"], at_close=end)
    return Prepared(piece, sources, signals, longer, (given["warmup"] or 1) if signals else given["warmup"])


def arguments(strategy: type[bt.Strategy], how: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `run(strategy, **how)` is given, by the names of its parameters: what `prepared` checks."""
    bound = inspect.signature(run).bind(strategy, **how)
    bound.apply_defaults()
    return bound.arguments


def _traded(ready: Prepared, live: bool | Live, *, background: bool) -> Result | Running:
    """Trade live. What only a session needs (sockets, the journal) is loaded here."""
    from framework.live.admission import live_signals, live_source, live_venue
    from framework.live.notebook import shown
    from framework.live.running import Running
    from framework.trade import trade

    how, piece = live if isinstance(live, Live) else Live(), ready.piece
    listened = [live_source(each) for each in ready.sources]
    heard = [live_signals(each) for each in ready.signals]
    pieces = (piece, listened, live_venue(piece.venue), ready.longer, ready.warmup, ready.need)
    traded = functools.partial(trade, *pieces, signals=heard)
    if not background:
        return traded(how)
    name = how.session or piece.strategy.__name__
    watch = [each for each in (how.watch, shown(name)) if each is not None]
    return Running(lambda stop, seen: traded(replace(how, watch=seen), stop=stop), name, watch)


def _is_given(arguments: Mapping[str, Any]) -> dict[str, bool]:
    """Return which of `run`'s own keywords were given a value that is not their default."""
    keywords = inspect.signature(run).parameters.values()
    return {
        each.name: arguments[each.name] is not each.default
        for each in keywords
        if each.kind is each.KEYWORD_ONLY and each.name != "params"
    }


def _check_engine(engine: str) -> None:
    if engine not in ("lean", "stock"):
        raise ConfigError(f"engine={engine!r} is not known{nearest(engine, ('lean', 'stock'))}; it is lean or stock")


def _check_account(cash: float, commission: Commission, slippage: float) -> None:
    if not 0 < cash < float("inf"):
        raise ConfigError(f"cash={cash} is not an amount to start with; try cash=100_000")
    for name, value in (("commission", commission), ("slippage", slippage)):
        if not isinstance(value, bt.CommInfoBase) and not 0 <= value < 1:
            raise ConfigError(f"{name}={value} is not a fraction of the value; 0.001 is 0.1 %")
