"""Symbols that join a live feed at any time, among cuts and losses: in memory, on the line's own time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory.loop import run
from memory.sandbox import MemorySandbox
from tape import OPEN, Tape

from feeds import AlpacaBars
from feeds.alpaca.listening import Listening
from feeds.ledger import Mark
from framework.columns import moment
from framework.errors import ConfigError
from framework.live.additions import Offers
from framework.model import Bar, Halt, Link, Remark, Revision
from framework.ports import Added, Session
from framework.sandbox.actions import Halted

MINUTE = timedelta(minutes=1)
MINUTES = 9

Prices = Mapping[str, Sequence[float | None]]

WHOLE: Prices = {name: [100.0 * place + at for at in range(MINUTES)] for place, name in enumerate(("SPY", "IBM"), 1)}


class Deaf:
    """Counts nothing, and keeps no journal."""

    def hear(self, stream: str, count: int = 1) -> None: ...

    def caught_up(self, stream: str) -> None: ...

    def before_step(self, work: Any) -> None: ...

    def after_step(self, work: Any) -> None: ...

    def append(self, kind: str, key: str, body: Mapping[str, Any]) -> None: ...


@dataclass
class Feed:
    """A feed of SPY that is listened to, and what it told, with when."""

    sandbox: MemorySandbox
    session: Session
    told: list[tuple[float, Any]] = field(default_factory=list)
    listening: Listening = field(init=False)

    async def add(self, symbol: str) -> Added:
        return await self.session.additions.add(symbol)  # type: ignore[attr-defined, no-any-return]

    async def at(self, seconds: float) -> None:
        """Sleep until so many seconds after the open."""
        await self.session.clock.sleep(seconds - self.session.clock.monotonic())

    def of(self, kind: type[Any], symbol: str | None = None) -> list[Any]:
        found = [each for _, each in self.told if isinstance(each, kind)]
        return [each for each in found if symbol is None or each.symbol == symbol]

    def tape(self, symbol: str) -> list[Bar]:
        tape = self.sandbox.market.tape
        return [bar for end in tape.instants if (bar := tape.ended(symbol, moment(end)))]


@asynccontextmanager
async def fed(prices: Prices, **more: Any) -> AsyncIterator[Feed]:
    """Listen to SPY alone."""
    async with MemorySandbox(Tape(prices), **more) as sandbox, sandbox.http() as http:
        keys = {"base_url": sandbox.url, "key": sandbox.key, "secret": sandbox.secret}
        session = Session("m", sandbox.clock, http, Deaf(), Deaf(), Offers())  # type: ignore[arg-type]
        feed = Feed(sandbox, session)
        source = AlpacaBars(["SPY"], **keys)

        def emit(news: Any) -> None:
            feed.told.append((sandbox.clock.monotonic(), news))

        feed.listening = Listening(source.live, session, emit, {"SPY": OPEN})
        running = asyncio.create_task(feed.listening.run())
        try:
            yield feed
        finally:
            running.cancel()
            await asyncio.wait([running])


def played(scene: Callable[[Feed], Awaitable[Any]], prices: Prices = WHOLE, **more: Any) -> Any:
    async def play() -> Any:
        async with fed(prices, **more) as feed:
            return await scene(feed)

    return run(play())


def came_with(added: Added) -> list[tuple[Any, float]]:
    return [(moment(end), close) for end, close in zip(added.bars.end, added.bars.close.tolist(), strict=True)]


def shown(bars: Sequence[Bar]) -> list[tuple[Any, float]]:
    return [(bar.end, bar.close) for bar in bars]


def whole(feed: Feed, added: Added) -> list[tuple[Any, float]]:
    """Return the bars that the added symbol came with, and those that were told of it."""
    assert all(bar.end > added.at for bar in feed.of(Bar, added.symbol))
    return [*came_with(added), *shown(feed.of(Bar, added.symbol))]


@dataclass(frozen=True)
class Mishaps:
    """What goes wrong, and when the symbol is added, in seconds from the open."""

    added: float
    cuts: Sequence[float]
    drops: Sequence[int]
    lost: Sequence[tuple[str, int]]
    slow: bool


moments = st.floats(1.0, MINUTES * 60.0 - 1).map(lambda seconds: round(seconds, 1)) | st.builds(
    # Around a minute's end, where it matters.
    lambda minute, off: 60.0 * minute + off,
    st.integers(1, MINUTES - 1),
    st.sampled_from([-0.1, 0.0, 0.001, 0.1, 1.0, 9.99, 10.0, 10.01, 11.0]),
)
mishaps = st.builds(
    Mishaps,
    moments,
    st.lists(moments, max_size=3),
    st.lists(st.integers(0, 5), max_size=2),
    st.lists(st.tuples(st.sampled_from(["SPY", "IBM"]), st.integers(0, 5)), max_size=3),
    st.booleans(),
)
prices = st.fixed_dictionaries(
    {
        name: st.lists(st.sampled_from([True, True, True, False]), min_size=MINUTES, max_size=MINUTES).map(
            lambda there, base=base: [base + at if is_there else None for at, is_there in enumerate(there)]
        )
        for name, base in (("SPY", 100.0), ("IBM", 200.0))
    }
).filter(lambda each: each["SPY"][0] is not None and any(each["IBM"]))


async def through(feed: Feed, mishaps: Mishaps) -> Added:
    """Add the symbol as soon as history has heard of it, while everything else happens; wait until all is told."""
    for after in mishaps.drops:
        feed.sandbox.fault("drop", stream="data", after=after)
    for symbol, after in mishaps.lost:
        feed.sandbox.fault("missing_bar", after=after, match={"symbol": symbol})
    if mishaps.slow:
        feed.sandbox.fault("slow", stream="data", seconds=0.3, count=0)

    async def cut(at: float) -> None:
        await feed.at(at)
        feed.sandbox.hang_up("data")

    async def add() -> Added:
        await feed.at(mishaps.added)
        while True:
            try:
                return await feed.add("IBM")
            except ConfigError:
                if feed.tape("IBM")[0].end <= feed.sandbox.clock.now():
                    raise
            await feed.session.clock.sleep(7.0)

    added, *_ = await asyncio.gather(add(), *map(cut, mishaps.cuts))
    await feed.at(MINUTES * 60.0 + 100)
    return added


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(prices, mishaps)
def test_the_whole_is_the_tape_whenever_it_joins(prices: Prices, mishaps: Mishaps) -> None:
    """Each bar once and in order; and the bars of the symbol that was there are the tape's too."""

    async def scene(feed: Feed) -> None:
        added = await through(feed, mishaps)
        assert whole(feed, added) == shown(feed.tape("IBM"))
        assert shown(feed.of(Bar, "SPY")) == shown(feed.tape("SPY"))
        assert feed.of(Revision) == []

    played(scene, prices)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(prices, moments, st.integers(0, MINUTES))
def test_the_others_hear_nothing_of_it(prices: Prices, when: float, lost: int) -> None:
    """Their bars come when they come without it, to the hundredth; one of them is lost and fetched."""

    async def told(feed: Feed, adding: bool) -> list[tuple[float, Bar]]:
        feed.sandbox.fault("missing_bar", after=lost, match={"symbol": "SPY"})
        if adding:
            await through(feed, Mishaps(when, (), (), (), slow=False))
        await feed.at(MINUTES * 60.0 + 100)
        return [(round(at, 2), each) for at, each in feed.told if isinstance(each, Bar) and each.symbol == "SPY"]

    assert played(lambda feed: told(feed, True), prices) == played(lambda feed: told(feed, False), prices)


def test_bars_come_on_their_minute() -> None:
    """From the next one on, over the same line, without a question more than the first."""

    async def scene(feed: Feed) -> None:
        await feed.at(150)
        added = await feed.add("IBM")
        assert added.at == OPEN + 2 * MINUTE
        assert feed.sandbox.clock.monotonic() == 150.0
        await feed.at(310)
        assert [when for when, each in feed.told if isinstance(each, Bar) and each.symbol == "IBM"] == [180, 240, 300]
        assert feed.sandbox.market.requests["market_data"] == 1
        assert len(feed.of(Link)) == 1

    played(scene)


def test_answer_that_is_lost_is_waited_for_five_seconds() -> None:
    """Then the line is made anew, and no minute is lost by it."""

    async def scene(feed: Feed) -> None:
        await feed.at(150)
        feed.sandbox.fault("stream_unanswered", stream="data", match={"action": "subscribe"})
        added = await feed.add("IBM")
        assert feed.sandbox.clock.monotonic() == 155.0
        await feed.at(310)
        assert [each.is_up for each in feed.of(Link)] == [True, False, True]
        assert "was not answered in 5 s" in feed.of(Link)[1].reason
        assert whole(feed, added) == shown(feed.tape("IBM")[:5])

    played(scene)


def test_symbol_that_is_never_answered_for_comes_from_history_alone() -> None:
    """Three lines end for it, each as a login that hangs does; what it does not bring makes the fourth not mute."""

    async def scene(feed: Feed) -> None:
        await feed.at(122)
        feed.sandbox.fault("stream_unanswered", stream="data", match={"action": "subscribe"})
        for line in (1, 2):
            after = 2 * line  # the feed's own two questions come first
            feed.sandbox.fault("stream_unanswered", stream="data", after=after, match={"action": "subscribe"})
        added = await feed.add("IBM")
        await feed.at(MINUTES * 60.0 + 100)
        [remark] = feed.of(Remark)
        assert remark.text.startswith("bars of IBM come late, from history alone")
        assert [when < 175 for when, each in feed.told if isinstance(each, Link)] == [True] * len(feed.of(Link))
        assert feed.of(Link)[-1].is_up
        assert whole(feed, added) == shown(feed.tape("IBM"))

    played(scene, {**WHOLE, "SPY": [100.0, 101.0, *[None] * (MINUTES - 2)]})


def test_a_login_that_waits_for_its_slot_is_left_to_wait() -> None:
    """Who adds a symbol meanwhile waits for five seconds, and does not begin the login anew."""

    async def scene(feed: Feed) -> None:
        await feed.at(121)
        feed.sandbox.fault("zombie", stream="data", seconds=30)
        feed.sandbox.hang_up("data")
        await feed.at(130)
        added = await feed.add("IBM")
        assert feed.sandbox.clock.monotonic() == 135.0
        await feed.at(MINUTES * 60.0 + 100)
        assert len(feed.of(Remark)) == 1  # a login that begins anew is told of again
        assert whole(feed, added) == shown(feed.tape("IBM"))

    played(scene)


def test_a_symbol_of_the_feeds_own_is_known_up_to_what_was_told() -> None:
    """Its last bar, not the time of the day: what ends later is told."""

    async def scene(feed: Feed) -> None:
        await feed.at(179.5)
        feed.sandbox.fault("stall", stream="market_data", seconds=1.5)
        added = await feed.add("SPY")
        assert added.at == OPEN + 2 * MINUTE
        assert came_with(added) == shown(feed.tape("SPY")[:2])
        assert len(feed.of(Bar, "SPY")) == 3

    played(scene)


def test_what_ended_before_they_joined_does_not_make_the_stream_mute() -> None:
    """Two symbols' bars of one minute, which history was asked for too early, and the stream too late."""

    async def scene(feed: Feed) -> None:
        await feed.at(179.5)
        feed.sandbox.fault("stall", stream="market_data", count=2, seconds=1.5)
        both = await asyncio.gather(feed.add("IBM"), feed.add("DIS"))
        await feed.at(MINUTES * 60.0 + 100)
        for added in both:
            assert whole(feed, added) == shown(feed.tape(added.symbol))
        assert len(feed.of(Link)) == 1

    played(scene, {**WHOLE, "SPY": [100.0, *[None] * (MINUTES - 1)], "DIS": WHOLE["IBM"]})


def test_its_first_minute_is_final_when_it_is() -> None:
    """Ten seconds after its end, though nothing else was to be looked at then: a new line had just been mended."""

    async def scene(feed: Feed) -> None:
        await feed.at(121)
        feed.sandbox.hang_up("data")
        await feed.at(125)
        await feed.add("IBM")
        await feed.at(130.5)
        assert feed.listening.telling.ledger.mark("IBM", OPEN + 2 * MINUTE) is Mark.EMPTY

    played(scene, {**WHOLE, "IBM": [200.0, None, *[202.0] * (MINUTES - 2)]})


@pytest.mark.parametrize("fault", ["bad_gateway", "stall"])
def test_history_that_fails_for_three_seconds_ends_it(fault: str) -> None:
    """Not a moment later, for a strategy waits; the feed goes on."""

    async def scene(feed: Feed) -> None:
        await feed.at(130)
        feed.sandbox.fault(fault, stream="market_data", count=9, seconds=20)
        with pytest.raises(Exception, match="Alpaca: ") as failed:
            await feed.add("IBM")
        assert "\n" not in str(failed.value)
        assert feed.sandbox.clock.monotonic() == 133.0
        await feed.at(310)
        assert shown(feed.of(Bar, "SPY")) == shown(feed.tape("SPY")[:5])
        assert feed.of(Bar, "IBM") == []

    played(scene)


def test_history_that_is_slow_lets_no_minute_slip() -> None:
    """Asked before a minute's end and answered after it: the bar between is fetched when it is final."""

    async def scene(feed: Feed) -> None:
        await feed.at(179.5)
        feed.sandbox.fault("stall", stream="market_data", seconds=1.5)
        added = await feed.add("IBM")
        assert feed.sandbox.clock.monotonic() > 180
        await feed.at(MINUTES * 60.0 + 100)
        assert whole(feed, added) == shown(feed.tape("IBM"))
        assert len(feed.of(Link)) == 1

    played(scene)


def test_halts_are_told_of_it() -> None:
    """From when it joined on; its halted minutes are nobody's loss."""

    async def scene(feed: Feed) -> None:
        await feed.at(65)
        added = await feed.add("IBM")
        await feed.at(MINUTES * 60.0 + 100)
        assert [(each.symbol, each.is_halted) for each in feed.of(Halt)] == [("IBM", True), ("IBM", False)]
        assert whole(feed, added) == shown(feed.tape("IBM"))
        assert len(feed.of(Link)) == 1

    played(scene, halts=[Halted("IBM", OPEN + 3 * MINUTE, OPEN + 5 * MINUTE)])
