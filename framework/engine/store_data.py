"""A store's feed, in the way Backtrader knows feeds: it loads its bars in a backtest, and is handed them live.

Live it never waits for a bar itself and looks at no clock: the session lays a bar down when there is one
(`framework.engine.stock_loop`), and longer bars are made by the minutes' own time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from typing import Any

import backtrader as bt

from framework.columns import Columns
from framework.engine.calendar import TradingCalendar
from framework.engine.compat import tzparse
from framework.engine.live_data import LiveData, Row
from framework.errors import ConfigError, nearest
from framework.model import Timeframe, Unit

_UNITS = {
    bt.TimeFrame.Minutes: Unit.MINUTE,
    bt.TimeFrame.Days: Unit.DAY,
    bt.TimeFrame.Weeks: Unit.WEEK,
    bt.TimeFrame.Months: Unit.MONTH,
}

_OURS = {"symbol", "opens_at", "unit", "is_made"}
"""Parameters that are no caller's."""


def unit_of(timeframe: int, compression: int) -> Timeframe:
    """Return Backtrader's two parameters as a timeframe; raise `ConfigError` for bars that there are none of."""
    if timeframe not in _UNITS:
        names = dict(enumerate(bt.TimeFrame.Names))
        raise ConfigError(
            f"timeframe={names.get(timeframe, timeframe)!r} is not among the bars of a store; it has "
            "bt.TimeFrame.Minutes, Days, Weeks and Months"
        )
    if not isinstance(compression, int) or compression < 1:
        raise ConfigError(f"compression={compression!r} is no number of bars; it is 1 or more")
    whole, rest = divmod(compression, 60)
    if timeframe == bt.TimeFrame.Minutes and not rest:
        return Timeframe(whole, Unit.HOUR)
    return Timeframe(compression, _UNITS[timeframe])


class StoreData(LiveData):
    """A feed of a store (`store.getdata(...)`); what its parameters mean is said by the venue's own class."""

    params = (  # type: ignore[assignment]  # Backtrader's metaclass adds it to the others
        ("historical", False), ("backfill_start", True), ("backfill", True), ("backfill_from", None),
        ("reconnect", True), ("reconnections", -1), ("qcheck", 0.5),
    )  # fmt: skip

    def __init__(self, store: Any = None, **unknown: Any) -> None:
        name = type(self).__name__
        if store is None:
            raise ConfigError(f"{name} belongs to a store; make it with store.getdata(...), or give store=")
        self.check_names(unknown)
        if not self.p.dataname:
            raise ConfigError(f'{name} is of a symbol; give it, such as getdata(dataname="AAPL")')
        self.store = self._store = store
        self.unit  # noqa: B018 - bars that there are none of are told here, not when the run begins
        self.p.symbol = self.p.symbol or str(self.p.dataname)
        # What is asked for is cut by the source, in the exchange's zone; Backtrader would cut once more, in its own.
        self.since, self.until = self.p.fromdate, self.p.todate
        self.p.fromdate = self.p.todate = None
        self._bars = Columns.empty()
        self._rows_before: list[Row] = []
        self._laid: Row | None = None
        self._breaks = 0
        self.is_down = self.is_over = False
        """Whether the line of its prices is down (what comes then is what was missed); whether it has ended."""
        store.check(self)

    @classmethod
    def check_names(cls, given: Iterable[str]) -> None:
        """Raise `ConfigError` for a parameter that this feed has not."""
        known = [
            name
            for name in cls.params._getkeys()  # type: ignore[attr-defined]
            if name not in _OURS
        ]
        for name in given:
            if name not in known:
                raise ConfigError(
                    f"{cls.__name__} has no parameter {name!r}{nearest(name, known)}; it has {', '.join(sorted(known))}"
                )

    @property
    def unit(self) -> Timeframe:
        """The length of the bars asked for; a filter that makes longer ones of them changes nothing in it."""
        return unit_of(self.p.timeframe, self.p.compression)

    def islive(self) -> bool:
        return not self.p.historical

    def haslivedata(self) -> bool:
        return self._laid is not None

    def setenvironment(self, env: Any) -> None:
        super().setenvironment(env)
        self.store.join(env, is_live=self.islive())

    def start(self) -> None:
        """Begin: a backtest loads its bars here, and raises where there are none."""
        if self.p.calendar is None and self._env._tradingcal is None:
            self.p.calendar = TradingCalendar(name=self.store.calendar(self).name)  # type: ignore[call-arg]  # metaclass
        if self.p.historical:
            self._bars = self.store.past(self)
        super().start()
        self._laid, self._breaks, self.is_down, self.is_over = None, 0, False, False
        self.notifs.clear()
        if not self.p.historical:  # a backtest's would keep the lean engine away, and stock tells them to nobody
            self.notifs.extend((status, (), {}) for status in (self.CONNECTED, self.DELAYED))
            self._laststatus = self.DELAYED

    def begin(self, bars: Columns, opens_at: float, *, is_made: bool) -> None:
        """Take the history of a session that begins, and its first moment; `is_made` where another feed has prices."""
        self._bars, self.p.opens_at, self.p.is_made = bars, opens_at, is_made
        self._rows_before = self._from_elsewhere()

    def history(self) -> list[Row]:
        """Return the rows of the history: what `backfill_from` has, and then the venue's."""
        rows = super().history()
        first = rows[0][0] if rows else float("inf")
        return [*(each for each in self._rows_before if each[0] < first), *rows]

    def lay(self, row: Row) -> None:
        """Lay a bar down for the round that begins."""
        self._laid = row

    def linked(self, *, is_up: bool) -> None:
        """Note that the line of its prices has come up, which it has when what was missed was told, or gone down."""
        self.is_down = not is_up
        if is_up:
            if self.told == self.CONNBROKEN:
                self.become(self.CONNECTED)
            return
        self.become(self.CONNBROKEN)
        self._breaks += 1
        if not self.p.reconnect or 0 <= self.p.reconnections < self._breaks:
            self.become(self.DISCONNECTED)
            self.is_over = True

    def clone(self, **kwargs: Any) -> StoreClone:
        return StoreClone(dataname=self, **kwargs)  # type: ignore[call-arg]  # Backtrader's metaclass

    def _from_elsewhere(self) -> list[Row]:
        """Return the rows of the feed that `backfill_from` names."""
        other = self.p.backfill_from
        if other is None:
            return []
        other.setenvironment(self._env)
        other._start()
        rows = []
        while other.next():
            rows.append(tuple(float(getattr(other.lines, name)[0]) for name in _COLUMNS))
        return rows  # type: ignore[return-value]  # six of them

    def _load(self) -> bool | None:  # type: ignore[override]  # None is Backtrader's word for "not yet"
        if self.p.historical:
            return super()._load()
        if self.is_over:
            return False
        row, self._laid = self._laid, None
        if row is None:
            return None
        for line, value in zip(self._in_order(), (*row, 0.0), strict=True):
            line[0] = value
        return True

    def _check(self, forcedata: Any = None) -> None:
        """Let longer bars end by other bars' time alone: stock would end them by this machine's clock."""
        if forcedata is not None or self.p.historical:
            super()._check(forcedata)

    def _columns(self) -> list[Any]:
        return self._columns_of(self._bars)

    def _is_whole(self) -> bool:
        return not (self._filters or self._ffilters or self._tzinput)

    def _gettz(self) -> tzinfo | None:
        return tzparse(self.p.tz)


class StoreClone(bt.feed.DataClone):
    """A second feed made of a store's: what `resampledata` and `replaydata` make of one that was added already."""

    params = (("symbol", ""), ("is_made", True), ("historical", False))

    def __init__(self) -> None:
        super().__init__()
        self.p.symbol, self.p.historical = self.data.p.symbol, self.data.p.historical

    def _check(self, forcedata: Any = None) -> None:
        if forcedata is not None or self.p.historical:
            super()._check(forcedata)


_COLUMNS = ("datetime", "open", "high", "low", "close", "volume")
