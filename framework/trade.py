"""A live session: the same strategy and the same engine classes, on a venue. What `run(..., live=True)` does.

The order in which a session begins: the clock; the journal, and what it says of earlier runs; the account;
orders are followed (what an earlier run left is found out); history; bars are followed. Only then comes
the first `next`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

import backtrader as bt
import numpy as np

from framework.columns import Columns, moment
from framework.config import sessions_folder
from framework.engine.clock_data import NAME as CLOCK
from framework.engine.clock_data import LiveClockData
from framework.engine.dates import num2date
from framework.engine.live import Line, LiveCerebro
from framework.engine.live_broker import LiveBroker
from framework.engine.live_data import LiveData
from framework.engine.live_signals import LiveSignalData
from framework.engine.oversight import Orders
from framework.engine.ownership import Ownership, adopt, check_start, foreign
from framework.engine.quote_data import LiveQuoteData
from framework.engine.resuming import resume
from framework.engine.splitting import split_ledger, wording
from framework.feeding import Auto, Feed, MinimumPeriods, at_least_one, beats_of
from framework.ground import REAL, Ground, Rig, opened
from framework.live.admission import allotment, check_account, check_kin
from framework.live.attention import attention
from framework.live.beating import beat
from framework.live.clock import VenueClock
from framework.live.commands import Look
from framework.live.ending import Stop
from framework.live.hub import Hub
from framework.live.keeper import LATE, SplitWatch, keep_time, watch_account
from framework.live.killswitch import KillSwitch
from framework.live.lockstep import LockStep
from framework.live.opening import unheeded, warmed
from framework.live.past import Past
from framework.live.recipe import history, recipe
from framework.live.records import POSITION, SPLIT, START, STOP
from framework.live.settings import HELD, Live
from framework.live.windows import Cut, Growing
from framework.model import OrderUpdate, Remark, Snapshot, Split, Timeframe
from framework.ports import Added, LiveSignalSource, LiveSource, LiveVenue, QuoteSource, Warmup
from framework.result import Result
from framework.signalling import SignalFeed, unopened
from framework.stage import Commission, Piece, cast, data_options, funded, number, result, signal_options, zone
from framework.wire import is_on_this_machine

log = logging.getLogger("switchback.live")

TRIES = 5
"""How often the account is asked for at the start, where the venue says that too much was asked."""


def trade(
    piece: Piece,
    sources: Sequence[LiveSource],
    venue: LiveVenue,
    longer: Sequence[Timeframe],
    warmup: Warmup | Auto,
    need: MinimumPeriods,
    live: Live,
    rig: Rig = REAL,
    stop: Stop | None = None,
    signals: Sequence[LiveSignalSource] = (),
) -> Result:
    """Run a session until it ends, or `stop` is asked, and return what came of it.

    Raise `ConfigError` for what is wrong before anything is sent, `VenueError` for what the venue says.
    """
    with ExitStack() as stack:
        return begun(stack, piece, sources, venue, longer, warmup, need, live, rig, stop, signals).played()


def begun(
    stack: ExitStack,
    piece: Piece,
    sources: Sequence[LiveSource],
    venue: LiveVenue,
    longer: Sequence[Timeframe],
    warmup: Warmup | Auto,
    need: MinimumPeriods,
    live: Live,
    rig: Rig = REAL,
    stop: Stop | None = None,
    signals: Sequence[LiveSignalSource] = (),
) -> Begun:
    """Begin a session: everything before the first `next`. It ends with `stack`; raise as `trade` does."""
    ground = opened(stack, piece, sources, signals, venue, live, rig)
    account: Snapshot = ground.io.call(ground.hub.snapshot(TRIES))
    check_account(venue, account, live.real_money, ground.past)
    check_kin(ground.name, live, account)
    cash, word = allotment(piece.cash, account, ground.past)
    start = _start(piece, sources, signals, venue, account, cash, live, ground.past)
    is_intrabar = ground.is_path or not ground.is_told
    start |= {"recipe": recipe(piece, longer, venue=venue.rules.venue, is_intrabar=is_intrabar)}
    ground.records.commit([(START, ground.name, start)])
    ground.records.tell()
    ground.io.call(ground.hub.trade(ground.past.resumed()))
    missed: tuple[OrderUpdate, ...] = ()
    splits: Sequence[Split] = ()
    if ground.past.run:
        account, missed = ground.io.call(_caught_up(ground.hub))
        splits = ground.io.call(ground.hub.splits((ground.past.latest or ground.clock.now()) - LATE))
    if ground.past.run:
        warmup, need = at_least_one(warmup, need)
    at = ground.clock.now()
    feeds = warmed(sources, at, longer, warmup, need)
    ground.records.commit(history(feeds))
    told = unopened(signals, feeds, at)
    feeds += ground.io.call(_following(ground, sources, signals, feeds))
    for text in unheeded(sources, at):
        ground.hub.bridge.post(Remark(text))
    notes = [word] if word else []
    return Begun(ground, piece, venue, live, feeds, told, cash, account, missed, splits, notes, stop or Stop())


async def _caught_up(hub: Hub) -> tuple[Snapshot, tuple[OrderUpdate, ...]]:
    """Return the account as it is now, and what became of an earlier run's orders until now."""
    account = await hub.snapshot(TRIES)
    return account, hub.missed()


async def _following(
    ground: Ground, sources: Sequence[LiveSource], signals: Sequence[LiveSignalSource], feeds: Sequence[Feed]
) -> list[Feed]:
    """Follow every source from the end of its history on, and the clock; return the feeds that earlier runs added."""
    hub = ground.hub
    own = [feed for feed in feeds if not feed.is_resampled]
    if (beats := beats_of(feeds)) is not None:
        hub.look_at_quotes([feed.symbol for feed in feeds if feed.beats is not None], beats)
    since = {feed.symbol: moment(feed.bars.end[-1]) if len(feed.bars) else feed.opens_at for feed in own}
    for source in sources:
        await hub.listen(source, {symbol: at for symbol in source.symbols if (at := since[symbol])})
    lacking = sorted(ground.past.in_use() - since.keys())
    added = [_feed_of(await hub.add(symbol)) for symbol in lacking]
    for each in signals:
        await hub.hear(each)
    _follow_time(ground, sources)
    return added


def _feed_of(added: Added) -> Feed:
    return Feed(added.symbol, added.timeframe, added.calendar, added.bars, added.at)


def _follow_time(ground: Ground, sources: Sequence[LiveSource]) -> None:
    """Follow the clock, and what goes by it: splits, the account."""
    hub = ground.hub
    shares = next((each for each in sources if each.calendar.name != "24/7"), None)
    watch = None if shares is None else SplitWatch(hub, ground.clock, shares.calendar)
    if ground.is_told:
        assert isinstance(ground.clock, VenueClock)
        if watch is not None:
            ground.heard.before_step(watch.look)
        hub.begin(LockStep(hub, ground.control, ground.clock, ground.heard, ground.base_url).run())
        return
    hub.begin(watch_account(hub, ground.clock))
    if hub.beats is not None:
        hub.begin(beat(hub, hub.beats, ground.clock))
    if watch is not None:
        hub.begin(watch.run())
    if isinstance(ground.clock, VenueClock):
        hub.begin(keep_time(hub, ground.control, ground.clock, ground.base_url))


@dataclass(frozen=True, slots=True)
class Begun:
    """A session whose bars are coming in: the engine's side of it."""

    ground: Ground
    piece: Piece
    venue: LiveVenue
    live: Live
    feeds: Sequence[Feed]
    signals: Sequence[SignalFeed]
    cash: float
    account: Snapshot
    missed: Sequence[OrderUpdate]
    splits: Sequence[Split]
    notes: list[str]
    stop: Stop

    def played(self) -> Result:
        """Run the strategy until the session ends."""
        cerebro, datas = self._staged()
        broker: LiveBroker = cerebro.broker
        self.ground.lookout.attend(broker, [each for each in datas if isinstance(each, LiveData)])
        try:
            with attention():
                (strategy,) = cerebro.run()
        except BaseException as error:
            self.stopped(type(error).__name__)
            raise
        self.settled()
        notes = [*self.notes, *cerebro.tally.told(), *_open(broker)]
        own = [each for each in cerebro.datas if isinstance(each, LiveData) and not each.p.is_made]
        bars = {data.p.symbol: _columns(data, number(self.feeds[0].opens_at)) for data in own}
        return result(
            strategy, self.feeds, bars, cash=self.cash, engine="live", notes=notes,
            session=self.ground.name, not_flat=cerebro.left.not_flat,
        )  # fmt: skip

    def settled(self) -> None:
        """End in order: wait for what was asked for last, and write down that it is over."""
        self.ground.io.call(self.ground.hub.settle())
        self.stopped("ended")

    def stopped(self, why: str) -> None:
        """Write down that the session is over, and why."""
        self.ground.records.commit([(STOP, self.ground.name, {"why": why})])
        self.ground.records.tell()

    def _staged(self) -> tuple[LiveCerebro, list[LiveData]]:
        where = zone(self.piece, self.feeds)
        cerebro = LiveCerebro(stdstats=False, tz=where, quicknotify=self.piece.quicknotify)
        datas = [_live_data(feed, where) for feed in self.feeds]
        beats = beats_of(self.feeds)
        clock = [(LiveClockData(dataname=(), every=beats.every.total_seconds(), tz=where), CLOCK)] if beats else []
        told = [LiveSignalData(**signal_options(each, self.feeds, where)) for each in self.signals]
        broker = funded(LiveBroker(rules=self.venue.rules), self.piece, self.cash)
        self.connect(broker)
        orders = self.orders()
        made: list[tuple[Any, Feed | SignalFeed]] = [*zip(datas, self.feeds, strict=True)]
        made += zip(told, self.signals, strict=True)
        pairs = [*((data, feed.name) for data, feed in made), *clock]
        cast(cerebro, self.piece, pairs, broker, orders.day_end, is_live=True)
        line = self.line(broker, datas, orders)
        cerebro.line = replace(line, made=lambda added: self._made(added, where))
        return cerebro, datas

    def connect(self, broker: LiveBroker) -> None:
        """Say where a broker's orders go."""
        ground, day = self.ground, self.feeds[0].calendar.zone
        broker.connect(
            ground.name, ground.past.run + 1, ground.hub.bridge.send, ground.records, self.live.limits, day
        )  # fmt: skip

    def line(self, broker: LiveBroker, datas: Sequence[LiveData], orders: Orders) -> Line:
        """Return what the loop needs of this session."""
        ground, ownership = self.ground, Ownership(broker, self.ground.records)
        return Line(
            ground.hub.bridge, ground.clock, ground.records, ground.is_told, ground.is_path,
            tuple(_windows(self.feeds)),
            restore=lambda strategy: self._restored(broker, strategy, datas),
            checked=lambda strategy, account: [Remark(text) for text in ownership.check(strategy, account)],
            orders=orders, stop=self.stop, settle=self._settled, look=ground.lookout.look,
        )  # fmt: skip

    def _made(self, added: Added, where: tzinfo) -> LiveData:
        """Return the feed of a symbol that was added."""
        data = _live_data(_feed_of(added), where)
        self.ground.lookout.also(data)
        return data

    def orders(self) -> Orders:
        """Return what holds for the session's whole life."""
        ground, at_close = self.ground, self.piece.at_close
        seconds = None if ground.is_told else ground.clock.monotonic
        return Orders(
            KillSwitch(sessions_folder(), ground.name),
            lambda: ground.hub.bridge.send(Look()),
            ground.lookout.say,
            at_close.made(seconds) if at_close else None,
            self.feeds[0].calendar.next_close(ground.clock.now()) if self.live.until else None,
            ground.name,
        )

    def _settled(self) -> None:
        """In lock-step, wait for the answers to what was asked for last, and let them be told."""
        if self.ground.is_told:
            self.ground.io.call(_settled(self.ground.hub))

    def _restored(self, broker: LiveBroker, strategy: Any, datas: Sequence[LiveData]) -> dict[str, float]:
        """Give the broker what the session had before, and what it is to adopt; return what is not the session's."""
        past, records = self.ground.past, self.ground.records
        resume(broker, strategy, datas, past)
        for update in self.missed:
            broker.take(update)
        self._split(broker, strategy, datas)
        if past.run:
            check_start(broker, self.account)
        adopted = self._adopted(datas)
        adopt(broker, strategy, datas, adopted, self.account)
        for data in datas:
            if data.p.symbol in adopted and not data.p.is_made:
                position = broker.getposition(data)
                records.append(POSITION, data._name, {"quantity": position.size, "price": position.price})
        return foreign(broker, self.account)

    def _adopted(self, datas: Sequence[LiveData]) -> tuple[str, ...]:
        """Return whose positions become the session's; of all that are held, where it goes on, it has its own."""
        if self.live.adopt != HELD:
            return tuple(self.live.adopt)
        followed = {data.p.symbol for data in datas}
        return tuple(each.symbol for each in self.account.positions if each.symbol in followed)

    def _split(self, broker: LiveBroker, strategy: Any, datas: Sequence[LiveData]) -> None:
        """Take the session through the splits since its last record; its bars are of the new shares already."""
        symbols = {data.p.symbol for data in datas}
        for split in self.splits:
            if split.symbol in symbols and split.name not in broker.splits:
                before, after, _ = split_ledger(broker, strategy, datas, split)
                self.ground.records.append(SPLIT, split.symbol, {"split": split, "before": before, "after": after})
                if before != after:
                    text = f"{split.symbol}: {wording(split)}, this session's {before:g} are {after:g}"
                    self.ground.hub.bridge.post(Remark(text))


def _live_data(feed: Feed, where: tzinfo) -> LiveData:
    kind = LiveData if feed.beats is None else LiveQuoteData
    return kind(**data_options(feed, where), unit=feed.timeframe, is_made=feed.is_resampled)


async def _settled(hub: Hub) -> None:
    await hub.settle()
    hub.tell_kept()


def _start(
    piece: Piece,
    sources: Sequence[LiveSource],
    signals: Sequence[LiveSignalSource],
    venue: LiveVenue,
    account: Snapshot,
    cash: float,
    live: Live,
    past: Past,
) -> dict[str, Any]:
    return {
        "run": past.run + 1,
        "strategy": piece.strategy.__name__,
        "params": {name: repr(value) for name, value in piece.params.items()},
        "account": account.account,
        "money": "sandbox" if is_on_this_machine(venue.base_url) else "real-money" if venue.is_real else "paper",
        "zone": str(sources[0].calendar.zone),
        "currency": account.currency,
        "cash": cash,
        "commission": _rate(piece.commission),
        "symbols": [symbol for source in sources for symbol in source.symbols],
        "algorithms": [f"{each.publisher} {name}" for each in signals for name in each.algorithms],
        "limits": live.limits.body(),
        **_every(sources),
    }


def _every(sources: Sequence[LiveSource]) -> dict[str, str]:
    """Return how often quotes are looked at, where a session goes by them."""
    every = [str(each.beats.every) for each in sources if isinstance(each, QuoteSource)]
    return {"every": every[0]} if every else {}


def _rate(commission: Commission) -> float | None:
    """Return a commission as a fraction of the value; None where it is reckoned otherwise."""
    if not isinstance(commission, bt.CommInfoBase):
        return commission
    is_fraction = commission.stocklike and commission._commtype == bt.CommInfoBase.COMM_PERC
    return float(commission.p.commission) if is_fraction else None


def _windows(feeds: Sequence[Feed]) -> list[Growing]:
    """Return the longer bars that history left open, in the feeds' order."""
    own = {feed.symbol: feed for feed in feeds if not feed.is_resampled}
    cuts: dict[Any, Cut] = {}
    windows = []
    for feed in (feed for feed in feeds if feed.is_resampled):
        minutes = own[feed.symbol]
        key = (minutes.timeframe, feed.timeframe, feed.calendar.name, feed.calendar.hours)
        cut = cuts.setdefault(key, Cut(minutes.timeframe, feed.timeframe, feed.calendar))
        windows.append(Growing.begun(feed.symbol, feed.timeframe, cut, minutes.bars, feed.bars))
    return windows


def _columns(data: LiveData, opens_at: float) -> Columns:
    """Return the bars that came live."""
    lines = [np.array(line.array[: len(data)]) for line in data._in_order()[:6]]
    kept = lines[0] > opens_at
    return Columns.of(num2date(lines[0][kept]), *(line[kept] for line in lines[1:]))


def _open(broker: LiveBroker) -> list[str]:
    """Return what is still open at the end: it stays at the venue."""
    return [
        f"order {client_order_id} is still open at the venue: {order.getordername()} {order.ordtypename().lower()} "
        f"{abs(order.executed.remsize):g} {order.data._name}"
        for client_order_id, order in broker.open_ids.items()
    ]
