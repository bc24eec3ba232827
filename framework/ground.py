"""What a session stands on: its clock, journal, threads and transports, opened together and closed together."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from framework.config import sessions_folder
from framework.engine.lookout import Lookout
from framework.errors import first
from framework.http import Http
from framework.live.additions import Offers
from framework.live.admission import check_together, check_until
from framework.live.bridge import AT_A_TIME, Bridge
from framework.live.clock import VenueClock, WallClock, pace
from framework.live.heard import Heard
from framework.live.hub import Hub
from framework.live.identity import ClientOrderId
from framework.live.io_thread import Io, IoThread
from framework.live.journal import Record, SqliteJournal
from framework.live.keeper import watch_requests
from framework.live.lockstep import clock_told
from framework.live.past import Past
from framework.live.publishing import Publisher
from framework.live.records import Records
from framework.live.settings import Live
from framework.live.slices import Slicer
from framework.live.standing import Standing
from framework.live.status import STARTING
from framework.live.status_file import StatusFile
from framework.live.story import KEPT, Story
from framework.live.trade_log import TradeLog
from framework.live.transport import AioHttp
from framework.ports import Clock, LiveSignalSource, LiveSource, LiveVenue, QuoteSource, Session
from framework.retries import Patience
from framework.stage import Piece
from framework.wire import is_on_this_machine

log = logging.getLogger("switchback.live")


def told_clock(base_url: str) -> Clock:
    """Return the clock of a session: a sandbox's own (its URL), else the world's."""
    if not base_url:
        return WallClock()
    # It is on this machine: what does not answer at once is not there.
    with Http("sandbox", Patience(attempts=1, connect=2.0)) as http:
        told = http.send(clock_told(base_url))
    return told.clock(WallClock())


def clock_at(url: str) -> Clock:
    """Return the clock that goes with an address: a sandbox's on this machine, else the world's."""
    return told_clock(url if is_on_this_machine(url) else "")


@dataclass(frozen=True, slots=True)
class Rig:
    """What a session stands on. A drill puts its own in the place of threads, sockets and the clock."""

    io: Callable[[], Any] = IoThread
    bridge: Callable[[Io], Bridge] = lambda io: Bridge()
    http: Callable[[str, Clock, int | None], Any] = lambda name, clock, limit: AioHttp(name, clock, limit=limit)
    clock: Callable[[str], Clock] = told_clock
    is_seen: bool = True
    """Whether a status file is written, and whoever watches is told."""


REAL = Rig()


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


def opened(
    stack: ExitStack,
    piece: Piece,
    sources: Sequence[LiveSource],
    signals: Sequence[LiveSignalSource],
    venue: LiveVenue,
    live: Live,
    rig: Rig,
) -> Ground:
    """Open what a session needs; what has been opened is closed with `stack`. Nothing is sent yet.

    Raise `ConfigError` where the two sides do not belong together, or the session runs already.
    """
    listened: list[LiveSource | LiveSignalSource] = [*sources, *signals]
    base_url = check_together(listened, venue)
    check_until(live.until, sources)
    hidden = {*venue.secrets, *(each for source in listened for each in source.secrets)}
    clock = rig.clock(base_url)
    name = live.session or made_name(piece.strategy.__name__, clock.now())
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
    of_bars = [source for source in sources if not isinstance(source, QuoteSource)]
    series = [(symbol, source.timeframe) for source in of_bars for symbol in source.symbols]

    slicer = Slicer(series, live.grace)

    async def begun() -> tuple[Hub, Heard]:
        await http.__aenter__()
        await control.__aenter__()
        heard = Heard(clock)
        offers = Offers()
        session = Session(name, clock, http, records, heard, offers)
        hub = Hub(bridge, session, venue, slicer, gathers=told, offers=offers)
        bridge.attach(io.loop, hub.obey, None if told else AT_A_TIME)
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


def made_name(program: str, at: datetime) -> str:
    """Return a name that no session has had: order ids are made of it, and a venue keeps these for ever."""
    stem = re.sub(r"[^A-Za-z0-9]+", "", program)[:40] or "session"
    return f"{stem}-{at:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


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
