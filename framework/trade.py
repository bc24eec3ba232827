"""A live session: the same strategy and the same engine classes, on a venue. What `run(..., live=True)` does.

The order in which a session begins: the clock; the journal, and what it says of earlier runs; the account;
orders are followed (what an earlier run left is found out); history; bars are followed. Only then comes
the first `next`.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import backtrader as bt
import numpy as np

from framework.columns import Columns, moment
from framework.config import sessions_folder
from framework.engine.dates import num2date
from framework.engine.day_end import DayEnd
from framework.engine.live import Line, LiveCerebro
from framework.engine.live_broker import LiveBroker
from framework.engine.live_data import LiveData
from framework.engine.lookout import Lookout
from framework.engine.oversight import Orders
from framework.engine.ownership import Ownership, adopt, check_start, foreign
from framework.engine.resuming import resume
from framework.engine.splitting import split_ledger, wording
from framework.errors import first
from framework.feeding import Auto, Feed, MinimumPeriods
from framework.http import Http
from framework.live.admission import allotment, check_account, check_together, check_until
from framework.live.attention import attention
from framework.live.bridge import Bridge
from framework.live.clock import VenueClock, WallClock, pace
from framework.live.commands import Look
from framework.live.ending import Stop
from framework.live.heard import Heard
from framework.live.hub import Hub
from framework.live.identity import ClientOrderId
from framework.live.io_thread import Io, IoThread
from framework.live.journal import Record, SqliteJournal
from framework.live.keeper import LATE, SplitWatch, keep_time, watch_account, watch_requests
from framework.live.killswitch import KillSwitch
from framework.live.lockstep import LockStep, clock_told
from framework.live.opening import unheeded, warmed
from framework.live.past import Past
from framework.live.publishing import Publisher
from framework.live.records import POSITION, SPLIT, START, STOP, Records
from framework.live.settings import Live
from framework.live.slices import Slicer
from framework.live.standing import Standing
from framework.live.status import STARTING
from framework.live.status_file import StatusFile
from framework.live.story import KEPT, Story
from framework.live.trade_log import TradeLog
from framework.live.transport import AioHttp
from framework.live.windows import Cut, Growing
from framework.model import OrderUpdate, Remark, Snapshot, Split, Timeframe
from framework.ports import Clock, LiveSource, LiveVenue, Session, Warmup
from framework.result import Result
from framework.retries import Patience
from framework.stage import Commission, Piece, cast, data_options, funded, number, result, zone
from framework.wire import is_on_this_machine

log = logging.getLogger("switchback.live")

TRIES = 5
"""How often the account is asked for at the start, where the venue says that too much was asked."""


def told_clock(base_url: str) -> Clock:
    """Return the clock of a session: a sandbox's own (its URL), else the world's."""
    if not base_url:
        return WallClock()
    # It is on this machine: what does not answer at once is not there.
    with Http("sandbox", Patience(attempts=1, connect=2.0)) as http:
        told = http.send(clock_told(base_url))
    return told.clock(WallClock())


@dataclass(frozen=True, slots=True)
class Rig:
    """What a session stands on. A drill puts its own in the place of threads, sockets and the clock."""

    io: Callable[[], Any] = IoThread
    bridge: Callable[[Io], Bridge] = lambda io: Bridge()
    http: Callable[[str, Clock, int | None], Any] = lambda name, clock, limit: AioHttp(name, clock, limit=limit)
    clock: Callable[[str], Clock] = told_clock
    is_seen: bool = True
    """Whether a status file is written, and whoever watches is told."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A session that is open: everything that the later steps need. `control` is the way to a sandbox's own side."""

    name: str
    clock: Clock
    records: Records
    past: Past
    io: Any
    control: Any
    hub: Hub
    heard: Heard
    base_url: str
    lookout: Lookout

    @property
    def is_told(self) -> bool:
        """Whether the venue is in lock-step: its clock stands still between instants."""
        return isinstance(self.clock, VenueClock) and self.clock.speed is None

    @property
    def is_path(self) -> bool:
        """Whether there are instants between the bars, in lock-step."""
        return isinstance(self.clock, VenueClock) and self.is_told and self.clock.is_path


def trade(
    piece: Piece,
    sources: Sequence[LiveSource],
    venue: LiveVenue,
    longer: Sequence[Timeframe],
    warmup: Warmup | Auto,
    need: MinimumPeriods,
    live: Live,
    rig: Rig = Rig(),
    stop: Stop | None = None,
) -> Result:
    """Run a session until it ends, or `stop` is asked, and return what came of it.

    Raise `ConfigError` for what is wrong before anything is sent, `VenueError` for what the venue says.
    """
    with ExitStack() as stack:
        ground = _opened(stack, piece, sources, venue, live, rig)
        account: Snapshot = ground.io.call(ground.hub.snapshot(TRIES))
        check_account(venue, account, live.real_money, ground.past)
        cash, word = allotment(piece.cash, account, ground.past)
        start = _start(piece, sources, venue, account, cash, live, ground.past)
        ground.records.commit([(START, ground.name, start)])
        ground.records.tell()
        ground.io.call(ground.hub.trade(ground.past.resumed()))
        missed: tuple[OrderUpdate, ...] = ()
        splits: Sequence[Split] = ()
        if ground.past.run:
            account, missed = ground.io.call(_caught_up(ground.hub))
            splits = ground.io.call(ground.hub.splits((ground.past.latest or ground.clock.now()) - LATE))
            warmup, need = _at_least_one(warmup, need)
        at = ground.clock.now()
        feeds = warmed(sources, at, longer, warmup, need)
        ground.io.call(_following(ground, sources, feeds))
        for text in unheeded(sources, at):
            ground.hub.bridge.post(Remark(text))
        notes = [word] if word else []
        how = _Session(ground, piece, venue, live, feeds, cash, account, missed, splits, notes, stop or Stop())
        return how.played()


def _opened(
    stack: ExitStack, piece: Piece, sources: Sequence[LiveSource], venue: LiveVenue, live: Live, rig: Rig
) -> Ground:
    base_url = check_together(sources, venue)
    check_until(live.until, sources)
    hidden = {*venue.secrets, *(each for source in sources for each in source.secrets)}
    clock = rig.clock(base_url)
    name = live.session or _own_name(piece, clock)
    ClientOrderId(name, 1, 1)  # a name that cannot be one is told before anything is made of it
    path = sessions_folder() / f"{name}.sqlite"
    journal = stack.enter_context(SqliteJournal(path, clock, synchronous=live.durable, secrets=hidden))
    past = Past.of(journal.entries())
    lookout = stack.enter_context(_seen(rig, live, name, journal, clock, hidden, str(sources[0].calendar.zone)))
    records = Records(journal, _telling(Story.of(journal.entries()) if past.run else Story(), lookout))
    io = stack.enter_context(rig.io())
    bridge = rig.bridge(io)
    told = isinstance(clock, VenueClock) and clock.speed is None
    limit = _requests(clock, live)
    http = rig.http(venue.rules.venue, clock, limit)
    control = rig.http("sandbox", clock, None)
    lookout.requests = lambda: http.requests
    series = [(symbol, source.timeframe) for source in sources for symbol in source.symbols]

    slicer = Slicer(series, live.grace)

    async def begun() -> tuple[Hub, Heard]:
        await http.__aenter__()
        await control.__aenter__()
        heard = Heard(clock)
        session = Session(name, clock, http, records, heard)
        hub = Hub(bridge, session, venue, slicer, gathers=told)
        bridge.attach(io.loop, hub.obey)
        if not told:
            hub.begin(watch_requests(hub, http, clock, limit or live.requests))
        return hub, heard

    async def closed() -> None:
        await control.__aexit__(None, None, None)
        await http.__aexit__(None, None, None)

    stack.callback(lambda: io.call(closed()))
    hub, heard = io.call(begun())
    stack.callback(lambda: io.call(hub.end()))
    return Ground(name, clock, records, past, io, control, hub, heard, base_url, lookout)


def _requests(clock: Clock, live: Live) -> int | None:
    """Return how many requests may be made in a minute of I/O time; None where they are not counted.

    In lock-step a minute is no time at all, and on a clock that runs fast there are more of them: a sandbox counts
    none then.
    """
    if isinstance(clock, VenueClock) and clock.speed is None:
        return None
    return int(live.requests * max(pace(clock), 1.0))


@contextmanager
def _seen(
    rig: Rig, live: Live, name: str, journal: SqliteJournal, clock: Clock, secrets: Iterable[str], zone: str
) -> Iterator[Lookout]:
    """Show a session to its operator, from now until it is over: the status file, the trade log, whoever watches."""
    if not rig.is_seen:
        yield Lookout(Standing(), clock, None)
        return
    standing = Standing.of(journal.entries())
    standing.story.name, standing.story.keeps = name, KEPT
    folder = journal.path.parent
    shown = [StatusFile.of(folder, name, secrets).write, *([] if live.watch is None else [live.watch])]
    booked = []
    if live.trade_log:
        path = folder / f"{name}.csv" if live.trade_log is True else Path(live.trade_log)
        trades = TradeLog(path, name, zone)
        trades.make(journal.entries())
        booked.append(trades.book)
    with Publisher(shown, booked) as publisher:
        lookout = Lookout(standing, clock, publisher)
        lookout.say(STARTING)
        try:
            yield lookout
        except BaseException as error:
            lookout.end(str(first(error)) or type(error).__name__)
            raise
        else:
            lookout.end()


async def _caught_up(hub: Hub) -> tuple[Snapshot, tuple[OrderUpdate, ...]]:
    """Return the account as it is now, and what became of an earlier run's orders until now."""
    account = await hub.snapshot(TRIES)
    return account, hub.missed()


def _at_least_one(warmup: Warmup | Auto, need: MinimumPeriods) -> tuple[Warmup | Auto, MinimumPeriods]:
    """Ask for a bar before the first: what a session held before has a price, and a trade that ends a time."""
    return warmup or 1, lambda kinds: [max(periods, 2) for periods in need(kinds)]


async def _following(ground: Ground, sources: Sequence[LiveSource], feeds: Sequence[Feed]) -> None:
    """Follow every source from the end of its history on, and the clock."""
    hub = ground.hub
    own = [feed for feed in feeds if not feed.is_resampled]
    since = {feed.symbol: moment(feed.bars.end[-1]) if len(feed.bars) else feed.opens_at for feed in own}
    for source in sources:
        await hub.listen(source, {symbol: at for symbol in source.symbols if (at := since[symbol])})
    shares = next((each for each in sources if each.calendar.name != "24/7"), None)
    watch = None if shares is None else SplitWatch(hub, ground.clock, shares.calendar)
    if ground.is_told:
        assert isinstance(ground.clock, VenueClock)
        if watch is not None:
            ground.heard.before_step(watch.look)
        hub.begin(LockStep(hub, ground.control, ground.clock, ground.heard, ground.base_url).run())
        return
    hub.begin(watch_account(hub, ground.clock))
    if watch is not None:
        hub.begin(watch.run())
    if isinstance(ground.clock, VenueClock):
        hub.begin(keep_time(hub, ground.control, ground.clock, ground.base_url))


@dataclass(frozen=True, slots=True)
class _Session:
    """A session whose bars are coming in: the engine's side of it."""

    ground: Ground
    piece: Piece
    venue: LiveVenue
    live: Live
    feeds: Sequence[Feed]
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
        self.ground.lookout.attend(broker, datas)
        try:
            with attention():
                (strategy,) = cerebro.run()
        except BaseException as error:
            self._stopped(type(error).__name__)
            raise
        self.ground.io.call(self.ground.hub.settle())
        self._stopped("ended")
        notes = [*self.notes, *cerebro.tally.told(), *_open(broker)]
        bars = {data.p.symbol: _columns(data, number(self.feeds[0].opens_at)) for data in datas if not data.p.is_made}
        return result(
            strategy, self.feeds, bars, cash=self.cash, engine="live", notes=notes,
            session=self.ground.name, not_flat=cerebro.left.not_flat,
        )  # fmt: skip

    def _stopped(self, why: str) -> None:
        self.ground.records.commit([(STOP, self.ground.name, {"why": why})])
        self.ground.records.tell()

    def _staged(self) -> tuple[LiveCerebro, list[LiveData]]:
        where = zone(self.piece, self.feeds)
        cerebro = LiveCerebro(stdstats=False, tz=where, quicknotify=self.piece.quicknotify)
        datas = [
            LiveData(**data_options(feed, where), unit=feed.timeframe, is_made=feed.is_resampled) for feed in self.feeds
        ]
        broker = funded(LiveBroker(rules=self.venue.rules), self.piece, self.cash)
        ground = self.ground
        day = self.feeds[0].calendar.zone
        broker.connect(
            ground.name, ground.past.run + 1, ground.hub.bridge.send, ground.records, self.live.limits, day
        )  # fmt: skip
        orders = self._orders()
        cast(cerebro, self.piece, zip(datas, self.feeds, strict=True), broker, orders.day_end)
        ownership = Ownership(broker, ground.records)
        cerebro.line = Line(
            ground.hub.bridge, ground.clock, ground.records, ground.is_told, ground.is_path,
            tuple(_windows(self.feeds)),
            restore=lambda strategy: self._restored(broker, strategy, datas),
            checked=lambda strategy, account: [Remark(text) for text in ownership.check(strategy, account)],
            orders=orders, stop=self.stop, settle=self._settled,
            look=ground.lookout.look,
        )  # fmt: skip
        return cerebro, datas

    def _orders(self) -> Orders:
        """Return what holds for the session's whole life."""
        ground, at_close = self.ground, self.piece.at_close
        seconds = None if ground.is_told else ground.clock.monotonic
        return Orders(
            KillSwitch(sessions_folder(), ground.name),
            lambda: ground.hub.bridge.send(Look()),
            ground.lookout.say,
            DayEnd(at_close, seconds) if at_close else None,
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
        adopt(broker, strategy, datas, self.live.adopt, self.account)
        for data in datas:
            if data.p.symbol in self.live.adopt and not data.p.is_made:
                position = broker.getposition(data)
                records.append(POSITION, data._name, {"quantity": position.size, "price": position.price})
        return foreign(broker, self.account)

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


async def _settled(hub: Hub) -> None:
    await hub.settle()
    hub.tell_kept()


def _own_name(piece: Piece, clock: Clock) -> str:
    """Return a name that no session has had: order ids are made of it, and a venue keeps these for ever."""
    strategy = re.sub(r"[^A-Za-z0-9]+", "", piece.strategy.__name__) or "session"
    return f"{strategy}-{clock.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _telling(story: Story, lookout: Lookout) -> Callable[[datetime, Record], None]:
    """Return what tells the lookout of a session's records, and logs them as lines where anybody reads them.

    A line is also its record's `line`.
    """
    if not log.isEnabledFor(logging.INFO):
        return lookout.hear
    story.keeps = KEPT

    def tell(at: datetime, record: Record) -> None:
        lookout.hear(at, record)
        for line in story.take(at, *record):
            log.info("%s", line, extra={"line": line, "kind": record[0], "key": record[1]})

    return tell


def _start(
    piece: Piece,
    sources: Sequence[LiveSource],
    venue: LiveVenue,
    account: Snapshot,
    cash: float,
    live: Live,
    past: Past,
) -> Mapping[str, Any]:
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
        "limits": live.limits.body(),
    }


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
