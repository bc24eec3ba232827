"""A client's conversation with a data stream: greeting, login, subscription, values, errors; no socket."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_client import BARS, KEYS, Server, live, stream

from feeds.alpaca import messages, stream_errors
from feeds.alpaca.plans import PAID
from feeds.alpaca.readings import TradingStatus
from feeds.alpaca.stream import endpoint
from feeds.alpaca.stream_events import Lost, Refused, State, Stopped, Strange, Subscribed, TurnedAway
from feeds.alpaca.subscriptions import CONNECTED, STOCK_CHANNELS, error
from feeds.alpaca.wants import AT_ONCE
from feeds.gaps import Revised
from framework.errors import AuthenticationError, ConfigError, ConnectionLost, Unsupported
from framework.model import Bar, Quote, Trade

BAR = {"T": "b", "S": "SPY", "o": 100, "h": 104.0, "l": 99.0, "c": 101.0, "v": 10, "t": "2026-01-05T14:30:00Z"}
END = datetime(2026, 1, 5, 14, 31, tzinfo=UTC)


@pytest.mark.parametrize("is_packed", [True, False])
def test_conversation_ends_with_all_that_was_asked_for(is_packed):
    """Greeting, login, one subscription, and its answer is the whole set."""
    server = Server(stream(is_packed=is_packed))
    both = frozenset(["SPY", "IBM"])
    assert server.open() == [Subscribed({"bars": both, "updatedBars": both})]
    assert [each["action"] for each in server.heard] == ["auth", "subscribe"]
    assert server.client.state is State.LIVE


def test_client_says_nothing_before_it_is_greeted():
    """The first word is the server's."""
    client = stream()
    assert client.opening(0.0) == []
    assert client.state is State.GREETING


@pytest.mark.parametrize(("packed", "kind"), [(True, "msgpack"), (False, "json")])
def test_address_and_headers(packed, kind):
    """Alpaca's own host, or the one given; the encoding is asked for, and no secret is in either."""
    client = stream(is_packed=packed)
    assert client.url == "wss://stream.data.alpaca.markets/v2/iex"
    assert client.headers == {"Content-Type": f"application/{kind}"}
    assert stream(base_url="http://127.0.0.1:8000").url == "ws://127.0.0.1:8000/v2/iex"
    assert KEYS[1] not in repr(client)


@pytest.mark.parametrize("is_packed", [True, False])
def test_bar_is_stamped_with_its_end(is_packed):
    """The wire has the start of the minute."""
    row = BAR | {"t": END - timedelta(minutes=1)}
    assert live(is_packed=is_packed).tell(row) == [Bar("SPY", END, 100.0, 104.0, 99.0, 101.0, 10.0)]


def test_each_kind_is_a_value():
    """A revision, a quote, a trade and a halt, in one frame and in its order."""
    everything = {name: ["SPY"] for name in STOCK_CHANNELS}
    at = END + timedelta(microseconds=5)
    trade, quote = Trade("SPY", at, 100.5, 3.0), Quote("SPY", at, 100.0, 1.0, 101.0, 2.0)
    told = live(everything).tell(
        BAR | {"T": "u"},
        {"T": "q", "S": "SPY", **messages.quote_row(quote)},
        {"T": "t", "S": "SPY", **messages.trade_row(trade)},
        {"T": "s", "S": "SPY", **messages.status("SPY", at, "halt")},
    )
    halt = TradingStatus("SPY", at, "2", "Trading Halt", "T1 Halt News Pending")
    assert told == [Revised(Bar("SPY", END, 100.0, 104.0, 99.0, 101.0, 10.0)), quote, trade, halt]


@pytest.mark.parametrize(("kind", "symbol", "is_halted"), [("halt", "AAPL", True), ("resume", "IBM", False)])
def test_status_says_whether_trading_stops(kind, symbol, is_halted):
    """In the codes of both tapes; other codes say neither."""
    row = messages.status(symbol, END, kind)
    [told] = live({"statuses": [symbol]}).tell({"T": "s", "S": symbol, **row})
    assert told.is_halted is is_halted
    assert TradingStatus("IBM", END, "5", "", "").is_halted is None


def test_times_to_the_nanosecond_are_read():
    """Digits beyond the microsecond are cut off."""
    row = {"T": "t", "S": "SPY", "p": 1.0, "s": 1, "t": "2026-01-05T14:31:00.123456789Z"}
    [trade] = live({"trades": ["SPY"]}).tell(row)
    assert trade.at == END + timedelta(microseconds=123456)


def test_bars_are_asked_for_before_what_a_plan_limits():
    """So that a limit on quotes costs no bars."""
    server = live({"quotes": ["SPY"], **BARS})
    assert [set(each) for each in server.heard[1:]] == [{"action", "bars", "updatedBars"}, {"action", "quotes"}]


def test_symbol_limit_leaves_the_rest_as_it_is():
    """405: the bars are had, the error says what to try, and the next connection does not ask again."""
    many = [f"S{number}" for number in range(31)]
    server = Server(stream({"bars": many, "quotes": many}))
    refused, subscribed = server.open()
    assert (set(refused.channels), set(subscribed.channels)) == ({"quotes"}, {"bars"})
    assert isinstance(refused.error, Unsupported)
    assert "31 of quotes were asked for, and the free plan has 30" in str(refused.error)
    assert set(server.client.wanted) == {"bars"}
    assert server.client.state is State.LIVE


def test_symbols_may_grow_while_live():
    """Only what is new is asked for; the answer is the whole."""
    server = live()
    [subscribed] = server.take(server.client.subscribe({"bars": ["SPY", "BAC"]}))
    assert server.heard[-1] == {"action": "subscribe", "bars": ["BAC"]}
    assert subscribed.channels["bars"] == {"SPY", "IBM", "BAC"}
    assert server.client.subscribe({"bars": ["BAC"]}) == []


def test_growth_beyond_the_limit_is_refused_alone():
    """What is had goes on, and the refused symbol is wanted no more."""
    server = live({"quotes": [f"S{number}" for number in range(30)]})
    refused, subscribed = server.take(server.client.subscribe({"quotes": ["ONE"]}))
    assert (refused.channels, len(subscribed.channels["quotes"])) == ({"quotes": {"ONE"}}, 30)
    assert server.client.wanted == subscribed.channels


def test_next_connection_asks_for_everything():
    """What was added on the way too; the server has forgotten all."""
    server = live()
    server.take(server.client.subscribe({"bars": ["BAC"]}))
    server.client.closed()
    again = Server(server.client)
    [subscribed] = again.open(60.0)
    assert subscribed.channels["bars"] == {"SPY", "IBM", "BAC"}


def test_large_subscription_goes_in_parts():
    """Live is what has the last of them."""
    many = [f"S{number}" for number in range(2 * AT_ONCE)]
    server = live({"bars": many, "updatedBars": many})
    assert [len(each["bars"]) for each in server.heard[1:]] == [AT_ONCE // 2] * 4


def test_stream_with_nothing_wanted_is_live():
    """Symbols may come later."""
    server = Server(stream({}))
    assert server.open() == [Subscribed({})]
    assert server.take(server.client.subscribe({"bars": ["SPY"]})) == [Subscribed({"bars": frozenset(["SPY"])})]


def test_login_is_sent_again_on_the_same_socket():
    """406: the waits grow, each is told, and the slot is had as soon as it is free."""
    free = iter([False, False, True])
    server = Server(stream(), is_free=lambda: next(free))
    assert server.open(10.0) == [TurnedAway(1, 15, 0.5)]
    assert (server.client.state, server.client.deadline()) == (State.TURNED_AWAY, 10.5)
    assert server.client.due(10.4) == ([], [])
    assert server.take(server.client.due(10.5)[0], 10.5) == [TurnedAway(2, 15, 1.0)]
    [subscribed] = server.take(server.client.due(11.5)[0], 11.5)
    assert isinstance(subscribed, Subscribed)
    assert server.client.deadline() is None


def test_login_is_given_up_in_the_end():
    """After 15 tries more, 52 seconds, the connection is lost; the error says who may have the slot."""
    server = Server(stream(), is_free=lambda: False)
    events, waited = server.open(), 0.0
    while isinstance(events[-1], TurnedAway):
        waited = server.client.deadline()
        events += server.take(server.client.due(waited)[0], waited)
    assert (len(events), waited) == (16, 52.5)
    assert "another session has the one connection" in str(events[-1].error)
    assert isinstance(events[-1].error, ConnectionLost)


def test_wrong_keys_stop_it():
    """402: no connection would help; the error names the variables and shows no key."""
    server = Server(stream(), keys=("PKOTHER", "other"))
    [stopped] = server.open()
    assert isinstance(stopped.error, AuthenticationError)
    assert "APCA_API_KEY_ID" in str(stopped.error)
    assert server.client.state is State.STOPPED


def test_feed_beyond_the_plan_stops_it():
    """409, which names the feed that is free."""
    [stopped] = Server(stream(feed="sip")).open()
    assert isinstance(stopped.error, AuthenticationError)
    assert 'try feed="iex"' in str(stopped.error)
    assert live(feed="sip", plan=PAID).client.state is State.LIVE


@pytest.mark.parametrize(("code", "kind"), [(408, AuthenticationError), (410, Unsupported), (411, AuthenticationError)])
def test_errors_that_cannot_be_mended_stop_it(code, kind):
    """And nothing after them is read."""
    server = live()
    [stopped] = server.tell(error(code), BAR)
    assert isinstance(stopped, Stopped)
    assert isinstance(stopped.error, kind)
    server.client.closed()
    assert server.client.state is State.STOPPED


@pytest.mark.parametrize("code", [401, 404, 406, 407, 500])
def test_errors_of_a_connection_ask_for_another(code):
    """What is wanted stays wanted."""
    server = live()
    [lost] = server.tell(error(code))
    assert isinstance(lost, Lost)
    assert f"error {code}" in str(lost.error)
    assert server.client.wanted["bars"] == {"SPY", "IBM"}


def test_known_client_goes_on():
    """403 in answer to a login says that it was not needed; while live it says nothing."""
    server = Server(stream())
    server.client.opening(0.0)
    server.conversation.authenticate(*KEYS)
    [subscribed] = server.tell(CONNECTED)
    assert isinstance(subscribed, Subscribed)
    assert server.tell(error(403)) == []


def test_bad_syntax_is_told_with_the_symbols():
    """400 in answer to a subscription: those symbols are not had."""
    server = live()
    frames = server.client.subscribe({"bars": ["BAC"]})
    assert frames
    refused, _ = server.tell(error(400))
    assert (refused.channels, type(refused)) == ({"bars": {"BAC"}}, Refused)
    assert "check the spelling" in str(refused.error)


def test_answer_without_what_was_asked_for_is_no_success():
    """A symbol that is not in the acknowledgement is refused."""
    server = live()
    server.client.subscribe({"bars": ["BAC"]})
    refused, subscribed = server.tell({"T": "subscription", "bars": ["SPY", "IBM", 7]})
    assert (refused.channels, subscribed.channels) == ({"bars": {"BAC"}}, {"bars": {"SPY", "IBM"}})


@pytest.mark.parametrize(
    "wrong",
    [
        {"T": "b", "S": "SPY"},
        BAR | {"o": "100"},
        BAR | {"h": 98.0},
        BAR | {"c": float("nan")},
        BAR | {"l": 0},
        BAR | {"v": -1},
        BAR | {"v": 10**400},
        BAR | {"t": "yesterday"},
        BAR | {"t": "2026-01-05T14:30:00"},
        BAR | {"t": "2026-01-05T14:30:01Z"},
        BAR | {"t": "9999-12-31T23:59:00Z"},
        BAR | {"t": 5},
        BAR | {"S": None},
        BAR | {"S": "TSLA"},
        {"T": "zz", "S": "SPY"},
        {"no": "type"},
        "text",
        None,
    ],
)
def test_bad_message_costs_only_itself(wrong):
    """Those before and after it are handed on; it is told once, and counted."""
    server = live()
    first, strange, second = server.tell(BAR, wrong, BAR)
    assert (first, type(strange)) == (second, Strange)
    assert server.tell(wrong) == []
    assert server.client.strange[strange.what] == 2


def test_unknown_field_does_no_harm():
    """The bar is had, and the field told once."""
    server = live()
    strange, bar = server.tell(BAR | {"zeal": 1})
    assert strange.what == "a field 'zeal' in messages of type 'b'"
    assert server.tell(BAR | {"zeal": 1}) == [bar]


def test_kinds_that_are_not_handed_on_are_not_strange():
    """Corrections come with trades whether one wants them or not."""
    server = live({"trades": ["SPY"]})
    assert server.tell({"T": "c", "S": "SPY", **messages.correction(Trade("SPY", END, 1.0, 1.0), 1.5)}) == []
    assert (server.client.strange, server.client.counts["c"]) == ({}, 1)


def test_what_is_strange_shows_no_secret():
    """Should the server quote it."""
    [strange] = live().tell({"T": "zz", "key": KEYS[0], "secret": KEYS[1]})
    assert not any(each in strange.example for each in KEYS)


@pytest.mark.parametrize("frame", ["{", "", b"\xc1", "[" * 100_000])
@pytest.mark.parametrize("is_packed", [True, False])
def test_frame_that_cannot_be_read_is_left_out(frame, is_packed):
    """The next one is read."""
    server = live(is_packed=is_packed)
    frames, [strange] = server.client.receive(frame, 0.0)
    assert (frames, strange.what) == ([], "a frame that cannot be read")
    assert server.tell(error(403)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
MESSAGES = st.dictionaries(st.sampled_from([*"SohlcvtTnpsx", "bp", "code", "msg", "bars", "sc"]), JSON).flatmap(
    lambda rest: st.sampled_from(["b", "u", "q", "t", "s", "c", "error", "success", "subscription", "new"]).map(
        lambda kind: rest | {"T": kind}
    )
)


@given(st.lists(st.one_of(MESSAGES, JSON), max_size=5))
def test_nothing_that_comes_raises(told):
    """Whatever is in a message, it is a value, an event, or strange."""
    server = live({"trades": ["SPY"], "quotes": ["SPY"], **BARS})
    server.tell(*told)
    assert server.client.state in State


@pytest.mark.parametrize(("channels", "match"), [({"bar": ["SPY"]}, "did you mean bars"), ({"news": []}, "it has")])
def test_channel_that_the_stream_lacks_is_refused_at_once(channels, match):
    """Before anything is connected."""
    with pytest.raises(Unsupported, match=match):
        stream(channels)


def test_symbol_of_another_kind_is_refused_at_once():
    """Pairs have a stream of their own, and so has the test symbol fewer channels."""
    with pytest.raises(ConfigError, match="carries stocks"):
        stream({"bars": ["BTC/USD"]})
    assert endpoint("iex", crypto=True).path == "/v1beta3/crypto/us"
    with pytest.raises(Unsupported, match="has no updatedBars"):
        stream({"updatedBars": ["FAKEPACA"]}, feed="test")


def test_feed_without_a_stream_is_refused():
    """Delayed bars would be no live session."""
    with pytest.raises(Unsupported, match="try iex, sip, test"):
        endpoint("delayed_sip", crypto=False)


def test_every_error_has_a_verdict():
    """Those of the sandbox's side, which are Alpaca's."""
    assert stream_errors.VERDICTS.keys() == stream_errors.ERRORS.keys()


def test_unknown_error_while_live_is_strange():
    """In a handshake it is the end of the connection."""
    server = live()
    [strange] = server.tell({"T": "error", "code": 499, "msg": "?"})
    assert isinstance(strange, Strange)
    server.client.opening(1.0)
    [lost] = server.tell({"T": "error", "code": 499, "msg": "?"})
    assert isinstance(lost, Lost)
