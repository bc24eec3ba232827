"""Symbols that join a live feed, against the sandbox over real sockets: nothing of them is missed or told twice."""

import asyncio
from datetime import timedelta

import pytest
from live_feed import FULL, PRICES, QUICK, bars_of, came_with, listening, play, played, sandbox
from tape import OPEN, Tape, bars

from feeds.alpaca.waits import Waits
from feeds.ledger import Mark
from framework.app.sandbox import Sandbox
from framework.columns import joined, moment
from framework.errors import ConfigError, Unsupported
from framework.model import Bar, Halt, Quote, Trade
from framework.sandbox.actions import Halted

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

SPY = {"symbols": ["SPY"]}


@pytest.mark.parametrize("before", range(1, 6))
def test_bars_equal_the_tape_from_its_history_on(before):
    """What it came with and what is told are the whole, in lock-step, and the other symbol's bars are as ever."""

    async def scenario(stage):
        await stage.step(before)
        added = await stage.add("IBM")
        assert all(bar.end > added.at for bar in stage.of(Bar) if bar.symbol == "IBM")
        for _ in range(before, 6):
            await stage.step()
            assert stage.bars == played(stage.venue)

    stage, tape = play(scenario, source=SPY)
    assert stage.bars == tape
    assert (stage.links, stage.remarks) == ([True], [])


def test_it_comes_with_the_bars_of_its_minute():
    """Whoever is woken by a bar and adds a symbol has that symbol's bar of the same minute at once."""

    async def scenario(stage):
        await stage.step(3)
        added = await stage.add("IBM")
        assert (added.symbol, str(added.timeframe), added.calendar.name) == ("IBM", "1Min", "XNYS")
        assert added.at == OPEN + 3 * MINUTE == came_with(added)[-1].end

    play(scenario, source=SPY)


def test_a_minute_without_a_bar_is_not_taken_for_empty_before_it_is_final():
    """Its last minute is open yet: history is asked again when it is time, and then it is certified."""

    async def scenario(stage):
        await stage.step(2)
        assert (await stage.add("IBM")).at == OPEN + MINUTE
        await stage.step(4)

    stage, _ = play(scenario, PRICES, source=SPY)
    assert stage.ledger().mark("IBM", OPEN + 2 * MINUTE) is Mark.EMPTY


def test_its_history_is_that_of_two_trading_days():
    """Today's and that of the day before, which here is a Friday; not Wednesday's (Thursday was New Year's Day)."""
    days = [OPEN - 5 * DAY, OPEN - 3 * DAY, OPEN]
    whole = joined([bars([100.0, 101.0], each) for each in days])
    tape = Tape({"SPY": whole, "IBM": whole}, start=OPEN)

    with Sandbox(tape) as venue:

        async def run():
            async with listening(venue, bars_of(venue, **SPY)) as stage:
                await stage.step()
                return await stage.add("IBM")

        added = asyncio.run(run())
    assert [moment(end) for end in added.bars.end] == [days[1] + MINUTE, days[1] + 2 * MINUTE, OPEN + MINUTE]


def test_only_the_hours_that_are_kept_come():
    """Bars of the morning before the session are not among them."""
    early = OPEN - timedelta(hours=1)
    prices = joined([bars([99.0], early), bars([100.0, 101.0])])
    tape = Tape({"SPY": prices, "IBM": prices}, start=OPEN)

    with Sandbox(tape) as venue:

        async def run():
            async with listening(venue, bars_of(venue, **SPY)) as stage:
                await stage.step()
                return await stage.add("IBM")

        assert [each.close for each in came_with(asyncio.run(run()))] == [100.0]


def test_crypto_comes_with_a_day_of_history():
    """Over its own stream."""
    whole = joined([bars([1.0, 2.0], OPEN - DAY), bars([3.0, 4.0, 5.0])])
    tape = Tape({"BTC/USD": whole, "ETH/USD": whole}, start=OPEN, calendar="24/7")

    with Sandbox(tape) as venue:

        async def run():
            async with listening(venue, bars_of(venue, symbols=["BTC/USD"])) as stage:
                await stage.step()
                await stage.add("ETH/USD")
                await stage.step(2)
                return stage

        stage = asyncio.run(run())
    assert [each.close for each in stage.bars["ETH/USD"]] == [2.0, 3.0, 4.0, 5.0]
    assert stage.heard.counts.keys() == {"crypto"}


def test_quotes_trades_and_halts_come_along():
    """What was asked for of the others is asked for of it."""
    halt = Halted("IBM", OPEN + 3 * MINUTE, OPEN + 5 * MINUTE)

    with Sandbox(Tape(FULL), halts=[halt]) as venue:

        async def run():
            async with listening(venue, bars_of(venue, channels=("quotes", "trades"), **SPY)) as stage:
                await stage.step()
                await stage.add("IBM")
                await stage.step(6)
                return stage, played(venue)

        stage, tape = asyncio.run(run())
    assert stage.bars == tape
    assert {type(each) for each in stage.told[1:] if each.symbol == "IBM"} == {Bar, Quote, Trade, Halt}
    assert [each.is_halted for each in stage.of(Halt)] == [True, False]


def test_a_line_may_not_be_quiet_for_the_sake_of_one_halted_symbol():
    """Every symbol was halted; the one that joins is not."""
    resting = []

    async def scenario(stage):
        await stage.step(2)
        resting.append(stage.listening._line.is_resting)
        await stage.add("IBM")
        resting.append(stage.listening._line.is_resting)

    with Sandbox(Tape(FULL), halts=[Halted("SPY", OPEN + MINUTE, OPEN + 5 * MINUTE)]) as venue:

        async def run():
            async with listening(venue, bars_of(venue, **SPY)) as stage:
                await scenario(stage)

        asyncio.run(run())
    assert resting == [True, False]


@pytest.mark.parametrize("symbol", ["BTC/USD", "ibm", "I BM", "", "*"])
def test_what_is_no_stock_by_its_spelling_is_left_to_other_sources(symbol):
    """Without a question to anybody."""

    async def scenario(stage):
        with pytest.raises(Unsupported, match="no source of this session has bars"):
            await stage.add(symbol)
        assert "market_data" not in stage.venue.state()["requests"]

    play(scenario, source=SPY)


@pytest.mark.parametrize(
    ("prices", "source", "symbol"),
    [({"BTC/USD": [1.0, 2.0]}, {}, "SPY"), (FULL, {"feed": "test", "symbols": ["FAKEPACA"]}, "SPY")],
)
def test_other_feeds_take_no_stocks(prices, source, symbol):
    """Crypto, and the test stream, which has but its own symbol."""

    async def scenario(stage):
        with pytest.raises(Unsupported):
            await stage.add(symbol)

    play(scenario, prices, source=source)


def test_a_symbol_without_a_history_is_refused_in_one_line():
    """It is not subscribed to, and asked for anew when it is added again."""

    async def scenario(stage):
        await stage.step()
        for _ in range(2):
            with pytest.raises(
                ConfigError, match="no bars of XYZ in the last two trading days; check the spelling"
            ) as no:
                await stage.add("XYZ")
            assert "\n" not in str(no.value)
        assert stage.listening._line.stream.wanted["bars"] == {"SPY"}
        await stage.step(5)

    stage, _ = play(scenario, source=SPY)
    assert stage.remarks == []


def test_a_symbol_is_added_once_whoever_asks():
    """At the same time, again, and again much later."""

    async def scenario(stage):
        await stage.step()
        first, second = await asyncio.gather(stage.add("IBM"), stage.add("IBM"))
        await stage.step(4)
        assert first is second is await stage.add("IBM")
        assert stage.venue.state()["requests"]["market_data"] == 1
        await stage.step()

    stage, tape = play(scenario, FULL, source=SPY)
    assert stage.bars == tape


def test_a_symbol_of_the_feeds_own_is_known_with_what_was_told():
    """Up to its last bar; nothing is told again."""

    async def scenario(stage):
        await stage.step(3)
        added = await stage.session.additions.add("SPY")
        assert came_with(added) == stage.bars["SPY"]
        assert added.at == OPEN + 3 * MINUTE
        await stage.step(3)

    stage, tape = play(scenario, FULL, source=SPY)
    assert stage.bars["SPY"] == tape["SPY"]


def test_many_are_added_at_a_time():
    """Each with its own bars, from the same minute on."""
    names = [f"S{number}" for number in range(12)]
    many = {"SPY": FULL["SPY"]} | {name: [10.0 + at, None, 12.0 + at, 13.0] for at, name in enumerate(names)}

    async def scenario(stage):
        await stage.step(1)
        await asyncio.gather(*map(stage.add, names[:6]))
        await stage.step(1)
        await asyncio.gather(*map(stage.add, names[6:]))
        await stage.step(4)

    stage, tape = play(scenario, many, source=SPY)
    assert stage.bars == tape
    assert (stage.links, stage.remarks) == ([True], [])


def test_it_has_its_place_in_the_journal():
    """Its minutes are accounted for from the end of its history on."""

    async def scenario(stage):
        await stage.step(3)
        await stage.add("IBM")
        await stage.step(3)

    stage, _ = play(scenario, PRICES, source=SPY)
    counts = stage.ledger().summary(OPEN + 6 * MINUTE).counts
    assert counts["IBM"] == {Mark.RECEIVED: 3}
    assert counts["SPY"] == {Mark.RECEIVED: 5, Mark.EMPTY: 1}


def test_venue_time_may_run_meanwhile():
    """Ten minutes in a second: the symbol joins at a time that nobody chose."""
    with sandbox(FULL, speed=600) as venue:

        async def run():
            waits = Waits(pace=QUICK.pace, retries=QUICK.retries)
            async with listening(venue, bars_of(venue, **SPY), waits=waits) as stage:
                await stage.until(lambda: len(stage.bars["SPY"]) >= 2)
                await stage.add("IBM")
                await stage.until(lambda: len(stage.bars["SPY"]) == len(stage.bars["IBM"]) == 6)
            return stage

        stage = asyncio.run(run())
        assert stage.bars == played(venue)
