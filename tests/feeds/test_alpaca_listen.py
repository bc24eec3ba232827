"""A live feed against the sandbox over real sockets: bars, quotes and trades, from the first minute to the last."""

import asyncio
from datetime import timedelta

import pytest
from live_feed import FULL, PRICES, QUICK, bars_of, listening, play, played, sandbox
from tape import OPEN

from feeds import AlpacaBars
from feeds.alpaca.listening import Listening
from feeds.alpaca.waits import Waits
from feeds.ledger import Mark
from framework.errors import AuthenticationError, ConfigError, Unsupported
from framework.live.clock import VenueClock, WallClock
from framework.model import Bar, Quote, Trade
from framework.ports import LiveSource, Session

MINUTE = timedelta(minutes=1)


def test_bars_equal_the_tape():
    """Holes included; each symbol's in order, each once, and the link is up before them."""
    stage, tape = play(lambda stage: stage.step(6))
    assert stage.bars == tape
    assert stage.links == [True]
    assert stage.remarks == []


def test_all_of_an_instant_is_told_before_it_is_heard():
    """Who waits until what was sent is heard has the whole slice, whatever had to be asked of history."""

    async def scenario(stage):
        for _ in range(6):
            await stage.step()
            assert stage.bars == played(stage.venue)

    play(scenario)


def test_every_minute_is_accounted_for_in_the_journal():
    """Received or certified empty; none is open once time has passed."""

    async def scenario(stage):
        await stage.step(6)

    stage, _ = play(scenario)
    summary = stage.ledger().summary(OPEN + 6 * MINUTE)
    assert summary.is_complete
    assert summary.total == {Mark.RECEIVED: 10, Mark.EMPTY: 2}


def test_quotes_and_trades_come_on_request():
    """With the bars, in the order in which they were told."""
    stage, tape = play(lambda stage: stage.step(2), FULL, source={"channels": ("quotes", "trades")})
    kinds = [type(each) for each in stage.told[1:] if each.symbol == "SPY"]
    assert kinds == [*[Trade] * 4, Quote, Bar] * 2
    assert stage.bars == tape


@pytest.mark.parametrize(
    ("symbol", "source", "stream"),
    [("BTC/USD", {}, "crypto"), ("FAKEPACA", {"feed": "test", "symbols": ["FAKEPACA"]}, "test")],
)
def test_other_streams_are_counted_by_their_names(symbol, source, stream):
    """Crypto, and Alpaca's test stream, which has no history."""
    prices = {symbol: [1.5, 2.5, 3.5]}
    stage, _ = play(lambda stage: stage.step(3), prices, source={"channels": ["trades"], **source})
    assert len(stage.bars[symbol]) == 3
    assert stage.heard.counts == {stream: 15}
    assert stage.told[0].stream == stream


def test_one_socket_serves_many_symbols():
    """Forty of them, each with its bar."""
    many = {f"S{number}": [100.0, 101.0] for number in range(40)}

    async def scenario(stage):
        await stage.step(2)
        assert stage.venue.state()["listening"]["data"] == 1

    stage, tape = play(scenario, many)
    assert stage.bars == tape


def test_what_came_before_the_connection_is_told_first():
    """From `since` on, by symbol, and the link comes up after it."""
    with sandbox(FULL) as venue:
        venue.step(3)

        async def run():
            async with listening(venue, since={"SPY": OPEN + MINUTE, "IBM": OPEN + 2 * MINUTE}) as stage:
                return stage.told

        told = asyncio.run(run())
    assert [(each.symbol, (each.end - OPEN) // MINUTE) for each in told[:-1]] == [("SPY", 2), ("SPY", 3), ("IBM", 3)]
    assert told[-1].is_up


def test_venue_time_may_run():
    """Ten minutes in a second: what has no bar ten seconds after its minute is asked of history."""
    with sandbox(PRICES, speed=600) as venue:

        async def run():
            waits = Waits(pace=QUICK.pace, retries=QUICK.retries)
            async with listening(venue, waits=waits) as stage:
                await stage.until(lambda: stage.listening.telling.ledger.mark("IBM", OPEN + 7 * MINUTE) is Mark.EMPTY)
            return stage

        stage = asyncio.run(run())
        assert stage.bars == played(venue)
        assert stage.ledger().summary(OPEN + 7 * MINUTE).is_complete


def test_wrong_key_is_one_clear_line():
    """It ends the feed, and shows nothing secret."""
    with sandbox() as venue:

        async def run():
            async with listening(venue, bars_of(venue, secret="not-the-secret"), is_awaited=False) as stage:
                await stage.until(lambda: False)

        with pytest.raises(AuthenticationError, match="APCA_API_KEY_ID") as raised:
            asyncio.run(run())
        text = str(raised.value)
    assert "\n" not in text
    assert not any(each in text for each in ("not-the-secret", venue.key))


def test_full_slot_is_told_and_waited_for():
    """406: one remark, and the feed comes up when the other session has gone."""

    async def both():
        with sandbox() as venue:
            async with listening(venue) as first, listening(venue, is_awaited=False) as second:
                await second.until(lambda: second.remarks)
                first.running.cancel()
                await second.up()
                return second

    second = asyncio.run(both())
    assert len(second.remarks) == 1
    assert "another session has the one data connection" in second.remarks[0]
    assert second.links == [True]


def test_symbols_beyond_the_plan_cost_no_bars():
    """405 for the quotes is a remark; the bars come."""
    many = {f"S{number}": [100.0] for number in range(31)}
    stage, tape = play(lambda stage: stage.step(), many, source={"channels": ["quotes"]})
    assert "the free plan has 30" in stage.remarks[0]
    assert stage.bars == tape


def secrets(symbols, **settings):
    return AlpacaBars(symbols, **settings).secrets


def test_bars_that_no_stream_has_are_refused_early():
    """Before anything is connected, and each says what to try."""
    keys = {"key": "k", "secret": "s"}
    assert isinstance(AlpacaBars(["SPY"], **keys), LiveSource)
    with pytest.raises(Unsupported, match=r'resample=\("5Min",\)'):
        secrets(["SPY"], timeframe="5Min", **keys)
    with pytest.raises(Unsupported, match="feed 'delayed_sip' has no stream"):
        secrets(["SPY"], feed="delayed_sip", **keys)
    with pytest.raises(ConfigError, match=r"channel 'quote' is not known .did you mean quotes"):
        AlpacaBars(["SPY"], channels="quote")
    with pytest.raises(ConfigError, match="feed 'test' has one symbol, FAKEPACA"):
        AlpacaBars(["SPY"], feed="test")
    with pytest.raises(Unsupported, match="without a history"):
        AlpacaBars("FAKEPACA", "2026-01-05", feed="test").history()


def test_stream_needs_keys_even_for_crypto(monkeypatch, tmp_path):
    """Its history needs none."""
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "SWITCHBACK_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="set APCA_API_KEY_ID"):
        secrets("BTC/USD")
    assert secrets("BTC/USD", key="k", secret="s") == ("k", "s")


@pytest.mark.parametrize(("speed", "seconds"), [(None, 10), (1.0, 10), (20.0, 40), (600.0, 60)])
def test_a_venue_in_a_hurry_is_given_its_minute_before_a_bar_is_missed(speed: float | None, seconds: int) -> None:
    """Ten seconds of a sandbox that runs 600 times as fast are no time at all; in lock-step they are as they are."""

    async def settle() -> timedelta:
        clock = VenueClock(OPEN, speed, WallClock())
        session = Session("s", clock, None, None, None)  # type: ignore[arg-type]
        bars = AlpacaBars(["SPY"], base_url="http://127.0.0.1:9", key="k", secret="s")
        return Listening(bars.live, session, print, {}).telling.gaps.settle

    assert asyncio.run(settle()).total_seconds() == pytest.approx(seconds, abs=0.1)
