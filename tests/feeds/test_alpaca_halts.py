"""Halts of a live feed: what the stream tells, what it leaves out, and a plan without the channel."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest
from live_feed import FULL, bars_of, listening
from stream_client import BARS, Server, stream
from tape import OPEN, Tape

from feeds.alpaca.halts import Halts, told
from feeds.alpaca.readings import TradingStatus
from feeds.alpaca.stream_events import Refused, State, Stopped
from feeds.alpaca.subscriptions import error
from feeds.ledger import Mark
from framework.app.sandbox import Sandbox
from framework.model import Bar, Halt
from framework.sandbox.actions import Halted

MINUTE = timedelta(minutes=1)
HALT = Halted("IBM", OPEN + 2 * MINUTE, OPEN + 4 * MINUTE)
ALL = {**BARS, "statuses": BARS["bars"]}


def status(code, symbol="IBM", at=OPEN, reason="T1 Halt News Pending", text=""):
    return TradingStatus(symbol, at, code, text, reason)


def bar(end, symbol="IBM"):
    return Bar(symbol, end, 1.0, 1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("codes", "states"),
    [
        ("H", [True]), ("2", [True]), ("P", [True]), ("Q", [True]), ("HT", [True, False]), ("23", [True, False]),
        ("PQT", [True, False]), ("HH", [True]), ("T", []), ("5", []), ("H5", [True]), ("HF", [True]),
        ("H6T", [True, False]),
    ],
)  # fmt: skip
def test_codes_of_both_tapes(codes, states):
    """2, H and P stop trading, Q is no trading yet, 3 and T are its end; others leave it as it is."""
    halts = Halts()
    found = [halt for code in codes if (halt := halts.take(status(code))) is not None]
    assert [each.is_halted for each in found] == states


@pytest.mark.parametrize(
    ("reason", "text", "shown"),
    [
        ("T1 Halt News Pending", "Trading Halt", "T1: news pending"),
        ("LUDP Volatility Trading Pause", "", "LUDP: volatility trading pause"),
        ("M", "", "M"),
        ("", "Trading Halt", "trading halt"),
        ("", "", "status H"),
    ],
)
def test_the_reason_in_a_few_words(reason, text, shown):
    """Code and words where both are told."""
    assert told(status("H", reason=reason, text=text)) == shown


def test_a_bar_of_after_the_halt_ends_it():
    """The end was missed; the bar of the minute in which it began says nothing."""
    halts = Halts()
    halts.take(status("H", at=OPEN + timedelta(seconds=20)))
    assert halts.printed(bar(OPEN + MINUTE)) is None
    assert halts.printed(bar(OPEN + 5 * MINUTE, "SPY")) is None
    assert halts.printed(bar(OPEN + 2 * MINUTE)) == Halt("IBM", OPEN + 2 * MINUTE, False, "it trades again")
    assert halts.printed(bar(OPEN + 3 * MINUTE)) is None


def heard(scenario, **settings):
    """Run a scenario over a feed of SPY and IBM, which is halted for two minutes."""
    with Sandbox(Tape(FULL), halts=[HALT]) as venue:

        async def run():
            async with listening(venue, bars_of(venue, **settings)) as stage:
                await scenario(stage)
            return stage

        return asyncio.run(run())


def test_a_halt_is_told_and_its_minutes_are_empty():
    """Both symbols' halts are asked for; the halted minutes are certified empty, and nothing is thought mute."""
    stage = heard(lambda stage: stage.step(7))
    assert [(each.symbol, each.at, each.is_halted) for each in stage.of(Halt)] == [
        ("IBM", HALT.since, True), ("IBM", HALT.until, False)
    ]  # fmt: skip
    assert [(each.end - OPEN) // MINUTE for each in stage.bars["IBM"]] == [1, 2, 5, 6]
    assert [stage.ledger().mark("IBM", OPEN + at * MINUTE) for at in (3, 4)] == [Mark.EMPTY] * 2
    assert (stage.links, stage.remarks) == ([True], [])


def test_a_halt_is_told_before_the_bars_of_its_instant():
    """So that the strategy knows of it at its `next`; its end is told before the first bar after it too."""
    stage = heard(lambda stage: stage.step(6))
    order = [each for each in stage.told if isinstance(each, Halt | Bar) and each.symbol == "IBM"]
    assert [isinstance(each, Halt) for each in order] == [False, True, False, True, False, False]


def test_a_halt_asks_history_no_more_often_than_minutes_without_trades_do():
    """One for each of its two minutes, for all symbols together, and none for a minute that was found to be empty."""
    requests = []

    async def scenario(stage):
        await stage.step(2)
        before = stage.venue.state()["requests"].get("market_data", 0)
        await stage.step(5)
        requests.append(stage.venue.state()["requests"]["market_data"] - before)

    heard(scenario)
    assert requests == [2]


def test_the_end_of_a_halt_that_went_down_with_the_line_is_told_by_the_next_bar():
    """The stream does not tell again what it told; the halt that was told stays until then."""

    async def scenario(stage):
        await stage.step(3)
        stage.venue.fault("drop", stream="data")
        await stage.play()
        await stage.up(2)
        assert [each.is_halted for each in stage.of(Halt)] == [True]
        await stage.step(2)

    stage = heard(scenario)
    assert stage.of(Halt)[1:] == [Halt("IBM", OPEN + 5 * MINUTE, False, "it trades again")]


@pytest.mark.parametrize("code", [400, 405, 409, 410, 411])
def test_a_plan_without_the_channel_costs_nothing_else(code):
    """Halts are asked for by themselves; the refusal leaves bars and the connection as they are."""
    server = Server(stream(ALL))
    whole, server.conversation = server.conversation, SimpleNamespace()
    server.conversation.receive = lambda message: error(code) if "statuses" in message else whole.receive(message)
    refused, subscribed = server.open()
    assert isinstance(refused, Refused)
    assert set(refused.channels) == {"statuses"}
    assert set(subscribed.channels) == {"bars", "updatedBars"}
    assert server.client.state is State.LIVE
    assert "statuses" not in server.client.wanted


def test_keys_that_are_wrong_still_stop_the_stream():
    """Only what may answer a subscription is taken for an answer."""
    server = Server(stream(ALL), keys=("A", "B"))
    assert [type(each) for each in server.open()] == [Stopped]


def test_a_feed_without_halts_says_so_once():
    """In one remark; bars go on, also over another connection."""

    async def run(venue):
        async with listening(venue, is_awaited=False) as stage:
            await stage.up()
            await stage.step(2)
            venue.hang_up("data")
            await stage.up(2)
            await stage.step(2)
        return stage

    with Sandbox(Tape(FULL)) as venue:
        # The second subscription is the one for halts: it comes after that for bars.
        venue.fault("stream_error", stream="data", match={"action": "subscribe"}, code=410, after=1)
        stage = asyncio.run(run(venue))
    assert len(stage.remarks) == 1
    assert stage.remarks[0].startswith("halts of these symbols are not told, orders may wait in one: ")
    assert [len(each) for each in stage.bars.values()] == [4, 4]


def test_a_line_may_be_quiet_while_every_symbol_is_halted():
    """A feed with quotes expects them all the time, but for then."""
    resting = []

    async def scenario(stage):
        for _ in range(7):
            await stage.step()
            resting.append(stage.listening._line.is_resting)

    heard(scenario, symbols=["IBM"])
    assert resting == [False, True, True, False, False, False, False]
