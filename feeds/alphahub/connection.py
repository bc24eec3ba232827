"""AlphaHub's example client, with its interface and without its losses.

    connection = AlphaHubConnection("me@example.com", "...", [14, 16], on_signal)
    asyncio.run(connection.run())

`on_signal(16, {"close": [...], "open": [...]})` is called for each publication, in order, one at a time.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Protocol

from feeds.address import address
from feeds.alphahub.intake import PAST, Batch
from feeds.alphahub.parsing import folded, load
from feeds.alphahub.person import find_person
from feeds.alphahub.protocol import BASE_URL, NAME
from feeds.alphahub.settings import Settings
from framework.errors import ConfigError, ConnectionLost
from framework.live.journal import SqliteJournal
from framework.live.records import CHECKED, FRAME, Records
from framework.model import Link, Remark, Signal
from framework.ports import Clock, Journal, News, Recorded, Session
from framework.wire import is_on_this_machine

log = logging.getLogger("switchback.signals")

Info = Mapping[str, Any]
"""What is published: `{"close": [...], "open": [...]}`, each item with price, side, symbol and timestamp."""

OnSignal = Callable[[int, Any], Any]
OnLate = Callable[[int, Any, str], Any]
ALGORITHMS = (14, 16, 17, 18)

_KEEP = 1.0  # seconds for which a frame that led to nothing may wait to be written


class AlphaHubConnection:
    """Calls `on_signal` with what algorithms publish, for as long as it is `run`.

    `on_signal(id, info)` may be a function or a coroutine function; `info` is the message, names of fields cleaned
    of space; with `received=True` it has `received` too, when it came (ISO, UTC). With `values=True` it is a tuple of
    `framework.model.Signal` instead. An error in it is logged with the signal, and stops nothing. A plain function that
    takes long holds everything up: make it a coroutine.

    `email` and `password` that are None come from ALPHAHUB_EMAIL and ALPHAHUB_PASSWORD, from the credentials file,
    or from a module `alphahub.creds` or `creds`. `on_late(id, info, why)` is called with what should not be acted on
    any more; without it that is logged. `journal` is a file: then a restart calls for nothing twice and misses
    nothing. Without one, what is published while the program is not running is not called for. `tz` is the zone of
    the times in messages; without it they do not count as a sign that a signal is new. Anything else is as in
    `feeds.alphahub.settings.Settings.of`. Raise `ConfigError` for what cannot be.
    """

    def __init__(
        self,
        email: str | None = None,
        password: str | None = None,
        algo_ids: Sequence[int | str] = ALGORITHMS,
        on_signal: OnSignal | None = None,
        base_url: str = BASE_URL,
        *,
        journal: str | Path | None = None,
        tz: str | tzinfo | None = None,
        values: bool = False,
        received: bool = False,
        on_late: OnLate | None = None,
        on_news: Callable[[Link | Remark], Any] | None = None,
        **settings: Any,
    ) -> None:
        if on_signal is None or not callable(on_signal):
            raise ConfigError(f"on_signal is {on_signal!r}; give a function of an algorithm's id and what it published")
        found = Settings.of(
            algo_ids,
            tz=tz or "UTC",
            credentials=find_person(email, password),
            base_url=address(base_url, BASE_URL),
            **settings,
        )
        self._settings = replace(found, trusts_times=bool(tz))
        self._on_signal, self._on_late, self._on_news = on_signal, on_late, on_news or _logged
        self._path, self._values, self._received = journal, values, received
        self._memory = Memory()

    async def run(self) -> None:
        """Listen until cancelled; raise `AuthenticationError` for a wrong password, or what waiting cannot cure."""
        from framework.live.clock import WallClock
        from framework.live.heard import Heard
        from framework.live.transport import AioHttp

        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(AioHttp(NAME, WallClock()))
            clock = await _clock(self._settings.base_url)
            journal = stack.enter_context(closing(self._journal(clock)))
            await self._listen(Session("signals", clock, http, journal, Heard(clock)), journal)

    async def _listen(self, session: Session, journal: Kept) -> None:
        from feeds.alphahub.listening import SignalListening
        from framework.live.socket import first_to_fail

        queue: asyncio.Queue[Batch] = asyncio.Queue()
        listening = SignalListening(self._settings, session, self._told, hand=queue.put_nowait)

        async def call() -> None:
            while True:
                batch = await queue.get()
                await asyncio.to_thread(journal.commit)
                await self._call(batch)
                listening.told(batch)
                await asyncio.to_thread(journal.commit)

        async def keep() -> None:
            while True:
                await asyncio.sleep(_KEEP)
                await asyncio.to_thread(journal.commit)

        await first_to_fail([asyncio.create_task(each) for each in (listening.run(), call(), keep())])

    def _journal(self, clock: Clock) -> Kept:
        if self._path is None:
            log.warning(
                "without a journal a restart knows nothing of what was heard: what was missed meanwhile is late"
            )
            self._memory.clock = clock
            return self._memory
        return _File(self._path, clock)

    async def _call(self, batch: Batch) -> None:
        number, info = int(batch.algorithm), self._info(batch)
        if batch.came == PAST:
            return
        try:
            if not batch.why_late:
                result = self._on_signal(number, info)
            elif self._on_late is not None:
                result = self._on_late(number, info, batch.why_late)
            else:
                log.warning("late, so it is not handed on: algorithm %d, %s: %s", number, info, batch.why_late)
                return
            if inspect.isawaitable(result):
                await result
        except Exception:
            log.exception("the function that is called for signals failed at algorithm %d, %s", number, info)

    def _info(self, batch: Batch) -> Any:
        if self._values:
            return batch.signals
        stamped = {"received": batch.signals[0].at.astimezone(UTC).isoformat()} if self._received else {}
        return {**published(batch, self._settings.reading.zone), **stamped}

    def _told(self, news: News) -> None:
        if isinstance(news, Link | Remark):
            self._on_news(news)


def published(batch: Batch, zone: tzinfo) -> Info:
    """Return a batch as AlphaHub publishes one, its times in `zone`: the message itself, or made of what history told.

    A weight is told where it is not the one that an item without any has.
    """
    if batch.payload:
        body = {"close": [], "open": [], **load(batch.payload)}
        return {name: _cleaned(value) if name in ("close", "open") else value for name, value in body.items()}
    lists: dict[str, list[Signal]] = {"close": [], "open": []}
    for signal in batch.signals:
        lists[signal.action.value].append(signal)
    return {name: [_item(each, zone, _share(signals)) for each in signals] for name, signals in lists.items()}


def _share(signals: Sequence[Signal]) -> float:
    return 1.0 / max(sum(each.side is not None for each in signals), 1)


def _cleaned(items: Any) -> list[Any]:
    return [folded(each) if isinstance(each, dict) else each for each in items or ()]


def _item(signal: Signal, zone: tzinfo, share: float) -> Info:
    at = signal.published.astimezone(zone) if signal.published else None
    is_usual = signal.weight == (share if signal.side else 0.0)
    return {
        **signal.extra,
        **({} if is_usual else {"weight": signal.weight}),
        "price": signal.price,
        "side": signal.side.value if signal.side else "hold",
        "symbol": signal.symbol,
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}" if at else None,
    }


def _logged(news: Link | Remark) -> None:
    match news:
        case Remark(text):
            log.warning("%s", text)
        case Link(stream, is_up, _, reason):
            log.info("%s is %s%s", stream, "up" if is_up else "down", f": {reason}" if reason else "")


async def _clock(base_url: str) -> Clock:
    """Return a sandbox's own time, else the world's. One in lock-step is told by nobody here: its time just passes."""
    from framework.live.clock import VenueClock, WallClock
    from framework.live.lockstep import clock_told
    from framework.live.transport import PATIENCE, AioHttp

    if not is_on_this_machine(base_url):
        return WallClock()
    try:
        async with AioHttp(NAME, WallClock(), replace(PATIENCE, attempts=1)) as http:
            told = await http.send(clock_told(base_url))
    except ConfigError as error:
        if isinstance(error.__cause__, ConnectionLost):
            raise
        return WallClock()
    return VenueClock(told.now, told.speed or 1.0, WallClock())


class Kept(Journal, Protocol):
    """A journal that is told when its records have to be safe, and closed at the end."""

    def commit(self) -> None: ...

    def close(self) -> None: ...


class _File(Records):
    """A journal in a file."""

    def __init__(self, path: str | Path, clock: Clock) -> None:
        self._file = SqliteJournal(path, clock)
        super().__init__(self._file)

    def close(self) -> None:
        """Write what waits, and let the file go."""
        with closing(self._file):
            self.commit()


@dataclass(frozen=True, slots=True)
class _Record:
    """A record, as it is read."""

    kind: str
    at: datetime
    key: str
    body: Mapping[str, Any]


class Memory:
    """A journal that lasts as long as its process: what was told, and when history was asked last."""

    clock: Clock

    def __init__(self) -> None:
        self._kept: list[_Record] = []

    def append(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Remember a record, but the frames: without a file nobody looks at them."""
        if kind == FRAME:
            return
        if kind == CHECKED:
            self._kept = [each for each in self._kept if (each.kind, each.key) != (kind, key)]
        self._kept.append(_Record(kind, self.clock.now(), key, body))

    def entries(self, kind: str, key: str | None = None) -> Iterator[Recorded]:
        """Yield the records of a kind, and of a key where it is given."""
        return iter([each for each in self._kept if each.kind == kind and key in (None, each.key)])

    def commit(self) -> None:
        """Keep it, in memory."""

    def close(self) -> None:
        """Keep it for the next run."""
