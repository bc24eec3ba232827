"""What is asked of Alpaca's data side before a start."""

from __future__ import annotations

from typing import Any

import pytest
from data_sandbox import KEY, SECRET, Venue, at, sandbox

from feeds import AlpacaBars
from feeds.alpaca.checkup import recent_told, stream_told
from feeds.alpaca.plans import PAID
from framework.errors import AuthenticationError, SwitchbackError
from framework.live.checkup import Answer, Verdict
from framework.retries import Patience

ONCE = Patience(attempts=1, connect=1.0, read=0.2, whole=0.2)


def bars(venue: Venue, symbols: tuple[str, ...] = ("SPY",), secret: str = SECRET, feed: str = "iex") -> AlpacaBars:
    return AlpacaBars(symbols, feed=feed, base_url=venue.url, key=KEY, secret=secret)


def recent(venue: Venue, **more: Any) -> Answer:
    return recent_told(bars(venue, **more), at(2), ONCE)


def test_recent_bars_are_counted() -> None:
    """Of all symbols, in one request."""
    with sandbox({"SPY": [100.0, 101.0], "IBM": [50.0, 51.0]}) as venue:
        venue.step(2)
        answer = recent(venue, symbols=("SPY", "IBM"))
        assert venue.server.call(lambda: venue.market.requests["market_data"]) == 1
    assert (answer.verdict, answer.text) == (Verdict.YES, "feed iex: 4 bars of the last 10 minutes")


def test_no_bars_are_a_yes_too() -> None:
    """The market may be closed: that they may be asked for is what counts."""
    with sandbox() as venue:
        assert recent(venue).text == "feed iex: no bars of the last 10 minutes"


def test_a_feed_without_its_plan_is_a_no_in_alpacas_words() -> None:
    """Over REST, and on the stream."""
    with sandbox() as venue:
        told = recent(venue, feed="sip"), stream_told(bars(venue, feed="sip"), 2.0)
    assert {each.verdict for each in told} == {Verdict.NO}
    assert "subscription does not permit querying recent SIP data" in told[0].text
    assert 'error 409 "insufficient subscription"' in told[1].text
    assert {each.remedy for each in told} == {"take --feed iex, which is free, or a plan with it"}


def test_a_feed_with_its_plan_may_be_had() -> None:
    """All exchanges, for who pays for them."""
    with sandbox(plan=PAID) as venue:
        venue.step(2)
        told = recent(venue, feed="sip"), stream_told(bars(venue, feed="sip"), 2.0)
    assert {each.verdict for each in told} == {Verdict.YES}


@pytest.mark.parametrize(
    ("fault", "told"),
    [("bad_gateway", "HTTP 502"), ("rate_limited", "HTTP 429"), ("stall", "no whole answer from 127.0.0.1")],
)
def test_a_venue_that_fails_raises_one_line(fault: str, told: str) -> None:
    """A gateway, a rate limit, and a server that says nothing."""
    with sandbox() as venue:
        venue.arm(fault, stream="market_data", seconds=0.5)
        with pytest.raises(SwitchbackError, match=told):
            recent(venue)


def test_a_wrong_secret_is_told_without_it() -> None:
    """Over REST, and on the stream."""
    with sandbox() as venue:
        wrong = bars(venue, secret="not-the-secret")
        told = recent_told(wrong, at(2), ONCE), stream_told(wrong, 2.0)
    assert all(each.verdict is Verdict.NO and "check APCA_API_KEY_ID" in each.remedy for each in told)
    assert "not-the-secret" not in repr(told)


def test_the_stream_is_free_again_afterwards() -> None:
    """Where there is one place, twice in a row."""
    with sandbox(connections=1) as venue:
        assert [stream_told(bars(venue), 2.0).verdict for _ in range(2)] == [Verdict.YES] * 2


def test_a_stream_that_is_taken_says_by_what() -> None:
    """406: it is not waited for, and who has it keeps it."""
    with sandbox({"SPY": [100.0]}) as venue, venue.client(bars=["SPY"]) as other:
        answer = stream_told(bars(venue), 2.0)
        venue.step()
        assert other.read()[0]["S"] == "SPY"
    assert answer.text == "Alpaca: another session has the one connection to /v2/iex (406)"
    assert "wait for 90 s" in answer.remedy


def test_too_many_handshakes_and_nobody_there_are_each_one_line() -> None:
    """429 at the door, and a door that is none."""
    with sandbox() as venue:
        venue.arm("handshake_refused")
        assert "HTTP 429" in stream_told(bars(venue), 2.0).text
    nobody = AlpacaBars("SPY", base_url="http://127.0.0.1:9", key=KEY, secret=SECRET)
    assert "/v2/iex: no connection" in stream_told(nobody, 2.0).text


def test_the_test_stream_has_no_history_and_pairs_have_no_feed() -> None:
    """What is looked at is what there is."""
    with sandbox({"BTC/USD": [100.0]}) as venue:
        told = recent(venue, symbols=("BTC/USD",)), recent(venue, symbols=("FAKEPACA",), feed="test")
    assert told[0].text.startswith("crypto: no bars")
    assert told[1].text == "not checked: the test stream has no history"


def test_an_error_that_no_plan_mends_keeps_its_own_advice() -> None:
    """402 on the stream is not a matter of the plan."""
    with sandbox() as venue:
        answer = stream_told(bars(venue, secret="other"), 2.0)
    assert "--feed" not in answer.remedy
    assert AuthenticationError.__name__ not in answer.text
