"""Exits that are held here, beside a venue that does things in any order: never too much, never nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from framework.live.held import Clear, Held, HeldStep, Release, Seen, Turn
from framework.model import OrderRequest, OrderType, Side, Trade

T0 = datetime(2026, 10, 5, 13, 31, tzinfo=UTC)
SIDES = st.sampled_from([Side.SELL, Side.BUY])
UNIT = 0.1


class Venue:
    """It sets a position's units aside for each exit that rests, and answers when the test lets it."""

    def __init__(self, side: Side, position: int, sizes: list[int], limit: int) -> None:
        self.side, self.position = side, position
        self.resting: dict[str, int] = {"limit": limit} if limit else {}
        self.asked: list[HeldStep] = []
        self.ends: Counter[str] = Counter()
        orders = tuple(self._order(f"stop-{at}", size) for at, size in enumerate(sizes))
        signed = -side.sign * position * UNIT
        self.held = Held(orders, resting="limit" if limit else "", position=signed, at=T0)
        self.names, self.size = [each.client_order_id for each in orders], sizes[0]

    def _order(self, name: str, size: int) -> OrderRequest:
        return OrderRequest(name, "BTC/USD", self.side, OrderType.STOP, size * UNIT, stop_price=100.0)

    def take(self, steps: list[HeldStep]) -> None:
        for each in steps:
            match each:
                case Turn(name):
                    self.ends[name] += 1
                case Release(request):
                    self.ends[request.client_order_id] += 1
                    self.asked.append(each)
                case Clear():
                    self.asked.append(each)

    def price(self, is_beyond: bool) -> None:
        away = self.side.sign if is_beyond else -self.side.sign
        self.take(self.held.price(Seen.of(Trade("BTC/USD", T0, 100.0 + away, 1.0))))

    def fill(self, size: int) -> None:
        """Let what rests fill, in part or whole."""
        for name, left in list(self.resting.items()):
            done = min(size, left)
            self.position -= done
            self.resting[name] -= done
            self.take(self.held.traded(name, self.side, done * UNIT))
            if not self.resting[name]:
                self._end(name)

    def answer(self) -> None:
        """Do the next thing that was asked for."""
        if not self.asked:
            return
        match self.asked.pop(0):
            case Clear(name) if name in self.resting:
                self._end(name)
            case Release(request):
                size = round((request.quantity or 0.0) / UNIT)
                assert size <= self.position - sum(self.resting.values()), "the venue would refuse it"
                self.resting[request.client_order_id] = size

    def sell(self, size: int) -> None:
        """Let the session close a part of what is free with another order."""
        done = min(size, self.position - sum(self.resting.values()))
        if done > 0 and not any(isinstance(each, Release) for each in self.asked):
            self.position -= done
            self.take(self.held.traded("other", self.side, done * UNIT))

    def cancel(self, name: str) -> None:
        if not self.held.is_done:
            self.take(self.held.cancel(name))

    def _end(self, name: str) -> None:
        del self.resting[name]
        self.take(self.held.ended(name))

    def check(self) -> None:
        assert self.position >= 0
        assert sum(self.resting.values()) <= self.position
        assert max(self.ends.values(), default=0) <= 1


EVENTS = st.one_of(
    st.tuples(st.just("price"), st.booleans()),
    st.tuples(st.just("fill"), st.integers(1, 8)),
    st.tuples(st.just("answer")),
    st.tuples(st.just("sell"), st.integers(1, 4)),
    st.tuples(st.just("cancel"), st.sampled_from(["limit", "stop-0"])),
    st.tuples(st.just("_end"), st.just("limit")),
)


@st.composite
def venues(draw: st.DrawFn) -> Venue:
    position = draw(st.integers(1, 12))
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=3))
    return Venue(draw(SIDES), position, sizes, draw(st.integers(0, position)))


@given(venues(), st.lists(EVENTS, max_size=12))
def test_whatever_comes_in_whichever_order_no_more_is_closed_than_is_held(venue: Venue, events: list[tuple]) -> None:  # type: ignore[type-arg]
    """And no two orders rest for more than that, none is sent or ended twice."""
    for what, *how in events:
        if what != "_end" or "limit" in venue.resting:
            getattr(venue, what)(*how)
        venue.check()


@st.composite
def brackets(draw: st.DrawFn) -> Venue:
    """Draw exits of one size, as brackets have them."""
    position = draw(st.integers(1, 12))
    size = draw(st.integers(1, position))
    return Venue(draw(SIDES), position, [size] * draw(st.integers(1, 3)), draw(st.sampled_from([0, size])))


@given(brackets(), st.lists(EVENTS, max_size=12))
def test_a_stop_that_is_reached_closes_its_size_or_what_is_left(venue: Venue, events: list[tuple]) -> None:  # type: ignore[type-arg]
    """After the last answer an order works for the rest, or there is no rest, and each that was held has its end."""
    size, before = venue.size, venue.position
    for what, *how in events:
        if what not in ("cancel", "_end"):
            getattr(venue, what)(*how)
    venue.price(is_beyond=True)
    while venue.asked:
        venue.answer()
    assert before - venue.position + sum(venue.resting.values()) >= min(size, before)
    assert venue.held.is_done
    assert set(venue.ends) == set(venue.names)
