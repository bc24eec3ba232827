"""Lines that grow during a run, as stock's do where feeds are resampled or replayed."""

from __future__ import annotations

from typing import Any, Protocol

from framework.engine.clocks import Clock

_NAN = float("nan")


class Growth(Protocol):
    """Moves some lines to a step."""

    def move(self, now: int) -> None: ...


class LineGrowth:
    """Lines that receive the next value of their column when their clock moves."""

    __slots__ = ("_clock", "_columns", "_places")

    def __init__(self, columns: list[tuple[Any, Any]], clock: Clock, places: Any) -> None:
        self._columns = [(line.array.append, column) for line, column in columns]
        self._clock, self._places = clock, places

    def move(self, now: int) -> None:
        place = self._places[now]
        if place != self._clock.at:
            self._clock.at = place
            for append, column in self._columns:
                append(column[place])


class DataGrowth:
    """A feed's lines; a replayed feed's last bar changes until it is complete."""

    __slots__ = (
        "_bars",
        "_clock",
        "_columns",
        "_data",
        "_lines",
        "_loaded",
        "_places",
        "_prices",
        "_ticks",
        "_ticks_at",
    )

    def __init__(self, taken: Any, clock: Clock, places: Any, ticks: Clock) -> None:
        self._data, self._clock, self._places = taken.data, clock, places
        self._lines = [line.array for line in taken.data.lines]
        self._columns = [(line.append, column) for line, column in zip(self._lines, taken.columns, strict=True)]
        self._ticks, self._ticks_at, self._loaded = ticks, taken.ticks, taken.loaded
        self._bars, self._prices = taken.bars, taken.prices

    def move(self, now: int) -> None:
        place, clock = self._places[now], self._clock
        if self._bars:
            self._replay(now, place)
        else:
            for number in range(len(self._lines[0]), self._loaded[now]):  # a bar may be loaded before it is due
                for append, column in self._columns:
                    append(column[number])
        clock.at = place
        self._ticks.at = self._ticks_at[now]

    def _replay(self, now: int, place: int) -> None:
        start = max(place - 1, 0)
        for line, last in zip(self._lines, self._bars[now], strict=True):
            del line[start:]
            line.extend(last)
        vars(self._data).update(zip(_TICKS, self._prices[now], strict=True))


_TICKS = ("tick_close", "tick_low", "tick_high", "tick_open", "tick_volume", "tick_openinterest", "tick_last")


class OwnGrowth:
    """A strategy's own lines: its clock's time is written anew where no feed has a new bar."""

    __slots__ = ("_clock", "_own", "_places", "_stamp", "_stamps")

    def __init__(self, stamp: Any, own: list[Any], stamps: Any, clock: Clock, places: list[int]) -> None:
        self._stamp, self._own = stamp.array, [line.array for line in own]
        self._stamps, self._clock, self._places = stamps, clock, places

    def move(self, now: int) -> None:
        place = self._places[now]
        if place == self._clock.at:
            self._stamp[-1] = self._stamps[now]
            return
        self._clock.at = place
        self._stamp.append(self._stamps[now])
        for line in self._own:
            line.append(_NAN)
