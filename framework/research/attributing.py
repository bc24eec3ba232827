"""What a difference between two ledgers is made of, each piece with its cause; the pieces add up to the whole. Pure.

Of each order the profit is `sign x quantity x (last price - price) - fees`, and the ledger's is their sum. What two
orders differ by is taken apart in steps (quantity, then price, then fees), each from what the one before has left, so
that nothing is counted twice or left out. `docs/compare.md` says what each cause means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from framework.research.booked import Booked, Ledger
from framework.research.matching import Pair, matched

MISSING, LATE, REVISED = "missing bar", "late bar", "revised bar"
REJECTED, PARTIAL, LATENCY, PRICE, FEES = "rejected", "partial", "latency", "fill price", "fees"
KNOCK_ON, UNEXPLAINED = "knock-on", "unexplained"
CAUSES = (MISSING, LATE, REVISED, REJECTED, PARTIAL, LATENCY, PRICE, FEES, KNOCK_ON, UNEXPLAINED)

STALE = "limit stale:"
"""How the reason begins for which a session opens no position on bars that came too late."""

NOISE = 1e-9
"""Units, or money: what floats do not add up to."""

Opened = Callable[[str, datetime], float | None]
"""The first price of the bar of a symbol in which an instant lies, None where there is no such bar."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A piece of the difference. `at` is when its order was decided (aware UTC); `live` and `backtest` are what each
    side had, in words; `money` is what the live side made more, in currency."""

    at: datetime
    symbol: str
    order: str
    cause: str
    live: str
    backtest: str
    money: float


def of_bars(without: Ledger, having: Ledger, cause: str, at: datetime) -> Iterator[Difference]:
    """Yield what other bars have changed between two backtests, an order each; all of it has one cause.

    `at` is the end of the run: what is held then may be worth another price.
    """
    for pair in matched(without.orders, having.orders):
        money = _worth(pair.other, having.marks) - _worth(pair.one, having.marks)
        live, tested = _told(pair.other), _told(pair.one)
        if live != tested or abs(money) > NOISE:
            yield _difference(pair, cause, live, tested, money)
    yield from _revalued(without, having, cause, at)


def _revalued(one: Ledger, other: Ledger, cause: str, at: datetime) -> Iterator[Difference]:
    """Yield what the one side's positions at the end are worth more at the other's last prices."""
    for symbol, held in one.held.items():
        was, now = one.marks[symbol], other.marks[symbol]
        if abs(held) > NOISE and was != now:
            live, tested = (f"{held:g} held at {price:,.8g}" for price in (now, was))
            yield Difference(at, symbol, "", cause, live, tested, held * (now - was))


def of_orders(
    tested: Ledger, lived: Ledger, opened: Opened, at: datetime, odd: datetime | None = None
) -> list[Difference]:
    """Return what a session's orders brought more than those of a backtest over the same bars, by causes.

    `odd` is the end of the first bar that did not come as it should have: what is decided from then on may be a
    knock-on of it. `at` is the end of the run.
    """
    sides = _Sides(lived.marks, opened, odd)
    found = [each for pair in matched(tested.orders, lived.orders) for each in sides.compared(pair)]
    return found + list(_revalued(tested, lived, UNEXPLAINED, at))


@dataclass(slots=True)
class _Sides:
    """Two ledgers, as one goes through their orders in time.

    `apart` is how much more of each symbol the live side holds, and `led` why it first came to do so: until both hold
    the same again, orders that only one side has, or that are of another size, are what that has led to.
    """

    marks: Mapping[str, float]
    opened: Opened
    odd: datetime | None = None
    apart: dict[str, float] = field(default_factory=dict)
    led: dict[str, str] = field(default_factory=dict)
    is_begun: bool = False

    def compared(self, pair: Pair) -> list[Difference]:
        """Return what a pair of orders differs in."""
        found = [
            each
            for each in self._differences(pair)
            if abs(each.money) > NOISE or each.cause not in (LATENCY, PRICE, FEES)
        ]
        self._follow(pair, found)
        return found

    def _follow(self, pair: Pair, found: list[Difference]) -> None:
        """Note by how much the sides are apart now, and through what."""
        symbol = pair.any.symbol
        before = self.apart.get(symbol, 0.0)
        now = before + pair.any.sign * (_filled(pair.other) - _filled(pair.one))
        self.apart[symbol] = 0.0 if abs(now) <= NOISE else now
        if not self.apart[symbol]:
            self.led.pop(symbol, None)
        elif not before and found:
            self.led[symbol] = found[0].cause
        self.is_begun |= bool(found)

    def _differences(self, pair: Pair) -> Iterator[Difference]:
        tested, lived = pair.one, pair.other
        if tested is not None and lived is not None and tested.parts and lived.parts:
            yield from self._both(pair, tested, lived)
        elif (tested is not None and tested.parts) or (lived is not None and lived.parts):
            money = _worth(lived, self.marks) - _worth(tested, self.marks)
            yield _difference(pair, self._why(pair), _told(lived), _told(tested), money)

    def _why(self, pair: Pair) -> str:
        """Return why only one side has filled an order."""
        if pair.one is None or pair.other is None:
            return self._led(pair)
        without = pair.one if pair.other.parts else pair.other
        if without.is_refused:
            return LATE if without.reason.startswith(STALE) else REJECTED
        return PARTIAL

    def _led(self, pair: Pair) -> str:
        """Return the cause of what the strategy did otherwise."""
        is_begun = self.is_begun or (self.odd is not None and pair.decided >= self.odd)
        return self.led.get(pair.any.symbol) or (KNOCK_ON if is_begun else UNEXPLAINED)

    def _both(self, pair: Pair, tested: Booked, lived: Booked) -> Iterator[Difference]:
        """Yield what differs between two orders that were both filled: how much, at what price, for what fee."""
        has, mark = tested.quantity, self.marks[tested.symbol]
        each = (tested.sign * has * (mark - tested.average) - tested.fee) / has  # what a unit brought in the backtest
        asked = has if _is_one(tested.size, lived.size) else has * lived.size / tested.size
        if not _is_one(asked, has):
            sizes = f"{lived.size:g} asked for", f"{tested.size:g} asked for"
            yield _difference(pair, self._led(pair), *sizes, (asked - has) * each)
        if not _is_one(lived.quantity, asked):
            quantities = f"{lived.quantity:g} of {lived.size:g} filled", f"{has:g} of {tested.size:g} filled"
            yield _difference(pair, PARTIAL, *quantities, (lived.quantity - asked) * each)
        yield from self._priced(pair, tested, lived)
        fee = tested.fee * lived.quantity / has
        yield _difference(pair, FEES, f"{lived.fee:,.8g}", f"{fee:,.8g}", fee - lived.fee)

    def _priced(self, pair: Pair, tested: Booked, lived: Booked) -> Iterator[Difference]:
        dearer = -tested.sign * lived.quantity * (lived.average - tested.average)
        moved = self._moved(tested, lived) if abs(dearer) > NOISE else 0.0
        told = f"{lived.average:,.8g}", f"{tested.average:,.8g}"
        when = f"filled {lived.parts[-1].at:%H:%M:%S}", f"filled {tested.parts[-1].at:%H:%M:%S}"
        yield _difference(pair, LATENCY, *when, moved)
        yield _difference(pair, PRICE, *told, dearer - moved)

    def _moved(self, tested: Booked, lived: Booked) -> float:
        """Return what the market did between the bars in which the backtest and the session were filled.

        Of market orders only: where another's price is its own, it is no matter when it was reached.
        """
        if tested.kind != "Market":
            return 0.0
        there, here = self._first(tested), self._first(lived)
        return 0.0 if there is None or here is None else -tested.sign * lived.quantity * (here - there)

    def _first(self, order: Booked) -> float | None:
        """Return the average of the first prices of the bars in which an order was filled."""
        firsts = [(each.quantity, self.opened(order.symbol, each.at)) for each in order.parts]
        if any(price is None for _, price in firsts):
            return None
        return sum(quantity * price for quantity, price in firsts if price is not None) / order.quantity


def _difference(pair: Pair, cause: str, live: str, tested: str, money: float) -> Difference:
    return Difference(pair.decided, pair.any.symbol, pair.any.name, cause, live, tested, money)


def _worth(order: Booked | None, marks: Mapping[str, float]) -> float:
    return 0.0 if order is None or not order.parts else order.worth(marks[order.symbol])


def _told(order: Booked | None) -> str:
    return "no such order" if order is None else order.told()


def _filled(order: Booked | None) -> float:
    return 0.0 if order is None else order.quantity


def _is_one(one: float, other: float) -> bool:
    return abs(one - other) <= NOISE
