"""A live feed against the sandbox over real sockets, when the line, the stream or history fails."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from live_feed import FULL, PACE, PRICES, QUICK, bars_of, listening, play, played, sandbox
from tape import OPEN

from feeds.alpaca.quiet import Patience as Silence
from feeds.ledger import Mark
from framework.errors import AuthenticationError
from framework.model import Bar, Link, Revision
from framework.retries import Patience

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("fault", "settings", "mark", "count"),
    [
        ("missing_bar", {}, Mark.BACKFILLED, 1),
        ("late_bar", {}, Mark.RECEIVED, 12),
        ("missing_minute", {}, Mark.EMPTY, 1),
        ("slow", {"seconds": 0.01}, Mark.RECEIVED, 12),
        ("mute", {"stream": "data"}, Mark.BACKFILLED, 2),
    ],
)
def test_bars_equal_history_whatever_the_stream_leaves_out(fault, settings, mark, count):
    """One fault at the third chance; the bars are in order, and every minute is accounted for."""

    async def scenario(stage):
        stage.venue.fault(fault, after=2, **settings)
        await stage.step(6)

    stage, tape = play(scenario, FULL)
    assert (stage.links, stage.remarks) == ([True], [])
    summary = stage.ledger().summary(OPEN + 6 * MINUTE)
    assert (summary.is_complete, summary.total[mark]) == (True, count)
    if fault != "missing_minute":
        assert stage.bars == tape


@pytest.mark.parametrize("cut", ["drop", "hang_up"])
def test_what_a_broken_line_lost_is_told_before_the_link_is_up(cut):
    """One down and one up; the bars in between stand before it."""

    async def scenario(stage):
        await stage.step(2)
        if cut == "drop":
            stage.venue.fault("drop", stream="data")
        await stage.play()
        if cut == "hang_up":
            stage.venue.hang_up("data")
        await stage.up(2)
        await stage.caught_up()
        told = [each for each in stage.told if isinstance(each, Bar | Link)]
        assert [type(each) for each in told[-3:]] == [Bar, Bar, Link] or cut == "hang_up"
        await stage.step(3)

    stage, tape = play(scenario, FULL)
    assert stage.bars == tape
    assert stage.links == [True, False, True]
    assert stage.heard.caught == ["data", "data"]
    assert stage.ledger().summary(OPEN + 6 * MINUTE).is_complete


def test_what_comes_while_history_is_asked_is_heard_when_it_is_told():
    """The bars of the next minute wait for those that the line lost."""

    async def scenario(stage):
        await stage.step()
        stage.venue.fault("stall", stream="market_data", seconds=0.2)
        stage.venue.fault("drop", stream="data")
        await stage.play()
        await stage.until(lambda: stage.links == [True, False])
        await asyncio.to_thread(stage.venue.attend, "data")
        await stage.step()
        assert stage.bars == played(stage.venue)

    play(scenario, FULL)


def test_mute_stream_is_given_up_at_the_first_minute_of_several_symbols():
    """Its pings are answered, but history has bars of both symbols that it did not bring."""

    async def scenario(stage):
        await stage.step()
        stage.venue.fault("mute", stream="data", count=2)
        await stage.step(2)
        await stage.up(2)
        await stage.step(3)

    stage, tape = play(scenario, FULL)
    down = next(each for each in stage.told if isinstance(each, Link) and not each.is_up)
    assert "the stream is mute" in down.reason
    assert down.at <= OPEN + 3 * MINUTE
    assert stage.bars == tape


def test_deaf_stream_is_found_by_its_pings_and_history_goes_on():
    """Its slot is held for 90 seconds: until then the minutes come from history."""

    async def scenario(stage):
        await stage.step()
        stage.venue.fault("half_closed", stream="data")
        await stage.step()
        await stage.until(lambda: stage.links == [True, False] and stage.remarks)
        await stage.step(4)
        await stage.until(lambda: len(stage.of(Bar)) >= 10)

    pace = replace(PACE, ping=0.02, pong=0.05)
    stage, tape = play(scenario, FULL, waits=replace(QUICK, pace=pace))
    assert "no answer to a ping" in stage.of(Link)[1].reason
    assert "another session" in stage.remarks[0]
    assert {name: bars[:5] for name, bars in tape.items()} == {name: bars[:5] for name, bars in stage.bars.items()}


def test_lock_step_bears_any_silence():
    """There quotes come when somebody steps."""

    async def scenario(stage):
        looks = stage.session.clock.monotonic() + 0.1
        await stage.until(lambda: stage.session.clock.monotonic() > looks)
        await stage.step()

    waits = replace(QUICK, patience=Silence(data=0.01))
    stage, tape = play(scenario, FULL, source={"channels": ["quotes"]}, waits=waits)
    assert (stage.links, stage.bars) == ([True], tape)


def test_quotes_that_stop_in_trading_hours_are_noticed():
    """In a running clock, without waiting for a minute to end."""
    with sandbox(FULL, speed=1) as venue:

        async def run():
            waits = replace(QUICK, patience=Silence(data=0.05))
            async with listening(venue, bars_of(venue, channels=["quotes"]), waits=waits) as stage:
                await stage.until(lambda: stage.links == [True, False])
                return stage.of(Link)[1].reason

        assert "silent for too long" in asyncio.run(run())


def test_zombie_slot_is_waited_for():
    """The connection that broke holds the slot for a while."""

    async def scenario(stage):
        stage.venue.fault("zombie", stream="data", seconds=0.2)
        stage.venue.fault("drop", stream="data")
        await stage.play()
        await stage.up(2)
        await stage.step(5)

    stage, tape = play(scenario, FULL)
    assert "another session" in stage.remarks[0]
    assert stage.bars == tape


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("stream_error", {"match": {"action": "auth"}}),
        ("stream_error", {"match": {"action": "subscribe"}}),
        ("handshake_refused", {"count": 2}),
    ],
)
def test_connection_that_fails_at_its_beginning_is_made_anew(fault, settings):
    """500 in answer to a message, 429 to the handshake."""
    with sandbox(FULL) as venue:
        venue.fault(fault, **settings)

        async def run():
            async with listening(venue) as stage:
                await stage.step(6)
                return stage

        stage = asyncio.run(run())
        assert stage.links == [False, True]
        assert stage.bars == played(venue)


def test_late_print_is_a_revision():
    """The bar as it is now, and as it was told."""

    async def scenario(stage):
        stage.venue.fault("late_update", match={"symbol": "SPY"}, price=100.75)
        await stage.step(2)

    stage, _ = play(scenario, FULL)
    [revision] = stage.of(Revision)
    assert (revision.was.high, revision.bar.high) == (100.0, 100.75)
    assert stage.listening.telling.counts["revised"] == 1
    assert stage.ledger().mark("SPY", OPEN + MINUTE) is Mark.REVISED


@pytest.mark.parametrize(
    ("fault", "settings"),
    [
        ("rate_limited", {"headers": False}),
        ("bad_gateway", {}),
        ("stall", {"seconds": 60}),
        ("gateway_unauthorized", {}),
        ("short_pages", {"count": 0}),
    ],
)
def test_history_that_fails_once_is_asked_again(fault, settings):
    """A hole is being filled: nothing is lost, and what comes of it is in order."""

    async def scenario(stage):
        await stage.step()
        stage.venue.fault("missing_bar", match={"symbol": "SPY"})
        stage.venue.fault(fault, stream="market_data", **settings)
        await stage.step(5)
        await stage.until(lambda: len(stage.of(Bar)) + len(stage.of(Revision)) == 12)

    patience = Patience(attempts=2, first_wait=0.001, longest_wait=0.002, connect=0.2, read=0.05)
    stage, tape = play(scenario, FULL, patience=patience)
    late = [each.bar for each in stage.of(Revision)]
    whole = sorted([*stage.of(Bar), *late], key=lambda each: each.end)
    assert {name: [bar for bar in whole if bar.symbol == name] for name in FULL} == tape
    assert bool(late) is (fault == "gateway_unauthorized")
    assert stage.ledger().summary(OPEN + 6 * MINUTE).is_complete


def test_live_bars_go_on_while_history_is_down():
    """The user is told once; what was missing comes as revisions of what was not there."""

    async def scenario(stage):
        await stage.step()
        stage.venue.fault("bad_gateway", stream="market_data", count=9)
        stage.venue.fault("drop", stream="data")
        await stage.play()
        await stage.up(2)
        await stage.step(4)
        await stage.until(lambda: len(stage.of(Revision)) == 2)

    stage, tape = play(scenario, FULL)
    assert "HTTP 502" in stage.of(Link)[-1].reason
    assert len(stage.remarks) == 1
    assert [each.was for each in stage.of(Revision)] == [None, None]
    assert {name: [bar.end for bar in bars] for name, bars in stage.bars.items()} == {
        name: [bar.end for number, bar in enumerate(bars) if number != 1] for name, bars in tape.items()
    }
    assert stage.ledger().summary(OPEN + 6 * MINUTE).is_complete


def test_history_that_does_not_answer_is_not_waited_for():
    """Bars are held for as long as one request may take."""

    async def scenario(stage):
        await stage.step()
        stage.venue.fault("missing_bar", match={"symbol": "SPY"})
        stage.venue.fault("stall", stream="market_data")
        await stage.step(2)
        assert [bar.end for bar in stage.bars["SPY"]] == [OPEN + MINUTE, OPEN + 3 * MINUTE]
        await stage.until(lambda: stage.of(Revision))

    stage, _ = play(scenario, FULL, waits=replace(QUICK, answer=0.05), patience=Patience())
    assert "no bars of the past within 0.05 s" in stage.remarks[0]
    assert stage.of(Revision)[0].bar.end == OPEN + 2 * MINUTE


def test_key_that_history_does_not_accept_ends_the_feed_at_its_beginning():
    """401 before anything came; later it is a gateway's word."""
    with sandbox(FULL) as venue:
        venue.step(2)
        venue.fault("gateway_unauthorized", stream="market_data")

        async def run():
            async with listening(venue, is_awaited=False) as stage:
                await stage.until(lambda: False)

        with pytest.raises(AuthenticationError, match="HTTP 401"):
            asyncio.run(run())


def test_clock_that_is_ahead_is_told_of_and_made_up_for():
    """By two minutes: once the first bars have shown it, no minute is taken for empty before it is over."""
    with sandbox(FULL, speed=600) as venue:

        async def run():
            waits = replace(QUICK, mute=5.0, late=0.01)
            async with listening(venue, waits=waits, ahead=2 * MINUTE) as stage:
                await stage.until(lambda: OPEN + 6 * MINUTE in {bar.end for bar in stage.bars["IBM"]})
                return stage

        [remark] = asyncio.run(run()).remarks
    assert "this machine's clock is" in remark
    assert "ahead of Alpaca's" in remark


@pytest.mark.parametrize("seed", range(3))
def test_bars_equal_the_tape_through_random_faults(seed):
    """Lines that break, bars that are lost or late, history that stutters: in the end nothing is missing."""
    prices = {"SPY": [*PRICES["SPY"], *FULL["SPY"]] * 3, "IBM": [*PRICES["IBM"], *FULL["IBM"]] * 3}
    faults = ("drop", "missing_bar", "late_bar", "bad_gateway", "short_pages", "stream_error", "mute")

    async def scenario(stage):
        stage.venue.random_faults(seed, 0.15, *faults)
        for _ in range(36):
            await stage.play()
            await stage.until(lambda: stage.links[-1])
        stage.venue.random_faults(seed, 0.0)
        await stage.until(lambda: stage.links[-1])
        stage.venue.hang_up("data")
        await stage.until(lambda: not stage.links[-1])
        await stage.until(lambda: stage.links[-1])

    stage, tape = play(scenario, prices)
    whole = sorted([*stage.of(Bar), *(each.bar for each in stage.of(Revision))], key=lambda each: each.end)
    assert {name: [bar for bar in whole if bar.symbol == name] for name in prices} == tape
    for bars in stage.bars.values():
        assert [bar.end for bar in bars] == sorted({bar.end for bar in bars})
    assert stage.ledger().summary(OPEN + 36 * MINUTE).is_complete
