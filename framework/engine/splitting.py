"""What a split of shares does to a session: its ledger, its open trades, and the prices that its feeds have loaded.

The cost of a position stays what it was, and so does cash: there are more shares, each cheaper. What was held at the
instant of the split counts; what was traded since is in the new shares already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from framework.engine.live_data import number
from framework.engine.silent import settle
from framework.engine.translate import symbol_of
from framework.live.windows import Growing
from framework.live.wording import money
from framework.model import Split

DIGITS = 9
"""Decimals of a number of shares."""

DUST = 1e-6
"""Shares: what is nearer than this is the same number of them."""

KEPT = 10.0
"""For how many days changes of a position are remembered: a split is heard of within days."""

_NEXT = "indicators still hold prices of before the split; a restart of the session rebuilds them"


@dataclass(frozen=True, slots=True)
class _Change:
    """A change by a size at a time (a date number); where it `was` something it was set to what the account had."""

    time: float
    size: float
    was: float | None = None


class Changes:
    """When positions have changed, for as long as it can matter. Owned by the engine's thread."""

    def __init__(self) -> None:
        self._known: dict[Any, list[_Change]] = {}

    def traded(self, data: Any, time: float, size: float) -> None:
        """Note that a position has changed by a signed size at a time (a date number)."""
        self._note(data, _Change(time, size))

    def taken(self, data: Any, time: float, was: float, now: float) -> None:
        """Note that a position was set to what the account had at a time: in the shares of then."""
        self._note(data, _Change(time, now - was, was))

    def before(self, data: Any, size: float, time: float) -> float:
        """Return what of a position, now `size`, is in the shares of a time."""
        later = self._after(data, time)
        return 0.0 if any(each.was is not None for each in later) else size - sum(each.size for each in later)

    def was_taken_for_sold(self, data: Any, split: Split) -> bool:
        """Return whether the account's word was taken for what in truth was this split: it was told late."""
        later = self._after(data, number(split.at))
        return any(each.was and abs(each.was * split.ratio - each.was - each.size) < DUST for each in later)

    def _after(self, data: Any, time: float) -> list[_Change]:
        return [each for each in self._known.get(data, ()) if each.time > time]

    def _note(self, data: Any, change: _Change) -> None:
        known = [each for each in self._known.get(data, ()) if each.time > change.time - KEPT]
        self._known[data] = [*known, change]


def split_ledger(broker: Any, strategy: Any, datas: Iterable[Any], split: Split) -> tuple[float, float, float]:
    """Apply a split to the positions and the open trades of its symbol; return the shares before, after, their price.

    The same split is to be given once: `broker.splits` has the names of those that were.
    """
    broker.splits.add(split.name)
    before = after = price = 0.0
    for data in datas:
        if symbol_of(data) == split.symbol:
            was = broker.positions[data].size
            _split_one(broker, strategy, data, split)
            position = broker.positions[data]
            before, after = before + was, after + position.size
            price = position.price or price
    return before, after, price


def split_feed(data: Any, split: Split) -> None:
    """Put the bars that a feed has loaded, as far as they are from before a split, into the shares of now."""
    until, ratio = number(split.at), split.ratio
    places = [place for place, time in enumerate(data.lines.datetime.array) if time <= until]
    for line in (data.lines.open, data.lines.high, data.lines.low, data.lines.close):
        for place in places:
            line.array[place] /= ratio
    for place in places:
        data.lines.volume.array[place] *= ratio


def split_window(window: Growing, split: Split) -> None:
    """Put what a longer bar has so far into the shares of now."""
    bar = window.bar
    if bar is not None and bar.symbol == split.symbol:
        prices = {name: getattr(bar, name) / split.ratio for name in ("open", "high", "low", "close")}
        window.bar = replace(bar, **prices, volume=bar.volume * split.ratio)


def sentence(split: Split, before: float, after: float, price: float) -> str:
    """Return what the user and the strategy are to know."""
    held = (
        f"this session's {before:g} are {after:g} at {money(price)}" if before or after else "this session holds none"
    )
    return f"{split.symbol}: {wording(split)}, {held}; {_NEXT}"


def wording(split: Split) -> str:
    """Return a split in words: `its shares were split, 2 for 1`."""
    if split.ratio >= 1:
        return f"its shares were split, {split.ratio:.6g} for 1"
    return f"its shares were put together, 1 for {1 / split.ratio:.6g}"


def _split_one(broker: Any, strategy: Any, data: Any, split: Split) -> None:
    position = broker.positions[data]
    was = position.size
    moved = broker.changes.before(data, was, number(split.at)) * (split.ratio - 1.0)
    now = _whole(was + moved)
    if was and broker.changes.was_taken_for_sold(data, split):
        _reprice(broker, strategy, data, split.ratio)
    if now == was:
        return
    if was * now <= 0:  # it was all sold, in a number of shares that were others by then
        settle(broker, strategy, data, now, _last(data, position.price), split.at)
        return
    cost, factor = was * position.price, now / was
    _split_trades(strategy, data, was, now, factor)
    position.fix(now, cost / now)
    broker.revalue()


def _reprice(broker: Any, strategy: Any, data: Any, ratio: float) -> None:
    """Give shares that are counted right already the price that they have cost."""
    position = broker.positions[data]
    position.fix(position.size, position.price / ratio)
    for trade in (each for trades in strategy._trades[data].values() for each in trades if each.isopen):
        trade.price /= ratio


def _split_trades(strategy: Any, data: Any, was: float, now: float, factor: float) -> None:
    for key, trades in strategy._trades[data].items():
        for trade in trades:
            if trade.isopen:
                size = now if trade.size == was else _whole(trade.size * factor)
                trade.price = trade.price * trade.size / size
                trade.size = size
                strategy.analyzers.recorder.split((data, key), size, factor)


def _last(data: Any, otherwise: float) -> float:
    return float(data.close[0]) if len(data) else otherwise


def _whole(size: float) -> float:
    exact = round(size, DIGITS)
    return int(exact) if exact == int(exact) else exact
