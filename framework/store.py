"""Backtrader's own convention for a venue: a store, its feeds and its broker, on any Cerebro.

    store = AlpacaStore(key_id=..., secret_key=...)
    cerebro.adddata(store.getdata(dataname="AAPL", timeframe=bt.TimeFrame.Minutes))
    cerebro.setbroker(store.getbroker())
    cerebro.run()

What is here is every venue's; a venue's own store says how its parameters are made into a source and a venue
(`brokers/<name>/store.py`). A session begins and ends with `cerebro.run` (`framework.store_session`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from framework import when
from framework.calendar import Calendar
from framework.columns import Columns
from framework.engine.compat import mend
from framework.engine.store_broker import StoreBroker
from framework.engine.store_data import StoreData
from framework.errors import ConfigError, nearest
from framework.feeding import fed
from framework.live.settings import Live
from framework.model import MINUTE, Snapshot, Timeframe, Unit
from framework.ports import LiveSource, LiveVenue

DAY = Timeframe(1, Unit.DAY)

REACH = {Unit.DAY: timedelta(days=30)}
"""How far a backtest's bars go back where no `fromdate` says it: as alpaca-backtrader-api has it; else three days."""


class Store(ABC):
    """One account, and the feeds and the broker that go with it. There may be any number of stores."""

    DataCls: ClassVar[type[StoreData]] = StoreData
    BrokerCls: ClassVar[type[StoreBroker]] = StoreBroker

    def __init__(self, venue: LiveVenue, live: Live | None = None) -> None:
        mend()
        self.venue, self.live = venue, live or Live()
        self.notifs: deque[tuple[str, tuple[Any, ...], dict[str, Any]]] = deque()
        self.round: Callable[[], None] | None = None
        """Called where a loop asks for messages: at the beginning of each of its rounds."""
        self.name = ""
        """The name of the session that ran last: under it `switchback journal` shows what it did."""
        self.notes: tuple[str, ...] = ()
        """What one should know of the session that ran last: bars that came late, orders that are still open."""

    # -- what a script asks for

    def getdata(self, dataname: str = "", **kwargs: Any) -> Any:
        """Return a feed of a symbol; the parameters are those of the venue's class of feeds."""
        self.DataCls.check_names(kwargs)
        return self.DataCls(store=self, dataname=dataname, **kwargs)

    def getbroker(self, **kwargs: Any) -> Any:
        """Return the account's broker."""
        return self.BrokerCls(store=self, **kwargs)

    def account(self) -> Snapshot:
        """Return the account as it is now. Blocks; raise `ConfigError` where there are no keys, `VenueError`."""
        from framework.ground import clock_at
        from framework.live.looking import account

        return account(self.venue, clock_at(self.venue.base_url))

    # -- what Backtrader asks for

    def start(self, data: Any = None, broker: Any = None) -> None:  # noqa: B027 - every venue's does nothing
        """Do nothing: a session has begun already where there is to be one."""

    def stop(self) -> None:  # noqa: B027 - as above
        """Do nothing: a session ends when the strategies have been stopped."""

    def put_notification(self, text: str, *args: Any, **kwargs: Any) -> None:
        """Have strategies told something through `notify_store`."""
        self.notifs.append((text, args, kwargs))

    def get_notifications(self) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
        """Return the messages; live this is where a round of Backtrader's loop begins."""
        if self.round is not None:
            self.round()
        told = list(self.notifs)
        self.notifs.clear()
        return told

    def join(self, cerebro: Any, *, is_live: bool) -> None:
        """Take part in a Cerebro's runs; where a feed is live, a session goes around each of them."""
        if is_live:
            from framework.store_session import surround

            cerebro.addstore(self)
            surround(cerebro)

    # -- what is each venue's own

    @abstractmethod
    def calendar(self, data: StoreData) -> Calendar:
        """Return when a feed's symbol trades."""

    @abstractmethod
    def bars(self, symbols: Sequence[str], data: StoreData, timeframe: Timeframe, **span: Any) -> LiveSource:
        """Return a source of these symbols' bars with the options of a feed; `span` has `start` and `end`."""

    def kind(self, data: StoreData) -> Mapping[str, Any]:
        """Return the options of a feed that all feeds of one line have in common, by the parameter's name."""
        return {}

    def line(self, data: StoreData) -> str:
        """Return the name of the line that a feed's bars come over, as its `Link` has it: each has one connection."""
        return ""

    # -- bars

    def check(self, data: StoreData) -> None:
        """Raise `ConfigError` or `Unsupported` for a feed that cannot be: its symbol, its dates, its options."""
        zone = self.calendar(data).zone
        instant(data.since, zone)
        instant(data.until, zone, is_end=True)
        if data.islive():
            self.line(data)

    def past(self, data: StoreData) -> Columns:
        """Return the bars of a backtest's feed. Raise `ConfigError` where there are none, `VenueError`."""
        unit, zone = data.unit, self.calendar(data).zone
        end = instant(data.until, zone, is_end=True)
        start = instant(data.since, zone) or (end or self._now()) - REACH.get(unit.unit, timedelta(days=3))
        source = self.bars([data.p.symbol], data, DAY if unit == DAY else MINUTE, start=start, end=end)
        if source.timeframe == unit:
            return source.history()[data.p.symbol]
        return fed([source], [unit], 0, lambda kinds: [1 for _ in kinds])[-1].bars

    def since(self, data: StoreData) -> datetime | None:
        """Return when a live feed's history is to begin; None where it is what the indicators need."""
        return instant(data.since, self.calendar(data).zone)

    def sources(self, datas: Sequence[StoreData]) -> list[LiveSource]:
        """Return what these live feeds come from: one source for each line, whatever the number of feeds."""
        lines: dict[str, list[StoreData]] = {}
        for data in datas:
            lines.setdefault(self.line(data), []).append(data)
        return [self._source(each) for each in lines.values()]

    def _source(self, datas: Sequence[StoreData]) -> LiveSource:
        first, zone = datas[0], self.calendar(datas[0]).zone
        for data in datas[1:]:
            self._check_alike(first, data)
        symbols = list(dict.fromkeys(data.p.symbol for data in datas))
        starts = [at for data in datas if data.p.backfill_start and (at := instant(data.since, zone))]
        ends = [at for data in datas if (at := instant(data.until, zone, is_end=True))]
        return self.bars(symbols, first, MINUTE, start=min(starts, default=None), end=max(ends, default=None))

    def _check_alike(self, first: StoreData, other: StoreData) -> None:
        kinds = self.kind(first), self.kind(other)
        for name, value in kinds[0].items():
            if kinds[1][name] != value:
                raise ConfigError(
                    f"{first.p.symbol} has {name}={value!r} and {other.p.symbol} {name}={kinds[1][name]!r}, but all "
                    "bars come over one line; give both the same"
                )

    def _now(self) -> datetime:
        from framework.ground import clock_at

        return clock_at(self.venue.base_url).now()


def instant(value: Any, zone: Any, *, is_end: bool = False) -> datetime | None:
    """Return a `fromdate` or `todate` as an aware time; without a zone it is the exchange's wall clock."""
    if isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    elif isinstance(value, str) and len(value) > len("2026-01-05"):
        value = _wall(value, zone)
    return when.parse(value, zone, is_end=is_end, name="todate" if is_end else "fromdate")


def _wall(value: str, zone: Any) -> Any:
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return value  # `when.parse` says what is wrong with it
    return at if at.tzinfo else at.replace(tzinfo=zone)


def known_only(cls: type[Any], unknown: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise `ConfigError` for a parameter that a store has not."""
    for name in unknown:
        raise ConfigError(f"{cls.__name__} has no parameter {name!r}{nearest(name, known)}; it has {', '.join(known)}")
