"""Symbols that join a live feed while the line, the stream or history fails: the others never notice."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from live_feed import FULL, QUICK, bars_of, listening, play, played, sandbox
from tape import OPEN

from feeds.ledger import Mark
from framework.errors import ConfigError, ConnectionLost, VenueError
from framework.model import Bar, Link
from framework.retries import Patience

MINUTE = timedelta(minutes=1)

SPY = {"symbols": ["SPY"]}
SUBSCRIPTION = {"stream": "data", "match": {"action": "subscribe"}}

BRIEF = replace(QUICK, joined=0.05, added=0.2)


@pytest.mark.parametrize("cut", ["drop", "hang_up"])
def test_a_line_that_breaks_after_the_subscription_costs_nothing(cut):
    """The next one carries the symbol too, and what was lost is told first."""

    async def scenario(stage):
        await stage.step(2)
        await stage.add("IBM")
        if cut == "drop":
            stage.venue.fault("drop", stream="data")
        else:
            stage.venue.hang_up("data")
        await stage.play()
        await stage.up(2)
        await stage.caught_up()
        await stage.step(3)
        before = stage.venue.state()["requests"]["market_data"]
        await stage.step()
        assert stage.venue.state()["requests"]["market_data"] == before

    stage, tape = play(scenario, FULL, source=SPY)
    assert stage.bars == tape
    assert stage.ledger().summary(OPEN + 6 * MINUTE).is_complete


def test_a_line_that_breaks_at_the_subscription_asks_for_it_anew():
    """An error 500 instead of an answer; the one who adds it waits for the next line."""

    async def scenario(stage):
        await stage.step(2)
        stage.venue.fault("stream_error", code=500, **SUBSCRIPTION)
        await stage.add("IBM")
        await stage.up(2)
        assert stage.listening._line.stream.has("bars", "IBM")
        await stage.caught_up()
        await stage.step(4)

    stage, tape = play(scenario, FULL, source=SPY)
    assert stage.bars == tape
    assert stage.links == [True, False, True]


def test_an_answer_that_is_lost_has_the_line_made_anew():
    """It is waited for a while; bars come all the same, and over the next line."""

    async def scenario(stage):
        await stage.step(2)
        stage.venue.fault("stream_unanswered", **SUBSCRIPTION)
        await stage.add("IBM")
        await stage.up(2)
        await stage.caught_up()
        await stage.step(4)
        assert stage.listening._line.stream.has("bars", "IBM")

    stage, tape = play(scenario, FULL, source=SPY, waits=BRIEF)
    assert stage.bars == tape
    assert "a subscription was not answered in 0.05 s" in stage.of(Link)[1].reason


@pytest.mark.parametrize("times", [3, 4])
def test_a_symbol_that_ends_every_line_is_not_asked_for_for_ever(times):
    """After three of them it comes from history alone, and the user is told so; the feed is up."""

    async def scenario(stage):
        await stage.step(2)
        for after in range(times):  # the feed's own two questions come first on each line but this one
            stage.venue.fault("stream_error", code=500, after=2 * after, **SUBSCRIPTION)
        await stage.add("IBM")
        await stage.until(lambda: stage.remarks and stage.links[-1])
        stage.venue.market.faults.clear()
        await stage.caught_up()
        await stage.step(4)
        stage.session.clock.set(OPEN + 6 * MINUTE + timedelta(seconds=20))
        await stage.until(lambda: len(stage.bars["IBM"]) == 6)

    stage, tape = play(scenario, FULL, source=SPY, waits=replace(BRIEF, joined=0.0))
    assert stage.bars == tape
    [remark] = stage.remarks
    assert remark.startswith("bars of IBM come late, from history alone: Alpaca: 3 connections ended before")
    assert "\n" not in remark


@pytest.mark.parametrize("code", [400, 405, 409, 410, 411])
def test_a_refusal_is_said_to_who_adds_it_and_costs_nothing_else(code):
    """In the venue's words, in one line; when it is added again later it may be had."""

    async def scenario(stage):
        await stage.step(2)
        stage.venue.fault("stream_error", code=code, **SUBSCRIPTION)
        with pytest.raises(ConfigError, match=rf'error {code} ".*bars of IBM.*were not taken') as refused:
            await stage.add("IBM")
        assert "\n" not in str(refused.value)
        await stage.step(2)
        assert not any(bar.symbol == "IBM" for bar in stage.of(Bar))
        await stage.add("IBM")
        await stage.step(2)

    stage, tape = play(scenario, FULL, source=SPY)
    assert (stage.links, stage.remarks) == ([True], [])
    assert stage.bars == tape


def test_what_is_refused_is_not_asked_for_on_the_next_line():
    """Nor does anything of it stay subscribed."""

    async def scenario(stage):
        await stage.step(2)
        stage.venue.fault("stream_error", code=405, **SUBSCRIPTION)
        with pytest.raises(ConfigError):
            await stage.add("IBM")
        stage.venue.hang_up("data")
        await stage.up(2)
        await stage.step(4)
        assert {"SPY"} == frozenset().union(*stage.listening._line.stream.wanted.values())

    stage, tape = play(scenario, FULL, source=SPY)
    assert stage.bars["SPY"] == tape["SPY"]


def test_an_answer_without_it_is_a_refusal():
    """The stream says what there is, and the symbol is not in it."""

    async def scenario(stage):
        await stage.step(1)
        stream = stage.listening._line.stream
        taken, stream._wants.answer = stream._wants.answer, lambda had: taken({**had, "bars": had["bars"] - {"IBM"}})
        with pytest.raises(ConfigError, match="answered without bars of IBM"):
            await stage.add("IBM")
        await stage.step(5)

    stage, tape = play(scenario, FULL, source=SPY)
    assert stage.links == [True]
    assert stage.bars["SPY"] == tape["SPY"]


def test_halts_that_are_refused_cost_no_bars():
    """As for the symbols that were there from the start: a remark."""

    async def scenario(stage):
        await stage.step(2)
        stage.venue.fault("stream_error", code=410, after=1, **SUBSCRIPTION)
        await stage.add("IBM")
        await stage.step(4)

    stage, tape = play(scenario, FULL, source=SPY)
    assert stage.bars == tape
    assert [each.startswith("halts of these symbols are not told") for each in stage.remarks] == [True]


def test_what_is_refused_to_all_is_not_asked_for_one_more():
    """A plan without halts has none of it either: that was said once."""
    with sandbox(FULL) as venue:
        venue.fault("stream_error", code=410, after=1, **SUBSCRIPTION)

        async def run():
            async with listening(venue, bars_of(venue, **SPY)) as stage:
                await stage.step()
                await stage.add("IBM")
                await stage.step(5)
                return stage

        stage = asyncio.run(run())
        assert stage.bars == played(venue)
    assert len(stage.remarks) == 1
    assert "statuses" not in stage.listening._line.stream.wanted


def test_quotes_beyond_the_plan_cost_no_bars():
    """405 for the thirty-first symbol's quotes is a remark, and its bars come."""
    many = {f"S{number}": [100.0, 101.0] for number in range(31)}

    async def scenario(stage):
        await stage.step()
        await stage.add("S30")
        await stage.step()

    source = {"symbols": [*many][:30], "channels": ["quotes"]}
    stage, tape = play(scenario, many, source=source)
    assert "the free plan has 30" in stage.remarks[0]
    assert stage.bars == tape


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("bad_gateway", {"count": 2}),
        ("rate_limited", {"headers": False}),
        ("gateway_unauthorized", {}),
        ("stall", {"seconds": 60}),
        ("short_pages", {"count": 0}),
    ],
)
def test_history_that_fails_is_asked_again(fault, settings):
    """For as long as a strategy may be kept waiting."""

    async def scenario(stage):
        await stage.step(3)
        stage.venue.fault(fault, stream="market_data", **settings)
        await stage.add("IBM")
        await stage.step(3)

    patience = Patience(attempts=2, first_wait=0.001, longest_wait=0.002, connect=0.2, read=0.05)
    stage, tape = play(scenario, FULL, source=SPY, patience=patience)
    assert stage.bars == tape


@pytest.mark.parametrize(("fault", "match"), [("bad_gateway", "HTTP 502"), ("stall", "no bars of IBM within 0.2 s")])
def test_history_that_does_not_answer_ends_it(fault, match):
    """In time, with the reason; the feed goes on, and the symbol may be added later."""

    async def scenario(stage):
        await stage.step(2)
        stage.venue.fault(fault, stream="market_data", count=0)
        with pytest.raises(VenueError, match=match) as failed:
            await stage.add("IBM")
        assert isinstance(failed.value, ConnectionLost)
        stage.venue.market.faults.clear()
        await stage.step(2)
        await stage.add("IBM")
        await stage.step(2)

    stage, tape = play(scenario, FULL, source=SPY, waits=BRIEF, patience=Patience(attempts=1))
    assert (stage.links, stage.remarks) == ([True], [])
    assert stage.bars == tape


def test_without_a_line_it_is_part_of_the_next():
    """The one who adds it is not kept for as long as that takes; its bars come from history meanwhile."""
    with sandbox(FULL) as venue:

        async def run():
            async with listening(venue, bars_of(venue, **SPY), waits=BRIEF) as stage:
                await stage.step(2)
                venue.fault("handshake_refused", count=0)
                venue.hang_up("data")
                await stage.until(lambda: stage.links[-1] is False)
                await stage.add("IBM")
                await stage.play()
                stage.session.clock.set(OPEN + 3 * MINUTE + timedelta(seconds=20))
                await stage.until(lambda: len(stage.bars["IBM"]) == 3)
                venue.market.faults.clear()
                await stage.up(2)
                await stage.caught_up()
                await stage.step(3)
                return stage

        stage = asyncio.run(run())
        assert stage.bars == played(venue)
        assert stage.listening._line.stream.has("bars", "IBM")


def test_before_the_first_line_it_is_part_of_that():
    """A refusal of it then leaves the feed's own symbols as they are."""
    with sandbox(FULL) as venue:
        venue.step(2)
        venue.fault("handshake_refused", count=3)
        venue.fault("stream_error", code=400, after=2, **SUBSCRIPTION)

        async def run():
            async with listening(venue, bars_of(venue, **SPY), is_awaited=False) as stage:
                await asyncio.sleep(0)
                with pytest.raises(ConfigError, match="bars of IBM"):
                    await stage.add("IBM")
                await stage.up()
                await stage.step(4)
                return stage

        stage = asyncio.run(run())
        assert stage.bars["SPY"] == played(venue)["SPY"]


def test_a_bar_that_is_lost_on_the_way_is_fetched():
    """Like that of any other symbol; a single one does not make the stream mute."""

    async def scenario(stage):
        await stage.step(2)
        await stage.add("IBM")
        stage.venue.fault("missing_bar", match={"symbol": "IBM"})
        await stage.step(4)

    stage, tape = play(scenario, FULL, source=SPY)
    assert stage.bars == tape
    assert stage.links == [True]
    assert stage.ledger().mark("IBM", OPEN + 3 * MINUTE) is Mark.BACKFILLED


def test_who_gives_up_on_it_leaves_it_as_it_is():
    """Cancelled while the stream was to answer; added again, it is there from the end of its history on."""

    async def scenario(stage):
        await stage.step(2)
        stage.venue.fault("slow", stream="data", seconds=0.01)
        adding = asyncio.create_task(stage.add("IBM"))
        await stage.until(lambda: stage.listening._adding._waiting)
        adding.cancel()
        await stage.step(2)
        assert not any(bar.symbol == "IBM" for bar in stage.of(Bar))
        await stage.add("IBM")
        await stage.step(2)

    stage, tape = play(scenario, FULL, source=SPY)
    assert stage.bars == tape
    assert stage.links == [True]
