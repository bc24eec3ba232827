"""A session around one run of Cerebro: it begins before stock starts anything, and ends however the run does.

Stock tells nobody when a strategy raises, and a session that nobody ends goes on trading what was asked for. So a
run with live feeds is surrounded: `Cerebro.runstrategies`, stock's or ours, is called from in here.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import backtrader as bt

from framework.columns import Columns
from framework.engine.live import Line
from framework.engine.ownership import foreign
from framework.engine.probe import minimum_periods
from framework.engine.recorder import Recorder
from framework.engine.silent import settle
from framework.engine.stock_loop import StockLoop
from framework.engine.store_broker import StoreBroker
from framework.engine.store_data import StoreClone, StoreData, unit_of
from framework.engine.translate import symbol_of
from framework.errors import ConfigError
from framework.feeding import Auto, Feed, MinimumPeriods
from framework.live.admission import live_venue
from framework.live.attention import attention
from framework.live.ending import Stop, ended_by_interrupt
from framework.live.records import POSITION
from framework.live.settings import HELD
from framework.model import MINUTE, Timeframe
from framework.ports import Warmup
from framework.resample import check
from framework.stage import Piece, number
from framework.store import Store
from framework.trade import Begun, begun

log = logging.getLogger("switchback.live")

EVERYTHING = float("inf")
"""What a session may spend where nobody says it: all that the account has."""

Casting = tuple[type[bt.Strategy], Sequence[Any], Mapping[str, Any]]
"""A strategy as stock holds it: its class, and what it is given."""


def surround(cerebro: Any) -> None:
    """Let each run of a Cerebro be a session. Once is enough."""
    if not isinstance(vars(cerebro).get("runstrategies"), functools.partial):
        cerebro.runstrategies = functools.partial(_surrounded, cerebro, cerebro.runstrategies)


def _surrounded(cerebro: Any, play: Callable[..., Any], casting: Sequence[Casting], predata: bool = False) -> Any:
    broker, datas = _checked(cerebro)
    cerebro.addanalyzer(Recorder, _name="recorder")
    recorder = cerebro.analyzers[-1]
    try:
        with ExitStack() as stack, attention():
            session = StoreSession(stack, cerebro, broker, datas, casting)
            with ended_by_interrupt(session.stop.ask):
                return session.played(lambda: play(casting, predata))
    finally:
        cerebro.analyzers.remove(recorder)


def _checked(cerebro: Any) -> tuple[StoreBroker, list[StoreData]]:
    """Return the broker and the live feeds of a run; raise `ConfigError` where they make no session."""
    if cerebro._dooptimize:
        raise ConfigError("optstrategy tries a strategy many times, and a live feed happens once; backtest it instead")
    if not isinstance(cerebro.broker, StoreBroker):
        raise ConfigError(
            f"these data are live, but orders would go to {type(cerebro.broker).__name__}, which fills them by itself; "
            "give cerebro.setbroker(store.getbroker()), or getdata(historical=True) for a backtest"
        )
    return cerebro.broker, [data for data in cerebro.datas if isinstance(data, StoreData) and data.islive()]


class StoreSession:
    """One run's session. Owned by the engine's thread."""

    def __init__(
        self,
        stack: ExitStack,
        cerebro: Any,
        broker: StoreBroker,
        datas: Sequence[StoreData],
        casting: Sequence[Casting],
    ) -> None:
        self._cerebro, self._broker, self._datas = cerebro, broker, datas
        self._loop: StockLoop | None = None
        self.stop = Stop()
        self._store: Store = broker.store
        self._begun = self._begin(stack, casting)
        self._store.name = self._begun.ground.name
        self._hand_out(self._begun)
        broker.renew(lambda: self._loop, self._begun.cash, self._refusal)
        self._begun.connect(broker)
        self._line = self._made_line()

    def played(self, play: Callable[[], Any]) -> Any:
        """Run the strategies; end the session however that ends."""
        leader = self._datas[0].store
        leader.round = lambda: self._round(leader)
        self._begun.ground.lookout.attend(self._broker, self._datas)
        try:
            played = play()
            if self._loop is not None:
                self._loop.finish()
                self._note(self._loop)
        except BaseException as error:
            self._begun.stopped(type(error).__name__)
            raise
        finally:
            leader.round = None
            self._loop = None
        self._begun.settled()
        return played

    def _note(self, loop: StockLoop) -> None:
        """Keep what the user should know of the session, as a result's notes do."""
        still = [f"order {each} is still open at the venue" for each in self._broker.open_ids]
        self._store.notes = (*loop.tally.told(), *loop.oversight.left.not_flat, *still)
        for note in self._store.notes:
            log.info("%s", note)

    def _round(self, store: Store) -> None:
        if self._loop is None:
            zone = self._begun.feeds[0].calendar.zone
            self._loop = StockLoop(self._cerebro, self._cerebro.runningstrats, self._line, self._datas, zone)
        for text, news in self._loop.begin_round():
            store.put_notification(text, news)

    # -- how it begins

    def _begin(self, stack: ExitStack, casting: Sequence[Casting]) -> Begun:
        stores = {data.store: [each for each in self._datas if each.store is data.store] for data in self._datas}
        sources = [source for store, datas in stores.items() for source in store.sources(datas)]
        units = [each for each in dict.fromkeys(self._units()) if each != MINUTE]
        for unit in units:
            check(MINUTE, unit)
        warmup: Warmup | Auto = "auto" if any(data.p.backfill_start for data in self._datas) else 0
        piece, need = self._piece(casting[0]), _need(self._cerebro.datas, casting)
        live = replace(self._store.live, adopt=HELD if self._broker.p.use_positions else ())
        venue = live_venue(self._store.venue)
        session = begun(stack, piece, sources, venue, units, warmup, need, live, stop=self.stop)
        return replace(session, live=replace(live, adopt=()))  # it goes to the shortest feed of its symbol, see below

    def _units(self) -> Iterable[Timeframe]:
        """Yield the lengths of bars that feeds have, and those that filters make of them: history is for these too."""
        for data in self._datas:
            yield data.unit
        for data in self._cerebro.datas:
            if data.resampling and data._timeframe in (bt.TimeFrame.Minutes, bt.TimeFrame.Days):
                yield unit_of(data._timeframe, data._compression)

    def _piece(self, cast: Casting) -> Piece:
        strategy, _, params = cast
        cash = EVERYTHING if self._broker.asked is None else self._broker.asked
        commission = self._broker.comminfo[None]
        return Piece(
            strategy, dict(params), self._store.venue, cash, commission, 0.0, None, (), None,
            self._cerebro.p.quicknotify,
        )  # fmt: skip

    def _hand_out(self, session: Begun) -> None:
        """Give each feed its history. The shortest of a symbol's has its prices, for whoever looks at the session."""
        feeds = {(feed.symbol, feed.timeframe): feed for feed in session.feeds}
        ranked = sorted(self._datas, key=lambda data: (data.p.timeframe, data.p.compression))
        first = {data.p.symbol: data for data in reversed(ranked)}
        for data in self._datas:
            feed = feeds[data.p.symbol, data.unit]
            data.begin(
                _wanted(data, feed, is_resumed=bool(session.ground.past.run)), number(feed.opens_at),
                is_made=first[data.p.symbol] is not data,
            )  # fmt: skip
        _name_apart([*ranked, *self._clones()])

    def _clones(self) -> list[Any]:
        return [data for data in self._cerebro.datas if isinstance(data, StoreClone) and not data.p.historical]

    def _made_line(self) -> Line:
        units = {(data.p.symbol, data.unit) for data in self._datas}
        line = self._begun.line(self._broker, [*self._datas, *self._clones()], self._begun.orders())
        windows = tuple(each for each in line.windows if (each.symbol, each.target) in units)
        return replace(line, windows=windows, restore=lambda strategy: self._restored(line, strategy))

    # -- whose is what

    def _restored(self, line: Line, strategy: Any) -> dict[str, float]:
        """Give the broker what an earlier run left, or what the account holds; return what is not the session's."""
        line.restore(strategy)
        account, records = self._begun.account, self._begun.ground.records
        own = {data.p.symbol: data for data in self._datas if not data.p.is_made and self._is_adopted(data.p.symbol)}
        for position in account.positions:
            if (data := own.get(position.symbol)) is not None:
                with self._broker.restraint.unearned():
                    settle(self._broker, strategy, data, position.quantity, position.average_price, account.at)
                records.append(POSITION, data._name, {"quantity": position.quantity, "price": position.average_price})
        return foreign(self._broker, account)

    def _is_adopted(self, symbol: str) -> bool:
        """Return whether what the account holds of a symbol becomes the session's; one that goes on has its own."""
        adopt = HELD if self._broker.p.use_positions else self._store.live.adopt
        return not self._begun.ground.past.run if adopt == HELD else symbol in adopt

    def _refusal(self, order: Any) -> str:
        """Return why an order is not taken: its feed has no prices of now."""
        data = order.data
        if isinstance(data, StoreData | StoreClone) and not data.p.historical:
            return ""
        return f"{data._name or symbol_of(data)} is no live feed of a store: nothing is traded on its prices"


def _wanted(data: StoreData, feed: Feed, *, is_resumed: bool) -> Columns:
    """Return the history that a feed asks for; one bar of it where there are positions to be valued."""
    bars = feed.bars
    if not data.p.backfill_start:
        return bars[max(len(bars) - is_resumed, 0) :]
    since = data.store.since(data)
    return bars if since is None else bars.between(since, None)


def _name_apart(datas: Iterable[Any]) -> None:
    """Give a symbol's longer feeds names of their own, as `run` does: a journal knows positions by feeds' names."""
    names: set[str] = set()
    for data in datas:
        if not data._name or data._name in names:
            data._name = f"{data.p.symbol} {unit_of(data._timeframe, data._compression)}"
        names.add(data._name)


def _need(datas: Sequence[Any], casting: Sequence[Casting]) -> MinimumPeriods:
    """Return what tells how many bars each kind must have before the first `next` of these strategies."""

    @functools.cache  # it makes the strategies once more: only where that is needed
    def most() -> dict[tuple[str, Timeframe], int]:
        kinds = [_kind(data) for data in datas]
        found: dict[tuple[str, Timeframe], int] = {}
        for strategy, _, params in casting:
            for kind, period in zip(kinds, minimum_periods(strategy, params, kinds), strict=True):
                found[kind] = max(found.get(kind, 1), period)
        return found

    return lambda asked: [most().get(kind, 1) for kind in asked]


def _kind(data: Any) -> tuple[str, Timeframe]:
    try:
        return symbol_of(data), unit_of(data._timeframe, data._compression)
    except ConfigError:
        return symbol_of(data), MINUTE  # somebody else's feed
