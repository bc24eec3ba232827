"""A symbol that joins a data stream's conversation, and one that leaves it; no socket."""

from types import SimpleNamespace

import pytest
from stream_client import Server, stream

from feeds.alpaca.stream_events import Lost, Refused, State, Stopped, Subscribed
from feeds.alpaca.subscriptions import error
from feeds.alpaca.wants import TRIES
from framework.errors import ConfigError, ConnectionLost, Unsupported

ALL = {"bars": ["SPY"], "updatedBars": ["SPY"], "statuses": ["SPY"], "quotes": ["SPY"]}


def asked(server):
    """Return the symbols of each channel that were asked for, question by question."""
    return [{**each, "action": None} for each in server.heard if each["action"] == "subscribe"]


def question(symbol, *channels):
    return {"action": None} | {name: [symbol] for name in channels}


OURS = [question("SPY", "bars", "updatedBars"), question("SPY", "statuses"), question("SPY", "quotes")]
THEIRS = [question("IBM", "bars", "updatedBars"), question("IBM", "statuses"), question("IBM", "quotes")]


def again(server, denied="", code=0):
    """Connect again."""
    server.client.closed()
    server.conversation = Server(server.client).conversation
    if denied:
        deny(server, denied, code)
    return server.open()


def opened():
    server = Server(stream(ALL))
    server.open()
    return server


def deny(server, symbol, code):
    """Let the server answer questions for a symbol with an error."""
    whole = server.conversation

    def receive(message):
        named = any(symbol in each for each in message.values() if isinstance(each, list))
        return error(code) if named else whole.receive(message)

    server.conversation = SimpleNamespace(receive=receive)
    return whole


def test_it_is_asked_for_by_itself():
    """As the others are: bars, then halts, then what a plan limits; the answer is the whole set."""
    server = opened()
    told = server.take(server.client.join("IBM", ALL))
    assert asked(server) == [*OURS, *THEIRS]
    assert told == [Subscribed(dict.fromkeys(ALL, frozenset({"SPY", "IBM"})))]
    assert server.client.state is State.LIVE
    assert server.client.has("bars", "IBM")


def test_the_next_connection_asks_for_it_with_the_others():
    """Once it is answered for."""
    server = opened()
    server.take(server.client.join("IBM", ALL))
    server.heard.clear()
    again(server)
    both = ["IBM", "SPY"]
    assert [{each: found[each] for each in found if each != "action"} for found in asked(server)] == [
        {"bars": both, "updatedBars": both}, {"statuses": both}, {"quotes": both}
    ]  # fmt: skip


@pytest.mark.parametrize("code", [400, 405, 409, 410, 411])
def test_before_the_login_it_is_asked_for_after_the_others(code):
    """So that a refusal costs it alone, whatever it says, and the conversation goes on."""
    server = Server(stream(ALL))
    assert server.client.join("IBM", ["bars", "updatedBars"]) == []
    deny(server, "IBM", code)
    [refused, subscribed] = server.open()
    assert asked(server) == [*OURS, THEIRS[0]]
    assert (type(refused), dict(refused.channels)) == (Refused, {name: {"IBM"} for name in ("bars", "updatedBars")})
    assert subscribed == Subscribed(dict.fromkeys(ALL, frozenset({"SPY"})))
    assert "IBM" not in server.client.wanted["bars"]


def test_what_is_refused_may_be_asked_for_again():
    """By who knows that something has changed."""
    server = opened()
    whole = deny(server, "IBM", 400)
    [refused, _] = server.take(server.client.join("IBM", ["bars"]))
    assert isinstance(refused.error, ConfigError)
    assert "try fewer symbols with quotes" not in str(refused.error)
    server.conversation = whole
    [subscribed] = server.take(server.client.join("IBM", ["bars"]))
    assert subscribed.channels["bars"] == {"SPY", "IBM"}


def test_it_joins_once():
    """Whoever asks how often; one of those that were there has nothing to join."""
    server = opened()
    server.take(server.client.join("IBM", ALL))
    assert server.client.join("IBM", ALL) == []
    assert server.client.join("SPY", ALL) == []


def test_connections_that_end_before_they_answer_are_counted():
    """After a few the symbol is wanted no more, and the others have their connection."""
    server = opened()
    deny(server, "IBM", 500)
    [lost] = server.take(server.client.join("IBM", ["bars"]))
    assert isinstance(lost, Lost)
    for _ in range(TRIES - 1):
        assert [type(each) for each in again(server, "IBM", 500)] == [Lost]
    [refused, subscribed] = again(server, "IBM", 500)
    assert isinstance(refused.error, ConnectionLost)
    assert f"{TRIES} connections ended before they answered for bars of IBM" in str(refused.error)
    assert subscribed == Subscribed(dict.fromkeys(ALL, frozenset({"SPY"})))


def test_it_leaves_and_nothing_of_it_stays():
    """The answer to that is no answer to anything else."""
    server = opened()
    server.take(server.client.join("IBM", ALL))
    [told] = server.take(server.client.leave("IBM"))
    assert told == Subscribed(dict.fromkeys(ALL, frozenset({"SPY"})))
    [both] = server.take([*server.client.join("DIS", ["bars"])])
    assert both.channels["bars"] == {"SPY", "DIS"}
    assert server.client.leave("IBM") == []


def test_it_leaves_before_it_was_answered_for():
    """In their order the answers still belong to their questions."""
    server = opened()
    frames = server.client.join("IBM", ["bars", "statuses"])
    told = server.take([*frames, *server.client.leave("IBM")])
    assert [type(each) for each in told] == [Subscribed]
    assert told[-1].channels == dict.fromkeys(ALL, frozenset({"SPY"}))


def test_a_fatal_answer_to_the_others_is_fatal_still():
    """Only what joins may be refused with a code that ends everything."""
    server = Server(stream({"bars": ["SPY"]}))
    server.client.join("IBM", ["bars"])
    deny(server, "SPY", 410)
    assert isinstance(server.open()[0], Stopped)
    assert server.client.state is State.STOPPED


def test_what_the_stream_does_not_have_is_refused_at_once():
    """A channel that is none, and a symbol of another kind."""
    client = stream(ALL)
    with pytest.raises(Unsupported, match="has no orderbooks"):
        client.join("IBM", ["orderbooks"])
    with pytest.raises(ConfigError, match="carries stocks, not BTC/USD"):
        client.join("BTC/USD", ["bars"])


def test_question_that_is_left_without_an_answer_costs_the_connection_and_nothing_else():
    """The answer to the next one shows it: what was asked for first is not refused, and is asked for again."""
    server = Server(stream(ALL))
    whole = server.conversation
    skipped = []

    def receive(message):
        if message.get("bars") and not skipped:
            skipped.append(message)
            return []
        return whole.receive(message)

    server.conversation = SimpleNamespace(receive=receive)
    told = server.open()
    assert not [each for each in told if isinstance(each, Refused)]
    assert "not answered" in str(next(each.error for each in told if isinstance(each, Lost)))
    assert [type(each) for each in again(server)] == [Subscribed]
