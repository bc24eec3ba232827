"""Shared cursors for lines: while a run is lean, all lines that move together read one `Clock`.

Stock keeps two counters in every line and moves each of them, by hand, at every bar. Here the lines'
instances are given a subclass that reads the clock, and get their own class and counters back when
the run is over. Only instances are touched, never Backtrader's classes.
"""

from __future__ import annotations

import functools
from typing import Any

_FIXED = "a line cannot be moved by hand on the lean path; use Cerebro(engine='stock')"


class Clock:
    """Where a group of lines stands: the index of its current bar, -1 before the first."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = -1


def _moved(line: Any, value: int) -> None:
    raise RuntimeError(_FIXED)


class Clocked:
    """In front of a line class: the same line, its cursor read from `clock`."""

    __slots__ = ()

    idx = property(lambda line: line.lean_clock.at, _moved)
    _idx = property(lambda line: line.lean_clock.at, _moved)
    lencount = property(lambda line: line.lean_clock.at + 1, _moved)

    def __len__(self: Any) -> int:
        return self.lean_clock.at + 1  # type: ignore[no-any-return]

    def __getitem__(self: Any, ago: int) -> float:
        return self.array[self.lean_clock.at + ago]  # type: ignore[no-any-return]

    def get(self: Any, ago: int = 0, size: int = 1) -> Any:
        end = self.lean_clock.at + ago + 1
        return self.array[end - size : end]


class Stamped(Clocked):
    """In front of the strategy's clock line: its times are written when somebody looks, all that are due."""

    __slots__ = ()

    @property
    def array(self: Any) -> Any:
        known = vars(self)["array"]
        if len(known) <= self.lean_clock.at:
            known.extend(self.lean_stamps[len(known) : self.lean_clock.at + 1])
        return known


_CLOCKED: Any = Clocked
_STAMPED: Any = Stamped


class Fronted:
    """In front of a data feed's, an indicator's or a strategy's class: its first line without detours."""

    __slots__ = ()

    def __len__(self: Any) -> int:
        return self.lean_first.at + 1  # type: ignore[no-any-return]

    def __getitem__(self: Any, ago: int) -> float:
        return self.lean_values[self.lean_first.at + ago]  # type: ignore[no-any-return]


class Positioned:
    """In front of a strategy's class: its main position, looked up once."""

    __slots__ = ()

    @property
    def position(self: Any) -> Any:
        known = self.lean_position
        if known is None:
            known = self.lean_position = self.getposition(self.datas[0])
        return known


class Ticking(Fronted):
    """In front of a data feed's class: its `tick_*` are the bar itself, and None on the last bar, as in stock."""

    __slots__ = ()


def _tick(number: int) -> property:
    def tick(data: Any) -> float | None:
        line, at = data.lines.lines[number], data.lean_ticks.at
        if data.lean_ticks is not line.lean_clock:
            return line.array[at] if at >= 0 else None
        return line.array[at] if 0 <= at < len(line.array) - line.extension - 1 else None

    return property(tick, _moved)


_TICKS = ("close", "low", "high", "open", "volume", "openinterest")
for _number, _name in enumerate(_TICKS):
    setattr(Ticking, f"tick_{_name}", _tick(_number))
Ticking.tick_last = _tick(0)  # type: ignore[attr-defined]


@functools.cache
def _behind(cls: Any, base: Any) -> Any:
    """Return `cls` with `base` between it and the class it was derived from."""
    names = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    made: type[Any] = type.__new__(type(cls), cls.__name__, (cls, base), names)
    return made


@functools.cache
def in_front(mixin: Any, cls: Any) -> Any:
    """Return `cls` with what `mixin` defines in front, under its own name, unseen by Backtrader's metaclasses.

    The definitions are copied: CPython lets an instance change to a class with the same single base only.
    """
    names = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    for each in reversed(mixin.__mro__[:-1]):
        names |= {name: value for name, value in vars(each).items() if name not in _CLASS_OWN}
    made: type[Any] = type.__new__(type(cls), cls.__name__, (cls,), names)
    return made


_CLASS_OWN = ("__module__", "__doc__", "__slots__", "__qualname__", "__dict__", "__weakref__", "__firstlineno__")


class Attached:
    """Which instances have been changed for a run, and how to change them back."""

    def __init__(self) -> None:
        self._classes: list[tuple[Any, type[Any]]] = []
        self._names: list[tuple[Any, str]] = []
        self._ticked: list[Any] = []
        self._lines: dict[int, tuple[Any, type[Any]]] = {}

    def stamped(self, line: Any, clock: Clock, stamps: Any) -> None:
        """Let a strategy's clock line follow a clock and show these times."""
        self.name(line, "lean_stamps", stamps)
        self.line(line, clock, _STAMPED)

    def line(self, line: Any, clock: Clock, front: Any = _CLOCKED) -> None:
        """Let a line follow a clock; the first clock it is given counts."""
        if id(line) in self._lines:
            return
        self._lines[id(line)] = (line, type(line))
        line.lean_clock = clock
        cls: Any = type(line)
        line.__class__ = in_front(front, cls)

    def data(self, data: Any, clock: Clock, ticks: Clock | None = None) -> None:
        """Let a data feed follow a clock, and its ticks another."""
        for name in (*_TICKS, "last"):
            vars(data).pop(f"tick_{name}", None)
        for line in data.lines:
            self.line(line, clock)
        self._alias(data)
        self._first(data)
        if data.replaying:
            self.front(data, Fronted)
            return
        self.front(data, Ticking)
        self.name(data, "lean_ticks", ticks or clock)
        self._ticked.append(data)

    def behind(self, item: Any, base: Any) -> None:
        """Put a class behind an instance's own, before the one it was derived from."""
        self._classes.append((item, type(item)))
        cls: Any = type(item)
        stock = {each for each in base.__mro__ if each.__module__.startswith("backtrader.")}
        item.__class__ = base if cls in stock else _behind(cls, base)

    def series(self, item: Any, clock: Clock) -> None:
        """Let all lines of a data feed, an indicator or a strategy follow a clock."""
        if not hasattr(item.lines, "lines"):  # a line operation is its own and only line
            self.line(item, clock)
            return
        for line in item.lines:
            self.line(line, clock)
        self._alias(item)
        self._first(item)
        self.front(item, Fronted)

    def _first(self, item: Any) -> None:
        line = item.lines[0]
        self.name(item, "lean_values", line.array)
        self.name(item, "lean_first", line.lean_clock)

    def front(self, item: Any, mixin: Any) -> None:
        """Put a class in front of an instance's own."""
        self._classes.append((item, type(item)))
        cls: Any = type(item)
        item.__class__ = in_front(mixin, cls)

    def name(self, item: Any, name: str, value: Any) -> None:
        """Give an instance an attribute for the time of the run."""
        vars(item)[name] = value
        self._names.append((item, name))

    def _alias(self, item: Any) -> None:
        """Put lines under their names into the instance, where Python finds them forty times faster."""
        for name in item.lines.getlinealiases():
            if isinstance(name, str) and name not in vars(item) and not hasattr(type(item), name):
                self.name(item, name, getattr(item.lines, name))

    def detach(self) -> None:
        """Give every instance back what it had; lines keep the place their clock reached."""
        ticks = [(data, {f"tick_{n}": getattr(data, f"tick_{n}") for n in (*_TICKS, "last")}) for data in self._ticked]
        for line, _ in self._lines.values():
            _ = line.array  # a clock line that nobody looked at is written now
        for item, name in reversed(self._names):
            vars(item).pop(name, None)
        for item, cls in reversed(self._classes):
            item.__class__ = cls
        for line, cls in self._lines.values():
            at = vars(line).pop("lean_clock").at
            line.__class__ = cls
            line._idx, line.lencount = at, at + 1
        for data, said in ticks:
            vars(data).update(said)
